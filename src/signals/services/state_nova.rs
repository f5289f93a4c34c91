//! Processors of a compute host: Nova's sets, the kernel's isolation and systemd's affinity against each other.

use super::engine::compile;
use super::state::{Says, at, cpu_list, cpu_text, name_of, setting, texts, value_of};
use crate::bundle::Tree;
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::BTreeSet;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[CPUS, ABSENT, OUTSIDE, POLL];
const CPUS: (&str, &str) = ("nova.cpu-sets-overlap", "nova-cpu-sets-overlap");
const ABSENT: (&str, &str) = ("nova.cpu-set-absent", "nova-cpu-sets-overlap");
const OUTSIDE: (&str, &str) = ("nova.cpu-set-not-isolated", "nova-cpu-sets-overlap");
const POLL: (&str, &str) = ("nova.poll-threads-overlap", "nova-cpu-sets-overlap");

/// A set of processors, what it is called, and its line.
struct Set {
    name: &'static str,
    cpus: BTreeSet<u32>,
    line: Evidence,
}

impl Set {
    fn new(name: &'static str, found: Option<(String, Evidence)>) -> Option<Self> {
        let (text, line) = found?;
        let cpus = cpu_list(&text);
        (!cpus.is_empty()).then_some(Self { name, cpus, line })
    }
}

/// Findings from a compute host's processor settings.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    let Some((entry, text)) = texts(tree, |rel| rel.ends_with("etc/nova/nova.conf")).next() else {
        return partial;
    };
    let of = |name: &'static str| Set::new(name, value_of(entry, &text, name));
    let pinned = of("cpu_dedicated_set").or_else(|| of("vcpu_pin_set"));
    let shared = of("cpu_shared_set");
    let isolated = Set::new("isolcpus", isolated(tree));
    let affinity = Set::new(
        "CPUAffinity",
        setting(
            tree,
            |rel| rel == "etc/systemd/system.conf" || rel.starts_with("etc/systemd/system.conf.d/"),
            "CPUAffinity",
        ),
    );
    let pairs: [(Option<&Set>, Option<&Set>, &str); 3] = [
        (
            pinned
                .as_ref()
                .filter(|set| set.name == "cpu_dedicated_set"),
            shared.as_ref(),
            "pinned guests would compete with floating ones there",
        ),
        (
            shared.as_ref(),
            isolated.as_ref(),
            "floating guests run on CPUs between which the kernel does not balance, so they all end on the first",
        ),
        (
            pinned.as_ref(),
            affinity.as_ref(),
            "the host's own services run on the CPUs that belong to pinned guests and steal time from them",
        ),
    ];
    for (left, right, why) in pairs {
        if let (Some(left), Some(right)) = (left, right) {
            partial.signals.extend(overlap(left, right, why));
        }
    }
    for set in [pinned.as_ref(), shared.as_ref()].into_iter().flatten() {
        partial.signals.extend(absent(tree, set));
    }
    if let (Some(pinned), Some(isolated)) = (&pinned, &isolated) {
        partial.signals.extend(outside(pinned, isolated));
    }
    let threads = [
        (
            "pmd-cpu-mask",
            "poll-mode threads use their CPUs fully, so guests pinned there are robbed of time and packets are lost",
        ),
        (
            "dpdk-lcore-mask",
            "Open vSwitch's control threads run on the CPUs of the guests and disturb them",
        ),
    ];
    for (key, why) in threads {
        let Some(mask) = mask(tree, key) else {
            continue;
        };
        for set in [pinned.as_ref(), shared.as_ref()].into_iter().flatten() {
            partial.signals.extend(poll_overlap(&mask, set, why));
        }
    }
    partial
}

/// A hexadecimal mask in Open vSwitch's `other_config`.
fn mask(tree: &Tree, key: &'static str) -> Option<Set> {
    let pattern = compile(&format!(r"{key}\W{{1,4}}?(?:0x)?([0-9a-f]+)"))?;
    texts(tree, |rel| name_of(rel).starts_with("ovs-vsctl")).find_map(|(entry, text)| {
        let (number, line, mask) = text.lines().find_map(|(number, line)| {
            let digits = pattern.captures(line)?.get(1)?.as_str();
            Some((number, line, digits.to_owned()))
        })?;
        let cpus: BTreeSet<u32> = mask
            .bytes()
            .rev()
            .filter_map(|digit| char::from(digit).to_digit(16))
            .zip((0..4096).step_by(4))
            .flat_map(|(bits, first)| {
                (0..4)
                    .filter(move |bit| bits >> bit & 1 == 1)
                    .map(move |bit| first + bit)
            })
            .collect();
        let line = at(entry, number, line);
        (!cpus.is_empty()).then_some(Set {
            name: key,
            cpus,
            line,
        })
    })
}

/// Threads of Open vSwitch on processors that Nova gives to guests.
fn poll_overlap(threads: &Set, guests: &Set, why: &str) -> Option<Signal> {
    let common: BTreeSet<u32> = threads.cpus.intersection(&guests.cpus).copied().collect();
    if common.is_empty() {
        return None;
    }
    let common = cpu_text(&common);
    let (ours, theirs) = (threads.name, guests.name);
    Says {
        id: POLL,
        subject: ("Setting", ours),
        title: format!(
            "DPDK threads and guests share CPUs {common}: {ours} overlaps Nova's {theirs}"
        ),
        statement: format!(
            "{ours} (CPUs {}) and Nova's {theirs} (CPUs {}) overlap on CPUs {common}: {why}.",
            cpu_text(&threads.cpus),
            cpu_text(&guests.cpus)
        ),
        strength: if ours.starts_with("pmd") && theirs != "cpu_shared_set" {
            0.88
        } else {
            0.72
        },
        role: Role::Cause,
        evidence: vec![threads.line.clone(), guests.line.clone()],
    }
    .signal(&[])
}

/// The list after `isolcpus=` on the kernel's command line, without flags such as `domain,managed_irq,`.
fn isolated(tree: &Tree) -> Option<(String, Evidence)> {
    let entry = tree.get("proc/cmdline")?;
    let text = tree.text(entry).ok().flatten()?;
    let (number, line) = text.lines().next()?;
    let value = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("isolcpus="))?;
    let list = value.trim_start_matches(|c: char| !c.is_ascii_digit());
    Some((list.to_owned(), at(entry, number, line)))
}

fn overlap(left: &Set, right: &Set, why: &str) -> Option<Signal> {
    let common: BTreeSet<u32> = left.cpus.intersection(&right.cpus).copied().collect();
    if common.is_empty() {
        return None;
    }
    let common = cpu_text(&common);
    Says {
        id: CPUS,
        subject: ("Setting", left.name),
        title: format!(
            "CPU sets overlap: {} and {} share CPUs {common}",
            left.name, right.name
        ),
        statement: format!(
            "Nova's {} and {} overlap, both hold CPUs {common}: {why}.",
            left.name, right.name
        ),
        strength: 0.82,
        role: Role::Cause,
        evidence: vec![left.line.clone(), right.line.clone()],
    }
    .signal(&[])
}

/// A set names processors that the host does not have.
fn absent(tree: &Tree, set: &Set) -> Option<Signal> {
    let (count, line) = ["sos_commands/processor/lscpu", "lscpu"]
        .iter()
        .find_map(|path| {
            let entry = tree.get(path)?;
            let text = tree.text(entry).ok().flatten()?;
            let (number, line) = text.lines().find(|(_, line)| line.starts_with("CPU(s):"))?;
            let count: u32 = line.split(':').nth(1)?.trim().parse().ok()?;
            Some((count, at(entry, number, line)))
        })?;
    let gone: BTreeSet<u32> = set
        .cpus
        .iter()
        .copied()
        .filter(|cpu| *cpu >= count)
        .collect();
    if gone.is_empty() || count == 0 {
        return None;
    }
    let gone = cpu_text(&gone);
    Says {
        id: ABSENT,
        subject: ("Setting", set.name),
        title: format!("{} names CPUs {gone} that do not exist: the host has {count}", set.name),
        statement: format!("Nova's {} contains CPUs {gone}, but the host has only {count} (0-{}): guests cannot be pinned there and nova-compute fails or refuses them.", set.name, count - 1),
        strength: 0.8,
        role: Role::Cause,
        evidence: vec![set.line.clone(), line],
    }
    .signal(&[])
}

/// Where the kernel isolates CPUs for guests, all pinned ones should be among them.
fn outside(pinned: &Set, isolated: &Set) -> Option<Signal> {
    let left: BTreeSet<u32> = pinned.cpus.difference(&isolated.cpus).copied().collect();
    if left.is_empty() {
        return None;
    }
    let left = cpu_text(&left);
    Says {
        id: OUTSIDE,
        subject: ("Setting", pinned.name),
        title: format!("{} holds CPUs {left} that isolcpus does not isolate", pinned.name),
        statement: format!("The kernel isolates CPUs {}, but Nova pins guests to {left} as well ({}): the host's own processes run there too and disturb pinned guests.", cpu_text(&isolated.cpus), pinned.name),
        strength: 0.6,
        role: Role::Cause,
        evidence: vec![pinned.line.clone(), isolated.line.clone()],
    }
    .signal(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn found(mask: &str) -> Vec<String> {
        let config = format!("other_config : {{dpdk-init=\"true\", pmd-cpu-mask=\"{mask}\"}}\n");
        let (_folder, tree) = tree_of([
            (
                "top/etc/nova/nova.conf",
                "[compute]\ncpu_dedicated_set = 8-11\n",
            ),
            (
                "top/sos_commands/openvswitch/ovs-vsctl_list_Open_vSwitch",
                config.as_str(),
            ),
        ]);
        detect(&tree)
            .signals
            .into_iter()
            .map(|signal| signal.title)
            .collect()
    }

    #[test]
    fn poll_threads_on_the_guests_processors() {
        assert_eq!(
            found("0x602"),
            [
                "DPDK threads and guests share CPUs 9-10: pmd-cpu-mask overlaps Nova's cpu_dedicated_set"
            ]
        );
        assert!(found("0x6").is_empty());
        assert!(found("0x100000000000000000000000000000000000").is_empty());
    }
}
