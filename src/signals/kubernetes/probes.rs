//! Failing probes: is the probe wrong, or the application?

use super::emit::{Ctx, Draft, cut, one_line};
use super::model::*;

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
        draft = draft.says(
            format!(
                "{who} is restarted by its {kind} probe: {}",
                cut(&words, 120)
            ),
            format!(
                "{who} fails its {kind} probe ({}) and the kubelet restarted it {} times. {words}",
                one_line(&probe.text.v),
                container.restarts.v
            ),
        );
        draft.signal.strength = draft.signal.strength.max(0.8);
    }
    draft
}
