//! Network policies that hold back what a program needs: its questions to the DNS, its calls, its callers.

use super::emit::{Ctx, Draft, one_line, pod_words, with_pod};
use super::lastwords;
use super::model::*;
use super::network::pairs;
use crate::signals::Role;
use regex::Regex;
use std::sync::LazyLock;

/// Pods whose logs are searched for unanswered DNS questions, at most.
const MAX_DNS_PODS: usize = 60;

/// A question to the DNS that nobody answers. A name that does not exist is answered, and is another fault.
static DNS_SILENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\blookup [\w.-]+.{0,160}i/o timeout|:53\b.{0,60}(?:i/o timeout|timed? ?out|operation not permitted)|EAI_AGAIN|temporary failure in name resolution|resolving timed out|no servers could be reached|DNS.{0,40}(?:timed? ?out|timeout)|(?:name )?resol(?:ve|ver|ving|ution).{0,60}(?:timed? ?out|timeout|try again)").ok()
});

/// The host that a program was calling: a stack trace that ends in a time-out is headed by a line that
/// names it.
fn called_before(ctx: &Ctx, line: &crate::report::Evidence) -> Option<String> {
    static HOST: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\b[a-z0-9][a-z0-9-]*\.[a-z0-9][a-z0-9-]*\.svc(?:\.[a-z0-9.-]+)?(?::\d+)?").ok()
    });
    const BEFORE: u64 = 12;
    let entry = ctx.tree.find(&line.path)?;
    let mut found = None;
    let _ = ctx.tree.for_each_line(entry, |number, text| {
        let number = number as u64;
        let near = number + BEFORE >= line.line_start && number <= line.line_end;
        if near && let Some(host) = HOST.as_ref().and_then(|regex| regex.find(text)) {
            found = Some(host.as_str().to_owned());
        }
        number < line.line_end
    });
    found
}

/// The service whose name a line holds as a word: `no answer from stock-api`.
fn service_in(ctx: &Ctx, ns: &str, pod: &str, line: &str) -> Option<String> {
    const SHORTEST: usize = 4;
    let line = line.to_lowercase();
    let own = app_of(pod);
    let mut named = ctx.cluster.services.iter().filter(|service| {
        service.name.len() >= SHORTEST
            && service.name != own
            && super::emit::contains_word(&line, &service.name.to_lowercase())
    });
    let first = named.next()?;
    // Of several with that name the one beside the client is meant.
    let service = named.find(|other| other.ns == ns).unwrap_or(first);
    Some(format!("{}.{}.svc", service.name, service.ns))
}

/// Connections that time out and a policy that would drop just those packets.
fn dropped(ctx: &Ctx) -> Vec<Src> {
    let waits: Vec<(String, String, String, crate::report::Evidence)> =
        ctx.signals()
            .iter()
            .filter(|signal| {
                matches!(
                    signal.cause.as_str(),
                    "dependency-timeout"
                        | "workload-dependency-unreachable"
                        | "connection-lost"
                        | "connection-pool-exhausted"
                )
            })
            .filter_map(|signal| {
                let what = signal
                    .entities
                    .get("dependency")
                    .cloned()
                    .unwrap_or_default();
                let line = signal.evidence.first()?.clone();
                // A refused connection was answered; a policy lets packets vanish.
                let vanishes = [
                    "timed out",
                    "timedout",
                    "timeout",
                    "time out",
                    "unreachable",
                    "deadline",
                ]
                .iter()
                .any(|word| line.quote.to_lowercase().contains(word));
                vanishes.then(|| {
                    let of = |slot: &str| signal.entities.get(slot).cloned();
                    let (ns, name) = match of("client_namespace").zip(of("client")) {
                        Some((ns, name)) => {
                            let pod = ctx.cluster.pods.iter().find(|pod| {
                                pod.ns == ns && (pod.name == name || pod.app() == name)
                            });
                            let pod = pod.map_or(name, |pod| pod.name.clone());
                            (ns, pod)
                        }
                        None => (
                            signal.subject.namespace.clone().unwrap_or_default(),
                            signal.subject.name.clone(),
                        ),
                    };
                    (ns, name, what, line)
                })
            })
            .collect();
    let mut told = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (ns, pod_name, what, line) in waits {
        let what = match what.is_empty() {
            true => called_before(ctx, &line)
                .or_else(|| service_in(ctx, &ns, &pod_name, &line.quote))
                .unwrap_or_default(),
            // A URL as well as a host.
            false => match what.split_once("://") {
                Some((_, rest)) => rest.split('/').next().unwrap_or_default().to_owned(),
                None => what,
            },
        };
        let host = what.split(':').next().unwrap_or_default();
        let from = ctx.cluster.pod(&ns, &pod_name);
        // The service that is called: by its name in the host, or by its address.
        let service = ctx.cluster.services.iter().find(|service| {
            service.cluster_ip == host && !host.is_empty()
                || host == service.name && (service.ns == ns || service.ns.is_empty())
                || host.starts_with(&format!("{}.{}", service.name, service.ns))
        });
        let is_address = host
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
        let mut parts = if is_address { "" } else { host }.split('.');
        let (by_name, by_ns) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let quote = line.quote.to_lowercase();
        let target = super::admission::Target {
            ns: service.map_or(by_ns, |service| service.ns.as_str()),
            name: by_name,
            service,
        };
        let verdict = super::admission::verdict(ctx.cluster, &target, &ns, from);
        let shut = super::admission::tell(ctx, &target, &verdict, (&ns, &pod_name), from);
        let decided = shut.is_some() || verdict.is_open();
        if let Some(draft) = shut {
            told.extend(verdict.policies());
            // The replicas of a client are shut out by the same policy.
            if seen.insert((target.ns.to_owned(), what.clone(), ns.clone())) {
                ctx.emit(draft.show(Some(line.clone())).entity("pod", &pod_name));
            }
        }
        for policy in &ctx.cluster.netpols {
            let target_ns = service.map_or(
                if by_ns.is_empty() { ns.as_str() } else { by_ns },
                |service| service.ns.as_str(),
            );
            let named = |text: &str| {
                !text.is_empty()
                    && (by_name == text
                        || super::emit::contains_word(&quote, text)
                        || text.len() > 1
                            && super::emit::contains_word(&ctx.ticket, &text.to_lowercase()))
            };
            let guards_target = policy.limits_ingress
                && (policy.ns == target_ns
                    || policy.ns.is_empty()
                    || target_ns.is_empty()
                    || quote.contains(&format!(".{}.svc", policy.ns)))
                && (policy.selector.is_empty()
                    || service.is_some_and(|service| {
                        selects(&policy.selector, &service.selector)
                            || selects(&service.selector, &policy.selector)
                    })
                    || policy.selector.iter().any(|(_, value)| named(value)));
            let lets_in = match (&policy.admits_pods, from) {
                (None, _) => !policy.denies_ingress,
                (Some(list), Some(pod)) if !pod.labels.is_empty() => {
                    pod.ns == policy.ns && list.iter().any(|labels| selects(labels, &pod.labels))
                }
                (Some(list), _) => !list.is_empty() && pod_name.is_empty(),
            };
            // What is not known to be inside may be outside, so a peer must be known to be elsewhere.
            let leaves = !host.is_empty()
                && (service.is_some_and(|service| service.ns != ns)
                    || service.is_none() && !by_ns.is_empty() && by_ns != ns);
            let holds_back = (policy.denies_egress || policy.confines_egress && leaves)
                && policy.ns == ns
                && from.is_none_or(|pod| {
                    policy.selector.is_empty() || selects(&policy.selector, &pod.labels)
                });
            if (decided || lets_in || !guards_target) && !holds_back {
                continue;
            }
            let name = full_name(&policy.ns, &policy.name);
            let of = if policy.selector.is_empty() {
                format!("all pods of namespace {}", policy.ns)
            } else {
                format!("pods with {}", pairs(&policy.selector))
            };
            let way = if holds_back {
                if policy.denies_egress {
                    "blocks egress: it lets no connection out of"
                } else {
                    "blocks egress: it lets nothing but DNS leave the namespace of"
                }
            } else {
                "does not let its connections in to"
            };
            let whom = if what.is_empty() {
                String::new()
            } else {
                format!(" to {what}")
            };
            let draft = Draft::cause("networkpolicy-blocks", "NetworkPolicy", &policy.ns, &policy.name, 0.86)
                .says(
                    format!("network policy {name} {way} {of}, so connections of pod {}{whom} time out", full_name(&ns, &pod_name)),
                    format!("Network policy {name} selects {of} and {way} them for pod {}: its connections{whom} time out.", full_name(&ns, &pod_name)),
                )
                .show(ctx.quote(policy.src, &policy.name))
                .show(Some(line.clone()))
                .entity("pod", &pod_name);
            ctx.emit(draft);
            told.push(policy.src);
            break;
        }
    }
    told
}

/// Whether the policy selects the pod; `None` when the bundle does not say.
fn selects_pod(policy: &NetPol, pod: &Pod) -> Option<bool> {
    if policy.ns != pod.ns {
        return Some(false);
    }
    if !policy.selector.is_empty()
        && !pod.labels.is_empty()
        && !selects(&policy.selector, &pod.labels)
    {
        return Some(false);
    }
    if policy.has_expressions || (!policy.selector.is_empty() && pod.labels.is_empty()) {
        return None;
    }
    Some(true)
}

/// Lines of the pod's logs that show DNS questions without an answer: the first and the last.
fn silent_dns(ctx: &Ctx, pod: &Pod) -> Vec<(Src, String)> {
    let Some(regex) = DNS_SILENT.as_ref() else {
        return Vec::new();
    };
    let mut found: Vec<(Src, String)> = Vec::new();
    for log in &ctx.cluster.logs {
        if log.empty || !lastwords::belongs(log, pod, "") {
            continue;
        }
        let hits = lastwords::tail(ctx, log)
            .into_iter()
            .filter_map(|(line, text)| {
                let what = regex.find(&text)?.as_str().to_owned();
                let src = Src {
                    file: log.file,
                    line,
                    column: 0,
                };
                Some((src, what))
            });
        found.extend(hits);
    }
    if found.len() > 2 {
        found.swap_remove(1);
        found.truncate(2);
    }
    found
}

/// Pods that a policy cuts off from the cluster's DNS and whose logs show that nobody answers them.
/// Policies add up: one that lets DNS pass is enough for the pods it selects.
fn dns_blocked(ctx: &Ctx) -> Vec<Src> {
    let mut told = Vec::new();
    let limits = |policy: &&NetPol| policy.limits_egress && !policy.admits_dns;
    if !ctx.cluster.netpols.iter().any(|policy| limits(&policy)) {
        return told;
    }
    let cut_off = ctx.cluster.pods.iter().filter(|pod| {
        !pod.is_done()
            && ctx
                .cluster
                .netpols
                .iter()
                .filter(|policy| policy.admits_dns)
                .all(|policy| selects_pod(policy, pod) == Some(false))
    });
    for pod in cut_off.take(MAX_DNS_PODS) {
        let mut policies: Vec<&NetPol> = ctx
            .cluster
            .netpols
            .iter()
            .filter(limits)
            .filter(|policy| selects_pod(policy, pod) == Some(true))
            .collect();
        // The one that denies everything is the one that takes DNS away.
        policies.sort_by_key(|policy| !policy.denies_egress);
        let Some(policy) = policies.first() else {
            continue;
        };
        let lines = silent_dns(ctx, pod);
        let Some((_, words)) = lines.first() else {
            continue;
        };
        told.extend(policies.iter().map(|policy| policy.src));
        let name = full_name(&policy.ns, &policy.name);
        let others: Vec<&str> = policies[1..].iter().map(|p| p.name.as_str()).collect();
        let also = if others.is_empty() {
            String::new()
        } else {
            format!(" (nor does {})", others.join(", "))
        };
        let of = if policy.selector.is_empty() {
            format!("all pods of namespace {}", policy.ns)
        } else {
            format!("pods with {}", pairs(&policy.selector))
        };
        let who = pod_words(pod, "");
        let ready = if pod.is_ready() { 0.86 } else { 0.93 };
        let mut draft = Draft::cause(
            "networkpolicy-blocks-dns",
            "NetworkPolicy",
            &policy.ns,
            &policy.name,
            ready,
        )
        .says(
            format!("network policy {name} blocks DNS of {who}: no egress rule allows port 53, so its lookups time out"),
            format!(
                "Network policy {name} isolates {of} for egress and does not allow DNS (port 53 of the cluster DNS){also}, so the DNS lookups of {who} get no answer: {}",
                one_line(words)
            ),
        )
        .show(ctx.quote(policy.src, &policy.name))
        .show(ctx.quote(policy.egress_src, ""));
        for (src, words) in &lines {
            draft = draft.show(ctx.quote(*src, words));
        }
        for other in &policies[1..] {
            draft = draft.show(ctx.quote(other.src, &other.name));
        }
        ctx.emit(with_pod(draft, pod, ""));
    }
    told
}

/// Most that a time-out to a healthy service of the cluster is worth, whose policies were not collected.
const UNCOLLECTED: f64 = 0.46;

/// Time-outs to services of the cluster whose pods are ready, in a bundle without network policies: whether those drop
/// the connections cannot be told, so they are what is missing.
fn uncollected(ctx: &Ctx) {
    let mut asked: Vec<(String, String)> = Vec::new();
    ctx.amend(|signal| {
        let quote = signal.evidence.first().map_or("", |line| &line.quote);
        if signal.cause != "dependency-timeout" || signal.role != Role::Cause {
            return;
        }
        let named = signal.entities.get("dependency").cloned();
        let pod = signal.subject.name.clone();
        let ns = signal.subject.namespace.clone().unwrap_or_default();
        let Some(host) = named.or_else(|| service_in(ctx, &ns, &pod, quote)) else {
            return;
        };
        let host = super::emit::host_of(&host);
        let service = ctx.cluster.services.iter().find(|service| {
            let full = format!("{}.{}", service.name, service.ns);
            host == full || host.starts_with(&format!("{full}.")) || host == service.name
        });
        let Some(service) = service.filter(|service| !service.selector.is_empty()) else {
            return;
        };
        let behind = || {
            ctx.cluster.pods.iter().filter(|pod| {
                pod.ns == service.ns
                    && !pod.is_done()
                    && (selects(&service.selector, &pod.labels)
                        || pod.labels.is_empty() && pod.app() == service.name)
            })
        };
        if behind().next().is_none() || !behind().all(Pod::is_ready) {
            return;
        }
        signal.role = Role::Symptom;
        signal.strength = signal.strength.min(UNCOLLECTED);
        asked.push((service.ns.clone(), service.name.clone()));
    });
    asked.sort();
    asked.dedup();
    for (ns, name) in asked.into_iter().take(2) {
        ctx.ask(
            format!("network policies of namespace {ns} (kubectl -n {ns} get networkpolicies -o yaml) and the labels of the namespaces (kubectl get namespaces --show-labels)"),
            format!("connections to service {name} time out although its pods are ready; whether a network policy drops them stands there"),
            None,
        );
    }
}

/// Policies that isolate pods whose traffic is in trouble.
pub fn detect(ctx: &Ctx) {
    let mut told = dns_blocked(ctx);
    told.extend(dropped(ctx));
    if ctx.cluster.netpols.is_empty() && !ctx.cluster.is_listed("NetworkPolicy", "") {
        uncollected(ctx);
    }
    for policy in ctx.cluster.netpols.iter().filter(|policy| {
        (policy.denies_ingress || policy.denies_egress) && !told.contains(&policy.src)
    }) {
        let asked = ctx.in_ticket(&policy.name)
            || [
                "timeout",
                "timed out",
                "unreachable",
                "connect",
                "network",
                "blocked",
                "cannot reach",
            ]
            .iter()
            .any(|word| ctx.ticket.contains(word))
                && (policy.ns.is_empty() || ctx.in_ticket(&policy.ns))
            || ctx.cluster.pods.iter().any(|pod| {
                pod.ns == policy.ns
                    && (ctx.in_ticket(pod.app()) || ctx.in_ticket(&pod.name))
                    && (policy.selector.is_empty() || selects(&policy.selector, &pod.labels))
            });
        let trouble = ctx.cluster.notes.iter().any(|note| {
            note.ns == policy.ns
                && (note.message.contains("timeout") || note.message.contains("deadline exceeded"))
        });
        let way = match (policy.denies_ingress, policy.denies_egress) {
            (true, true) => "every incoming and outgoing connection",
            (true, false) => "every incoming connection",
            _ => "every outgoing connection (DNS too)",
        };
        let of = if policy.selector.is_empty() {
            format!("all pods of namespace {}", policy.ns)
        } else {
            format!("pods with {}", pairs(&policy.selector))
        };
        let strength = match (asked, trouble) {
            (true, _) => 0.72,
            (_, true) => 0.45,
            _ => 0.2,
        };
        let draft = Draft::cause(
            "networkpolicy-blocks",
            "NetworkPolicy",
            &policy.ns,
            &policy.name,
            strength,
        )
        .says(
            format!(
                "network policy {} forbids {way} of {of}",
                full_name(&policy.ns, &policy.name)
            ),
            format!(
                "Network policy {} selects {of} and allows nothing: {way} is dropped.",
                full_name(&policy.ns, &policy.name)
            ),
        )
        .show(ctx.quote(policy.src, &policy.name));
        ctx.emit(draft);
    }
}
