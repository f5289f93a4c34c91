//! Nodes: readiness, pressure, network, cordons, versions.

use super::emit::{Ctx, Draft, cut, one_line};
use super::model::*;
use super::time::show;
use regex::Regex;
use std::sync::LazyLock;

/// Every node.
pub fn detect(ctx: &Ctx) {
    for node in &ctx.cluster.nodes {
        conditions(ctx, node);
        if node.unschedulable.v || node.row_status.v.contains("SchedulingDisabled") {
            let place = if node.unschedulable.v {
                ctx.quote(node.unschedulable.src, "")
            } else {
                ctx.quote_loc(&node.row_status)
            };
            let waits = ctx.cluster.notes.iter().any(|note| {
                note.reason == "FailedScheduling" && note.message.contains("unschedulable")
            });
            let draft = Draft::cause(
                "node-cordoned",
                "Node",
                "",
                &node.name,
                if waits { 0.6 } else { 0.3 },
            )
            .says(
                format!("node {} is cordoned (SchedulingDisabled)", node.name),
                format!(
                    "Node {} is marked unschedulable, so no new pods are placed on it.",
                    node.name
                ),
            )
            .show(place);
            ctx.emit(draft);
        }
    }
    versions(ctx);
}

fn conditions(ctx: &Ctx, node: &Node) {
    let who = format!("node {}", node.name);
    let ready = node
        .conditions
        .iter()
        .find(|condition| condition.kind == "Ready");
    let row_bad = node.conditions.is_empty() && node.row_status.v.starts_with("NotReady");
    if row_bad {
        let draft = Draft::symptom("node-not-ready", "Node", "", &node.name, 0.55)
            .says(
                format!("{who} is NotReady"),
                format!("{who} is NotReady; the bundle holds only a row about it."),
            )
            .show(ctx.quote_loc(&node.row_status));
        ctx.emit(draft);
        ctx.ask(
            format!("description of {who} (kubectl describe node {})", node.name),
            "its conditions say why it is not ready",
            None,
        );
        ctx.ask(
            format!("kubelet log of {who} (journalctl -u kubelet)"),
            "it says why the kubelet does not report or is not ready",
            None,
        );
    }
    if let Some(ready) = ready.filter(|condition| condition.status.v != "True") {
        let message = one_line(&ready.message.v);
        let lower = message.to_lowercase();
        let unknown = ready.status.v == "Unknown";
        let (slug, strength, words) = match () {
            () if lower.contains("cni")
                || lower.contains("network plugin")
                || lower.contains("networkready=false") =>
            {
                ("cni-failed", 0.92, "its network plugin (CNI) is not ready")
            }
            () if lower.contains("pleg") => (
                "node-pleg",
                0.9,
                "its container runtime does not answer (PLEG is not healthy)",
            ),
            () if lower.contains("container runtime") => {
                ("node-runtime-down", 0.9, "its container runtime is down")
            }
            () if unknown || lower.contains("stopped posting") => (
                "node-unreachable",
                0.82,
                "its kubelet stopped posting status (node down, kubelet stopped or network cut)",
            ),
            () => (
                "node-not-ready",
                0.84,
                "its kubelet says that it is not ready",
            ),
        };
        let since = ready
            .since
            .zip(ctx.cluster.clock)
            .map(|(since, clock)| format!(" for {}", show((clock - since).max(0))))
            .unwrap_or_default();
        // That a node fell silent is known; why, only the node can tell.
        let silent = slug == "node-unreachable" && own_files(ctx, &node.name) == 0;
        let draft = if silent {
            Draft::symptom(slug, "Node", "", &node.name, 0.55)
        } else {
            Draft::cause(slug, "Node", "", &node.name, strength)
        };
        let draft = draft
            .says(
                format!("{who} is NotReady{since}: {words}"),
                format!(
                    "{who} is NotReady{since}: {words}. {}: {}",
                    ready.reason.v,
                    cut(&message, 260)
                ),
            )
            .show(ctx.quote(
                if ready.message.v.is_empty() {
                    ready.status.src
                } else {
                    ready.message.src
                },
                &ready.message.v,
            ))
            .show(ctx.quote_loc(&ready.status))
            .show(ctx.quote_loc(&ready.reason));
        ctx.emit(draft);
    }
    for (kind, slug, words) in [
        (
            "MemoryPressure",
            "node-memory-pressure",
            "runs out of memory (MemoryPressure)",
        ),
        (
            "DiskPressure",
            "node-disk-pressure",
            "runs out of disk space (DiskPressure)",
        ),
        (
            "PIDPressure",
            "node-pid-pressure",
            "runs out of process ids (PIDPressure)",
        ),
        (
            "NetworkUnavailable",
            "node-network-unavailable",
            "has no pod network (NetworkUnavailable)",
        ),
        (
            "ReadonlyFilesystem",
            "node-filesystem-read-only",
            "has a file system that became read-only",
        ),
        (
            "KernelDeadlock",
            "node-kernel-trouble",
            "has a kernel deadlock",
        ),
        (
            "FrequentKubeletRestart",
            "kubelet-failing",
            "restarts its kubelet again and again",
        ),
        (
            "CorruptDockerOverlay2",
            "node-kernel-trouble",
            "has a corrupt container file system",
        ),
    ] {
        let Some(condition) = node
            .conditions
            .iter()
            .find(|condition| condition.kind == kind && condition.status.v == "True")
        else {
            continue;
        };
        let message = cut(&one_line(&condition.message.v), 240);
        let eater = matches!(kind, "DiskPressure" | "MemoryPressure")
            .then(|| heaviest(ctx))
            .flatten();
        let (mut title, mut used) = (format!("{who} {words}"), String::new());
        if let Some(eater) = &eater {
            title = format!(
                "{title}: container {} of pod {} used {}",
                eater.container,
                full_name(&eater.note.ns, &eater.note.name),
                eater.amount
            );
            used = format!(
                " When it evicted pod {}, its container {} was using {}, far more than the others.",
                full_name(&eater.note.ns, &eater.note.name),
                eater.container,
                eater.amount
            );
        }
        let mut draft = Draft::cause(slug, "Node", "", &node.name, 0.88)
            .says(title, format!("{who} {words}: {message}. The kubelet evicts pods and takes no new ones while this lasts.{used}"))
            .show(ctx.quote(if condition.message.v.is_empty() { condition.status.src } else { condition.message.src }, &condition.message.v))
            .show(ctx.quote_loc(&condition.status));
        if let Some(eater) = &eater {
            draft = draft.show(ctx.quote(eater.note.src, &eater.note.message));
        }
        ctx.emit(draft);
    }
}

/// Files of the bundle that were written on this node: its kubelet's, its kernel's, its agent's.
fn own_files(ctx: &Ctx, node: &str) -> usize {
    const OF_A_NODE: [&str; 12] = [
        "kubelet",
        "dmesg",
        "kern",
        "journal",
        "syslog",
        "messages",
        "rke2",
        "k3s",
        "console",
        "containerd",
        "crio",
        "host_service_logs",
    ];
    let short = node.split('.').next().unwrap_or(node);
    ctx.tree
        .files()
        .filter(|entry| entry.bytes > 0)
        .filter(|entry| {
            let path = entry.path.as_str();
            let named = path.split('/').any(|part| {
                part == node || part == short || super::emit::contains_word(part, short)
            });
            named && OF_A_NODE.iter().any(|word| path.contains(word))
        })
        .count()
}

/// Asks for what would tell why a node is silent, when no cause is known of it.
pub fn unexplained(ctx: &Ctx) {
    const MOST: usize = 3;
    // An event that a node is not ready says that much, of whatever object it is; without a word of the
    // node itself it stays a symptom.
    let placed: std::collections::BTreeMap<(&str, &str), &str> = ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| !pod.node.is_empty())
        .map(|pod| ((pod.ns.as_str(), pod.name.as_str()), pod.node.as_str()))
        .collect();
    ctx.amend(|signal| {
        if signal.cause != "node-not-ready" || signal.role == crate::signals::Role::Symptom {
            return;
        }
        let subject = &signal.subject;
        let ns = subject.namespace.as_deref().unwrap_or_default();
        let node = match subject.kind.as_str() {
            "Node"
                if ctx
                    .cluster
                    .nodes
                    .iter()
                    .any(|node| node.name == subject.name) =>
            {
                return;
            }
            "Node" => Some(subject.name.as_str()),
            _ => placed.get(&(ns, subject.name.as_str())).copied(),
        };
        let told = node.map_or_else(
            || {
                ctx.cluster
                    .nodes
                    .iter()
                    .any(|node| own_files(ctx, &node.name) > 0)
            },
            |node| own_files(ctx, node) > 0,
        );
        if !told {
            signal.role = crate::signals::Role::Symptom;
            signal.strength = signal.strength.min(0.45);
        }
    });
    let silent: Vec<String> = ctx
        .signals()
        .iter()
        .filter(|signal| {
            signal.role == crate::signals::Role::Symptom && signal.cause == "node-unreachable"
        })
        .map(|signal| signal.subject.name.clone())
        .take(MOST)
        .collect();
    for node in silent {
        ctx.ask(
            format!("logs of node {node}: kubelet or its agent (journalctl -u kubelet, rke2-agent, k3s, containerd) from before it fell silent"),
            "the kubelet stopped posting status; whether it ended, hung or could not reach the API server stands only in its own log, and nothing of this node was collected",
            None,
        );
        ctx.ask(
            format!("metrics of node {node} from before it fell silent (node-exporter: memory, disk, load), and its machine's state at the provider"),
            "they show whether it ran out of something before it stopped to report",
            None,
        );
        ctx.ask(
            format!("kernel log and console of node {node} (dmesg or journalctl -k of the boot before, the management controller's event log and console)"),
            "a crash, a reset, a lack of memory or a lost disk or link of the machine is recorded only there",
            None,
        );
    }
}

/// The container that used most when the kubelet evicted pods.
struct Eater<'a> {
    container: String,
    amount: String,
    note: &'a Note,
}

/// The container that used at least a gibibyte, and more than four times what any other evicted one did.
fn heaviest<'a>(ctx: &Ctx<'a>) -> Option<Eater<'a>> {
    static USING: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"[Cc]ontainer (?P<container>[\w.-]+) was using (?P<amount>\d+)(?P<unit>[KMG]i)?",
        )
        .ok()
    });
    const GIB: u64 = 1 << 30;
    let mut found: Vec<(u64, String, String, &Note)> = Vec::new();
    for note in &ctx.cluster.notes {
        let Some(captures) = USING
            .as_ref()
            .and_then(|regex| regex.captures(&note.message))
        else {
            continue;
        };
        let unit = captures.name("unit").map_or("", |unit| unit.as_str());
        let shift = match unit {
            "Ki" => 10,
            "Mi" => 20,
            "Gi" => 30,
            _ => 0,
        };
        let Ok(amount) = captures["amount"].parse::<u64>() else {
            continue;
        };
        let name = captures["container"].to_owned();
        let words = format!("{amount}{unit}");
        if !found.iter().any(|(_, known, ..)| *known == name) {
            found.push((amount.saturating_mul(1 << shift), name, words, note));
        }
    }
    found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let second = found.get(1).map_or(0, |(bytes, ..)| *bytes);
    let (bytes, container, amount, note) = found.into_iter().next()?;
    (bytes >= GIB && bytes / 4 > second).then_some(Eater {
        container,
        amount,
        note,
    })
}

/// Minor number of `v1.29.3`.
fn minor(version: &str) -> Option<i64> {
    let part = version.trim_start_matches('v').split('.').nth(1)?;
    part.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Kubelets may be at most three minor versions older than the API server, and never newer
/// (Kubernetes version skew policy).
fn versions(ctx: &Ctx) {
    let server = &ctx.cluster.server_version;
    let Some(of_server) = minor(&server.v) else {
        return;
    };
    for node in &ctx.cluster.nodes {
        let Some(of_node) = minor(&node.version.v) else {
            continue;
        };
        if of_node <= of_server && of_server - of_node <= 3 {
            continue;
        }
        let draft = Draft::cause("version-skew", "Node", "", &node.name, 0.5)
            .says(
                format!("node {} runs kubelet {}, the API server {}: outside the supported version skew", node.name, node.version.v, server.v),
                format!("The kubelet of node {} ({}) and the API server ({}) differ by more than Kubernetes supports.", node.name, node.version.v, server.v),
            )
            .show(ctx.quote_loc(&node.version))
            .show(ctx.quote_loc(server));
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_versions() {
        assert_eq!(
            [minor("v1.29.3"), minor("v1.24+k3s1"), minor("x")],
            [Some(29), Some(24), None]
        );
    }
}
