//! Pools of Ceph that cannot stand the loss of one copy: `min_size` against `size`, and what is inactive by it.

use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use serde_json::Value;
use std::collections::BTreeSet;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[STRICT, WEIGHT];
const STRICT: (&str, &str) = ("ceph.pool-min-size-equal", "ceph-pool-min-size");
const WEIGHT: (&str, &str) = ("ceph.crush-weight-zero", "ceph-crush-weight-zero");

/// A pool whose `min_size` equals its `size`.
struct Pool {
    id: u64,
    name: String,
    size: u64,
    erasure: bool,
    line: Evidence,
}

/// Placement groups that serve nothing now: the line that says so, and the pools that are named.
#[derive(Default)]
struct Inactive {
    line: Option<Evidence>,
    pools: BTreeSet<u64>,
}

/// Findings from the OSD map and the health outputs.
pub fn detect(tree: &Tree) -> Partial {
    let mut pools: Vec<Pool> = Vec::new();
    let mut inactive = Inactive::default();
    let mut weightless = None;
    for (entry, text) in texts(tree, |rel| {
        !rel.starts_with("var/log/") && name_of(rel).contains("ceph")
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = name_of(&rel);
        if name.contains("osd_dump") || name.contains("pool_ls_detail") || name.contains("report") {
            for pool in strict(entry, &text) {
                if !pools.iter().any(|known| known.name == pool.name) {
                    pools.push(pool);
                }
            }
        } else if name.contains("osd_tree") {
            weightless = weightless.or_else(|| weight_zero(entry, &text));
        } else if name.contains("health") || name.contains("status") || name.contains("ceph_-s") {
            look(entry, &text, &mut inactive);
        }
    }
    let mut partial = Partial::default();
    partial.signals.extend(weightless);
    partial.signals.extend(
        pools
            .iter()
            .take(8)
            .filter_map(|pool| tell(pool, &inactive)),
    );
    partial
}

/// OSDs that are up and have no weight: CRUSH puts nothing on them. `ID CLASS WEIGHT TYPE NAME STATUS …`.
fn weight_zero(entry: &Entry, text: &Text) -> Option<Signal> {
    let mut osds: Vec<(&str, Evidence)> = Vec::new();
    let mut host = "";
    let mut hosts: Vec<&str> = Vec::new();
    for (number, line) in text.lines().take(20_000) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(at) = words.iter().position(|word| *word == "host") {
            host = words.get(at + 1).copied().unwrap_or_default();
            continue;
        }
        let Some(name) = words.iter().position(|word| word.starts_with("osd.")) else {
            continue;
        };
        let weight = words[..name]
            .last()
            .and_then(|word| word.parse::<f64>().ok());
        if weight == Some(0.0) && name >= 2 && words.get(name + 1) == Some(&"up") {
            osds.push((words[name], at(entry, number, line)));
            if !hosts.contains(&host) && !host.is_empty() {
                hosts.push(host);
            }
        }
    }
    let names: Vec<&str> = osds.iter().map(|(name, _)| *name).take(6).collect();
    let first = *names.first()?;
    let (names, place) = (names.join(", "), hosts.join(", "));
    Says {
        id: WEIGHT,
        subject: ("Ceph daemon", first),
        title: format!("OSDs with CRUSH weight 0 hold no data: {names} on {place}"),
        statement: format!("{names} on {place} are up, but their CRUSH weight is 0: Ceph places nothing on them, so copies that need this host or space are missing. They were added or replaced without a weight, or drained on purpose."),
        strength: 0.7,
        role: Role::Cause,
        evidence: osds.iter().map(|(_, line)| line.clone()).take(4).collect(),
    }
    .signal(&[("osd", first.trim_start_matches("osd."))])
}

fn strict(entry: &Entry, text: &Text) -> Vec<Pool> {
    let is_strict = |size: u64, min_size: u64| size > 1 && size == min_size;
    if let Ok(value) = serde_json::from_str::<Value>(text.as_str()) {
        let map = value.get("osdmap").unwrap_or(&value);
        let list = map.get("pools").unwrap_or(map).as_array();
        return list
            .into_iter()
            .flatten()
            .filter_map(|body| {
                let number = |key: &str| body.get(key).and_then(Value::as_u64);
                let name = body.get("pool_name")?.as_str()?;
                let (size, min_size) = (number("size")?, number("min_size")?);
                Some(Pool {
                    id: number("pool").or_else(|| number("pool_id"))?,
                    name: name.to_owned(),
                    size,
                    erasure: number("type") == Some(3),
                    line: min_size_line(entry, text, name)?,
                })
                .filter(|_| is_strict(size, min_size))
            })
            .collect();
    }
    text.lines()
        .take(100_000)
        .filter(|(_, line)| line.starts_with("pool "))
        .filter_map(|(number, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |key: &str| {
                let at = words.iter().position(|word| *word == key)?;
                words.get(at + 1)?.parse::<u64>().ok()
            };
            let (size, min_size) = (after("size")?, after("min_size")?);
            is_strict(size, min_size).then_some(())?;
            Some(Pool {
                id: words.get(1)?.parse().ok()?,
                name: line.split('\'').nth(1)?.to_owned(),
                size,
                erasure: words.contains(&"erasure"),
                line: at(entry, number, line),
            })
        })
        .collect()
}

/// The line of the pool's `min_size`, or that of its name where all stands on one line.
fn min_size_line(entry: &Entry, text: &Text, name: &str) -> Option<Evidence> {
    let quoted = format!("\"{name}\"");
    let (number, line) = text
        .lines()
        .find(|(_, line)| line.contains("\"pool_name\"") && line.contains(&quoted))?;
    let near = (number..number + 60)
        .find_map(|n| Some((n, text.line(n)?)).filter(|(_, l)| l.contains("\"min_size\"")));
    let (number, line) = near.unwrap_or((number, line));
    Some(at(entry, number, line))
}

fn look(entry: &Entry, text: &Text, inactive: &mut Inactive) {
    for (number, line) in text.lines().take(50_000) {
        let bare = line.trim();
        if let Some(id) = bare.strip_prefix("pg ").filter(|_| {
            bare.contains("inactive") || bare.contains("peered") || bare.contains("down")
        }) {
            inactive.pools.extend(
                id.split('.')
                    .next()
                    .and_then(|pool| pool.parse::<u64>().ok()),
            );
        }
        if inactive.line.is_none()
            && (bare.contains("pgs inactive")
                || bare.contains("pg inactive")
                || bare.contains("pgs not active")
                || bare.contains("+peered"))
        {
            inactive.line = Some(at(entry, number, line));
        }
    }
}

fn tell(pool: &Pool, inactive: &Inactive) -> Option<Signal> {
    let Pool { name, size, .. } = pool;
    let stopped =
        inactive.line.is_some() && (inactive.pools.is_empty() || inactive.pools.contains(&pool.id));
    let parts = if pool.erasure { "chunks" } else { "copies" };
    let (title, now) = if stopped {
        (
            format!(
                "Ceph pool {name} stops I/O because min_size {size} equals size {size}: not one copy may be away"
            ),
            " Some are away now, its placement groups are inactive and I/O on the pool hangs.",
        )
    } else {
        (
            format!("Ceph pool {name} has min_size {size}, equal to its size {size}"),
            "",
        )
    };
    Says {
        id: STRICT,
        subject: ("Ceph pool", name),
        title,
        statement: format!("Pool {name} keeps {size} {parts} and serves I/O only while all {size} are there (min_size {size} is the same as size): with one OSD or host down, even for maintenance with noout, its placement groups stop.{now}"),
        strength: if stopped { 0.9 } else { 0.48 },
        role: Role::Cause,
        evidence: std::iter::once(pool.line.clone())
            .chain(inactive.line.clone().filter(|_| stopped))
            .collect(),
    }
    .signal(&[("pool", name)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;
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
    fn both_forms_of_the_map() {
        let text = Text::new(b"pool 4 'images' replicated size 2 min_size 2 crush_rule 0 pg_num 8\npool 5 'disks' replicated size 3 min_size 2 crush_rule 0\n");
        let found = strict(&entry("ceph_osd_dump"), &text);
        assert_eq!((found.len(), found[0].id), (1, 4));
        let json = "{\"pools\": [\n{\"pool\": 9,\n\"pool_name\": \"objects\",\n\"type\": 3,\n\"size\": 6,\n\"min_size\": 6},\n{\"pool\": 1, \"pool_name\": \"one\", \"size\": 1, \"min_size\": 1}]}";
        let found = strict(&entry("ceph_osd_dump_json"), &Text::new(json.as_bytes()));
        assert_eq!((found.len(), found[0].line.line_start), (1, 6));
        assert!(found[0].erasure);
    }

    #[test]
    fn osds_without_weight() {
        let tree = |weight: &str, status: &str| {
            let text = format!(
                "ID CLASS WEIGHT TYPE NAME STATUS REWEIGHT\n-3 {weight} host n7\n 8 ssd {weight} osd.8 {status} 1.00000 1.00000\n"
            );
            weight_zero(&entry("ceph_osd_tree"), &Text::new(text.as_bytes()))
        };
        assert!(tree("0", "up").unwrap().title.ends_with("osd.8 on n7"));
        assert!(tree("3.63", "up").is_none() && tree("0", "down").is_none());
    }

    #[test]
    fn a_bundle_tells_of_them() {
        let (_folder, tree) = tree_of([(
            "top/sos_commands/ceph_mon/ceph_osd_tree",
            "-3 0 host n7\n 8 ssd 0 osd.8 up 1.00000 1.00000\n",
        )]);
        let found = detect(&tree).signals;
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].detector, WEIGHT.0);
    }

    #[test]
    fn what_is_inactive_raises_it() {
        let text =
            Text::new(b"pool 4 'images' replicated size 2 min_size 2 crush_rule 0 pg_num 8\n");
        let pool = strict(&entry("ceph_osd_dump"), &text).remove(0);
        let health = |line: &str| {
            let mut inactive = Inactive::default();
            look(
                &entry("ceph_health_detail"),
                &Text::new(line.as_bytes()),
                &mut inactive,
            );
            tell(&pool, &inactive).unwrap().strength
        };
        let bad = "    Reduced data availability: 8 pgs inactive\n    pg 4.1 is stuck inactive for 5m, current state undersized+peered\n";
        assert!(health(bad) > 0.8);
        assert!(health(&bad.replace("pg 4.1", "pg 7.1")) < 0.5);
        assert!(health("HEALTH_OK\n") < 0.5);
    }
}
