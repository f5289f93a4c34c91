//! Pods in visible trouble whose reason the bundle does not show: symptoms, and what to collect.

use super::containers::{emit_words, is_failing};
use super::emit::{Ctx, Draft, pod_words, with_pod};
use super::lastwords;
use super::model::*;

/// What pods are in trouble without a reason that the bundle shows, and what would show it.
pub fn detect(ctx: &Ctx) {
    let mut seen_apps = std::collections::BTreeSet::new();
    let mut asks: Vec<(&Pod, String, &'static str)> = Vec::new();
    for pod in &ctx.cluster.pods {
        if pod.is_done() || pod.is_ready() {
            continue;
        }
        let failing = pod
            .containers
            .iter()
            .find(|container| is_failing(pod, container));
        let status = status_of(pod, failing);
        let young = pod.age.is_some_and(|age| age < 120);
        let waiting = [
            "ContainerCreating",
            "PodInitializing",
            "Running",
            "Pending",
            "Terminating",
            "",
        ]
        .contains(&status.v.as_str())
            || status.v.starts_with("Init:");
        let pending = pod.phase.v == "Pending" || status.v == "Pending";
        let starting = waiting && !pending && failing.is_none() && !is_stuck(ctx, pod);
        if (waiting && young) || starting || status.v.is_empty() {
            continue;
        }
        let explained = ctx.is_explained(&pod.ns, &pod.name, 0.5);
        let bare = status.v.strip_prefix("Init:").unwrap_or(&status.v);
        let restarted = failing.map_or(pod.restarts, |container| container.restarts.v) > 0;
        let slug = match bare {
            "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull"
            | "ImageInspectError" => "image-pull-failed",
            "Terminating" => continue,
            "OOMKilled" if failing.is_none() => {
                row_oom(ctx, pod, &status);
                continue;
            }
            "Evicted" => "pod-evicted",
            "ContainerCreating"
            | "PodInitializing"
            | "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "StartError" => "pod-not-starting",
            _ if pending => "pod-pending",
            "Running" if failing.is_none() => "pod-not-ready",
            "CrashLoopBackOff" => "pod-crash-loop",
            init if init.starts_with(|c: char| c.is_ascii_digit()) => "pod-not-starting",
            _ if restarted => "pod-crash-loop",
            _ => "pod-failed",
        };
        let container = failing.map_or("", |container| container.name.as_str());
        let who = pod_words(pod, container);
        let restarts = failing.map_or(pod.restarts, |container| container.restarts.v);
        let code = failing.and_then(|container| {
            [&container.last, &container.state]
                .into_iter()
                .find_map(|state| state.exit_code.as_ref())
        });
        let exit = code
            .map(|code| format!(", exit code {}", code.v))
            .unwrap_or_default();
        // A failed pod beside ready ones of the same application is what is left of an old fault.
        let replaced =
            matches!(slug, "pod-evicted" | "pod-failed")
                && ctx.cluster.pods.iter().any(|other| {
                    other.ns == pod.ns && other.app() == pod.app() && other.is_ready()
                });
        let strength = match () {
            () if explained => 0.3,
            () if replaced => 0.35,
            () => 0.48,
        };
        let unknown = if explained {
            ""
        } else {
            "; the bundle does not show why"
        };
        let state = if slug == "pod-not-ready" {
            "is running but not ready".to_owned()
        } else {
            format!("is in {}", status.v)
        };
        let mut draft = Draft::symptom(slug, "Pod", &pod.ns, &pod.name, strength)
            .says(
                format!("{who} {state}: {restarts} restarts{exit}"),
                format!("{who} {state} with {restarts} restarts{exit}{unknown}."),
            )
            .show(ctx.quote_loc(&status));
        if let Some(container) = failing {
            draft = draft
                .show(ctx.quote_loc(&container.last.reason))
                .show(code.and_then(|code| ctx.quote(code.src, "")));
        }
        for note in ctx
            .cluster
            .notes
            .iter()
            .filter(|note| note.name == pod.name && note.reason == "BackOff")
            .take(1)
        {
            draft = draft.show(ctx.quote(note.src, &note.message));
        }
        ctx.emit(with_pod(draft, pod, container));
        if !explained
            && slug != "pod-evicted"
            && !replaced
            && seen_apps.insert((pod.ns.clone(), pod.app().to_owned()))
        {
            asks.push((pod, container.to_owned(), slug));
        }
    }
    // Ask about what the customer named; otherwise about the first few, fewer when the bundle already shows a cause.
    let named = |pod: &Pod| ctx.in_ticket(&pod.name) || ctx.in_ticket(pod.app());
    let any_named = ctx.cluster.pods.iter().any(named);
    let known = ctx
        .signals()
        .iter()
        .any(|signal| signal.role == crate::signals::Role::Cause && signal.strength >= 0.75);
    asks.retain(|(pod, _, _)| !any_named || named(pod));
    asks.truncate(if known && !any_named { 2 } else { 5 });
    for (pod, container, slug) in asks {
        ask_for(ctx, pod, &container, slug);
    }
    row_only_events(ctx);
    asked_but_well(ctx);
}

/// The customer complains about an application that looks well, and nothing of what it says is in the bundle.
fn asked_but_well(ctx: &Ctx) {
    if ctx.ticket.trim().is_empty()
        || ctx
            .signals()
            .iter()
            .any(|signal| signal.role == crate::signals::Role::Cause && signal.strength >= 0.5)
    {
        return;
    }
    served_certificate(ctx);
    let named = |pod: &&Pod| ctx.in_ticket(&pod.name) || ctx.in_ticket(pod.app());
    // Customers say "the queue" and "announcing", not the names of workloads.
    let any_named = ctx.cluster.pods.iter().any(|pod| named(&pod));
    let meant = |pod: &&Pod| match any_named {
        true => named(pod),
        false => is_meant(&ctx.ticket, pod.app()),
    };
    let mut seen = std::collections::BTreeSet::new();
    for pod in ctx.cluster.pods.iter().filter(meant) {
        let has_log = ctx.cluster.logs.iter().any(|log| {
            !log.empty
                && (lastwords::belongs(log, pod, "")
                    || log.ns == pod.ns && app_of(&log.pod) == pod.app())
        });
        // A pod in visible trouble is asked about with its trouble.
        let troubled = ctx
            .signals()
            .iter()
            .any(|signal| signal.subject.name == pod.name);
        if has_log
            || troubled
            || !seen.insert((pod.ns.clone(), pod.app().to_owned()))
            || seen.len() > 3
        {
            continue;
        }
        let ns = if pod.ns.is_empty() {
            String::new()
        } else {
            format!("-n {} ", pod.ns)
        };
        ctx.ask(
            format!(
                "log of pod {} (kubectl {ns}logs {})",
                pod.full_name(),
                pod.name
            ),
            "the pod looks well from outside and no log of it is in the bundle; what it says while it fails is not known",
            None,
        );
    }
}

/// Complaints about certificates that nothing in the bundle explains: what clients are shown is decided in front
/// of the cluster, and bundles leave secrets out.
fn served_certificate(ctx: &Ctx) {
    const WORDS: [&str; 5] = ["certificate", "certificates", "tls", "ssl", "https"];
    let told = ctx.ticket.to_lowercase();
    if !told
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| WORDS.contains(&word))
    {
        return;
    }
    ctx.ask(
        "the certificate that clients are shown (openssl s_client -connect HOST:443 -servername HOST, from where it fails), the addresses HOST resolves to there, and the dates and names of the ingress's TLS secret",
        "the ticket speaks of certificates; what a client is shown depends on its address and on what stands in front of the cluster, and neither is in the bundle",
        None,
    );
}

/// What customers call a thing, and parts of the names of programs that are one.
const COMMON_NAMES: &[(&[&str], &[&str])] = &[
    (
        &["queue", "queues", "message", "messages", "broker"],
        &["rabbit", "kafka", "nats", "activemq", "artemis", "pulsar"],
    ),
    (
        &["database", "databases", "db", "sql"],
        &[
            "postgres",
            "mysql",
            "mariadb",
            "mongo",
            "cockroach",
            "oracle",
        ],
    ),
    (
        &["cache", "session", "sessions"],
        &["redis", "memcache", "valkey"],
    ),
    (&["mail", "mails", "email", "emails"], &["mail", "smtp"]),
    (&["search", "index"], &["elastic", "opensearch", "solr"]),
    (
        &["login", "logins", "sso"],
        &["keycloak", "auth", "oidc", "dex"],
    ),
];

/// Whether the ticket speaks of this application without its name: by what such programs are called, or
/// by another form of a word of its name.
fn is_meant(ticket: &str, app: &str) -> bool {
    const STEM: usize = 6;
    let app = app.to_lowercase();
    let words = || {
        ticket
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
    };
    let called = COMMON_NAMES.iter().any(|(said, programs)| {
        programs.iter().any(|program| app.contains(program))
            && words().any(|word| said.contains(&word))
    });
    let alike = |part: &str, word: &str| {
        let same = part
            .chars()
            .zip(word.chars())
            .take_while(|(a, b)| a == b)
            .count();
        same >= STEM && same + 2 >= part.chars().count()
    };
    called
        || app
            .split('-')
            .any(|part| words().any(|word| alike(part, word)))
}

/// A table's row that already says OOMKilled.
fn row_oom(ctx: &Ctx, pod: &Pod, status: &Loc<String>) {
    let who = pod_words(pod, "");
    let draft = Draft::cause("container-oom-killed", "Pod", &pod.ns, &pod.name, 0.86)
        .says(format!("{who} is OOM-killed (exit 137)"), format!("{who} is OOMKilled after {} restarts: a container needs more memory than its limit.", pod.restarts))
        .show(ctx.quote_loc(status));
    ctx.emit(with_pod(draft, pod, ""));
}

/// Not ready for long although running, or creating for long.
fn is_stuck(ctx: &Ctx, pod: &Pod) -> bool {
    let since = pod
        .condition("Ready")
        .filter(|condition| condition.status.v == "False")
        .and_then(|condition| condition.since);
    let long = since
        .zip(ctx.cluster.clock)
        .is_some_and(|(since, clock)| clock - since > 300)
        || pod.age.is_some_and(|age| age > 600);
    let warned = ctx
        .cluster
        .notes
        .iter()
        .any(|note| note.name == pod.name && note.warning);
    let not_ready = pod.ready.is_some_and(|(ready, total)| ready < total);
    not_ready && (long || warned)
}

fn status_of(pod: &Pod, failing: Option<&Container>) -> Loc<String> {
    if let Some(container) = failing {
        for state in [&container.state, &container.last] {
            if !state.reason.v.is_empty() {
                return state.reason.clone();
            }
        }
    }
    if let Some(container) = pod.containers.iter().find(|container| {
        container.state.kind == StateKind::Waiting && !container.state.reason.v.is_empty()
    }) {
        return container.state.reason.clone();
    }
    if !pod.reason.v.is_empty() {
        return pod.reason.clone();
    }
    if pod.row_status.v.is_empty() {
        pod.phase.clone()
    } else {
        pod.row_status.clone()
    }
}

/// Names exactly what to collect for a pod without a reason.
fn ask_for(ctx: &Ctx, pod: &Pod, container: &str, slug: &str) {
    let full = pod.full_name();
    let ns = if pod.ns.is_empty() {
        String::new()
    } else {
        format!("-n {} ", pod.ns)
    };
    let of = if container.is_empty() {
        String::new()
    } else {
        format!(" -c {container}")
    };
    let logs: Vec<&Log> = ctx
        .cluster
        .logs
        .iter()
        .filter(|log| lastwords::belongs(log, pod, container))
        .collect();
    let has_events = ctx.cluster.notes.iter().any(|note| note.name == pod.name);
    if matches!(slug, "pod-crash-loop" | "pod-not-ready" | "pod-failed") {
        let mut current: Vec<&&Log> = logs.iter().filter(|log| !log.previous).collect();
        current.sort_by_key(|log| log.collection_error.is_some());
        let why = match current.first() {
            None => "no log of it is in the bundle".to_owned(),
            Some(log) if log.collection_error.is_some() => format!(
                "it could not be collected: {}",
                log.collection_error
                    .as_ref()
                    .map_or("", |error| error.v.as_str())
            ),
            Some(log) if log.empty => "its log in the bundle is empty".to_owned(),
            Some(_) => "the collected log does not say why it ended".to_owned(),
        };
        let path_of = |log: &Log| {
            log.instead_of
                .clone()
                .unwrap_or_else(|| ctx.path(log.file).to_owned())
        };
        let path = current.first().map(|log| path_of(log));
        ctx.ask(
            format!(
                "container logs of pod {full}{of} (kubectl {ns}logs {}{of})",
                pod.name
            ),
            format!("what the container printed before it ended decides the cause; {why}"),
            path,
        );
        let previous = logs.iter().find(|log| log.previous);
        let why = match previous {
            None => "the log of the run before the last restart holds the last words; it was not collected".to_owned(),
            Some(log) if log.collection_error.is_some() => "the log of the run before the last restart could not be collected".to_owned(),
            Some(log) if log.empty => "the log of the run before the last restart is empty in the bundle".to_owned(),
            Some(_) => "the log of the run before the last restart is silent about the reason".to_owned(),
        };
        ctx.ask(
            format!(
                "previous container logs of pod {full}{of} (kubectl {ns}logs {}{of} --previous)",
                pod.name
            ),
            why,
            previous.map(|log| path_of(log)),
        );
    }
    if slug == "pod-not-starting" && status_of(pod, None).v.starts_with("Init:") && logs.is_empty()
    {
        ctx.ask(
            format!("logs of the init containers of pod {full} (kubectl {ns}logs {} --all-containers)", pod.name),
            "the pod waits for an init container; what that one waits for stands in its log, and no log of this pod is in the bundle",
            None,
        );
    }
    if !pod.detailed {
        ctx.ask(
            format!("description of pod {full} (kubectl {ns}describe pod {}): spec, last state, exit code and reason, events", pod.name),
            "only a row of a table is in the bundle; exit code, reason (OOMKilled, Error), limits and probes are not",
            None,
        );
    }
    if !has_events || !pod.detailed {
        ctx.ask(format!("events of pod {full} (kubectl {ns}get events --field-selector involvedObject.name={})", pod.name), "no event of this pod is in the bundle; events expire after an hour", None);
    }
}

/// Pods known only from events (no row, no page): a crash loop whose pod was not collected.
fn row_only_events(ctx: &Ctx) {
    let mut seen = std::collections::BTreeSet::new();
    for note in ctx.cluster.notes.iter().filter(|note| {
        note.warning
            && note.reason == "BackOff"
            && note.message.contains("restarting failed container")
    }) {
        if ctx.cluster.pod(&note.ns, &note.name).is_some()
            || ctx.cluster.is_listed("Pod", &note.ns)
            || !seen.insert((note.ns.clone(), note.name.clone()))
        {
            continue;
        }
        if !ctx.is_explained(&note.ns, &note.name, 0.5) {
            let pod = Pod {
                ns: note.ns.clone(),
                name: note.name.clone(),
                ..Pod::default()
            };
            // Its log may be there although the pod is not.
            let words = ctx
                .cluster
                .logs
                .iter()
                .filter(|log| lastwords::belongs(log, &pod, &note.container))
                .filter_map(|log| lastwords::of_log(ctx, log, true))
                .max_by(|a, b| a.score.total_cmp(&b.score));
            match words {
                Some(words) => emit_words(ctx, &pod, None, &words, true),
                None => ask_for(ctx, &pod, &note.container, "pod-crash-loop"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_meant;

    #[test]
    fn what_customers_call_things() {
        for (ticket, app, meant) in [
            ("the queue is stuck", "rabbitmq", true),
            ("parcels are not announced", "announce-consumer", true),
            ("the database is slow", "orders-postgres", true),
            ("the database is slow", "web", false),
            ("are the pods fine?", "rabbitmq", false),
            ("parcels are late", "park-service", false),
        ] {
            assert_eq!(is_meant(ticket, app), meant, "{ticket} {app}");
        }
    }
}
