//! Containers that end: out of memory, wrong commands, last words in the log, and those without any.

use super::emit::{Ctx, Draft, cut, one_line, pod_words, with_pod};
use super::lastwords::{self, Words};
use super::model::*;


/// Every pod's containers.
pub fn detect(ctx: &Ctx) {
    for pod in &ctx.cluster.pods {
        for container in &pod.containers {
            out_of_memory(ctx, pod, container);
            exit_by_signal(ctx, pod, container);
            cpu(ctx, pod, container);
        }
        failing(ctx, pod);
    }
    logs_without_pods(ctx);
}

/// Whether the container is in trouble now: not ready and it ended badly, or it waits in a loop.
pub fn is_failing(pod: &Pod, container: &Container) -> bool {
    if pod.is_done() || pod.is_ready() {
        return false;
    }
    let ended = |state: &State| state.kind == StateKind::Terminated && (state.exit_code.as_ref().is_some_and(|code| code.v != 0) || state.reason.v == "Error" || state.reason.v == "OOMKilled");
    let loops = matches!(container.state.reason.v.as_str(), "CrashLoopBackOff" | "RunContainerError" | "CreateContainerError" | "StartError" | "Error" | "ContainerCannotRun");
    loops || ended(&container.state) || (container.ready == Some(false) && ended(&container.last) && container.restarts.v > 0)
}

/// Ready at this moment, but restarted again and again until a few minutes ago.
pub fn is_flapping(ctx: &Ctx, pod: &Pod, container: &Container) -> bool {
    let recent = container.last.finished.zip(ctx.cluster.clock).is_some_and(|(end, clock)| clock - end < 900);
    let badly = container.last.exit_code.as_ref().is_some_and(|code| code.v != 0);
    pod.is_ready() && container.restarts.v >= 3 && recent && badly
}

/// The row's status says that something is wrong.
pub fn is_bad_status(status: &str) -> bool {
    let status = status.strip_prefix("Init:").unwrap_or(status);
    matches!(
        status,
        "CrashLoopBackOff" | "Error" | "OOMKilled" | "ImagePullBackOff" | "ErrImagePull" | "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError"
            | "StartError" | "InvalidImageName" | "ErrImageNeverPull" | "ContainerCannotRun" | "Evicted" | "Failed" | "Unknown" | "ContainerStatusUnknown" | "NodeLost"
            | "DeadlineExceeded" | "UnexpectedAdmissionError" | "NodeAffinity" | "PostStartHookError"
    ) || status.starts_with("ExitCode:")
        || status.starts_with("Signal:")
        || status.starts_with("OutOf")
}

fn limit_words(container: &Container) -> String {
    container.limits.get("memory").map(|limit| format!(" it exceeds its memory limit of {}", limit.v)).unwrap_or_else(|| " it needs more memory than it may have (no limit is set, so the node ran out)".into())
}

fn out_of_memory(ctx: &Ctx, pod: &Pod, container: &Container) {
    let Some(state) = [&container.state, &container.last].into_iter().find(|state| state.reason.v == "OOMKilled") else { return };
    let now = is_failing(pod, container);
    let often = container.restarts.v >= 3;
    // Killed once, long ago, and well since: a blemish.
    let recent = state.finished.zip(ctx.cluster.clock).is_some_and(|(end, clock)| clock - end < 3600);
    let strength = match () {
        () if now => 0.95,
        () if recent => 0.7,
        () if often => 0.5,
        () => 0.35,
    };
    let code = state.exit_code.as_ref().map_or(137, |code| code.v);
    let who = pod_words(pod, &container.name);
    let title = format!("{who} is OOM-killed (exit {code}):{}", limit_words(container));
    let statement = format!(
        "{who} is repeatedly OOMKilled (out of memory, exit code {code}, {} restarts):{}. Raise the limit or find why it uses so much memory.",
        container.restarts.v,
        limit_words(container)
    );
    let mut draft = with_pod(Draft::cause("container-oom-killed", "Pod", &pod.ns, &pod.name, strength).says(title, statement), pod, &container.name)
        .show(ctx.quote_loc(&state.reason))
        .show(state.exit_code.as_ref().and_then(|code| ctx.quote(code.src, "")))
        .show(container.limits.get("memory").and_then(|limit| ctx.quote_loc(limit)))
        .show(ctx.quote(container.restarts.src, ""));
    if let Some(word) = container.command.iter().max_by_key(|word| word.v.len()) {
        draft = draft.show(ctx.quote_loc(word));
    }
    ctx.emit(draft);
}

/// Exit codes that speak for themselves when no message does.
fn exit_by_signal(ctx: &Ctx, pod: &Pod, container: &Container) {
    if !is_failing(pod, container) {
        return;
    }
    let Some(code) = [&container.state, &container.last].into_iter().find_map(|state| state.exit_code.as_ref()) else { return };
    let (slug, words) = match code.v {
        139 => ("container-segfault", "its process dies of a segmentation fault (exit code 139, SIGSEGV)"),
        134 => ("container-segfault", "its process aborts (exit code 134, SIGABRT)"),
        132 => ("container-segfault", "its process executes an instruction that this CPU lacks (exit code 132, SIGILL)"),
        127 => ("container-command-not-found", "its command does not exist in the image (exit code 127, command not found)"),
        126 => ("container-command-not-executable", "its command cannot be executed (exit code 126, not executable)"),
        125 => ("container-start-failed", "the container runtime could not start it (exit code 125)"),
        _ => return,
    };
    let who = pod_words(pod, &container.name);
    let command = command_text(container);
    let with = if command.is_empty() { String::new() } else { format!(" The command is: {}", cut(&command, 200)) };
    let mut draft = with_pod(Draft::cause(slug, "Pod", &pod.ns, &pod.name, 0.74).says(format!("{who}: {words}"), format!("{who}: {words}.{with}")), pod, &container.name)
        .show(ctx.quote(code.src, ""))
        .show(ctx.quote_loc(&container.state.reason));
    if let Some(word) = container.command.first() {
        draft = draft.show(ctx.quote_loc(word));
    }
    ctx.emit(draft);
}

fn command_text(container: &Container) -> String {
    one_line(&container.command.iter().map(|word| word.v.as_str()).collect::<Vec<_>>().join(" "))
}

/// A pod whose containers end or cannot start: its last words, or what to ask for.
fn failing(ctx: &Ctx, pod: &Pod) {
    let bad_row = !pod.detailed && is_bad_status(&pod.row_status.v);
    let failing: Vec<&Container> = pod.containers.iter().filter(|container| is_failing(pod, container) || is_flapping(ctx, pod, container)).collect();
    if failing.is_empty() && !bad_row {
        return;
    }
    let names: Vec<&str> = if failing.is_empty() { vec![""] } else { failing.iter().map(|container| container.name.as_str()).collect() };
    for name in names {
        let container = pod.containers.iter().find(|container| container.name == name);
        let loops = container.map_or(pod.row_status.v.ends_with("CrashLoopBackOff") || pod.row_status.v.ends_with("Error"), |container| container.restarts.v > 0);
        let mut said = termination_message(ctx, pod, container);
        if said.is_none() {
            said = ctx
                .cluster
                .logs
                .iter()
                .filter(|log| lastwords::belongs(log, pod, name))
                .filter_map(|log| lastwords::of_log(ctx, log, true))
                .max_by(|a, b| a.score.total_cmp(&b.score));
        }
        if let Some(words) = &said {
            emit_words(ctx, pod, container, words, loops);
        }
        if let Some(container) = container {
            command_itself(ctx, pod, container, said.as_ref());
        }
    }
}

/// Signals for what a failing container said last.
fn emit_words(ctx: &Ctx, pod: &Pod, container: Option<&Container>, words: &Words, loops: bool) {
    let name = container.map_or("", |container| container.name.as_str());
    let who = pod_words(pod, name);
    let verb = if loops { "crash-loops" } else { "fails" };
    let said = cut(&words.text, 220);
    let code = container.and_then(|container| [&container.last, &container.state].into_iter().find_map(|state| state.exit_code.as_ref()));
    let exit = code.map(|code| format!(" (exit code {})", code.v)).unwrap_or_default();
    let strength = (0.36 + 0.58 * words.score) * if pod.is_ready() { 0.72 } else { 1.0 };
    let mut draft = Draft::cause(words.slug, "Pod", &pod.ns, &pod.name, strength)
        .says(format!("{who} {verb}: {}", words.title()), format!("{who} {verb}{exit} because {}. Its last words: {said}", words.headline))
        .show(words.evidence(ctx));
    draft = with_pod(draft, pod, name).entity("dependency", &words.what);
    for src in &words.more {
        draft = draft.show(ctx.quote(*src, ""));
    }
    if let Some(container) = container {
        draft = draft.show(ctx.quote_loc(&container.state.reason)).show(code.and_then(|code| ctx.quote(code.src, "")));
        if let Some(word) = container.command.iter().find(|word| !words.what.is_empty() && word.v.contains(&words.what)) {
            draft = draft.show(ctx.quote_loc(word));
        }
    }
    ctx.emit(draft);
}

/// The termination message of a container, when it says something.
fn termination_message(ctx: &Ctx, pod: &Pod, container: Option<&Container>) -> Option<Words> {
    let container = container?;
    let state = [&container.state, &container.last].into_iter().find(|state| state.kind == StateKind::Terminated && !state.message.v.trim().is_empty())?;
    // What the runtime says about starting it is a note, judged by its own rules.
    let note = Note { reason: state.reason.v.clone(), message: state.message.v.clone(), warning: true, ..Note::default() };
    if let Some((rule, _)) = super::notes::classify(&note).filter(|(rule, _)| rule.slug.starts_with("container-") || rule.slug.starts_with("volume-")) {
        let who = pod_words(pod, &container.name);
        let words = cut(&one_line(&state.message.v), 300);
        let draft = Draft::cause(rule.slug, "Pod", &pod.ns, &pod.name, rule.strength)
            .says(format!("{who} cannot start: {}", cut(&words, 160)), format!("{who} cannot start. The runtime says: {words}"))
            .show(ctx.quote_loc(&state.message));
        ctx.emit(with_pod(draft, pod, &container.name));
        return None;
    }
    lastwords::of_text(&state.message)
}

/// A script that ends by its own `exit N`, or a command that cannot run for long.
fn command_itself(ctx: &Ctx, pod: &Pod, container: &Container, said: Option<&Words>) {
    let Some(code) = [&container.last, &container.state].into_iter().find_map(|state| state.exit_code.as_ref()) else { return };
    let command = command_text(container);
    let who = pod_words(pod, &container.name);
    let line = |needle: &str| container.command.iter().find(|word| word.v.contains(needle)).or(container.command.last());
    let told = said.is_some_and(|words| words.score > 0.6);
    if code.v != 0 && command.contains(&format!("exit {}", code.v)) {
        let strength = if told { 0.4 } else { 0.62 };
        let title = format!("{who} ends by its own command: the script runs 'exit {}'", code.v);
        let draft = Draft::cause("container-command-exits", "Pod", &pod.ns, &pod.name, strength)
            .says(title, format!("{who} ends with exit code {} because its own command does so: {}", code.v, cut(&command, 300)))
            .show(line("exit ").and_then(|word| ctx.quote(word.src, &format!("exit {}", code.v))))
            .show(ctx.quote(code.src, ""));
        ctx.emit(with_pod(draft, pod, &container.name));
    } else if code.v == 0 && container.state.reason.v == "CrashLoopBackOff" {
        let strength = if told { 0.45 } else { 0.6 };
        let title = format!("{who} ends at once with exit code 0 (Completed) and is restarted: its command does not stay running");
        let with = if command.is_empty() { String::new() } else { format!(" Its command: {}", cut(&command, 260)) };
        let mut draft = Draft::cause("container-exits-cleanly", "Pod", &pod.ns, &pod.name, strength)
            .says(title, format!("{who} completes with exit code 0 after {} restarts, and the restart policy starts it again.{with}", container.restarts.v))
            .show(ctx.quote_loc(&container.last.reason))
            .show(ctx.quote(code.src, ""));
        for word in container.command.iter().rev().take(2) {
            draft = draft.show(ctx.quote_loc(word));
        }
        ctx.emit(with_pod(draft, pod, &container.name));
    }
}

/// Millicores of a CPU quantity.
fn millicores(text: &str) -> Option<i64> {
    match text.strip_suffix('m') {
        Some(milli) => milli.parse().ok(),
        None => text.parse::<f64>().ok().map(|cores| (cores * 1000.0) as i64),
    }
}

/// A CPU limit far below what any program needs.
fn cpu(ctx: &Ctx, pod: &Pod, container: &Container) {
    let Some(limit) = container.limits.get("cpu") else { return };
    let Some(milli) = millicores(&limit.v).filter(|milli| *milli <= 100) else { return };
    if pod.is_done() {
        return;
    }
    let asked = ctx.in_ticket(&pod.name) || ctx.in_ticket(pod.app());
    let slow = ["throttl", "slow", "latency", "cpu", "performance", "timeout", "hang"].iter().any(|word| ctx.ticket.contains(word));
    let alerted = ctx.cluster.notes.iter().any(|note| note.name == pod.name && note.reason.contains("CPUThrottling"));
    let command = command_text(container);
    let burns = ["stress ", "stress-ng", "sysbench", "yes >"].iter().any(|word| command.contains(word));
    let probes = ctx.cluster.notes.iter().any(|note| note.name == pod.name && note.reason == "Unhealthy" && note.message.contains("deadline exceeded") || note.name == pod.name && note.message.contains("Client.Timeout"));
    let usage = ctx.cluster.usage.iter().find(|(kind, _, name, _, _)| kind == "Pod" && *name == pod.name).and_then(|(_, _, _, cpu, _)| millicores(&cpu.v));
    let at_limit = usage.is_some_and(|used| used * 10 >= milli * 9);
    let strength = match () {
        () if (asked && slow) || alerted || at_limit => 0.88,
        () if (burns || probes) && pod.phase.v == "Running" => 0.55,
        () if milli <= 20 => 0.4,
        () => 0.2,
    };
    let who = pod_words(pod, &container.name);
    let runs = if command.is_empty() { String::new() } else { format!(" while it runs: {}", cut(&command, 160)) };
    let title = format!("{who} is CPU-throttled: its CPU limit is only {}{}", limit.v, cut(&runs, 80));
    let statement = format!("{who} is throttled because its CPU limit of {} ({milli} millicores) is far too low for its load{runs}.", limit.v);
    let mut draft = Draft::cause("cpu-throttled", "Pod", &pod.ns, &pod.name, strength).says(title, statement).show(ctx.quote_loc(limit));
    draft = draft.show(container.requests.get("cpu").and_then(|request| ctx.quote_loc(request)));
    for word in container.command.iter().take(3) {
        draft = draft.show(ctx.quote_loc(word));
    }
    ctx.emit(with_pod(draft, pod, &container.name));
}

/// Logs of pods that the bundle says nothing else about, and of pods that run: repeated or last errors.
fn logs_without_pods(ctx: &Ctx) {
    let failing = |log: &Log| {
        ctx.cluster.pods.iter().any(|pod| {
            lastwords::belongs(log, pod, &log.container)
                && (pod.containers.iter().any(|container| is_failing(pod, container) && (log.container.is_empty() || log.container == container.name)) || (!pod.detailed && is_bad_status(&pod.row_status.v)))
        })
    };
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty && !failing(log)) {
        super::applogs::detect(ctx, log);
    }
}

/// What pods are in trouble without a reason that the bundle shows, and what would show it.
pub fn unexplained(ctx: &Ctx) {
    let mut seen_apps = std::collections::BTreeSet::new();
    let mut asks: Vec<(&Pod, String, &'static str)> = Vec::new();
    for pod in &ctx.cluster.pods {
        if pod.is_done() || pod.is_ready() {
            continue;
        }
        let failing = pod.containers.iter().find(|container| is_failing(pod, container));
        let status = status_of(pod, failing);
        let young = pod.age.is_some_and(|age| age < 120);
        let waiting = ["ContainerCreating", "PodInitializing", "Running", "Pending", "Terminating", ""].contains(&status.v.as_str()) || status.v.starts_with("Init:");
        let pending = pod.phase.v == "Pending" || status.v == "Pending";
        let starting = waiting && !pending && failing.is_none() && !is_stuck(ctx, pod);
        if (waiting && young) || starting || status.v.is_empty() {
            continue;
        }
        let explained = ctx.is_explained(&pod.ns, &pod.name, 0.5);
        let bare = status.v.strip_prefix("Init:").unwrap_or(&status.v);
        let restarted = failing.map_or(pod.restarts, |container| container.restarts.v) > 0;
        let slug = match bare {
            "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" | "ImageInspectError" => "image-pull-failed",
            "Terminating" => continue,
            "OOMKilled" if failing.is_none() => {
                row_oom(ctx, pod, &status);
                continue;
            }
            "Evicted" => "pod-evicted",
            "ContainerCreating" | "PodInitializing" | "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" | "StartError" => "pod-not-starting",
            _ if pending => "pod-pending",
            "Running" if failing.is_none() => "pod-not-ready",
            "CrashLoopBackOff" => "pod-crash-loop",
            _ if restarted => "pod-crash-loop",
            _ => "pod-failed",
        };
        let container = failing.map_or("", |container| container.name.as_str());
        let who = pod_words(pod, container);
        let restarts = failing.map_or(pod.restarts, |container| container.restarts.v);
        let code = failing.and_then(|container| [&container.last, &container.state].into_iter().find_map(|state| state.exit_code.as_ref()));
        let exit = code.map(|code| format!(", exit code {}", code.v)).unwrap_or_default();
        let strength = if explained { 0.3 } else { 0.48 };
        let unknown = if explained { "" } else { "; the bundle does not show why" };
        let mut draft = Draft::symptom(slug, "Pod", &pod.ns, &pod.name, strength)
            .says(format!("{who} is in {}: {restarts} restarts{exit}", status.v), format!("{who} is in state {} with {restarts} restarts{exit}{unknown}.", status.v))
            .show(ctx.quote_loc(&status));
        if let Some(container) = failing {
            draft = draft.show(ctx.quote_loc(&container.last.reason)).show(code.and_then(|code| ctx.quote(code.src, "")));
        }
        for note in ctx.cluster.notes.iter().filter(|note| note.name == pod.name && note.reason == "BackOff").take(1) {
            draft = draft.show(ctx.quote(note.src, &note.message));
        }
        ctx.emit(with_pod(draft, pod, container));
        if !explained && slug != "pod-evicted" && seen_apps.insert((pod.ns.clone(), pod.app().to_owned())) {
            asks.push((pod, container.to_owned(), slug));
        }
    }
    // Ask about what the customer named; otherwise about the first few, fewer when the bundle already shows a cause.
    let named = |pod: &Pod| ctx.in_ticket(&pod.name) || ctx.in_ticket(pod.app());
    let any_named = ctx.cluster.pods.iter().any(named);
    let known = ctx.signals().iter().any(|signal| signal.role == crate::signals::Role::Cause && signal.strength >= 0.75);
    asks.retain(|(pod, _, _)| !any_named || named(pod));
    asks.truncate(if known && !any_named { 2 } else { 5 });
    for (pod, container, slug) in asks {
        ask_for(ctx, pod, &container, slug);
    }
    row_only_events(ctx);
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
    let since = pod.condition("Ready").filter(|condition| condition.status.v == "False").and_then(|condition| condition.since);
    let long = since.zip(ctx.cluster.clock).is_some_and(|(since, clock)| clock - since > 300) || pod.age.is_some_and(|age| age > 600);
    let warned = ctx.cluster.notes.iter().any(|note| note.name == pod.name && note.warning);
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
    if let Some(container) = pod.containers.iter().find(|container| container.state.kind == StateKind::Waiting && !container.state.reason.v.is_empty()) {
        return container.state.reason.clone();
    }
    if !pod.reason.v.is_empty() {
        return pod.reason.clone();
    }
    if pod.row_status.v.is_empty() { pod.phase.clone() } else { pod.row_status.clone() }
}

/// Names exactly what to collect for a pod without a reason.
fn ask_for(ctx: &Ctx, pod: &Pod, container: &str, slug: &str) {
    let full = pod.full_name();
    let ns = if pod.ns.is_empty() { String::new() } else { format!("-n {} ", pod.ns) };
    let of = if container.is_empty() { String::new() } else { format!(" -c {container}") };
    let logs: Vec<&Log> = ctx.cluster.logs.iter().filter(|log| lastwords::belongs(log, pod, container)).collect();
    let has_events = ctx.cluster.notes.iter().any(|note| note.name == pod.name);
    if matches!(slug, "pod-crash-loop" | "pod-not-ready" | "pod-failed") {
        let current: Vec<&&Log> = logs.iter().filter(|log| !log.previous).collect();
        let why = match current.first() {
            None => "no log of it is in the bundle".to_owned(),
            Some(log) if log.collection_error.is_some() => format!("it could not be collected: {}", log.collection_error.as_ref().map_or("", |error| error.v.as_str())),
            Some(log) if log.empty => "its log in the bundle is empty".to_owned(),
            Some(_) => "the collected log does not say why it ended".to_owned(),
        };
        let path = current.first().map(|log| ctx.path(log.file).to_owned());
        ctx.ask(format!("container logs of pod {full}{of} (kubectl {ns}logs {}{of})", pod.name), format!("what the container printed before it ended decides the cause; {why}"), path);
        let previous = logs.iter().find(|log| log.previous);
        let why = match previous {
            None => "the log of the run before the last restart holds the last words; it was not collected".to_owned(),
            Some(log) if log.empty => "the log of the run before the last restart is empty in the bundle".to_owned(),
            Some(_) => "the log of the run before the last restart is silent about the reason".to_owned(),
        };
        ctx.ask(format!("previous container logs of pod {full}{of} (kubectl {ns}logs {}{of} --previous)", pod.name), why, previous.map(|log| ctx.path(log.file).to_owned()));
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
    for note in ctx.cluster.notes.iter().filter(|note| note.warning && note.reason == "BackOff" && note.message.contains("restarting failed container")) {
        if ctx.cluster.pod(&note.ns, &note.name).is_some() || ctx.cluster.is_listed("Pod", &note.ns) || !seen.insert((note.ns.clone(), note.name.clone())) {
            continue;
        }
        if !ctx.is_explained(&note.ns, &note.name, 0.5) {
            let pod = Pod { ns: note.ns.clone(), name: note.name.clone(), ..Pod::default() };
            // Its log may be there although the pod is not.
            let words = ctx.cluster.logs.iter().filter(|log| lastwords::belongs(log, &pod, &note.container)).filter_map(|log| lastwords::of_log(ctx, log, true)).max_by(|a, b| a.score.total_cmp(&b.score));
            match words {
                Some(words) => emit_words(ctx, &pod, None, &words, true),
                None => ask_for(ctx, &pod, &note.container, "pod-crash-loop"),
            }
        }
    }
}
