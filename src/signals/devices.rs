//! What waits for a device and what took the device away: a pod that asks for `…/kvm`, a GPU or huge pages finds
//! no node, and the log of a node says why it offers none. The node's fault is the root.

use super::{Role, Signal};

/// Parts of resource names, and the causes on a node by which such a resource disappears.
const DEVICES: &[(&[&str], &[&str])] = &[
    (&["kvm", "vhost"], &["kvm-unavailable"]),
    (
        &["gpu", "nvidia", "amd.com", "mig-", "xe", "habana"],
        &[
            "gpu-error",
            "kernel-module-missing",
            "kernel-module-build-failed",
            "pcie-errors",
        ],
    ),
    (
        &["hugepages"],
        &["hugepages-not-allocated", "hugepages-exhausted"],
    ),
    (
        &["sriov", "vf", "mlnx", "rdma", "dpdk", "vfio", "fpga", "qat"],
        &[
            "iommu-fault",
            "nic-fault",
            "pcie-errors",
            "kernel-module-missing",
        ],
    ),
];

/// Puts the fault of a node above the pods that wait for what it no longer offers.
pub fn settle(signals: &mut [Signal]) {
    for waiting in 0..signals.len() {
        if signals[waiting].cause != "scheduling-insufficient-resources" {
            continue;
        }
        let Some(resource) = signals[waiting].entities.get("resource").cloned() else {
            continue;
        };
        let lower = resource.to_ascii_lowercase();
        let causes: Vec<&str> = DEVICES
            .iter()
            .filter(|(words, _)| words.iter().any(|word| lower.contains(word)))
            .flat_map(|(_, causes)| causes.iter().copied())
            .collect();
        let root = (0..signals.len())
            .filter(|at| {
                signals[*at].role == Role::Cause && causes.contains(&signals[*at].cause.as_str())
            })
            .max_by(|a, b| signals[*a].strength.total_cmp(&signals[*b].strength));
        let Some(root) = root else { continue };
        let pod = signals[waiting].subject.name.clone();
        let line = signals[waiting].evidence.first().cloned();
        let strength = signals[waiting].strength;
        let node = signals[root]
            .evidence
            .iter()
            .find_map(|evidence| node_of(&evidence.path))
            .map(|node| format!("node {node}: "))
            .unwrap_or_default();
        let above = &mut signals[root];
        above.strength = (strength + 0.03).max(above.strength).min(0.96);
        above.title = format!("{node}{}, so pod {pod} waits for {resource}", above.title);
        above.statement = format!(
            "{node}{} Pod {pod} cannot be scheduled because no node offers {resource}.",
            above.statement
        );
        if let Some(line) = line.filter(|line| !above.evidence.contains(line)) {
            above.evidence.push(line);
        }
        signals[waiting].strength = (strength - 0.12).max(0.05);
    }
}

/// The node that a path names: `nodes/NAME/…`, `host_service_logs/NAME/…`.
fn node_of(path: &str) -> Option<&str> {
    let mut parts = path.split('/');
    parts.find(|part| matches!(*part, "nodes" | "host_service_logs" | "hosts"))?;
    parts
        .next()
        .filter(|name| !name.contains('.') || name.split('.').count() > 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Evidence, Subject};
    use std::collections::BTreeMap;

    fn signal(cause: &str, strength: f64, resource: &str) -> Signal {
        Signal {
            detector: format!("test.{cause}"),
            cause: cause.into(),
            title: cause.into(),
            statement: cause.into(),
            subject: Subject {
                kind: "Pod".into(),
                namespace: None,
                name: "p".into(),
            },
            evidence: vec![Evidence {
                path: "b/nodes/n3/logs/dmesg.log".into(),
                line_start: 1,
                line_end: 1,
                quote: "x".into(),
            }],
            strength,
            role: Role::Cause,
            entities: BTreeMap::from([("resource".into(), resource.into())]),
        }
    }

    #[test]
    fn the_node_that_lost_a_device_stands_above_the_pod_that_waits_for_it() {
        let wait = "scheduling-insufficient-resources";
        let mut both = [
            signal(wait, 0.9, "devices.example.com/kvm"),
            signal("kvm-unavailable", 0.4, ""),
        ];
        settle(&mut both);
        assert!(both[1].strength > both[0].strength);
        assert!(
            both[1].title.starts_with("node n3: ")
                && both[1].title.contains("devices.example.com/kvm")
        );
        let mut other = [
            signal(wait, 0.9, "nvidia.com/gpu"),
            signal("kvm-unavailable", 0.4, ""),
        ];
        settle(&mut other);
        assert!(other[0].strength > other[1].strength);
    }
}
