//! Pods that no node takes: what the scheduler says, taken apart by predicate.

use super::emit::{Ctx, Draft, cut, one_line, with_pod};
use super::model::*;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Words of the scheduler, cause, what it means.
const PREDICATES: &[(&str, &str, &str)] = &[
    (
        "unbound immediate persistentvolumeclaim",
        "scheduling-unbound-volume",
        "it uses a claim that is not bound (unbound immediate PersistentVolumeClaims)",
    ),
    (
        "unbound persistentvolumeclaim",
        "scheduling-unbound-volume",
        "it uses a claim that is not bound (unbound PersistentVolumeClaims)",
    ),
    (
        "didn't find available persistent volumes to bind",
        "scheduling-unbound-volume",
        "no persistent volume fits its claim on any node",
    ),
    (
        "persistentvolumeclaim \"",
        "pvc-missing",
        "its claim does not exist (persistentvolumeclaim not found)",
    ),
    (
        "volume node affinity conflict",
        "scheduling-volume-affinity",
        "its volume is bound to other nodes or another zone (volume node affinity conflict)",
    ),
    (
        "no available volume zone",
        "scheduling-volume-affinity",
        "its volume lies in another zone",
    ),
    (
        "exceed max volume count",
        "scheduling-volume-limit",
        "the nodes have reached their limit of attached volumes",
    ),
    (
        "Insufficient cpu",
        "scheduling-insufficient-resources",
        "it requests more CPU than any node has free (Insufficient cpu)",
    ),
    (
        "Insufficient memory",
        "scheduling-insufficient-resources",
        "it requests more memory than any node has free (Insufficient memory)",
    ),
    (
        "Insufficient ephemeral-storage",
        "scheduling-insufficient-resources",
        "it requests more ephemeral storage than any node has free",
    ),
    (
        "Insufficient pods",
        "scheduling-too-many-pods",
        "the nodes already run as many pods as they may (Too many pods)",
    ),
    (
        "Too many pods",
        "scheduling-too-many-pods",
        "the nodes already run as many pods as they may (Too many pods)",
    ),
    (
        "Insufficient ",
        "scheduling-insufficient-resources",
        "it requests a resource that no node offers or has free",
    ),
    (
        "didn't match Pod's node affinity/selector",
        "scheduling-affinity-mismatch",
        "no node has the labels that its node selector or node affinity demands",
    ),
    (
        "didn't match node selector",
        "scheduling-affinity-mismatch",
        "no node has the labels that its node selector demands",
    ),
    (
        "didn't match pod's node affinity",
        "scheduling-affinity-mismatch",
        "no node has the labels that its node affinity demands",
    ),
    (
        "node(s) didn't match the requested node name",
        "scheduling-affinity-mismatch",
        "the node that it demands by name does not exist",
    ),
    (
        "didn't match pod affinity",
        "scheduling-pod-affinity",
        "its pod affinity or anti-affinity rules leave no node",
    ),
    (
        "didn't match pod anti-affinity",
        "scheduling-pod-affinity",
        "its pod anti-affinity rules leave no node",
    ),
    (
        "anti-affinity rules",
        "scheduling-pod-affinity",
        "pod anti-affinity rules leave no node",
    ),
    (
        "pod affinity rules",
        "scheduling-pod-affinity",
        "its pod affinity rules leave no node",
    ),
    (
        "topology spread constraints (missing required label)",
        "scheduling-topology-label",
        "its topology spread constraints name a node label that no node carries (missing required label)",
    ),
    (
        "topology spread constraints",
        "scheduling-pod-affinity",
        "its topology spread constraints leave no node",
    ),
    (
        "scheduling gates",
        "scheduling-gated",
        "its scheduling gates were never removed by the controller that set them",
    ),
    // Karpenter says what its pools and instance types cannot give.
    (
        "exceed limits for nodepool",
        "autoscaler-cannot-add-nodes",
        "no node fits and its node pool has reached its own limits (Karpenter)",
    ),
    (
        "no instance type satisfied",
        "autoscaler-cannot-add-nodes",
        "no node fits and no instance type of the node pools satisfies what it asks for (Karpenter)",
    ),
    (
        "incompatible with nodepool",
        "autoscaler-cannot-add-nodes",
        "no node fits and its requirements are incompatible with every node pool (Karpenter)",
    ),
    (
        "max node group size reached",
        "autoscaler-cannot-add-nodes",
        "no node fits and the cluster autoscaler cannot add one (max node group size reached)",
    ),
    (
        "didn't trigger scale-up",
        "scheduling-failed",
        "the cluster autoscaler finds no node group that would fit",
    ),
    (
        "cannot allocate all claims",
        "scheduling-insufficient-resources",
        "the devices that its resource claims ask for are not free",
    ),
    (
        "not enough free storage",
        "scheduling-volume-affinity",
        "no node has enough free storage for its volume",
    ),
    (
        "didn't have free ports",
        "scheduling-port-conflict",
        "its host port is taken on every node",
    ),
    (
        "didn't tolerate",
        "scheduling-taints",
        "it does not tolerate the taints of the nodes",
    ),
    (
        "untolerated taint",
        "scheduling-taints",
        "it does not tolerate the taints of the nodes",
    ),
    (
        "had taint",
        "scheduling-taints",
        "it does not tolerate the taints of the nodes",
    ),
    (
        "were unschedulable",
        "scheduling-nodes-cordoned",
        "the nodes are cordoned (unschedulable)",
    ),
    (
        "were not ready",
        "scheduling-nodes-not-ready",
        "the nodes are not ready",
    ),
    (
        "no nodes available to schedule",
        "scheduling-nodes-not-ready",
        "there is no node that could take it",
    ),
    (
        "had disk pressure",
        "scheduling-nodes-not-ready",
        "the nodes are under disk pressure",
    ),
    (
        "had memory pressure",
        "scheduling-nodes-not-ready",
        "the nodes are under memory pressure",
    ),
    (
        "serviceaccount",
        "service-account-missing",
        "its service account does not exist (not found)",
    ),
];

/// Every cause that predicates can name.
#[cfg(test)]
pub fn slugs() -> impl Iterator<Item = &'static str> {
    PREDICATES.iter().map(|(_, slug, _)| *slug)
}

static PART: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?P<count>\d+) (?P<words>[^,.]*(?:\{[^}]*\})?[^,.]*)").ok());

/// The predicate that keeps the most nodes away, and its meaning.
pub fn explain(message: &str) -> Option<(&'static str, &'static str, i64)> {
    let all = message.split(" preemption:").next().unwrap_or(message);
    let lower = all.to_lowercase();
    let mut best: Option<(&'static str, &'static str, i64, usize)> = None;
    for (rank, (words, slug, meaning)) in PREDICATES.iter().enumerate() {
        let needle = words.to_lowercase();
        if !lower.contains(&needle) {
            continue;
        }
        let parts = PART.as_ref().map(|regex| {
            regex
                .captures_iter(&lower)
                .filter(|found| {
                    found
                        .name("words")
                        .is_some_and(|text| text.as_str().contains(&needle))
                })
                .collect::<Vec<_>>()
        });
        let count = parts
            .and_then(|parts| {
                parts
                    .iter()
                    .filter_map(|found| found.name("count")?.as_str().parse::<i64>().ok())
                    .max()
            })
            .unwrap_or(1);
        // Taints of control planes are the normal part of the message.
        let normal = slug == &"scheduling-taints"
            && (lower.contains("control-plane")
                || lower.contains("node-role.kubernetes.io/master"))
            && best.is_some();
        let more =
            best.is_none_or(|(_, _, known, at)| count > known || (count == known && rank < at));
        if more && !normal {
            best = Some((slug, meaning, count, rank));
        }
    }
    best.map(|(slug, meaning, count, _)| (slug, meaning, count))
}

/// Pods that wait for a node.
pub fn detect(ctx: &Ctx) {
    let mut latest: BTreeMap<(String, String), Vec<&Note>> = BTreeMap::new();
    for note in ctx
        .cluster
        .notes
        .iter()
        .filter(|note| note.reason == "FailedScheduling" && !note.message.is_empty())
    {
        latest
            .entry((note.ns.clone(), note.name.clone()))
            .or_default()
            .push(note);
    }
    let mut seen_apps: BTreeSet<(String, String, &str)> = BTreeSet::new();
    for pod in &ctx.cluster.pods {
        let key = (pod.ns.clone(), pod.name.clone());
        let condition = pod
            .condition("PodScheduled")
            .filter(|condition| condition.status.v == "False" && !condition.message.v.is_empty());
        if let Some(condition) = condition {
            let notes = latest.remove(&key).unwrap_or_default();
            emit(
                ctx,
                Some(pod),
                &pod.ns,
                &pod.name,
                &condition.message,
                &notes,
                1.0,
                &mut seen_apps,
            );
        }
    }
    for ((ns, name), mut notes) in latest {
        notes.sort_by_key(|note| note.age.unwrap_or(0));
        let Some(note) = notes.first() else { continue };
        let pod = ctx.cluster.pod(&ns, &name);
        let factor = match pod {
            Some(pod) if pod.is_ready() || pod.is_done() => 0.3,
            Some(pod) if !pod.node.is_empty() && pod.node != "none" => 0.3,
            Some(_) => 1.0,
            None if ctx.cluster.is_listed("Pod", &ns) => 0.4,
            None => 0.95,
        };
        let message = Loc::new(note.message.clone(), note.src);
        emit(
            ctx,
            pod,
            &ns,
            &name,
            &message,
            &notes,
            factor,
            &mut seen_apps,
        );
    }
    never_considered(ctx);
}

/// The resources of which the scheduler says that there is not enough.
fn lacking(message: &str) -> Vec<&str> {
    message
        .split("Insufficient ")
        .skip(1)
        .filter_map(|rest| rest.split([',', ' ', '\n']).next())
        .map(|name| name.trim_end_matches(['.', ';']))
        .filter(|name| !name.is_empty())
        .collect()
}

#[allow(clippy::too_many_arguments)]
fn emit(
    ctx: &Ctx,
    pod: Option<&Pod>,
    ns: &str,
    name: &str,
    message: &Loc<String>,
    notes: &[&Note],
    factor: f64,
    seen: &mut BTreeSet<(String, String, &'static str)>,
) {
    let (slug, meaning, _) = explain(&message.v).unwrap_or((
        "scheduling-failed",
        "the scheduler finds no node for it",
        1,
    ));
    let app = app_of(name).to_owned();
    // The other replicas of the same application wait for the same reason.
    let repeat = !seen.insert((ns.to_owned(), app, slug));
    let strength = if slug == "scheduling-failed" {
        0.7
    } else {
        0.92
    } * factor
        * if repeat { 0.6 } else { 1.0 };
    let who = format!("pod {}", full_name(ns, name));
    let mut details = String::new();
    let mut draft = Draft::cause(slug, "Pod", ns, name, strength);
    if let Some(pod) = pod {
        draft = with_pod(draft, pod, "");
        let wanted: Vec<String> = pod
            .containers
            .iter()
            .flat_map(|container| {
                container.requests.iter().map(move |(resource, amount)| {
                    format!("{} requests {resource}={}", container.name, amount.v)
                })
            })
            .collect();
        if slug == "scheduling-insufficient-resources" {
            // Of all that the pod asks for, what is lacking is what matters.
            let lacking = lacking(&message.v);
            let short: Vec<&str> = wanted
                .iter()
                .map(String::as_str)
                .filter(|text| {
                    lacking
                        .iter()
                        .any(|name| text.contains(&format!("requests {name}=")))
                })
                .collect();
            if !short.is_empty() {
                details = format!(" ({})", short.join(", "));
            } else if !wanted.is_empty() {
                details = format!(" ({})", wanted.join(", "));
            }
            if let Some(device) = lacking
                .iter()
                .find(|name| name.contains('/') || name.starts_with("hugepages-"))
            {
                draft = draft.entity("resource", device);
                let without: Vec<&str> = ctx
                    .cluster
                    .nodes
                    .iter()
                    .filter(|node| {
                        !node.allocatable.is_empty()
                            && node
                                .allocatable
                                .get(*device)
                                .is_none_or(|amount| amount.v == "0")
                    })
                    .map(|node| node.name.as_str())
                    .take(3)
                    .collect();
                if !without.is_empty() {
                    details.push_str(&format!("; {} offers none", without.join(", ")));
                }
                for amount in ctx
                    .cluster
                    .nodes
                    .iter()
                    .filter_map(|node| node.allocatable.get(*device))
                    .filter(|amount| amount.v == "0")
                    .take(1)
                {
                    draft = draft.show(ctx.quote_loc(amount));
                }
            }
        }
        if slug == "scheduling-affinity-mismatch" && !pod.node_selector.is_empty() {
            let pairs: Vec<String> = pod
                .node_selector
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            details = format!(" (node selector {})", pairs.join(","));
        }
        if slug == "scheduling-unbound-volume" {
            let claims: Vec<&str> = pod
                .volumes
                .iter()
                .filter(|volume| volume.kind == "PersistentVolumeClaim")
                .map(|volume| volume.target.as_str())
                .collect();
            if let Some(claim) = claims.first() {
                draft = draft.entity("pvc", claim);
                details = format!(" (claims: {})", claims.join(", "));
            }
        }
    }
    // A pod of the same application lost its place to one of higher priority.
    let lost = ctx.cluster.notes.iter().find(|note| {
        note.reason == "Preempted" && note.ns == ns && app_of(&note.name) == app_of(name)
    });
    if let Some(note) = lost.filter(|_| slug == "scheduling-insufficient-resources") {
        details.push_str(&format!(
            "; its predecessor {} was preempted by a pod of higher priority",
            note.name
        ));
        draft = draft.show(ctx.quote(note.src, &note.message));
    }
    // An unbound claim is the consequence of what keeps it unbound.
    if slug == "scheduling-unbound-volume" {
        draft.signal.strength = draft.signal.strength.min(0.66);
    }
    // A node under pressure takes no pods: its pressure is the cause, the pod that waits the symptom.
    if ["disk-pressure", "memory-pressure", "pid-pressure"]
        .iter()
        .any(|taint| message.v.contains(taint))
        && ctx.cluster.nodes.iter().any(|node| {
            node.conditions
                .iter()
                .any(|c| c.kind.ends_with("Pressure") && c.status.v == "True")
        })
    {
        draft.signal.strength = draft.signal.strength.min(0.74);
    }
    let words = cut(&one_line(&message.v), 300);
    draft = draft
        .says(
            format!("{who} cannot be scheduled: {meaning}{details}"),
            format!("{who} stays Pending because {meaning}{details}. The scheduler says: {words}"),
        )
        .show(ctx.quote(message.src, &message.v));
    for note in notes.iter().take(2) {
        draft = draft.show(ctx.quote(note.src, &note.message));
    }
    if let Some(pod) = pod {
        for container in &pod.containers {
            for resource in ["cpu", "memory", "nvidia.com/gpu"] {
                if slug == "scheduling-insufficient-resources"
                    && message.v.contains(resource)
                    && let Some(request) = container.requests.get(resource)
                {
                    draft = draft.show(ctx.quote_loc(request));
                }
            }
        }
    }
    ctx.emit(draft);
}

/// Pending pods that no scheduler looks at: another scheduler's name, no event.
fn never_considered(ctx: &Ctx) {
    for pod in ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| pod.phase.v == "Pending" && pod.node.is_empty() && pod.detailed)
    {
        let name = pod.scheduler.v.as_str();
        let runs = ctx
            .cluster
            .pods
            .iter()
            .any(|other| other.name.contains(name) && other.is_ready());
        if name.is_empty()
            || name == "default-scheduler"
            || runs
            || pod.condition("PodScheduled").is_some()
        {
            continue;
        }
        let who = format!("pod {}", pod.full_name());
        let draft = Draft::cause("scheduler-missing", "Pod", &pod.ns, &pod.name, 0.82)
            .says(format!("{who} waits for scheduler {name}, which does not run"), format!("{who} stays Pending: its schedulerName is {name}, no pod of such a scheduler runs and no scheduler has looked at it."))
            .show(ctx.quote_loc(&pod.scheduler));
        ctx.emit(with_pod(draft, pod, ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_predicate_that_keeps_most_nodes_away_wins() {
        for (message, want) in [
            (
                "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found.",
                "scheduling-insufficient-resources",
            ),
            (
                "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector.",
                "scheduling-affinity-mismatch",
            ),
            (
                "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: db}.",
                "scheduling-taints",
            ),
            (
                "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
                "scheduling-unbound-volume",
            ),
            (
                "0/2 nodes are available: 2 node(s) had volume node affinity conflict.",
                "scheduling-volume-affinity",
            ),
            (
                "0/2 nodes are available: 2 Too many pods.",
                "scheduling-too-many-pods",
            ),
            (
                "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.",
                "scheduling-port-conflict",
            ),
            (
                "0/2 nodes are available: 2 node(s) were unschedulable.",
                "scheduling-nodes-cordoned",
            ),
            (
                "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules.",
                "scheduling-pod-affinity",
            ),
            (
                "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
                "scheduling-insufficient-resources",
            ),
            ("persistentvolumeclaim \"data\" not found", "pvc-missing"),
            (
                "no nodes available to schedule pods",
                "scheduling-nodes-not-ready",
            ),
            (
                "0/2 nodes are available: 2 node(s) exceed max volume count.",
                "scheduling-volume-limit",
            ),
        ] {
            assert_eq!(
                explain(message).map(|(slug, _, _)| slug),
                Some(want),
                "{message}"
            );
        }
        assert_eq!(explain("running PreBind plugin failed"), None);
    }
}
