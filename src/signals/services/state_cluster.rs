//! Status tables of managers: Pacemaker, Juju, OpenStack services, containers, storage clusters.

use super::engine::compile;
use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[
    PCS_ACTION,
    PCS_NODE,
    PCS_QUORUM,
    PCS_STONITH,
    PCS_STOPPED,
    JUJU,
    JUJU_LOST,
    SERVICE,
    DOCKER,
    GLUSTER,
];
const PCS_ACTION: (&str, &str) = ("pacemaker.failed-action", "pacemaker-resource-failed");
const PCS_NODE: (&str, &str) = ("pacemaker.node-offline", "pacemaker-node-offline");
const PCS_QUORUM: (&str, &str) = ("pacemaker.no-quorum", "corosync-token-loss");
const PCS_STONITH: (&str, &str) = ("pacemaker.stonith-disabled", "pacemaker-without-fencing");
const PCS_STOPPED: (&str, &str) = ("pacemaker.management-off", "pacemaker-management-off");
const JUJU: (&str, &str) = ("juju.status-error", "juju-unit-error");
const JUJU_LOST: (&str, &str) = ("juju.status-lost", "juju-agent-lost-controller");
const SERVICE: (&str, &str) = ("openstack.service-down", "openstack-service-down");
const DOCKER: (&str, &str) = ("docker.container-restarting", "container-restarting");
const GLUSTER: (&str, &str) = ("storage.split-brain-status", "file-service-fault");

/// One kind of row that is bad.
struct Bad {
    files: &'static [&'static str],
    id: (&'static str, &'static str),
    pattern: &'static str,
    kind: &'static str,
    fault: &'static str,
    strength: f64,
    role: Role,
}

/// What an expert looks for in each table; the group `name` is the subject.
const ROWS: &[Bad] = &[
    // `* db_start_0 on n1 'error' (1): call=…, exitreason='…'`
    Bad {
        files: &[
            "pcs_status",
            "crm_mon",
            "crm_status",
            "pcs_resource",
            "crm_report",
            "ha.txt",
        ],
        id: PCS_ACTION,
        pattern: r"^\s*\*?\s*(?P<name>\S+_(?:start|monitor|stop|promote|demote)_\d+) on (?P<node>\S+) '(?P<what>[^']+)' \(\d+\):.*",
        kind: "Cluster resource",
        fault: "has a failed action",
        strength: 0.78,
        role: Role::Cause,
    },
    Bad {
        files: &["pcs_status", "crm_mon", "crm_status", "ha.txt"],
        id: PCS_NODE,
        pattern: r"(?:^\s*\*?\s*(?:Node (?P<name>\S+?):? (?:\([^)]*\) )?UNCLEAN.*)|OFFLINE: \[ (?P<off>[^\]]+) \])",
        kind: "Cluster node",
        fault: "is offline or unclean",
        strength: 0.62,
        role: Role::Symptom,
    },
    Bad {
        files: &[
            "pcs_status",
            "crm_mon",
            "crm_status",
            "corosync-quorumtool",
            "ha.txt",
        ],
        id: PCS_QUORUM,
        pattern: r"partition WITHOUT quorum|^Quorate:\s+No",
        kind: "Cluster",
        fault: "has no quorum",
        strength: 0.82,
        role: Role::Cause,
    },
    // Without fencing a lost node may still write to shared storage: resources must not be taken over.
    Bad {
        files: &[
            "pcs_config",
            "pcs_property",
            "crm_configure",
            "crm_config",
            "cib",
        ],
        id: PCS_STONITH,
        pattern: r"(?P<name>stonith-enabled)(?:: |=|\x22 value=\x22)\x22?(?:false|no|off|0)\b.*",
        kind: "Cluster property",
        fault: "is off: the cluster has no fencing",
        strength: 0.54,
        role: Role::Cause,
    },
    Bad {
        files: &[
            "pcs_status",
            "crm_mon",
            "crm_status",
            "pcs_config",
            "pcs_property",
            "crm_configure",
        ],
        id: PCS_STOPPED,
        pattern: r"(?P<name>Resource management is DISABLED)|(?P<off>maintenance-mode)(?:: |=)\x22?true.*|^\s*\*?\s*Node (?P<machine>\S+?)(?: \(\d+\))?: (?:standby|maintenance)\b.*",
        kind: "Cluster",
        fault: "does not manage its resources",
        strength: 0.66,
        role: Role::Cause,
    },
    Bad {
        files: &["juju_status"],
        id: JUJU,
        pattern: r"^\s*(?P<name>[\w-]+/\d+)\*?\s+error\s+\S+\s+.*",
        kind: "Juju unit",
        fault: "is in error",
        strength: 0.6,
        role: Role::Symptom,
    },
    Bad {
        files: &["juju_status"],
        id: JUJU_LOST,
        pattern: r"^\s*(?P<name>[\w-]+/\d+)\*?\s+\S+\s+(?:lost|failed)\s+.*|^(?P<machine>\d+(?:/lxd/\d+)?)\s+down\s+.*",
        kind: "Juju unit",
        fault: "has lost its agent",
        strength: 0.58,
        role: Role::Symptom,
    },
    Bad {
        files: &[
            "openstack_",
            "nova_service",
            "neutron_agent",
            "cinder_service",
        ],
        id: SERVICE,
        pattern: r"\|\s*(?P<name>(?:nova|cinder|neutron|heat|manila|magnum|ironic|octavia)-[\w-]+)\s*\|.*\|\s*(?:down|XXX)\s*\|.*",
        kind: "OpenStack service",
        fault: "is down",
        strength: 0.6,
        role: Role::Symptom,
    },
    Bad {
        files: &["docker_ps", "podman_ps", "crictl_ps"],
        id: DOCKER,
        pattern: r".*(?:Restarting \((?P<code>\d+)\)|\(unhealthy\)).*\s(?P<name>[\w.-]+)\s*$",
        kind: "Container",
        fault: "restarts or is unhealthy",
        strength: 0.6,
        role: Role::Symptom,
    },
    Bad {
        files: &["gluster_volume_heal", "gluster"],
        id: GLUSTER,
        pattern: r"Number of entries in split-brain: [1-9]\d*|Is in split-brain",
        kind: "Volume",
        fault: "has files in split-brain",
        strength: 0.84,
        role: Role::Cause,
    },
];

/// Findings from managers' status tables.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    for (entry, text) in texts(tree, |rel| {
        !rel.starts_with("var/log/")
            && !rel.starts_with("etc/")
            && ROWS
                .iter()
                .any(|bad| bad.files.iter().any(|word| name_of(rel).contains(word)))
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        for bad in ROWS
            .iter()
            .filter(|bad| bad.files.iter().any(|word| name_of(&rel).contains(word)))
        {
            partial.signals.extend(rows(entry, &text, bad));
        }
    }
    partial
}

fn rows(entry: &Entry, text: &Text, bad: &Bad) -> Vec<Signal> {
    let Some(pattern) = compile(bad.pattern) else {
        return Vec::new();
    };
    let mut out: Vec<Signal> = Vec::new();
    for (number, line) in text.lines().take(200_000) {
        let Some(found) = pattern.captures(line) else {
            continue;
        };
        let name = ["name", "off", "machine"]
            .iter()
            .find_map(|group| found.name(group))
            .map_or("cluster", |m| m.as_str())
            .trim()
            .to_owned();
        if out.iter().any(|signal| signal.subject.name == name) {
            continue;
        }
        let what = line.split_whitespace().collect::<Vec<_>>().join(" ");
        out.extend(
            Says {
                id: bad.id,
                subject: (bad.kind, &name),
                title: format!("{} {name} {}: {what}", bad.kind, bad.fault),
                statement: format!(
                    "{} {name} {} according to {}: {what}.",
                    bad.kind,
                    bad.fault,
                    entry.path.name()
                ),
                strength: bad.strength,
                role: bad.role,
                evidence: vec![at(entry, number, line)],
            }
            .signal(&[("resource", &name)]),
        );
        if out.len() >= 6 {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    #[test]
    fn bad_rows_and_good_ones() {
        let entry = Entry {
            path: BundlePath::parse("t").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        };
        let fired = |text: &str| {
            ROWS.iter()
                .filter(|bad| !rows(&entry, &Text::new(text.as_bytes()), bad).is_empty())
                .map(|bad| bad.id.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            fired(
                "  * db_start_0 on n1 'error' (1): call=7, status='complete', exitreason='no file'\n"
            ),
            ["pacemaker.failed-action"]
        );
        assert_eq!(fired("  * OFFLINE: [ n2 ]\n"), ["pacemaker.node-offline"]);
        assert_eq!(
            fired("keystone/0*  error  idle  3  10.0.0.1  hook failed\n"),
            ["juju.status-error"]
        );
        assert_eq!(
            fired("keystone/0  unknown  lost  3  10.0.0.1  agent lost\n"),
            ["juju.status-lost"]
        );
        assert_eq!(
            fired("| 1 | nova-compute | n1 | nova | enabled | down | 2024 |\n"),
            ["openstack.service-down"]
        );
        assert_eq!(
            fired("abc  img  \"run\"  2 days ago  Restarting (1) 5 seconds ago  web\n"),
            ["docker.container-restarting"]
        );
        assert!(fired("keystone/0*  active  idle  3  10.0.0.1  ready\n| 1 | nova-compute | n1 | nova | enabled | up | 2024 |\n  * Online: [ n1 n2 ]\npartition with quorum\n").is_empty());
    }
}
