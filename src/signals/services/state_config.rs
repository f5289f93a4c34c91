//! Packages of one source that must have one version, and settings of clusters that invite trouble.

use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[PACKAGES, PARTITIONS];
const PACKAGES: (&str, &str) = ("packages.mixed-versions", "packages-partially-upgraded");
const PARTITIONS: (&str, &str) = (
    "rabbitmq.partition-handling-ignore",
    "rabbitmq-partition-handling",
);

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
