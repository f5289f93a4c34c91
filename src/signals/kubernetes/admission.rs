//! Whether network policies let a client's connections in. Policies add up: a connection passes when one of those
//! that select the target lets it in, and is dropped when none does.

use super::emit::{Ctx, Draft};
use super::model::*;
use super::network::pairs;

/// What a client calls.
pub struct Target<'a> {
    /// Its namespace, "" if unknown.
    pub ns: &'a str,
    /// First part of its host name, "" for addresses.
    pub name: &'a str,
    /// Its service, if that is known.
    pub service: Option<&'a Service>,
}

/// What the policies say about a connection.
#[derive(Debug, PartialEq)]
pub enum Verdict<'a> {
    /// No policy selects the target for ingress, or what they let in is not told by labels.
    Unknown,
    /// One of them lets it in.
    Open,
    /// None of them lets it in.
    Shut(Vec<&'a NetPol>),
    /// None of them lets it in unless the client has labels that the bundle does not show.
    Unseen(Vec<&'a NetPol>),
}

impl Verdict<'_> {
    /// Whether the connection is let in for certain.
    pub fn is_open(&self) -> bool {
        *self == Self::Open
    }
    /// The places of the policies that drop the connection.
    pub fn policies(&self) -> Vec<Src> {
        match self {
            Self::Shut(list) | Self::Unseen(list) => list.iter().map(|policy| policy.src).collect(),
            _ => Vec::new(),
        }
    }
}

/// Labels of a namespace, with the one that every namespace has; whether the bundle shows the others.
fn labels_of(cluster: &Cluster, ns: &str) -> (Labels, bool) {
    let shown = cluster.ns_labels.get(ns);
    let mut labels = shown.map(|(labels, _)| labels.clone()).unwrap_or_default();
    let name = ("kubernetes.io/metadata.name".to_owned(), ns.to_owned());
    if !labels.contains(&name) {
        labels.push(name);
    }
    (labels, shown.is_some())
}

/// Whether `have` has every wanted label; `None` when only labels that are not shown could tell.
fn has_all(wanted: &Labels, have: &Labels, all_shown: bool) -> Option<bool> {
    let missing: Vec<_> = wanted.iter().filter(|pair| !have.contains(pair)).collect();
    let other = |key: &str| have.iter().any(|(known, _)| known == key);
    match () {
        () if missing.is_empty() => Some(true),
        () if all_shown || missing.iter().any(|(key, _)| other(key)) => Some(false),
        () => None,
    }
}

fn lets_in(
    cluster: &Cluster,
    policy: &NetPol,
    peer: &Peer,
    ns: &str,
    from: Option<&Pod>,
) -> Option<bool> {
    let by_ns = match &peer.namespaces {
        None => Some(policy.ns == ns),
        Some(wanted) => {
            let (have, shown) = labels_of(cluster, ns);
            has_all(wanted, &have, shown)
        }
    };
    let none = Labels::new();
    let have = from.map_or(&none, |pod| &pod.labels);
    let by_pod = has_all(&peer.pods, have, !have.is_empty());
    match (by_ns, by_pod) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

/// Whether the policy selects the target's pods.
fn guards(cluster: &Cluster, policy: &NetPol, target: &Target) -> bool {
    if !policy.limits_ingress || policy.ns != target.ns {
        return false;
    }
    if policy.selector.is_empty() {
        return !policy.has_expressions;
    }
    let Some(service) = target.service else {
        return policy
            .selector
            .iter()
            .any(|(_, value)| !target.name.is_empty() && value == target.name);
    };
    selects(&policy.selector, &service.selector)
        || cluster.pods.iter().any(|pod| {
            pod.ns == service.ns
                && selects(&service.selector, &pod.labels)
                && selects(&policy.selector, &pod.labels)
        })
}

/// What the policies of the target's namespace say about a connection from a pod of namespace `ns`.
pub fn verdict<'a>(
    cluster: &'a Cluster,
    target: &Target,
    ns: &str,
    from: Option<&Pod>,
) -> Verdict<'a> {
    if target.ns.is_empty() || ns.is_empty() {
        return Verdict::Unknown;
    }
    let list: Vec<&NetPol> = cluster
        .netpols
        .iter()
        .filter(|policy| guards(cluster, policy, target))
        .collect();
    let mut unseen = false;
    for policy in &list {
        let Some(peers) = &policy.peers else {
            if policy.denies_ingress {
                continue;
            }
            return Verdict::Unknown;
        };
        for peer in peers {
            match lets_in(cluster, policy, peer, ns, from) {
                Some(true) => return Verdict::Open,
                Some(false) => {}
                None => unseen = true,
            }
        }
    }
    match (list.is_empty(), unseen) {
        (true, _) => Verdict::Unknown,
        (_, true) => Verdict::Unseen(list),
        _ => Verdict::Shut(list),
    }
}

/// `namespaces with the label a=b`, `pods with …`.
fn wanted(policy: &NetPol, peer: &Peer) -> String {
    let pods = match peer.pods.is_empty() {
        true => "pods".to_owned(),
        false => format!("pods with the label {}", pairs(&peer.pods)),
    };
    match &peer.namespaces {
        None => format!("{pods} of namespace {}", policy.ns),
        Some(labels) if labels.is_empty() => format!("{pods} of any namespace"),
        Some(labels) if peer.pods.is_empty() => {
            format!("namespaces with the label {}", pairs(labels))
        }
        Some(labels) => format!("{pods} in namespaces with the label {}", pairs(labels)),
    }
}

/// The finding that the policies drop a client's connections, when one of them names whom it lets in.
/// `who`: namespace and pod of the client.
pub fn tell(
    ctx: &Ctx,
    target: &Target,
    verdict: &Verdict,
    who: (&str, &str),
    from: Option<&Pod>,
) -> Option<Draft> {
    let (list, sure) = match verdict {
        Verdict::Shut(list) => (list, true),
        Verdict::Unseen(list) => (list, false),
        _ => return None,
    };
    // The one that is about the target itself and lets others of its kind in.
    let peers = |policy: &NetPol| policy.peers.clone().unwrap_or_default();
    let weight = |policy: &&&NetPol| {
        let foreign = peers(policy).iter().any(|peer| peer.namespaces.is_some());
        (
            foreign,
            !peers(policy).is_empty(),
            !policy.selector.is_empty(),
        )
    };
    let policy = list.iter().max_by_key(weight)?;
    let own = peers(policy);
    let foreign: Vec<&Peer> = own
        .iter()
        .filter(|peer| peer.namespaces.is_some())
        .collect();
    let peer = *foreign.first().or(own.iter().collect::<Vec<_>>().first())?;
    let (ns, pod) = who;
    // Of a policy for its own namespace alone the labels of others cannot tell.
    let lacks_ns = peer.namespaces.as_ref().is_some_and(|labels| {
        let (have, shown) = labels_of(ctx.cluster, ns);
        has_all(labels, &have, shown) != Some(true)
    });
    let name = full_name(&policy.ns, &policy.name);
    let lets = own
        .iter()
        .map(|peer| wanted(policy, peer))
        .collect::<Vec<_>>()
        .join(", or ");
    let (client, have) = match (lacks_ns, from) {
        (false, Some(client)) if !peer.pods.is_empty() => {
            (format!("pod {}", full_name(ns, pod)), pairs(&client.labels))
        }
        _ => {
            let shown = ctx.cluster.ns_labels.get(ns);
            (
                format!("namespace {ns}"),
                shown.map(|(labels, _)| pairs(labels)).unwrap_or_default(),
            )
        }
    };
    let whom = match target.service {
        Some(service) => full_name(&service.ns, &service.name),
        None => full_name(target.ns, target.name),
    };
    let lacks = match (sure, have.is_empty()) {
        (true, true) => format!("{client} is none of them"),
        (true, false) => format!("{client} has no such label"),
        _ => format!("whether {client} has the label is not shown"),
    };
    let labelled = match have.is_empty() {
        true => String::new(),
        false => format!(" (its labels: {have})"),
    };
    let others: Vec<&str> = list
        .iter()
        .filter(|other| other.src != policy.src)
        .map(|other| other.name.as_str())
        .collect();
    let also = match others.is_empty() {
        true => String::new(),
        false => format!(
            " Nor do the other policies there let them in: {}.",
            others.join(", ")
        ),
    };
    let strength = if sure { 0.92 } else { 0.66 };
    let mut draft = Draft::cause("networkpolicy-blocks", "NetworkPolicy", &policy.ns, &policy.name, strength)
        .says(
            format!("network policy {name} lets only {lets} reach {whom}; {lacks}, so its connections are dropped"),
            format!("Network policy {name} lets only {lets} reach {whom}. {lacks}{labelled}, so connections of pod {} are dropped and time out.{also}", full_name(ns, pod)),
        )
        .show(ctx.quote(peer.src, ""))
        .show(ctx.quote(policy.src, &policy.name));
    if let Some((_, src)) = ctx.cluster.ns_labels.get(ns).filter(|_| lacks_ns) {
        draft = draft.show(ctx.quote(*src, ns));
    } else if let Some(client) = from.filter(|_| !lacks_ns) {
        draft = draft.show(ctx.quote(client.src, &client.name));
    }
    if !sure {
        ctx.ask(
            format!("labels of {client} (kubectl get namespace {ns} --show-labels; kubectl -n {ns} get pod {pod} --show-labels)"),
            format!("network policy {name} lets in only {lets}"),
            None,
        );
    }
    let service = target.service.map_or("", |service| service.name.as_str());
    Some(
        draft
            .entity("service", service)
            .entity("networkpolicy", &policy.name)
            .entity("namespace", &policy.ns),
    )
}
