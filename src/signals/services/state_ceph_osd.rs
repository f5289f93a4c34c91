//! Ceph's OSDs and pools by their tables and settings: fill, placement groups, redundancy, memory, releases.

use super::state::{Says, at, line_with, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use serde_json::Value;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[
    UNEVEN, PGS, FULL, RELEASE, REDUNDANCY, PGP, FLAGS, BUFFERED, MEMORY, SPILLOVER, STRAW,
];
const UNEVEN: (&str, &str) = ("ceph.osd-uneven", "ceph-osd-imbalance");
const PGS: (&str, &str) = ("ceph.osd-too-many-pgs", "ceph-pool-configuration");
const FULL: (&str, &str) = ("ceph.osd-df-full", "ceph-full");
const RELEASE: (&str, &str) = ("ceph.require-osd-release", "ceph-require-osd-release");
const REDUNDANCY: (&str, &str) = ("ceph.pool-min-size", "ceph-pool-configuration");
const PGP: (&str, &str) = ("ceph.pool-pgp-num", "ceph-pool-configuration");
const FLAGS: (&str, &str) = ("ceph.osdmap-flags", "ceph-osdmap-flags");
const BUFFERED: (&str, &str) = ("ceph.bluefs-buffered-io-off", "ceph-bluefs-buffered-io");
const MEMORY: (&str, &str) = ("ceph.osd-memory-target", "ceph-osd-memory-overcommitted");
const SPILLOVER: (&str, &str) = ("ceph.bluefs-slow-bytes", "ceph-bluefs-spillover");
const STRAW: (&str, &str) = ("ceph.crush-straw", "ceph-crush-straw");

/// `mon_max_pg_per_osd`: the monitors' own limit of placement groups on an OSD (Ceph documentation, pool
/// and PG configuration reference).
const MAX_PGS: u64 = 250;
/// Fill at which Ceph warns (`nearfull_ratio` 0.85).
const NEARFULL: f64 = 85.0;
/// Releases in order; a cluster requires one of them.
const RELEASES: [&str; 9] = [
    "luminous", "mimic", "nautilus", "octopus", "pacific", "quincy", "reef", "squid", "tentacle",
];

/// Findings from tables and settings of OSDs and pools.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    let mut releases: Option<(usize, Evidence)> = None;
    let mut required: Option<(usize, Evidence)> = None;
    for (entry, text) in texts(tree, |rel| {
        let name = name_of(rel);
        !rel.starts_with("var/log/") && name.contains("ceph")
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = name_of(&rel);
        let json = || serde_json::from_str::<Value>(text.as_str()).ok();
        if name.contains("osd_df") {
            partial.signals.extend(fill(entry, &text));
        } else if name.contains("osd_dump") || name.contains("report") {
            match json() {
                Some(value) => {
                    partial
                        .signals
                        .extend(dump_json(entry, &text, &value, &mut required))
                }
                None => partial.signals.extend(dump(entry, &text, &mut required)),
            }
        } else if name.contains("crush_dump") {
            partial.signals.extend(straw(entry, &text));
        } else if name.contains("config_show") {
            partial.signals.extend(config(entry, &text));
        } else if name.contains("perf_dump") {
            partial
                .signals
                .extend(json().and_then(|value| spillover(entry, &text, &value)));
        } else if name.contains("versions") {
            releases = releases.or_else(|| running(entry, &text));
        }
    }
    if let (Some((running, shown)), Some((wanted, at))) = (releases, required)
        && running > wanted
    {
        let (running, wanted) = (RELEASES[running], RELEASES[wanted]);
        partial.signals.extend(
            Says {
                id: RELEASE,
                subject: ("Ceph cluster", ""),
                title: format!("Ceph upgrade is not finished: require_osd_release is {wanted}, all OSDs run {running}"),
                statement: format!("All OSDs run {running}, but require_osd_release still says {wanted}: the last step of the upgrade was left out; new functions stay off and the next upgrade is refused."),
                strength: 0.72,
                role: Role::Cause,
                evidence: vec![at, shown],
            }
            .signal(&[]),
        );
    }
    partial.signals.extend(memory(tree));
    partial
}

/// The oldest release that any OSD runs, by `ceph versions`.
fn running(entry: &Entry, text: &Text) -> Option<(usize, Evidence)> {
    let value: Value = serde_json::from_str(text.as_str()).ok()?;
    let osds = value.get("osd")?.as_object()?;
    let release = |version: &str| {
        RELEASES
            .iter()
            .position(|name| version.split_whitespace().any(|word| word == *name))
    };
    let oldest = osds.keys().map(|version| release(version)).min()??;
    Some((oldest, line_with(entry, text, RELEASES[oldest])?))
}

/// `ceph osd df [tree]`: columns by their names, which differ between releases.
fn fill(entry: &Entry, text: &Text) -> Vec<Signal> {
    struct Osd {
        id: String,
        used: f64,
        pgs: u64,
        line: Evidence,
    }
    let mut header: Vec<&str> = Vec::new();
    let mut osds: Vec<Osd> = Vec::new();
    for (number, line) in text.lines().take(20_000) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.contains(&"ID") && words.contains(&"%USE") {
            // `RAW USE` is one column; sizes (`1.8 TiB`) are two words and one column.
            header = words.into_iter().filter(|word| *word != "USE").collect();
            continue;
        }
        let Some(use_at) = header.iter().position(|word| *word == "%USE") else {
            continue;
        };
        let joined = join_units(&words);
        let (Some(id), Some(used)) = (
            joined.first().and_then(|id| id.parse::<u32>().ok()),
            joined.get(use_at).and_then(|used| used.parse::<f64>().ok()),
        ) else {
            continue;
        };
        let pgs = header
            .iter()
            .position(|word| *word == "PGS")
            .and_then(|at| joined.get(at)?.parse().ok())
            .unwrap_or(0);
        osds.push(Osd {
            id: format!("osd.{id}"),
            used,
            pgs,
            line: at(entry, number, line),
        });
    }
    let mut out = Vec::new();
    let (Some(fullest), Some(emptiest)) = (
        osds.iter().max_by(|a, b| a.used.total_cmp(&b.used)),
        osds.iter()
            .filter(|osd| osd.used > 0.0)
            .min_by(|a, b| a.used.total_cmp(&b.used)),
    ) else {
        return out;
    };
    if fullest.used >= NEARFULL {
        out.extend(
            Says {
                id: FULL,
                subject: ("Ceph daemon", &fullest.id),
                title: format!("{} is {} % full", fullest.id, fullest.used),
                statement: format!("{} is {} % full, above the nearfull ratio of 85 %: a single OSD that becomes full stops writes of the whole pool.", fullest.id, fullest.used),
                strength: 0.78,
                role: Role::Cause,
                evidence: vec![fullest.line.clone()],
            }
            .signal(&[("osd", fullest.id.trim_start_matches("osd."))]),
        );
    }
    // The fullest decides how much the cluster can hold: 20 points between two OSDs waste a fifth of it.
    if osds.len() >= 3 && fullest.used >= 50.0 && fullest.used - emptiest.used >= 20.0 {
        out.extend(
            Says {
                id: UNEVEN,
                subject: ("Ceph daemon", &fullest.id),
                title: format!("Ceph data are unevenly distributed: {} is {} % full, {} only {} %", fullest.id, fullest.used, emptiest.id, emptiest.used),
                statement: format!("Imbalance between OSDs: {} holds {} %, {} {} %. The fullest one limits the whole cluster and gets most of the load: the balancer is off, too few placement groups, or weights that do not fit the sizes.", fullest.id, fullest.used, emptiest.id, emptiest.used),
                strength: if fullest.used >= 75.0 { 0.7 } else { 0.6 },
                role: Role::Cause,
                evidence: vec![fullest.line.clone(), emptiest.line.clone()],
            }
            .signal(&[("osd", fullest.id.trim_start_matches("osd."))]),
        );
    }
    let many: Vec<&Osd> = osds.iter().filter(|osd| osd.pgs > MAX_PGS).collect();
    if let Some(most) = many.iter().max_by_key(|osd| osd.pgs) {
        out.extend(
            Says {
                id: PGS,
                subject: ("Ceph daemon", &most.id),
                title: format!("Too many placement groups: {} of {} OSDs hold more than {MAX_PGS}, {} has {} PGs", many.len(), osds.len(), most.id, most.pgs),
                statement: format!("{} carries {} placement groups; the monitors' limit is {MAX_PGS} per OSD and about 100 are advised: peering takes long, memory grows, and new pools or recovery are refused.", most.id, most.pgs),
                strength: 0.64,
                role: Role::Cause,
                evidence: many.iter().take(3).map(|osd| osd.line.clone()).collect(),
            }
            .signal(&[]),
        );
    }
    out
}

/// `1.8 TiB` as one word.
fn join_units<'a>(words: &[&'a str]) -> Vec<&'a str> {
    words
        .iter()
        .filter(|word| !matches!(**word, "B" | "KiB" | "MiB" | "GiB" | "TiB" | "PiB"))
        .copied()
        .collect()
}

fn release_of(name: &str) -> Option<usize> {
    RELEASES.iter().position(|release| *release == name)
}

/// Flags that an operator sets for maintenance and forgets.
const LEFT_ON: [&str; 10] = [
    "noout",
    "nodown",
    "noup",
    "noin",
    "norecover",
    "nobackfill",
    "norebalance",
    "noscrub",
    "nodeep-scrub",
    "pauserd",
];

fn flags(found: &[&str], line: Evidence) -> Option<Signal> {
    if found.is_empty() {
        return None;
    }
    let all = found.join(", ");
    Says {
        id: FLAGS,
        subject: ("Ceph cluster", ""),
        title: format!("Ceph flags are left set: {all}"),
        statement: format!("The OSD map has {all} set: with it Ceph does not mark out, recover, balance or scrub as it should; such flags belong to a maintenance and are removed after it."),
        strength: 0.66,
        role: Role::Cause,
        evidence: vec![line],
    }
    .signal(&[])
}

struct Pool<'a> {
    name: &'a str,
    size: u64,
    min_size: u64,
    pg_num: u64,
    pgp_num: u64,
    erasure: bool,
}

fn pool(pool: &Pool, line: Evidence, out: &mut Vec<Signal>) {
    let Pool {
        name,
        size,
        min_size,
        pg_num,
        pgp_num,
        ..
    } = *pool;
    if !pool.erasure
        && (size == 1 || size > 1 && min_size == 1)
        && out.iter().filter(|s| s.detector == REDUNDANCY.0).count() < 3
    {
        out.extend(
            Says {
                id: REDUNDANCY,
                subject: ("Ceph pool", name),
                title: format!("Ceph pool {name} has size {size} and min_size {min_size}: data can be lost"),
                statement: format!("Pool {name} keeps {size} copies and accepts writes with {min_size}: after one failure writes go to a single copy, and a second failure loses them."),
                strength: 0.58,
                role: Role::Cause,
                evidence: vec![line.clone()],
            }
            .signal(&[("pool", name)]),
        );
    }
    if pgp_num > 0 && pgp_num < pg_num {
        out.extend(
            Says {
                id: PGP,
                subject: ("Ceph pool", name),
                title: format!("Ceph pool {name}: pgp_num {pgp_num} is smaller than pg_num {pg_num}"),
                statement: format!("Pool {name} has {pg_num} placement groups but places them as {pgp_num}: the split ones stay together on the same OSDs, so data stay unevenly spread."),
                strength: 0.64,
                role: Role::Cause,
                evidence: vec![line],
            }
            .signal(&[("pool", name)]),
        );
    }
}

/// `ceph osd dump` as text.
fn dump(entry: &Entry, text: &Text, required: &mut Option<(usize, Evidence)>) -> Vec<Signal> {
    let mut out = Vec::new();
    for (number, line) in text.lines().take(100_000) {
        if let Some(rest) = line.strip_prefix("flags ") {
            let found: Vec<&str> = rest
                .split(',')
                .map(str::trim)
                .filter(|flag| LEFT_ON.contains(flag))
                .collect();
            out.extend(flags(&found, at(entry, number, line)));
        } else if let Some(name) = line.strip_prefix("require_osd_release ") {
            *required = release_of(name.trim()).map(|release| (release, at(entry, number, line)));
        } else if line.starts_with("pool ") {
            let words: Vec<&str> = line.split_whitespace().collect();
            let number_after = |key: &str| {
                let at = words.iter().position(|word| *word == key)?;
                words.get(at + 1)?.parse::<u64>().ok()
            };
            let name = line.split('\'').nth(1).unwrap_or_default();
            if let (Some(size), Some(min_size), Some(pg_num), Some(pgp_num)) = (
                number_after("size"),
                number_after("min_size"),
                number_after("pg_num"),
                number_after("pgp_num"),
            ) {
                let found = Pool {
                    name,
                    size,
                    min_size,
                    pg_num,
                    pgp_num,
                    erasure: words.contains(&"erasure"),
                };
                pool(&found, at(entry, number, line), &mut out);
            }
        }
    }
    out
}

/// `ceph osd dump --format json`, or the same map inside `ceph report`.
fn dump_json(
    entry: &Entry,
    text: &Text,
    value: &Value,
    required: &mut Option<(usize, Evidence)>,
) -> Vec<Signal> {
    let mut out = Vec::new();
    let map = value.get("osdmap").unwrap_or(value);
    if let Some(set) = map.get("flags").and_then(Value::as_str) {
        let found: Vec<&str> = set
            .split(',')
            .map(str::trim)
            .filter(|flag| LEFT_ON.contains(flag))
            .collect();
        if let Some(line) = line_with(entry, text, "\"flags\"") {
            out.extend(flags(&found, line));
        }
    }
    if let Some(name) = map.get("require_osd_release").and_then(Value::as_str) {
        *required = release_of(name).zip(line_with(entry, text, "require_osd_release"));
    }
    for body in map
        .get("pools")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let number = |key: &str| body.get(key).and_then(Value::as_u64).unwrap_or(0);
        let name = body
            .get("pool_name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let found = Pool {
            name,
            size: number("size"),
            min_size: number("min_size"),
            pg_num: number("pg_num"),
            pgp_num: number("pg_placement_num"),
            erasure: number("type") == 3,
        };
        if found.size > 0
            && let Some(line) = line_with(entry, text, &format!("\"{name}\""))
        {
            pool(&found, line, &mut out);
        }
    }
    out
}

/// Buckets of the first straw algorithm move far more data than needed on each change (Ceph: CRUSH maps, straw2 since Hammer).
fn straw(entry: &Entry, text: &Text) -> Option<Signal> {
    let (number, line) = text
        .lines()
        .find(|(_, line)| line.contains("\"alg\": \"straw\"") || line.trim() == "alg straw")?;
    Says {
        id: STRAW,
        subject: ("Ceph cluster", ""),
        title: "CRUSH buckets still use the algorithm straw instead of straw2".into(),
        statement: "The CRUSH map has buckets of the old algorithm straw: each change of weight moves more data than needed, and the balancer's upmap mode is hindered; straw2 replaces it.".into(),
        strength: 0.6,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[])
}

/// Reads of RocksDB bypass the page cache when off: it was the default of some releases and made OSDs slow.
fn config(entry: &Entry, text: &Text) -> Option<Signal> {
    let (number, line) = text
        .lines()
        .find(|(_, line)| line.contains("\"bluefs_buffered_io\"") && line.contains("\"false\""))?;
    Says {
        id: BUFFERED,
        subject: ("Setting", "bluefs_buffered_io"),
        title: "Ceph OSD runs with bluefs_buffered_io off".into(),
        statement: "bluefs_buffered_io is false: RocksDB reads bypass the page cache, which makes snapshot trimming, deletion and recovery very slow and OSDs appear dead; later releases switched it on again.".into(),
        strength: 0.62,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[])
}

/// Bytes of RocksDB on the slow device, by the OSD's own counters.
fn spillover(entry: &Entry, text: &Text, value: &Value) -> Option<Signal> {
    let bluefs = value.get("bluefs")?;
    let number = |key: &str| bluefs.get(key).and_then(Value::as_u64).unwrap_or(0);
    let (slow, total, used) = (
        number("slow_used_bytes"),
        number("db_total_bytes"),
        number("db_used_bytes"),
    );
    if slow == 0 || total == 0 || number("slow_total_bytes") == 0 {
        return None;
    }
    let osd: String = tree_osd(entry).unwrap_or_default();
    Says {
        id: SPILLOVER,
        subject: ("Ceph daemon", &osd),
        title: format!("{osd} BlueFS spillover: {} MiB of RocksDB lie on the slow device", slow >> 20),
        statement: format!("{osd}: RocksDB spills {slow} bytes to the slow device although its db device has {total} bytes ({used} used): metadata reads become slow."),
        strength: 0.72,
        role: Role::Cause,
        evidence: ["slow_used_bytes", "db_used_bytes", "db_total_bytes"].iter().filter_map(|key| line_with(entry, text, key)).collect(),
    }
    .signal(&[("osd", osd.trim_start_matches("osd."))])
}

fn tree_osd(entry: &Entry) -> Option<String> {
    let name = entry.path.name();
    let from = name.find("osd.")?;
    let digits: String = name[from + 4..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    (!digits.is_empty()).then(|| format!("osd.{digits}"))
}

/// What all OSDs of a host may take together against what the host has.
fn memory(tree: &Tree) -> Option<Signal> {
    let (target, line) =
        super::state::setting(tree, |rel| rel == "etc/ceph/ceph.conf", "osd_memory_target")
            .or_else(|| {
                super::state::setting(tree, |rel| rel == "etc/ceph/ceph.conf", "osd memory target")
            })?;
    let target: u64 = target.parse().ok()?;
    let (entry, text) = texts(tree, |rel| name_of(rel).starts_with("ps_aux")).next()?;
    let osds: Vec<(usize, &str)> = text
        .lines()
        .filter(|(_, line)| line.contains("ceph-osd ") && line.contains("--id "))
        .collect();
    let meminfo = tree.get("proc/meminfo")?;
    let memory = tree.text(meminfo).ok().flatten()?;
    let (number, total_line) = memory
        .lines()
        .find(|(_, line)| line.starts_with("MemTotal:"))?;
    let total = total_line
        .split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)?;
    let need = target.checked_mul(osds.len() as u64)?;
    if osds.is_empty() || need <= total / 10 * 9 {
        return None;
    }
    Says {
        id: MEMORY,
        subject: ("Setting", "osd memory target"),
        title: format!("{} OSDs with a memory target of {} MiB each need {} MiB, the host has {} MiB", osds.len(), target >> 20, need >> 20, total >> 20),
        statement: format!("The memory target of {target} bytes times {} OSDs exceeds the memory of the host: OSDs grow until the host swaps or the OOM killer ends them.", osds.len()),
        strength: 0.76,
        role: Role::Cause,
        evidence: vec![line, at(meminfo, number, total_line), at(entry, osds[0].0, osds[0].1)],
    }
    .signal(&[])
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

    fn detectors(signals: &[Signal]) -> Vec<&str> {
        signals
            .iter()
            .map(|signal| signal.detector.as_str())
            .collect()
    }

    #[test]
    fn fill_and_groups_of_osds() {
        let table = |used: [f64; 3], pgs: u32| {
            let rows: String = used
                .iter()
                .enumerate()
                .map(|(id, used)| format!("{id} ssd 1.81 1.00000 1.8 TiB 1 TiB 1 TiB 1 GiB 3 GiB 1 TiB {used:.2} 1.00 {pgs} up osd.{id}\n"))
                .collect();
            let head = "ID CLASS WEIGHT REWEIGHT SIZE RAW USE DATA OMAP META AVAIL %USE VAR PGS STATUS TYPE NAME\n";
            Text::new(format!("{head}{rows}TOTAL 5 TiB\n").as_bytes())
        };
        let file = entry("ceph_osd_df_tree");
        assert_eq!(
            detectors(&fill(&file, &table([84.1, 39.0, 42.0], 120))),
            ["ceph.osd-uneven"]
        );
        assert_eq!(
            detectors(&fill(&file, &table([39.1, 39.0, 38.0], 620))),
            ["ceph.osd-too-many-pgs"]
        );
        assert!(fill(&file, &table([61.0, 55.0, 58.0], 110)).is_empty());
    }

    #[test]
    fn pools_and_flags() {
        let file = entry("ceph_osd_dump");
        let text = |flags: &str, min_size: u32, pgp: u32| {
            Text::new(format!("flags sortbitwise,{flags}\npool 1 'glance' replicated size 3 min_size {min_size} crush_rule 0 pg_num 32 pgp_num {pgp} autoscale_mode on\n").as_bytes())
        };
        let mut required = None;
        assert!(dump(&file, &text("recovery_deletes", 2, 32), &mut required).is_empty());
        assert_eq!(
            detectors(&dump(&file, &text("noout", 1, 16), &mut required)),
            [
                "ceph.osdmap-flags",
                "ceph.pool-min-size",
                "ceph.pool-pgp-num"
            ]
        );
    }
}
