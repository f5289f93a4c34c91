//! Packages of one source that must have one version, and settings of clusters that invite trouble.

use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[PACKAGES, PARTITIONS, AGENTS, BUFFER];
const PACKAGES: (&str, &str) = ("packages.mixed-versions", "packages-partially-upgraded");
const AGENTS: (&str, &str) = ("juju.agent-versions-differ", "juju-upgrade-failed");
const BUFFER: (&str, &str) = ("mysql.buffer-pool-small", "mysql-buffer-pool-small");
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
        let name = name_of(rel);
        name == "dpkg_-l"
            || name == "installed-debs"
            || name == "installed-rpms"
            || name.starts_with("rpm_-qa")
    }) {
        partial.signals.extend(packages(entry, &text));
    }
    for (entry, text) in texts(tree, |rel| {
        rel.starts_with("etc/rabbitmq/") && name_of(rel).starts_with("rabbitmq.")
    }) {
        partial.signals.extend(partition_handling(entry, &text));
    }
    partial.signals.extend(agents(tree));
    partial.signals.extend(buffer_pool(tree));
    partial
}

/// Agents of one machine that stayed at an older version: their upgrade did not end.
fn agents(tree: &Tree) -> Option<Signal> {
    let mut versions: BTreeMap<String, (String, crate::report::Evidence)> = BTreeMap::new();
    for (entry, text) in texts(tree, |rel| {
        rel.starts_with("var/lib/juju/agents/") && rel.ends_with("agent.conf")
    }) {
        let agent = tree
            .rel(entry)
            .split('/')
            .nth(4)
            .unwrap_or_default()
            .to_owned();
        if let Some((number, line)) = text
            .lines()
            .find(|(_, line)| line.starts_with("upgradedToVersion:"))
        {
            let version = line
                .split_once(':')
                .map_or("", |(_, version)| version.trim())
                .to_owned();
            versions
                .entry(version)
                .or_insert_with(|| (agent, at(entry, number, line)));
        }
    }
    if versions.len() < 2 {
        return None;
    }
    let told: Vec<String> = versions
        .iter()
        .map(|(version, (agent, _))| format!("{agent} {version}"))
        .collect();
    Says {
        id: AGENTS,
        subject: ("Juju agent", &versions.values().next()?.0.clone()),
        title: format!("Juju agents of this machine have different versions: {}", told.join(", ")),
        statement: format!("The agents here run different versions ({}): an upgrade of the model did not reach all of them, and such units may hang or refuse hooks.", told.join(", ")),
        strength: 0.68,
        role: Role::Cause,
        evidence: versions.into_values().map(|(_, line)| line).take(4).collect(),
    }
    .signal(&[])
}

/// The packaged 128 MiB on a large database host: nearly every read goes to disk (MySQL manual: 50 to 75 % of memory).
fn buffer_pool(tree: &Tree) -> Option<Signal> {
    let (value, line) = super::state::setting(
        tree,
        |rel| rel.starts_with("etc/mysql/") && rel.ends_with(".cnf") || rel == "etc/my.cnf",
        "innodb_buffer_pool_size",
    )?;
    let digits = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match value[digits.len()..].trim() {
        "M" | "m" => 20,
        "K" | "k" => 10,
        "" => 0,
        _ => return None,
    };
    let pool = digits.parse::<u64>().ok()?.checked_mul(1 << unit)?;
    let entry = tree.get("proc/meminfo")?;
    let text = tree.text(entry).ok().flatten()?;
    let (number, total_line) = text
        .lines()
        .find(|(_, line)| line.starts_with("MemTotal:"))?;
    let total = total_line
        .split_whitespace()
        .nth(1)?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)?;
    if total < 16 << 30 || pool > 256 << 20 {
        return None;
    }
    Says {
        id: BUFFER,
        subject: ("Setting", "innodb_buffer_pool_size"),
        title: format!("innodb_buffer_pool_size is only {value} on a host with {} GiB memory", total >> 30),
        statement: format!("innodb_buffer_pool_size is {value} although the host has {} GiB: nearly every read of the database goes to disk.", total >> 30),
        strength: 0.54,
        role: Role::Cause,
        evidence: vec![line, at(entry, number, total_line)],
    }
    .signal(&[])
}

/// A Debian version without its packaging revision: security rebuilds of one release fit each other.
fn upstream(version: &str) -> &str {
    version.rsplit_once('-').map_or(version, |(head, _)| head)
}

/// Name and version of `name-version-release.arch`.
fn rpm(word: &str) -> Option<(&str, &str)> {
    let (name, rest) = word
        .rsplit_once('-')
        .and_then(|(head, _)| head.rsplit_once('-'))?;
    rest.starts_with(|c: char| c.is_ascii_digit())
        .then_some((name, rest))
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
        } else if let Some((name, version)) = line.split_whitespace().next().and_then(rpm) {
            let name = name.strip_prefix("openstack-").unwrap_or(name);
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
    let (number, line) = ignores_partitions(text)?;
    Says {
        id: PARTITIONS,
        subject: ("RabbitMQ cluster", "cluster_partition_handling"),
        title: "RabbitMQ cluster_partition_handling is ignore".into(),
        statement: "cluster_partition_handling is \"ignore\": after a network partition the nodes keep diverging until somebody restarts one side; pause_minority or autoheal is safer for three and more nodes.".into(),
        strength: 0.52,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[])
}

/// The line by which RabbitMQ leaves partitions alone, in either form of its configuration; comments left out.
pub(super) fn ignores_partitions(text: &Text) -> Option<(usize, &str)> {
    text.lines().take(100_000).find(|(_, line)| {
        let bare: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        !bare.starts_with(['#', '%'])
            && (bare.contains("cluster_partition_handling=ignore")
                || bare.contains("{cluster_partition_handling,ignore}"))
    })
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
        let comment = Text::new(b"# cluster_partition_handling = ignore\n");
        assert!(partition_handling(&entry, &comment).is_none());
    }
}
