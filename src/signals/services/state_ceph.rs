//! Ceph by its status outputs: health checks, OSD tree, versions, the monitors' store.

use super::engine::{compile, shorten};
use super::state::{Says, at, line_with, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::report::{Evidence, Missing};
use crate::signals::{Partial, Role, Signal};
use serde_json::Value;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[
    HEALTH,
    SPILLOVER,
    DOWN,
    FULL,
    PGS,
    INCONSISTENT,
    SLOW,
    MON,
    SKEW,
    MDS,
    CRASH,
    OMAP,
    VERSIONS,
    BACKEND,
    CONFIG,
];
const HEALTH: (&str, &str) = ("ceph.health-check", "ceph-health-warning");
const SPILLOVER: (&str, &str) = ("ceph.bluefs-spillover", "ceph-bluefs-spillover");
const DOWN: (&str, &str) = ("ceph.osd-down", "ceph-osd-down");
const FULL: (&str, &str) = ("ceph.health-full", "ceph-full");
const PGS: (&str, &str) = ("ceph.health-pgs", "ceph-pg-unavailable");
const INCONSISTENT: (&str, &str) = ("ceph.health-inconsistent", "ceph-pg-inconsistent");
const SLOW: (&str, &str) = ("ceph.health-slow-ops", "ceph-slow-ops");
const MON: (&str, &str) = ("ceph.health-mon", "ceph-mon-quorum");
const SKEW: (&str, &str) = ("ceph.health-clock-skew", "ceph-mon-clock-skew");
const MDS: (&str, &str) = ("ceph.health-mds", "ceph-mds-unhealthy");
const CRASH: (&str, &str) = ("ceph.health-recent-crash", "ceph-daemon-crash");
const OMAP: (&str, &str) = ("ceph.health-large-omap", "ceph-large-omap");
const VERSIONS: (&str, &str) = ("ceph.mixed-versions", "ceph-mixed-versions");
const BACKEND: (&str, &str) = ("ceph.mon-leveldb", "ceph-mon-leveldb");
const CONFIG: (&str, &str) = ("ceph.health-pool-config", "ceph-pool-configuration");

/// How an expert weighs a health check: (code's beginning, ids, strength, role).
const CHECKS: &[(&str, (&str, &str), f64, Role)] = &[
    ("BLUEFS_SPILLOVER", SPILLOVER, 0.85, Role::Cause),
    ("OSD_FULL", FULL, 0.93, Role::Cause),
    ("OSD_BACKFILLFULL", FULL, 0.86, Role::Cause),
    ("OSD_NEARFULL", FULL, 0.84, Role::Cause),
    ("POOL_FULL", FULL, 0.9, Role::Cause),
    ("POOL_NEARFULL", FULL, 0.8, Role::Cause),
    ("MON_DISK", FULL, 0.85, Role::Cause),
    ("OSD_DOWN", DOWN, 0.68, Role::Symptom),
    ("OSD_HOST_DOWN", DOWN, 0.68, Role::Symptom),
    ("OSD_ORPHAN", HEALTH, 0.5, Role::Cause),
    ("OSD_OUT_OF_ORDER_FULL", CONFIG, 0.8, Role::Cause),
    ("OSD_SCRUB_ERRORS", INCONSISTENT, 0.86, Role::Cause),
    ("PG_DAMAGED", INCONSISTENT, 0.88, Role::Cause),
    ("OSD_TOO_MANY_REPAIRS", INCONSISTENT, 0.8, Role::Cause),
    ("OBJECT_UNFOUND", PGS, 0.85, Role::Cause),
    ("PG_AVAILABILITY", PGS, 0.66, Role::Symptom),
    ("PG_DEGRADED", PGS, 0.5, Role::Symptom),
    ("PG_RECOVERY_FULL", FULL, 0.88, Role::Cause),
    ("PG_BACKFILL_FULL", FULL, 0.84, Role::Cause),
    ("SLOW_OPS", SLOW, 0.7, Role::Cause),
    ("REQUEST_SLOW", SLOW, 0.7, Role::Cause),
    ("REQUEST_STUCK", SLOW, 0.74, Role::Cause),
    ("OSD_SLOW_PING", SLOW, 0.72, Role::Cause),
    ("MON_DOWN", MON, 0.7, Role::Cause),
    ("MON_CLOCK_SKEW", SKEW, 0.84, Role::Cause),
    ("MDS_", MDS, 0.68, Role::Cause),
    ("FS_", MDS, 0.6, Role::Cause),
    ("RECENT_CRASH", CRASH, 0.7, Role::Cause),
    ("RECENT_MGR_MODULE_CRASH", CRASH, 0.7, Role::Cause),
    ("OSD_UNREACHABLE", HEALTH, 0.74, Role::Cause),
    ("OSD_NO_", HEALTH, 0.5, Role::Cause),
    ("OSD_FILESTORE", HEALTH, 0.54, Role::Cause),
    ("OSD_UPGRADE", HEALTH, 0.6, Role::Cause),
    ("PG_SLOW_SNAP_TRIMMING", SLOW, 0.66, Role::Cause),
    ("MON_MSGR2", HEALTH, 0.5, Role::Cause),
    ("MON_NETSPLIT", MON, 0.84, Role::Cause),
    ("NVMEOF_", HEALTH, 0.6, Role::Cause),
    ("STRETCH_", HEALTH, 0.7, Role::Cause),
    ("DASHBOARD_", HEALTH, 0.4, Role::Cause),
    ("HOST_IN_MAINTENANCE", HEALTH, 0.6, Role::Cause),
    ("UPGRADE_", HEALTH, 0.7, Role::Cause),
    ("PG_NOT_DEEP", HEALTH, 0.52, Role::Cause),
    ("LARGE_OMAP", OMAP, 0.7, Role::Cause),
    ("DAEMON_OLD_VERSION", VERSIONS, 0.74, Role::Cause),
    ("POOL_TOO_", CONFIG, 0.55, Role::Cause),
    ("TOO_FEW_PGS", CONFIG, 0.6, Role::Cause),
    ("TOO_MANY_PGS", CONFIG, 0.74, Role::Cause),
    ("TOO_FEW_OSDS", CONFIG, 0.74, Role::Cause),
    ("SMALLER_PGP_NUM", CONFIG, 0.66, Role::Cause),
    ("POOL_APP_NOT_ENABLED", CONFIG, 0.5, Role::Cause),
    ("POOL_NO_REDUNDANCY", CONFIG, 0.5, Role::Cause),
    ("POOL_TARGET_SIZE", CONFIG, 0.6, Role::Cause),
    ("OSDMAP_FLAGS", HEALTH, 0.55, Role::Cause),
    ("OSD_FLAGS", HEALTH, 0.5, Role::Cause),
    ("MGR_MODULE", HEALTH, 0.7, Role::Cause),
    ("MGR_DOWN", HEALTH, 0.7, Role::Cause),
    ("CEPHADM_", HEALTH, 0.66, Role::Cause),
    ("DEVICE_HEALTH", HEALTH, 0.72, Role::Cause),
    ("BLUESTORE_", HEALTH, 0.64, Role::Cause),
    ("CACHE_POOL", HEALTH, 0.6, Role::Cause),
    ("PG_NOT_", HEALTH, 0.45, Role::Cause),
    ("AUTH_", HEALTH, 0.2, Role::Cause),
    ("OBJECT_MISPLACED", HEALTH, 0.3, Role::Symptom),
    ("OLD_CRUSH", HEALTH, 0.3, Role::Cause),
    ("TELEMETRY", HEALTH, 0.1, Role::Cause),
];

fn weigh(code: &str) -> ((&'static str, &'static str), f64, Role) {
    CHECKS
        .iter()
        .find(|(start, ..)| code.starts_with(start))
        .map_or((HEALTH, 0.45, Role::Cause), |(_, ids, strength, role)| {
            (*ids, *strength, *role)
        })
}

/// Findings from Ceph's outputs.
pub fn detect(tree: &Tree, ticket: Option<&str>) -> Partial {
    let mut partial = Partial::default();
    for (entry, text) in texts(tree, |rel| {
        let name = name_of(rel);
        !rel.starts_with("var/log/")
            && (name.contains("ceph") && !name.contains("config") || name == "kv_backend")
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = name_of(&rel);
        if name == "kv_backend" {
            partial.signals.extend(backend(entry, &text));
        } else if name.contains("versions") {
            partial.signals.extend(versions(entry, &text));
        } else if name.contains("osd_tree") && !name.contains("json") {
            partial.signals.extend(tree_down(entry, &text));
        } else if name.contains("health")
            || name.contains("status")
            || name.contains("ceph_-s")
            || name.contains("report")
        {
            let found = match serde_json::from_str::<Value>(text.as_str()) {
                Ok(value) => health_json(entry, &text, &value),
                Err(_) => health_text(entry, &text),
            };
            for signal in found {
                let known = partial.signals.iter_mut().find(|other| {
                    other.detector == signal.detector && other.subject == signal.subject
                });
                match known {
                    Some(other) if other.evidence.len() < signal.evidence.len() => *other = signal,
                    Some(_) => {}
                    None => partial.signals.push(signal),
                }
            }
        }
    }
    partial.missing.extend(asked_about(tree, ticket));
    partial
}

fn check(code: &str, summary: &str, details: &[String], evidence: Vec<Evidence>) -> Option<Signal> {
    let (ids, strength, role) = weigh(code);
    let listed = shorten(
        &details
            .iter()
            .take(4)
            .cloned()
            .collect::<Vec<_>>()
            .join("; "),
        300,
    );
    let osd = compile(r"\bosd\.(\d+)")
        .and_then(|re| re.captures(&listed).map(|c| c[1].to_owned()))
        .unwrap_or_default();
    let meaning = match ids.1 {
        "ceph-bluefs-spillover" => {
            "RocksDB metadata no longer fits the fast db device and spills to the slow device, which makes these OSDs slow"
        }
        "ceph-full" => "writes or backfill are blocked until there is space",
        "ceph-osd-down" => "the OSD's own log and disk tell why",
        "ceph-pg-inconsistent" => {
            "copies differ or cannot be read; the OSD with the bad copy usually has a failing disk"
        }
        "ceph-mon-clock-skew" => "time synchronisation of that monitor's host is broken",
        _ => "see the detail lines",
    };
    let mut signal = Says {
        id: ids,
        subject: ("Ceph cluster", code),
        title: format!(
            "Ceph {code}: {summary}{}",
            if listed.is_empty() {
                String::new()
            } else {
                format!(" ({listed})")
            }
        ),
        statement: format!(
            "Ceph health check {code} is raised: {summary}. {listed}{} {meaning}.",
            if listed.is_empty() { "" } else { ":" }
        ),
        strength,
        role,
        evidence,
    }
    .signal(&[("osd", &osd)])?;
    if role == Role::Symptom && ids == DOWN && !osd.is_empty() {
        signal.subject.name = format!("osd.{osd}");
    }
    Some(signal)
}

fn health_json(entry: &Entry, text: &Text, value: &Value) -> Vec<Signal> {
    let checks = value
        .get("checks")
        .or_else(|| value.get("health").and_then(|health| health.get("checks")))
        .and_then(Value::as_object);
    let Some(checks) = checks else {
        return Vec::new();
    };
    let message = |value: &Value| {
        value
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or("")
            .to_owned()
    };
    let quoted = |text_of: &str| {
        serde_json::to_string(text_of)
            .ok()
            .map(|json| json.trim_matches('"').to_owned())
            .filter(|json| !json.is_empty())
    };
    checks
        .iter()
        .filter(|(_, check)| check.get("muted").and_then(Value::as_bool) != Some(true))
        .filter_map(|(code, body)| {
            let summary = body.get("summary").map(&message).unwrap_or_default();
            let details: Vec<String> = body
                .get("detail")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(&message)
                .collect();
            let lines = details
                .iter()
                .take(3)
                .chain([&summary])
                .filter_map(|part| line_with(entry, text, &quoted(part)?));
            let mut evidence: Vec<Evidence> = lines.collect();
            if evidence.is_empty() {
                evidence.extend(line_with(entry, text, code));
            }
            check(code, &summary, &details, evidence)
        })
        .collect()
}

/// `[WRN] OSD_DOWN: 1 osds down` or the older `OSD_DOWN 1 osds down`, details indented below.
fn health_text(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some(head) = compile(
        r"^\s*(?:\[(?:WRN|ERR)\]\s+|HEALTH_\w+\s+)?(?-i:([A-Z]{2,}(?:_[A-Z0-9]+)+)):?\s+(\S.*)$",
    ) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let lines: Vec<(usize, &str)> = text.lines().take(5000).collect();
    for (place, (number, line)) in lines.iter().enumerate() {
        let Some(found) = head
            .captures(line)
            .filter(|found| !found[1].starts_with("HEALTH_"))
        else {
            continue;
        };
        if !CHECKS.iter().any(|(start, ..)| found[1].starts_with(start)) {
            continue;
        }
        let below = lines[place + 1..]
            .iter()
            .take_while(|(_, line)| line.starts_with("    ") && !head.is_match(line))
            .take(4);
        let details: Vec<String> = below
            .clone()
            .map(|(_, line)| line.trim().to_owned())
            .collect();
        let mut evidence = vec![at(entry, *number, line)];
        evidence.extend(below.map(|(number, line)| at(entry, *number, line)));
        out.extend(check(
            &found[1],
            found[2].trim_end_matches(" (muted)"),
            &details,
            evidence,
        ));
    }
    if out.is_empty() {
        out.extend(status_text(entry, &lines));
    }
    out
}

/// `ceph -s`, whose checks have no codes.
fn status_text(entry: &Entry, lines: &[(usize, &str)]) -> Vec<Signal> {
    const WORDS: &[(&str, &str)] = &[
        ("nearfull", "OSD_NEARFULL"),
        ("backfillfull", "OSD_BACKFILLFULL"),
        ("full osd", "OSD_FULL"),
        ("pool(s) full", "POOL_FULL"),
        ("osds down", "OSD_DOWN"),
        ("osd down", "OSD_DOWN"),
        ("spillover", "BLUEFS_SPILLOVER"),
        ("scrub errors", "OSD_SCRUB_ERRORS"),
        ("inconsistent", "PG_DAMAGED"),
        ("unfound", "OBJECT_UNFOUND"),
        ("slow ops", "SLOW_OPS"),
        ("slow requests", "SLOW_OPS"),
        ("mons down", "MON_DOWN"),
        ("clock skew", "MON_CLOCK_SKEW"),
        ("recently crashed", "RECENT_CRASH"),
        ("large omap", "LARGE_OMAP"),
        ("data availability", "PG_AVAILABILITY"),
        ("too many PGs", "TOO_MANY_PGS"),
        ("filesystem is", "FS_DEGRADED"),
        ("flag(s) set", "OSDMAP_FLAGS"),
    ];
    let from = lines
        .iter()
        .position(|(_, line)| line.contains("HEALTH_WARN") || line.contains("HEALTH_ERR"));
    let Some(from) = from else { return Vec::new() };
    let block = lines[from..]
        .iter()
        .take_while(|(_, line)| !line.trim_start().starts_with("services:"))
        .take(20);
    block
        .filter_map(|(number, line)| {
            let (_, code) = WORDS.iter().find(|(word, _)| line.contains(word))?;
            check(code, line.trim(), &[], vec![at(entry, *number, line)])
        })
        .collect()
}

fn tree_down(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some(row) = compile(r"\b(osd\.(\d+))\s+down\b") else {
        return Vec::new();
    };
    text.lines()
        .filter_map(|(number, line)| {
            let found = row.captures(line)?;
            Says {
                id: DOWN,
                subject: ("Ceph daemon", &found[1]),
                title: format!("Ceph {} is down", &found[1]),
                statement: format!(
                    "`ceph osd tree` shows {} as down; its own log and disk tell why.",
                    &found[1]
                ),
                strength: 0.66,
                role: Role::Symptom,
                evidence: vec![at(entry, number, line)],
            }
            .signal(&[("osd", &found[2])])
        })
        .take(12)
        .collect()
}

/// Daemons of different releases in one cluster, longer than an upgrade should take.
fn versions(entry: &Entry, text: &Text) -> Option<Signal> {
    let value: Value = serde_json::from_str(text.as_str()).ok()?;
    let overall = value
        .get("overall")
        .and_then(Value::as_object)
        .filter(|all| all.len() > 1)?;
    let short: Vec<String> = overall
        .iter()
        .map(|(version, count)| {
            format!("{} x {count}", version.split(' ').nth(2).unwrap_or(version))
        })
        .collect();
    let from = text
        .lines()
        .find(|(_, line)| line.contains("\"overall\""))?
        .0;
    Says {
        id: VERSIONS,
        subject: ("Ceph cluster", "versions"),
        title: format!("Ceph daemons run different versions: {}", short.join(", ")),
        statement: format!("The daemons of this Ceph cluster run {} different versions ({}): an upgrade was not finished or daemons were not restarted.", overall.len(), short.join(", ")),
        strength: 0.7,
        role: Role::Cause,
        evidence: text.lines().filter(|(number, line)| *number > from && line.contains("version")).take(4).map(|(number, line)| at(entry, number, line)).collect(),
    }
    .signal(&[])
}

/// LevelDB is no longer supported as the monitors' store; it grows and stalls.
fn backend(entry: &Entry, text: &Text) -> Option<Signal> {
    let (number, line) = text
        .lines()
        .find(|(_, line)| line.trim().eq_ignore_ascii_case("leveldb"))?;
    Says {
        id: BACKEND,
        subject: ("Ceph monitor", "store"),
        title: "Ceph monitor still uses the leveldb store instead of rocksdb".into(),
        statement: "The monitor's kv_backend is leveldb, which newer Ceph releases do not support (rocksdb is the standard); the monitor has to be redeployed to convert it before an upgrade.".into(),
        strength: 0.8,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[])
}

/// The customer speaks of an OSD or monitor whose log is not in the bundle.
fn asked_about(tree: &Tree, ticket: Option<&str>) -> Option<Missing> {
    let told = ticket?.to_ascii_lowercase();
    let about = ["osd", "ceph", "rados"].iter().any(|word| {
        told.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|part| part.trim_end_matches('s') == *word)
    });
    let present = tree.files().any(|entry| {
        let rel = tree.rel(entry);
        rel.contains("ceph/ceph-osd") && rel.contains("log") || rel.contains("rook-ceph-osd")
    });
    if !about || present {
        return None;
    }
    let mut listed = String::new();
    for (_, text) in texts(tree, |rel| {
        name_of(rel).starts_with("ls_") && rel.contains("var.log")
    }) {
        if let Some((_, line)) = text
            .lines()
            .find(|(_, line)| line.contains("ceph-osd") && line.contains(".log"))
        {
            listed = format!("; the host has it ({})", line.trim());
        }
    }
    Some(Missing {
        what: "the OSD's own log, var/log/ceph/ceph-osd.<id>.log, and `ceph crash info`".into(),
        why: format!(
            "the ticket speaks of an OSD; a crash, a disk error or a kill would be in that log, which this bundle does not hold{listed}"
        ),
        path: Some(format!("{}var/log/ceph/ceph-osd.log", tree.top())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    fn entry(name: &str) -> Entry {
        Entry {
            path: BundlePath::parse(name).unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        }
    }

    #[test]
    fn health_in_all_its_forms() {
        let json = "{\n\"status\": \"HEALTH_WARN\",\n\"checks\": {\"BLUEFS_SPILLOVER\": {\"summary\": {\n\"message\": \"1 OSD(s) experiencing BlueFS spillover\"},\n\"detail\": [{\n\"message\": \"osd.1 spilled over 6 MiB metadata\"}]}}}";
        let found = health_json(
            &entry("a"),
            &Text::new(json.as_bytes()),
            &serde_json::from_str(json).unwrap(),
        );
        assert_eq!(
            (
                found.len(),
                found[0].cause.as_str(),
                found[0].evidence[0].line_start
            ),
            (1, "ceph-bluefs-spillover", 6)
        );
        let text = Text::new(b"HEALTH_WARN 1 osds down\n[WRN] OSD_DOWN: 1 osds down\n    osd.7 (root=default,host=a) is down\n");
        let found = health_text(&entry("a"), &text);
        assert_eq!(
            (found.len(), found[0].subject.name.as_str(), found[0].role),
            (1, "osd.7", Role::Symptom)
        );
        let status = Text::new(b"  cluster:\n    health: HEALTH_WARN\n            1 nearfull osd(s)\n  services:\n    osd: 3 osds down\n");
        assert_eq!(
            health_text(&entry("a"), &status)
                .iter()
                .map(|s| s.cause.as_str())
                .collect::<Vec<_>>(),
            ["ceph-full"]
        );
        assert!(
            health_text(
                &entry("a"),
                &Text::new(b"  cluster:\n    health: HEALTH_OK\n")
            )
            .is_empty()
        );
    }

    #[test]
    fn versions_and_backend() {
        let mixed = Text::new(b"{\"osd\":{},\n\"overall\": {\n\"ceph version 15.2.1 (a) octopus\": 3,\n\"ceph version 14.2.9 (b) nautilus\": 1}}");
        assert_eq!(versions(&entry("v"), &mixed).unwrap().evidence.len(), 2);
        assert!(
            versions(
                &entry("v"),
                &Text::new(b"{\"overall\": {\"ceph version 15.2.1 (a) octopus\": 3}}")
            )
            .is_none()
        );
        assert!(
            backend(&entry("k"), &Text::new(b"leveldb")).is_some()
                && backend(&entry("k"), &Text::new(b"rocksdb\n")).is_none()
        );
        assert_eq!(
            tree_down(
                &entry("t"),
                &Text::new(b" 3 hdd 1.0 osd.3 down 1.0\n 4 hdd 1.0 osd.4 up 1.0")
            )
            .len(),
            1
        );
    }
}
