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
            super::cpu::detect(ctx, pod, container);
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
    let ended = |state: &State| {
        state.kind == StateKind::Terminated
            && (state.exit_code.as_ref().is_some_and(|code| code.v != 0)
                || state.reason.v == "Error"
                || state.reason.v == "OOMKilled")
    };
    let loops = matches!(
        container.state.reason.v.as_str(),
        "CrashLoopBackOff"
            | "RunContainerError"
            | "CreateContainerError"
            | "StartError"
            | "Error"
            | "ContainerCannotRun"
    );
    loops
        || ended(&container.state)
        || (container.ready == Some(false) && ended(&container.last) && container.restarts.v > 0)
}

/// Whether everybody sees that the pod fails: its status names a fault.
fn visibly_fails(pod: &Pod) -> bool {
    !pod.is_done()
        && !pod.is_ready()
        && (is_bad_status(&pod.row_status.v)
            || pod.containers.iter().any(|container| {
                is_failing(pod, container) || is_bad_status(&container.state.reason.v)
            }))
}

/// Ready at this moment, but restarted again and again until a few minutes ago.
pub fn is_flapping(ctx: &Ctx, pod: &Pod, container: &Container) -> bool {
    let recent = container
        .last
        .finished
        .zip(ctx.cluster.clock)
        .is_some_and(|(end, clock)| clock - end < 900);
    let badly = container
        .last
        .exit_code
        .as_ref()
        .is_some_and(|code| code.v != 0);
    pod.is_ready() && container.restarts.v >= 3 && recent && badly
}

/// The row's status says that something is wrong.
pub fn is_bad_status(status: &str) -> bool {
    let status = status.strip_prefix("Init:").unwrap_or(status);
    matches!(
        status,
        "CrashLoopBackOff"
            | "Error"
            | "OOMKilled"
            | "ImagePullBackOff"
            | "ErrImagePull"
            | "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "StartError"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ContainerCannotRun"
            | "Evicted"
            | "Failed"
            | "Unknown"
            | "ContainerStatusUnknown"
            | "NodeLost"
            | "DeadlineExceeded"
            | "UnexpectedAdmissionError"
            | "NodeAffinity"
            | "PostStartHookError"
    ) || status.starts_with("ExitCode:")
        || status.starts_with("Signal:")
        || status.starts_with("OutOf")
}

fn limit_words(container: &Container) -> String {
    container
        .limits
        .get("memory")
        .map(|limit| format!(" it exceeds its memory limit of {}", limit.v))
        .unwrap_or_else(|| {
            " it needs more memory than it may have (no limit is set, so the node ran out)".into()
        })
}

fn out_of_memory(ctx: &Ctx, pod: &Pod, container: &Container) {
    let Some(state) = [&container.state, &container.last]
        .into_iter()
        .find(|state| state.reason.v == "OOMKilled")
    else {
        return;
    };
    let now = is_failing(pod, container);
    let often = container.restarts.v >= 3;
    // Killed once, long ago, and well since: a blemish.
    let recent = state
        .finished
        .zip(ctx.cluster.clock)
        .is_some_and(|(end, clock)| clock - end < 3600);
    let strength = match () {
        () if now => 0.95,
        () if recent => 0.7,
        () if often => 0.5,
        () => 0.35,
    };
    let code = state.exit_code.as_ref().map_or(137, |code| code.v);
    let who = pod_words(pod, &container.name);
    let title = format!(
        "{who} is OOM-killed (exit {code}):{}",
        limit_words(container)
    );
    let statement = format!(
        "{who} is repeatedly OOMKilled (out of memory, exit code {code}, {} restarts):{}. Raise the limit or find why it uses so much memory.",
        container.restarts.v,
        limit_words(container)
    );
    let mut draft = with_pod(
        Draft::cause("container-oom-killed", "Pod", &pod.ns, &pod.name, strength)
            .says(title, statement),
        pod,
        &container.name,
    )
    .show(ctx.quote_loc(&state.reason))
    .show(
        state
            .exit_code
            .as_ref()
            .and_then(|code| ctx.quote(code.src, "")),
    )
    .show(
        container
            .limits
            .get("memory")
            .and_then(|limit| ctx.quote_loc(limit)),
    )
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
    let Some(code) = [&container.state, &container.last]
        .into_iter()
        .find_map(|state| state.exit_code.as_ref())
    else {
        return;
    };
    let (slug, words) = match code.v {
        139 => (
            "container-segfault",
            "its process dies of a segmentation fault (exit code 139, SIGSEGV)",
        ),
        134 => (
            "container-segfault",
            "its process aborts (exit code 134, SIGABRT)",
        ),
        132 => (
            "container-segfault",
            "its process executes an instruction that this CPU lacks (exit code 132, SIGILL)",
        ),
        127 => (
            "container-command-not-found",
            "its command does not exist in the image (exit code 127, command not found)",
        ),
        126 => (
            "container-command-not-executable",
            "its command cannot be executed (exit code 126, not executable)",
        ),
        125 => (
            "container-start-failed",
            "the container runtime could not start it (exit code 125)",
        ),
        _ => return,
    };
    let who = pod_words(pod, &container.name);
    let command = command_text(container);
    let with = if command.is_empty() {
        String::new()
    } else {
        format!(" The command is: {}", cut(&command, 200))
    };
    let mut draft = with_pod(
        Draft::cause(slug, "Pod", &pod.ns, &pod.name, 0.74)
            .says(format!("{who}: {words}"), format!("{who}: {words}.{with}")),
        pod,
        &container.name,
    )
    .show(ctx.quote(code.src, ""))
    .show(ctx.quote_loc(&container.state.reason));
    if let Some(word) = container.command.first() {
        draft = draft.show(ctx.quote_loc(word));
    }
    ctx.emit(draft);
}

/// Command and arguments on one line.
pub fn command_text(container: &Container) -> String {
    one_line(
        &container
            .command
            .iter()
            .map(|word| word.v.as_str())
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// A pod whose containers end or cannot start: its last words, or what to ask for.
fn failing(ctx: &Ctx, pod: &Pod) {
    let bad_row = !pod.detailed && is_bad_status(&pod.row_status.v);
    let failing: Vec<&Container> = pod
        .containers
        .iter()
        .filter(|container| is_failing(pod, container) || is_flapping(ctx, pod, container))
        .collect();
    if failing.is_empty() && !bad_row {
        return;
    }
    let names: Vec<&str> = if failing.is_empty() {
        vec![""]
    } else {
        failing
            .iter()
            .map(|container| container.name.as_str())
            .collect()
    };
    for name in names {
        let container = pod
            .containers
            .iter()
            .find(|container| container.name == name);
        let loops = container.map_or(
            pod.row_status.v.ends_with("CrashLoopBackOff") || pod.restarts > 0,
            |container| container.restarts.v > 0,
        );
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
pub fn emit_words(ctx: &Ctx, pod: &Pod, container: Option<&Container>, words: &Words, loops: bool) {
    let name = container.map_or("", |container| container.name.as_str());
    let who = pod_words(pod, name);
    let verb = if loops { "crash-loops" } else { "fails" };
    let said = cut(&words.text, 220);
    let code = container.and_then(|container| {
        [&container.last, &container.state]
            .into_iter()
            .find_map(|state| state.exit_code.as_ref())
    });
    let exit = code
        .map(|code| format!(" (exit code {})", code.v))
        .unwrap_or_default();
    let strength = (0.36 + 0.58 * words.score) * if pod.is_ready() { 0.72 } else { 1.0 };
    let mut draft = Draft::cause(
        lastwords::as_system(&pod.name, words.slug),
        "Pod",
        &pod.ns,
        &pod.name,
        strength,
    )
    .says(
        format!("{who} {verb}: {}", words.title()),
        format!(
            "{who} {verb}{exit} because {}. Its last words: {said}",
            words.headline
        ),
    )
    .show(words.evidence(ctx));
    draft = with_pod(draft, pod, name).entity("dependency", &words.what);
    for src in &words.more {
        draft = draft.show(ctx.quote(*src, ""));
    }
    if let Some(container) = container {
        draft = draft
            .show(ctx.quote_loc(&container.state.reason))
            .show(code.and_then(|code| ctx.quote(code.src, "")));
        if let Some(word) = container
            .command
            .iter()
            .find(|word| !words.what.is_empty() && word.v.contains(&words.what))
        {
            draft = draft.show(ctx.quote_loc(word));
        }
    }
    ctx.emit(draft);
}

/// The termination message of a container, when it says something.
fn termination_message(ctx: &Ctx, pod: &Pod, container: Option<&Container>) -> Option<Words> {
    let container = container?;
    let state = [&container.state, &container.last]
        .into_iter()
        .find(|state| state.kind == StateKind::Terminated && !state.message.v.trim().is_empty())?;
    // What the runtime says about starting it is a note, judged by its own rules.
    let note = Note {
        reason: state.reason.v.clone(),
        message: state.message.v.clone(),
        warning: true,
        ..Note::default()
    };
    if let Some((rule, _)) = super::notes::classify(&note)
        .filter(|(rule, _)| rule.slug.starts_with("container-") || rule.slug.starts_with("volume-"))
    {
        let who = pod_words(pod, &container.name);
        let words = cut(&one_line(&state.message.v), 300);
        let draft = Draft::cause(rule.slug, "Pod", &pod.ns, &pod.name, rule.strength)
            .says(
                format!("{who} cannot start: {}", cut(&words, 160)),
                format!("{who} cannot start. The runtime says: {words}"),
            )
            .show(ctx.quote_loc(&state.message));
        ctx.emit(with_pod(draft, pod, &container.name));
        return None;
    }
    lastwords::of_text(&state.message)
}

/// A script that ends by its own `exit N`, or a command that cannot run for long.
fn command_itself(ctx: &Ctx, pod: &Pod, container: &Container, said: Option<&Words>) {
    let Some(code) = [&container.last, &container.state]
        .into_iter()
        .find_map(|state| state.exit_code.as_ref())
    else {
        return;
    };
    let command = command_text(container);
    let who = pod_words(pod, &container.name);
    let line = |needle: &str| {
        container
            .command
            .iter()
            .find(|word| word.v.contains(needle))
            .or(container.command.last())
    };
    let told = said.is_some_and(|words| words.score > 0.6);
    if code.v != 0 && command.contains(&format!("exit {}", code.v)) {
        let strength = if told { 0.4 } else { 0.62 };
        let title = format!(
            "{who} ends by its own command: the script runs 'exit {}'",
            code.v
        );
        let draft = Draft::cause(
            "container-command-exits",
            "Pod",
            &pod.ns,
            &pod.name,
            strength,
        )
        .says(
            title,
            format!(
                "{who} ends with exit code {} because its own command does so: {}",
                code.v,
                cut(&command, 300)
            ),
        )
        .show(line("exit ").and_then(|word| ctx.quote(word.src, &format!("exit {}", code.v))))
        .show(ctx.quote(code.src, ""));
        ctx.emit(with_pod(draft, pod, &container.name));
    } else if code.v == 0 && container.state.reason.v == "CrashLoopBackOff" {
        let strength = if told { 0.45 } else { 0.6 };
        let title = format!(
            "{who} ends at once with exit code 0 (Completed) and is restarted: its command does not stay running"
        );
        let with = if command.is_empty() {
            String::new()
        } else {
            format!(" Its command: {}", cut(&command, 260))
        };
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

/// Logs of pods that the bundle says nothing else about, and of pods that run: repeated or last errors.
fn logs_without_pods(ctx: &Ctx) {
    let failing = |log: &Log| {
        ctx.cluster.pods.iter().any(|pod| {
            lastwords::belongs(log, pod, &log.container)
                && (pod.containers.iter().any(|container| {
                    is_failing(pod, container)
                        && (log.container.is_empty() || log.container == container.name)
                }) || (!pod.detailed && is_bad_status(&pod.row_status.v)))
        })
    };
    let trouble = ctx.cluster.pods.iter().any(visibly_fails);
    for log in ctx
        .cluster
        .logs
        .iter()
        .filter(|log| !log.empty && !failing(log))
    {
        super::applogs::detect(ctx, log, trouble);
    }
}
