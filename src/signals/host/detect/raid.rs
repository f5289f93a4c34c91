//! Redundant and layered storage as it is now: md, multipath, LVM thin pools, ZFS.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &[
    "raid",
    "disk",
    "storage",
    "multipath",
    "path",
    "paths",
    "lun",
    "volume",
    "degraded",
];

pub fn detect(host: &Host, out: &mut Partial) {
    mdstat(host, out);
    multipath(host, out);
    thin_pools(host, out);
    zpools(host, out);
    bcache(host, out);
}

/// `[UU_]`: an underscore is a missing member, `(F)` a failed one.
fn mdstat(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/mdstat") else {
        return;
    };
    let mut array: Option<(usize, String)> = None;
    for (number, line) in doc.lines() {
        if line.contains(" : active") || line.contains(" : inactive") {
            array = line.split(' ').next().map(|name| (number, name.to_owned()));
            if line.contains(" : inactive") && !line.contains("(S)") {
                let name = array.as_ref().map_or("md", |a| a.1.as_str()).to_owned();
                report(host, out, &name, "inactive", 0.8, vec![doc.cite(number)]);
            }
        }
        let missing = line
            .rsplit_once('[')
            .and_then(|(_, rest)| rest.split_once(']'))
            .is_some_and(|(state, _)| {
                state.contains('_') && state.bytes().all(|b| matches!(b, b'U' | b'_'))
            });
        if let (true, Some((at, name))) = (missing, &array) {
            report(
                host,
                out,
                name,
                "degraded",
                0.84,
                vec![doc.cite(number), doc.cite(*at)],
            );
        }
    }
}

fn report(
    host: &Host,
    out: &mut Partial,
    name: &str,
    state: &str,
    strength: f64,
    evidence: Vec<crate::report::Evidence>,
) {
    Draft::cause("md-degraded", "raid-degraded", strength, "Raid", name)
        .says(
            format!("Software RAID {name} is {state}"),
            format!("The md array {name} is {state}: a member failed or is missing, the next failure loses data."),
        )
        .cites(evidence)
        .with("device", name)
        .if_ticket(host, WORDS)
        .put(out);
}

/// Paths reported `failed` or `faulty` by `multipath -ll`; a map with none left serves nothing.
fn multipath(host: &Host, out: &mut Partial) {
    let mut map: Option<(usize, String, usize, Vec<usize>)> = None;
    let docs = host.commands("multipath", |name| {
        name.contains("-ll") && !name.contains("-v4")
    });
    let Some(doc) = docs.into_iter().next() else {
        return;
    };
    let mut maps = Vec::new();
    for (number, line) in doc.lines() {
        if line.contains(" dm-") && !line.starts_with(['|', '`', ' ']) {
            maps.extend(map.take());
            map = line
                .split(' ')
                .next()
                .map(|name| (number, name.to_owned(), 0, Vec::new()));
        } else if let Some(map) = &mut map
            && line.starts_with(['|', '`', ' '])
            && line.contains(':')
        {
            if line.contains(" failed ") || line.contains(" faulty ") {
                map.3.push(number);
            } else if line.contains(" active ready") {
                map.2 += 1;
            }
        }
    }
    maps.extend(map);
    for (at, name, active, failed) in maps.into_iter().filter(|m| !m.3.is_empty()).take(4) {
        let strength = if active == 0 { 0.9 } else { 0.66 };
        Draft::cause(
            "multipath-failed-paths",
            "multipath-paths-down",
            strength,
            "Multipath",
            &name,
        )
        .says(
            format!(
                "Multipath {name}: {} of {} paths failed",
                failed.len(),
                failed.len() + active
            ),
            format!(
                "{} paths of {name} are down and {active} work; {}",
                failed.len(),
                if active == 0 {
                    "I/O to the LUN stops."
                } else {
                    "redundancy is reduced: fabric, port or target."
                }
            ),
        )
        .cites(failed.into_iter().map(|n| doc.cite(n)).take(3))
        .cites([doc.cite(at)])
        .with("device", name.as_str())
        .if_ticket(host, WORDS)
        .put(out);
    }
}

/// Data or metadata of a thin pool at 95 % and more.
fn thin_pools(host: &Host, out: &mut Partial) {
    for doc in host.commands("lvs", |_| true).into_iter().take(1) {
        let Some((_, header)) = doc.line_with(|l| l.contains("Data%") && l.contains("LV")) else {
            continue;
        };
        let columns: Vec<(&str, usize)> = ["Data%", "Meta%"]
            .into_iter()
            .filter_map(|c| header.find(c).map(|at| (c, at + c.len())))
            .collect();
        for (number, line) in doc.lines() {
            let mut words = line.split_whitespace();
            let (Some(lv), Some(vg), Some(attr)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            if !attr.starts_with('t') {
                continue;
            }
            for (column, end) in &columns {
                let value = line
                    .get(..*end)
                    .and_then(|l| l.split_whitespace().next_back())
                    .and_then(|v| v.parse::<f64>().ok());
                if let Some(value) = value.filter(|v| (95.0..=100.0).contains(v)) {
                    Draft::cause("thin-pool-usage", "lvm-thin-full", if value >= 99.0 { 0.9 } else { 0.7 }, "Volume", &format!("{vg}/{lv}"))
                        .says(
                            format!("LVM thin pool {vg}/{lv} is full: {column} {value}"),
                            format!("The thin pool {vg}/{lv} has {value} % of its {} in use; writes to all its volumes stall or fail when it is full.", if *column == "Data%" { "data space" } else { "metadata" }),
                        )
                        .cites([doc.cite(number)])
                        .with("device", format!("{vg}/{lv}"))
                        .if_ticket(host, WORDS)
                        .put(out);
                }
            }
        }
    }
}

/// `zpool status`: a pool that is not ONLINE.
fn zpools(host: &Host, out: &mut Partial) {
    let Some(doc) = host.command("zpool", &["status"]) else {
        return;
    };
    let mut pool = String::new();
    for (number, line) in doc.lines() {
        if let Some(name) = line.trim().strip_prefix("pool: ") {
            pool = name.to_owned();
        }
        let Some(state) = line.trim().strip_prefix("state: ") else {
            continue;
        };
        let strength = match state {
            "DEGRADED" => 0.78,
            "FAULTED" | "SUSPENDED" | "UNAVAIL" => 0.92,
            _ => continue,
        };
        Draft::cause("zpool-state", "zfs-pool-fault", strength, "Pool", &pool)
            .says(
                format!("ZFS pool {pool} is {state}"),
                format!("The ZFS pool {pool} is {state}: devices of it failed or are missing."),
            )
            .cites([doc.cite(number)])
            .cites(
                doc.lines()
                    .filter(|(n, l)| {
                        *n > number
                            && ["DEGRADED", "FAULTED", "UNAVAIL", "REMOVED"]
                                .iter()
                                .any(|s| l.contains(s))
                    })
                    .map(|(n, _)| doc.cite(n))
                    .take(3),
            )
            .with("pool", pool.as_str())
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// bcache: a cache without available buckets sends writes past itself; a state that is no longer clean.
fn bcache(host: &Host, out: &mut Partial) {
    let mut docs = host.files("sys/fs/bcache/");
    docs.extend(host.files("sys/block/bcache"));
    docs.extend(host.files("sys/devices/virtual/block/bcache"));
    // One device without a cache beside others that have theirs has lost it; all without may be meant so.
    let others_cached = docs.iter().any(|doc| {
        doc.path.ends_with("/state")
            && doc
                .lines()
                .next()
                .is_some_and(|(_, line)| ["clean", "dirty"].contains(&line.trim()))
    });
    for doc in docs {
        let Some((number, line)) = doc.lines().next() else {
            continue;
        };
        let name = doc.path.rsplit('/').next().unwrap_or_default();
        let (strength, what) = match (name, line.trim().parse::<u64>(), line.trim()) {
            ("cache_available_percent", Ok(percent @ 0..=33), _) => (
                0.62,
                format!(
                    "only {percent} % of the cache is available, so writes bypass it and go to the slow disk"
                ),
            ),
            ("state", _, "inconsistent") => (
                0.8,
                "the backing device is inconsistent with its cache".to_owned(),
            ),
            ("state", _, "no cache") if others_cached => (
                0.82,
                "no cache is attached to this backing device, while the other bcache devices of the host have theirs: it runs at the speed of the bare disk".to_owned(),
            ),
            ("state", _, "no cache") => (0.56, "the backing device has lost its cache".to_owned()),
            _ => continue,
        };
        let device = doc
            .path
            .split('/')
            .find(|part| part.starts_with("bcache") && part.len() > 6)
            .or_else(|| doc.path.split('/').rev().nth(1))
            .unwrap_or("bcache")
            .to_owned();
        Draft::cause("bcache-state", "bcache-fault", strength, "Disk", &device)
            .says(
                format!("bcache {device}: {what}"),
                format!(
                    "bcache reports {name} = {} for {device}: {what}.",
                    line.trim()
                ),
            )
            .cites([doc.cite(number)])
            .with("device", device.as_str())
            .if_ticket(host, &["bcache", "disk", "slow", "storage", "latency"])
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_missing_member_degrades_the_array() {
        let bad = "Personalities : [raid1]\nmd0 : active raid1 sda1[0] sdb1[1](F)\n      1000 blocks super 1.2 [2/1] [U_]\n";
        assert_eq!(causes(&on(&[("proc/mdstat", bad)])), ["raid-degraded"]);
        let good = "Personalities : [raid1]\nmd0 : active raid1 sda1[0] sdb1[1]\n      1000 blocks super 1.2 [2/2] [UU]\n";
        assert!(causes(&on(&[("proc/mdstat", good)])).is_empty());
    }

    #[test]
    fn failed_paths_of_multipath() {
        let text = "mpatha (3600) dm-3 NETAPP,LUN\nsize=10G features='0' hwhandler='0' wp=rw\n|-+- policy='x' prio=50 status=active\n| `- 3:0:0:1 sdb 8:16 active ready running\n`-+- policy='x' prio=0 status=enabled\n  `- 4:0:0:1 sdc 8:32 failed faulty running\n";
        let out = on(&[("sos_commands/multipath/multipath_-ll", text)]);
        assert_eq!(causes(&out), ["multipath-paths-down"]);
        assert!(out.signals[0].title.contains("1 of 2"));
        assert!(
            causes(&on(&[(
                "sos_commands/multipath/multipath_-ll",
                &text.replace("failed faulty", "active ready")
            )]))
            .is_empty()
        );
    }

    #[test]
    fn thin_pool_nearly_full() {
        let text = "  LV    VG   Attr       LSize  Pool Origin Data%  Meta%\n  pool  vg0  twi-aotz-- 10.00g             99.80  40.10\n  root  vg0  -wi-ao---- 10.00g\n";
        assert_eq!(
            causes(&on(&[("sos_commands/lvm2/lvs", text)])),
            ["lvm-thin-full"]
        );
    }

    #[test]
    fn bcache_without_available_cache() {
        let path = "sys/fs/bcache/d7696818-1be9-4dea-9991-d95e24d7d256/cache_available_percent";
        assert_eq!(
            causes(&on(&[(path, "25\n"), ("etc/fstab", "")])),
            ["bcache-fault"]
        );
        assert!(causes(&on(&[(path, "96\n"), ("etc/fstab", "")])).is_empty());
    }

    #[test]
    fn zpool_degraded() {
        assert_eq!(
            causes(&on(&[(
                "sos_commands/zfs/zpool_status",
                "  pool: tank\n state: DEGRADED\n"
            )])),
            ["zfs-pool-fault"]
        );
        assert!(
            causes(&on(&[(
                "sos_commands/zfs/zpool_status",
                "  pool: tank\n state: ONLINE\n"
            )]))
            .is_empty()
        );
    }
}
