//! Ceph's placement rules against the OSDs there are: a rule that no OSD, or too few hosts, can satisfy.

use super::state::{Says, at, name_of, texts};
use crate::bundle::Tree;
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[CLASS, HOSTS];
const CLASS: (&str, &str) = ("ceph.crush-rule-class", "ceph-crush-rule-unsatisfiable");
const HOSTS: (&str, &str) = ("ceph.crush-rule-hosts", "ceph-crush-rule-unsatisfiable");

/// A rule: from which class of devices it takes, and what it spreads over.
struct Rule {
    name: String,
    class: Option<String>,
    spread: String,
    line: Evidence,
}

/// A pool: which rule, how many copies or chunks.
struct Pool {
    name: String,
    size: u64,
    rule: u64,
    line: Evidence,
}

/// The OSDs by class, and the hosts that have them.
#[derive(Default)]
struct Devices {
    classes: BTreeMap<String, BTreeSet<String>>,
    osds: usize,
    unclassed: usize,
    first: Option<Evidence>,
}

/// Findings from the rules, the pools and the tree of OSDs together.
pub fn detect(tree: &Tree) -> Partial {
    let (mut rules, mut pools, mut devices) = (BTreeMap::new(), Vec::new(), Devices::default());
    for (entry, text) in texts(tree, |rel| {
        let name = name_of(rel);
        !rel.starts_with("var/log/") && name.contains("osd")
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = name_of(&rel);
        if rules.is_empty() && (name.contains("crush_rule_dump") || name.contains("crush_dump")) {
            rules = rules_of(text.as_str(), |name| {
                text.lines()
                    .find(|(_, line)| line.contains(&format!("\"{name}\"")))
                    .map(|(number, line)| at(entry, number, line))
            });
        }
        if devices.osds == 0 && (name.contains("osd_df_tree") || name.contains("osd_tree")) {
            devices = devices_of(text.lines().map(|(n, line)| (n, line, entry)));
        }
        if pools.is_empty() && (name.contains("pool_ls_detail") || name.contains("osd_dump")) {
            pools = text
                .lines()
                .take(50_000)
                .filter_map(|(number, line)| pool_of(line, || at(entry, number, line)))
                .collect();
        }
    }
    let mut partial = Partial::default();
    if devices.osds > 0 {
        for (id, rule) in &rules {
            let users: Vec<&Pool> = pools.iter().filter(|pool| pool.rule == *id).collect();
            partial.signals.extend(judge(rule, &users, &devices));
        }
    }
    partial
}

/// The rules of `ceph osd crush rule dump` (a list) or `ceph osd crush dump` (`rules` in an object).
fn rules_of(text: &str, line: impl Fn(&str) -> Option<Evidence>) -> BTreeMap<u64, Rule> {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return BTreeMap::new();
    };
    let list = value.get("rules").unwrap_or(&value).as_array();
    let rule = |rule: &Value| {
        let name = rule.get("rule_name")?.as_str()?.to_owned();
        let steps = rule.get("steps")?.as_array()?;
        let text =
            |step: &Value, key: &str| step.get(key).and_then(Value::as_str).map(str::to_owned);
        let taken = steps.iter().find_map(|step| text(step, "item_name"))?;
        let spread = steps
            .iter()
            .find(|step| text(step, "op").is_some_and(|op| op.starts_with("choose")))
            .and_then(|step| text(step, "type"))
            .unwrap_or_default();
        let shown = line(&taken)
            .filter(|_| taken.contains('~'))
            .or_else(|| line(&name))?;
        Some((
            rule.get("rule_id")?.as_u64()?,
            Rule {
                name,
                class: taken.split_once('~').map(|(_, class)| class.to_owned()),
                spread,
                line: shown,
            },
        ))
    };
    list.into_iter()
        .flatten()
        .take(1_000)
        .filter_map(rule)
        .collect()
}

/// `ceph osd tree` or `ceph osd df tree`: rows of hosts, each followed by its OSDs with their class.
fn devices_of<'a>(
    lines: impl Iterator<Item = (usize, &'a str, &'a crate::bundle::Entry)>,
) -> Devices {
    let mut devices = Devices::default();
    let mut host = String::new();
    for (number, line, entry) in lines.take(50_000) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let Some(at_host) = words.iter().position(|word| *word == "host") {
            words
                .get(at_host + 1)
                .copied()
                .unwrap_or_default()
                .clone_into(&mut host);
            continue;
        }
        if !words.iter().any(|word| {
            word.strip_prefix("osd.")
                .is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
        }) {
            continue;
        }
        devices.osds += 1;
        match words.get(1) {
            Some(class)
                if class.starts_with(|c: char| c.is_ascii_alphabetic())
                    && !class.starts_with("osd.") =>
            {
                devices
                    .classes
                    .entry((*class).to_owned())
                    .or_default()
                    .insert(host.clone());
            }
            _ => devices.unclassed += 1,
        }
        if devices.first.is_none() {
            devices.first = Some(at(entry, number, line));
        }
    }
    devices
}

/// `pool 7 'db' replicated size 3 min_size 2 crush_rule 2 …`.
fn pool_of(line: &str, shown: impl Fn() -> Evidence) -> Option<Pool> {
    let rest = line.strip_prefix("pool ")?;
    let name = rest.split('\'').nth(1)?.to_owned();
    let words: Vec<&str> = rest.split_whitespace().collect();
    let after = |key: &str| {
        let at = words.iter().position(|word| *word == key)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    Some(Pool {
        size: after("size")?,
        rule: after("crush_rule")?,
        name,
        line: shown(),
    })
}

fn judge(rule: &Rule, users: &[&Pool], devices: &Devices) -> Option<Signal> {
    let mut evidence = vec![rule.line.clone()];
    evidence.extend(users.iter().take(2).map(|pool| pool.line.clone()));
    evidence.extend(devices.first.clone());
    let names: Vec<&str> = users
        .iter()
        .take(4)
        .map(|pool| pool.name.as_str())
        .collect();
    let used_by = match names.len() {
        0 => "no pool uses it yet".to_owned(),
        1 => format!("pool {} uses it", names[0]),
        _ => format!("the pools {} use it", names.join(", ")),
    };
    let there: Vec<&str> = devices.classes.keys().map(String::as_str).collect();
    if let Some(class) = rule
        .class
        .as_ref()
        .filter(|class| devices.unclassed == 0 && !devices.classes.contains_key(*class))
    {
        return Says {
            id: CLASS,
            subject: ("CRUSH rule", &rule.name),
            title: format!("CRUSH rule {} takes only OSDs of device class {class}, and no OSD has it (all are {}): {used_by}", rule.name, there.join(", ")),
            statement: format!("CRUSH rule {} chooses among OSDs of the device class {class}, but the {} OSDs of this cluster have the class {}; {used_by}. Placement groups of such a pool map to no OSD and stay inactive or unknown.", rule.name, devices.osds, there.join(", ")),
            strength: if users.is_empty() { 0.45 } else { 0.92 },
            role: Role::Cause,
            evidence,
        }
        .signal(&[("pool", names.first().copied().unwrap_or_default())]);
    }
    // Copies are spread over hosts: with fewer hosts than copies, placement groups stay undersized.
    let hosts: BTreeSet<&String> = devices
        .classes
        .iter()
        .filter(|(class, _)| rule.class.as_ref().is_none_or(|wanted| wanted == *class))
        .flat_map(|(_, hosts)| hosts)
        .filter(|host| !host.is_empty())
        .collect();
    let widest = users.iter().max_by_key(|pool| pool.size)?;
    let count = hosts.len() as u64;
    if rule.spread != "host" || count == 0 || devices.unclassed > 0 || widest.size <= count {
        return None;
    }
    Says {
        id: HOSTS,
        subject: ("CRUSH rule", &rule.name),
        title: format!("CRUSH rule {} spreads over hosts: pool {} needs {}, only {count} have its OSDs", rule.name, widest.name, widest.size),
        statement: format!("Pool {} places {} copies or chunks on different hosts by CRUSH rule {}, but only {count} hosts have fitting OSDs: its placement groups stay undersized and degraded, or do not become active.", widest.name, widest.size, rule.name),
        strength: 0.78,
        role: Role::Cause,
        evidence: vec![widest.line.clone(), rule.line.clone()]
            .into_iter()
            .chain(devices.first.clone())
            .collect(),
    }
    .signal(&[("pool", widest.name.as_str())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    const RULES: &str = "[\n {\"rule_id\": 0, \"rule_name\": \"all\", \"steps\": [{\"op\": \"take\", \"item\": -1, \"item_name\": \"default\"},\n {\"op\": \"chooseleaf_firstn\", \"num\": 0, \"type\": \"host\"}, {\"op\": \"emit\"}]},\n {\"rule_id\": 3, \"rule_name\": \"quick\", \"steps\": [\n {\"op\": \"take\", \"item\": -9, \"item_name\": \"default~nvme\"},\n {\"op\": \"chooseleaf_firstn\", \"num\": 0, \"type\": \"host\"}, {\"op\": \"emit\"}]}\n]\n";
    const TREE: &str = "ID   CLASS  WEIGHT    TYPE NAME           STATUS  REWEIGHT  PRI-AFF\n -1         32.75186  root default\n -3         10.91729      host n1\n  0    hdd   3.63910          osd.0           up   1.00000  1.00000\n -5         10.91729      host n2\n  1    hdd   3.63910          osd.1           up   1.00000  1.00000\n";

    fn run(tree: &str, pools: &str) -> Vec<Signal> {
        let files = [
            ("ceph_osd_crush_rule_dump", RULES),
            ("ceph_osd_tree", tree),
            ("ceph_osd_pool_ls_detail", pools),
        ];
        let path = |name| format!("top/sos_commands/ceph_mon/{name}");
        let (_folder, tree) = tree_of(files.map(|(name, text)| (path(name), text)));
        detect(&tree).signals
    }

    #[test]
    fn a_rule_for_a_class_that_no_osd_has() {
        let pool = "pool 5 'db' replicated size 2 min_size 1 crush_rule 3 object_hash rjenkins pg_num 8 pgp_num 8\n";
        let found = run(TREE, pool);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].strength > 0.9
                && found[0].title.contains("nvme")
                && found[0].title.contains("pool db")
        );
        assert!(found[0].evidence[0].quote.contains("default~nvme"));
        assert!(run(&TREE.replace("hdd ", "nvme"), pool).is_empty());
        // A tree without classes tells nothing.
        assert!(run(&TREE.replace("hdd ", "    "), pool).is_empty());
    }

    #[test]
    fn fewer_hosts_than_copies() {
        let pool = |size: u32| {
            format!(
                "pool 5 'db' replicated size {size} min_size 2 crush_rule 0 object_hash rjenkins\n"
            )
        };
        let found = run(TREE, &pool(3));
        assert!(
            found
                .iter()
                .any(|s| s.detector == HOSTS.0 && s.title.contains("only 2")),
            "{found:?}"
        );
        assert!(
            run(TREE, &pool(2))
                .iter()
                .all(|s| s.detector == CLASS.0 && s.strength < 0.5)
        );
    }
}
