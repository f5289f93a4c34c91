//! Configuration of compute hosts against each other: CPU sets that must be disjoint, packages of one
//! source that must have one version.

use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[CPUS, PACKAGES, PARTITIONS];
const CPUS: (&str, &str) = ("nova.cpu-sets-overlap", "nova-cpu-sets-overlap");
const PACKAGES: (&str, &str) = ("packages.mixed-versions", "packages-partially-upgraded");
const PARTITIONS: (&str, &str) = (
    "rabbitmq.partition-handling-ignore",
    "rabbitmq-partition-handling",
);

/// CPU numbers beyond this are not believed.
const MAX_CPU: u32 = 8192;

/// Packages that one source builds, so that they must have one version.
const SOURCES: &[(&str, &[&str])] = &[
    (
        "nova",
        &[
            "nova-common",
            "nova-compute",
            "nova-compute-kvm",
            "nova-compute-libvirt",
            "nova-api",
            "nova-conductor",
            "nova-scheduler",
            "python3-nova",
        ],
    ),
    (
        "neutron",
        &[
            "neutron-common",
            "neutron-server",
            "neutron-l3-agent",
            "neutron-dhcp-agent",
            "neutron-metadata-agent",
            "neutron-openvswitch-agent",
            "neutron-ovn-metadata-agent",
            "neutron-plugin-ml2",
            "python3-neutron",
        ],
    ),
    (
        "cinder",
        &[
            "cinder-common",
            "cinder-volume",
            "cinder-api",
            "cinder-scheduler",
            "python3-cinder",
        ],
    ),
    (
        "octavia",
        &[
            "octavia-common",
            "octavia-api",
            "octavia-worker",
            "octavia-health-manager",
            "octavia-housekeeping",
            "python3-octavia",
        ],
    ),
    (
        "ceph",
        &[
            "ceph-base",
            "ceph-osd",
            "ceph-mon",
            "ceph-mgr",
            "ceph-mds",
            "ceph-common",
            "radosgw",
            "librados2",
            "librbd1",
        ],
    ),
    (
        "openvswitch",
        &[
            "openvswitch-common",
            "openvswitch-switch",
            "openvswitch-switch-dpdk",
            "python3-openvswitch",
        ],
    ),
    ("ovn", &["ovn-common", "ovn-host", "ovn-central"]),
    (
        "libvirt",
        &[
            "libvirt-daemon",
            "libvirt-daemon-system",
            "libvirt-clients",
            "libvirt0",
            "libvirt-daemon-driver-qemu",
        ],
    ),
];

/// Findings from configuration files.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    partial.signals.extend(cpu_sets(tree));
    for (entry, text) in texts(tree, |rel| {
        name_of(rel) == "dpkg_-l" || rel.ends_with("installed-debs")
    }) {
        partial.signals.extend(packages(entry, &text));
    }
    for (entry, text) in texts(tree, |rel| {
        rel.starts_with("etc/rabbitmq/") && name_of(rel).starts_with("rabbitmq.")
    }) {
        partial.signals.extend(partition_handling(entry, &text));
    }
    partial
}

/// `0-3,8,^2` as a set.
fn cpu_list(text: &str) -> BTreeSet<u32> {
    let mut set = BTreeSet::new();
    let mut without = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        let (part, into) = match part.strip_prefix('^') {
            Some(rest) => (rest, &mut without),
            None => (part, &mut set),
        };
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(low), Ok(high)) = (low.parse::<u32>(), high.parse::<u32>())
            && low <= high
            && high <= MAX_CPU
        {
            into.extend(low..=high);
        }
    }
    set.difference(&without).copied().collect()
}

/// The value of `name = …` and its line.
fn value_of(entry: &Entry, text: &Text, name: &str) -> Option<(String, Evidence)> {
    text.lines().find_map(|(number, line)| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        (key.trim() == name && !value.is_empty())
            .then(|| (value.to_owned(), at(entry, number, line)))
    })
}

/// Pinned guests need CPUs that nothing else uses: not floating guests, and no CPUs that the kernel
/// isolates may carry floating guests, for the scheduler does not balance there.
fn cpu_sets(tree: &Tree) -> Option<Signal> {
    let (entry, text) = texts(tree, |rel| rel.ends_with("etc/nova/nova.conf")).next()?;
    let pinned = value_of(entry, &text, "cpu_dedicated_set");
    let shared = value_of(entry, &text, "cpu_shared_set");
    let isolated = tree
        .get("proc/cmdline")
        .and_then(|entry| Some((entry, tree.text(entry).ok().flatten()?)))
        .and_then(|(entry, text)| {
            let (number, line) = text.lines().next()?;
            let value = line
                .split_whitespace()
                .find_map(|word| word.strip_prefix("isolcpus="))?;
            // Flags such as "domain,managed_irq," precede the list.
            let list = value.trim_start_matches(|c: char| !c.is_ascii_digit());
            Some((list.to_owned(), at(entry, number, line)))
        });
    let clash = |left: &Option<(String, Evidence)>, right: &Option<(String, Evidence)>| {
        let (left, right) = (left.as_ref()?, right.as_ref()?);
        let common: Vec<String> = cpu_list(&left.0)
            .intersection(&cpu_list(&right.0))
            .map(u32::to_string)
            .collect();
        (!common.is_empty()).then(|| (common.join(","), vec![left.1.clone(), right.1.clone()]))
    };
    let (what, common, evidence) = match (clash(&pinned, &shared), clash(&shared, &isolated)) {
        (Some((common, lines)), _) => ("cpu_dedicated_set and cpu_shared_set", common, lines),
        (None, Some((common, lines))) => {
            ("cpu_shared_set and the kernel's isolcpus", common, lines)
        }
        (None, None) => return None,
    };
    Says {
        id: CPUS,
        subject: ("Service", "nova-compute"),
        title: format!("nova CPU sets overlap: {what} share CPUs {common}"),
        statement: format!("{what} share CPUs {common}: pinned guests would compete with others there, or floating guests run on CPUs between which the kernel does not balance."),
        strength: 0.82,
        role: Role::Cause,
        evidence,
    }
    .signal(&[])
}

/// A Debian version without its packaging revision: security rebuilds of one release fit each other.
fn upstream(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(head, _)| head)
}

/// Packages of one source in different versions: an upgrade that was not finished.
fn packages(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut installed: BTreeMap<&str, (&str, usize, &str)> = BTreeMap::new();
    for (number, line) in text.lines() {
        let mut words = line.split_whitespace();
        if words.next() == Some("ii")
            && let (Some(name), Some(version)) = (words.next(), words.next())
        {
            let name = name.split(':').next().unwrap_or(name);
            installed.insert(name, (version, number, line));
        }
    }
    SOURCES
        .iter()
        .filter_map(|(source, names)| {
            let found: Vec<_> = names.iter().filter_map(|name| Some((*name, *installed.get(name)?))).collect();
            let versions: BTreeSet<&str> = found.iter().map(|(_, (version, ..))| upstream(version)).collect();
            if versions.len() < 2 {
                return None;
            }
            let first = found.first()?;
            let odd = found.iter().find(|(_, (version, ..))| upstream(version) != upstream(first.1.0))?;
            Says {
                id: PACKAGES,
                subject: ("Packages", source),
                title: format!("Packages of {source} have different versions: {} {} and {} {}", first.0, first.1.0, odd.0, odd.1.0),
                statement: format!("{} is {} and {} is {}, though one source builds both: {source} was upgraded only in part, so its parts may not fit each other.", first.0, first.1.0, odd.0, odd.1.0),
                strength: 0.52,
                role: Role::Cause,
                evidence: vec![at(entry, first.1.1, first.1.2), at(entry, odd.1.1, odd.1.2)],
            }
            .signal(&[])
        })
        .collect()
}

/// With "ignore" a cluster that was partitioned stays so until somebody acts.
fn partition_handling(entry: &Entry, text: &Text) -> Option<Signal> {
    let (number, line) = text.lines().find(|(_, line)| {
        let bare: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        bare.contains("cluster_partition_handling=ignore")
            || bare.contains("{cluster_partition_handling,ignore}")
    })?;
    Says {
        id: PARTITIONS,
        subject: ("RabbitMQ cluster", "cluster_partition_handling"),
        title: "RabbitMQ cluster_partition_handling is ignore".into(),
        statement: "cluster_partition_handling is \"ignore\": after a network partition the nodes keep diverging until somebody restarts one side; pause_minority or autoheal is safer for three and more nodes.".into(),
        strength: 0.45,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    #[test]
    fn lists_of_cpus() {
        assert_eq!(cpu_list("0-3,^2,8"), BTreeSet::from([0, 1, 3, 8]));
        assert!(cpu_list("x,9-1,99999").is_empty());
    }

    #[test]
    fn versions_and_partition_handling() {
        let entry = Entry {
            path: BundlePath::parse("dpkg_-l").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        };
        let list = |version: &str| {
            Text::new(format!("ii  nova-common 2:21.1 all x\nii  nova-compute {version} all x\nrc  nova-api 1 all x\n").as_bytes())
        };
        assert_eq!(packages(&entry, &list("2:21.0")).len(), 1);
        assert!(packages(&entry, &list("2:21.1")).is_empty());
        let config = |value: &str| {
            Text::new(format!("{{cluster_partition_handling, {value}}}\n").as_bytes())
        };
        assert!(partition_handling(&entry, &config("ignore")).is_some());
        assert!(partition_handling(&entry, &config("pause_minority")).is_none());
    }
}
