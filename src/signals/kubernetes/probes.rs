//! Failing probes: is the probe wrong, or the application?

use super::emit::{Ctx, Draft, cut, one_line};
use super::lastwords;
use super::model::*;
use regex::Regex;
use std::sync::LazyLock;

static LISTENS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:listening|listens?|started|serving|bound|running|exposed|available|server)\b.{0,60}?(?:\bports?(?:\(s\))?[ :=]*|:)(?P<port>80|443|\d{4,5})\b").ok()
});

/// The port that a container's log says it listens on, when it never names the one that is asked.
fn listens_elsewhere(
    ctx: &Ctx,
    pod: &Pod,
    container: &Container,
    asked: i64,
) -> Option<(i64, Src, String)> {
    let regex = LISTENS.as_ref()?;
    let mut found = None;
    for log in &ctx.cluster.logs {
        if log.empty || log.previous || !lastwords::belongs(log, pod, &container.name) {
            continue;
        }
        for (line, text) in lastwords::tail(ctx, log) {
            let Some(port) = regex
                .captures(&text)
                .and_then(|captures| captures["port"].parse::<i64>().ok())
            else {
                continue;
            };
            if port == asked {
                return None;
            }
            let src = Src {
                file: log.file,
                line,
                column: 0,
            };
            found.get_or_insert((port, src, text));
        }
    }
    found
}

/// The last line of a container that was killed before it said that it listens, and that has no startup
/// probe to wait for it.
fn still_starting(ctx: &Ctx, pod: &Pod, container: &Container) -> Option<(Src, String)> {
    const START_LINES: usize = 200;
    if container.probes.iter().any(|probe| probe.kind == "startup") {
        return None;
    }
    let log = ctx
        .cluster
        .logs
        .iter()
        .find(|log| !log.empty && lastwords::belongs(log, pod, &container.name))?;
    let lines = lastwords::tail(ctx, log);
    let listens = |text: &str| {
        LISTENS.as_ref().is_some_and(|regex| regex.is_match(text)) && !text.contains("initialized")
    };
    if lines.len() > START_LINES || lines.iter().any(|(_, text)| listens(text)) {
        return None;
    }
    let (line, text) = lines.into_iter().next_back()?;
    let src = Src {
        file: log.file,
        line,
        column: 0,
    };
    Some((src, text))
}

/// Sharpens a probe's signal with the container's ports and the probe's answer.
pub fn refine(ctx: &Ctx, mut draft: Draft, ns: &str, name: &str, note: &Note) -> Draft {
    let Some(pod) = ctx.cluster.pod(ns, name) else {
        return draft;
    };
    let kind = if note.message.contains("iveness") {
        "liveness"
    } else if note.message.contains("tartup") {
        "startup"
    } else {
        "readiness"
    };
    let named =
        |container: &&Container| note.container.is_empty() || container.name == note.container;
    let holder = pod
        .containers
        .iter()
        .filter(named)
        .find(|container| container.probes.iter().any(|probe| probe.kind == kind));
    let Some(container) = holder else {
        return draft;
    };
    let Some(probe) = container.probes.iter().find(|probe| probe.kind == kind) else {
        return draft;
    };
    draft = draft.show(ctx.quote_loc(&probe.text));
    let refused = note.message.contains("connection refused");
    let number = probe.port.parse::<i64>().ok();
    let declared: Vec<i64> = container
        .ports
        .iter()
        .map(|(_, port)| *port)
        .filter(|port| *port > 0)
        .collect();
    let unknown_name = number.is_none()
        && !probe.port.is_empty()
        && container
            .ports
            .iter()
            .all(|(name, _)| !name.is_empty() && *name != probe.port)
        && !container.ports.is_empty();
    let who = format!("pod {} container {}", pod.full_name(), container.name);
    let words = cut(&one_line(&note.message), 200);
    if (refused && number.is_some_and(|port| !declared.is_empty() && !declared.contains(&port)))
        || unknown_name
    {
        let ports = declared
            .iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        draft = draft.says(
            format!("{who}: {kind} probe asks port {}, but the container listens on {ports}", probe.port),
            format!("{who}: the {kind} probe ({}) asks the wrong port {}; the container declares port {ports}. {words}", one_line(&probe.text.v), probe.port),
        );
        draft.signal.strength = draft
            .signal
            .strength
            .max(if pod.is_ready() { 0.3 } else { 0.88 });
        draft.signal.cause = "probe-port-mismatch".into();
        draft.signal.detector = "k8s.probe-port-mismatch".into();
    } else if let Some((port, src, words)) = number
        .filter(|_| refused)
        .and_then(|asked| listens_elsewhere(ctx, pod, container, asked))
    {
        draft = draft.says(
            format!("{who}: {kind} probe asks port {}, but the program listens on port {port}", probe.port),
            format!("{who}: the {kind} probe ({}) asks port {} and is refused; the program says that it listens on port {port}: {}. {}", one_line(&probe.text.v), probe.port, cut(&one_line(&words), 160), cut(&one_line(&note.message), 200)),
        )
        .show(ctx.quote(src, &words));
        draft.signal.strength = draft
            .signal
            .strength
            .max(if pod.is_ready() { 0.3 } else { 0.88 });
        draft.signal.cause = "probe-port-mismatch".into();
        draft.signal.detector = "k8s.probe-port-mismatch".into();
    } else if note.message.contains("statuscode: 404") {
        draft = draft.says(
            format!("{who}: {kind} probe gets 404, its path does not exist: {}", cut(&one_line(&probe.text.v), 80)),
            format!("{who}: the {kind} probe ({}) asks a path that the application does not serve (HTTP 404). {words}", one_line(&probe.text.v)),
        );
        draft.signal.strength = draft
            .signal
            .strength
            .max(if pod.is_ready() { 0.3 } else { 0.84 });
    } else if !pod.is_ready() && kind != "readiness" && container.restarts.v > 0 {
        let starting = (kind == "liveness" && refused)
            .then(|| still_starting(ctx, pod, container))
            .flatten();
        draft = match starting {
            Some((src, line)) => draft
                .says(
                    format!("{who} is restarted by its liveness probe while it is still starting: {}", cut(&words, 100)),
                    format!("{who} needs longer to start than its liveness probe ({}) allows and has no startup probe: the kubelet restarted it {} times before it listened. Its log ends with: {}. {words}", one_line(&probe.text.v), container.restarts.v, cut(&one_line(&line), 160)),
                )
                .show(ctx.quote(src, &line)),
            None => draft.says(
                format!(
                    "{who} is restarted by its {kind} probe: {}",
                    cut(&words, 120)
                ),
                format!(
                    "{who} fails its {kind} probe ({}) and the kubelet restarted it {} times. {words}",
                    one_line(&probe.text.v),
                    container.restarts.v
                ),
            ),
        };
        draft.signal.strength = draft.signal.strength.max(0.8);
    }
    draft
}
