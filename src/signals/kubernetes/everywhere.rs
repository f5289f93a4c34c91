//! Daemon sets that every node needs and that leave nodes out: the one that gives services their addresses, the one
//! that gives pods their network.

use super::emit::{Ctx, Draft};
use super::model::{Node, Workload};

/// Names, and what is missing where one does not run.
const AGENTS: &[(&[&str], &str)] = &[
    (
        &["kube-proxy"],
        "pods there reach no cluster IP of a service, and so not the cluster's DNS either",
    ),
    (
        &[
            "calico-node",
            "canal",
            "rke2-canal",
            "cilium",
            "kube-flannel",
            "kube-flannel-ds",
            "weave-net",
            "aws-node",
            "azure-cns",
            "kindnet",
            "antrea-agent",
            "ovnkube-node",
            "kube-ovn-cni",
            "kube-router",
        ],
        "pods there get no network",
    ),
    (
        &["node-local-dns"],
        "pods there ask a DNS address that nobody serves",
    ),
];

/// Nodes that hold no daemon set: those that are no machines, and those that run another system.
fn takes_agents(node: &Node) -> bool {
    let of = |key: &str| node.labels.iter().find(|(known, _)| *known == key);
    !node.name.starts_with("fargate-")
        && !node.name.contains("virtual-kubelet")
        && of("type").is_none_or(|(_, value)| *value != "virtual-kubelet")
        && of("kubernetes.io/os").is_none_or(|(_, value)| *value == "linux")
}

fn missing_where(workload: &Workload) -> Option<&'static str> {
    AGENTS
        .iter()
        .find(|(names, _)| names.contains(&workload.name.as_str()))
        .map(|(_, means)| *means)
}

/// Daemon sets that want fewer pods than there are nodes.
pub fn detect(ctx: &Ctx) {
    let nodes: Vec<&Node> = ctx
        .cluster
        .nodes
        .iter()
        .filter(|node| takes_agents(node))
        .collect();
    for workload in &ctx.cluster.workloads {
        let (Some(means), Some(desired)) = (missing_where(workload), &workload.desired) else {
            continue;
        };
        if workload.kind != "DaemonSet" || desired.v < 1 || desired.v >= nodes.len() as i64 {
            continue;
        }
        let runs_on = |node: &Node| {
            let lead = format!("{}-", workload.name);
            ctx.cluster.pods.iter().any(|pod| {
                pod.ns == workload.ns && pod.node == node.name && pod.name.starts_with(&lead)
            })
        };
        let bare: Vec<&str> = nodes
            .iter()
            .filter(|node| !runs_on(node))
            .map(|node| node.name.as_str())
            .collect();
        // Where the pods are listed, they must bear it out.
        let listed = bare.len() < nodes.len();
        if listed && bare.is_empty() {
            continue;
        }
        let on = if listed {
            format!(
                ", not on {}",
                bare.iter().take(6).copied().collect::<Vec<_>>().join(", ")
            )
        } else {
            String::new()
        };
        let by = if workload.node_selector.v.is_empty() {
            String::new()
        } else {
            format!(" (node selector {})", workload.node_selector.v)
        };
        let network = [
            "dns",
            "network",
            "timeout",
            "timed out",
            "connect",
            "resolve",
            "reach",
        ];
        let asked = network.iter().any(|word| ctx.ticket.contains(word))
            || listed && bare.iter().any(|name| ctx.in_ticket(name));
        let name = format!("{}/{}", workload.ns, workload.name);
        let draft = Draft::cause(
            "node-agent-not-everywhere",
            "DaemonSet",
            &workload.ns,
            &workload.name,
            if asked { 0.92 } else { 0.75 },
        )
        .says(
            format!(
                "daemon set {name} runs on {} of {} nodes{on}{by}",
                desired.v,
                nodes.len()
            ),
            format!(
                "The daemon set {name}{by} wants {} pods on {} nodes{on}: {means}.",
                desired.v,
                nodes.len()
            ),
        )
        .entity("daemonset", &workload.name)
        .show(ctx.quote(desired.src, &workload.name))
        .show(ctx.quote_loc(&workload.node_selector));
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, quiet, run};

    const NODES: &str = "NAME     STATUS   ROLES    AGE   VERSION\ncp-1     Ready    control-plane   80d   v1.29.4\nwork-1   Ready    <none>   80d   v1.29.4\nwork-2   Ready    <none>   2d    v1.29.4\n";

    #[test]
    fn an_agent_that_every_node_needs() {
        let sets = |wanted: u32, selector: &str| {
            format!(
                "NAMESPACE     NAME         DESIRED   CURRENT   READY   UP-TO-DATE   AVAILABLE   NODE SELECTOR   AGE\nkube-system   kube-proxy   {wanted}         {wanted}         {wanted}       {wanted}            {wanted}           {selector}   80d\n"
            )
        };
        let (few, all) = (sets(2, "pool=old"), sets(3, "<none>  "));
        let found = run(&[("get_nodes.txt", NODES), ("get_daemonsets.txt", &few)]);
        let signal = first(&found);
        assert_eq!(signal.cause, "node-agent-not-everywhere");
        assert!(signal.title.contains("2 of 3 nodes"), "{}", signal.title);
        quiet(&[("get_nodes.txt", NODES), ("get_daemonsets.txt", &all)]);
        let other = few.replace("kube-proxy", "log-ship  ");
        quiet(&[("get_nodes.txt", NODES), ("get_daemonsets.txt", &other)]);
    }
}
