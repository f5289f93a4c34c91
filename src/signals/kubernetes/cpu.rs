//! CPU limits that are far too low: throttled containers.

use super::containers::command_text;
use super::emit::{Ctx, Draft, cut, pod_words, with_pod};
use super::model::*;

/// Millicores of a CPU quantity.
fn millicores(text: &str) -> Option<i64> {
    match text.strip_suffix('m') {
        Some(milli) => milli.parse().ok(),
        None => text
            .parse::<f64>()
            .ok()
            .map(|cores| (cores * 1000.0) as i64),
    }
}

/// A CPU limit far below what any program needs.
pub fn detect(ctx: &Ctx, pod: &Pod, container: &Container) {
    let Some(limit) = container.limits.get("cpu") else {
        return;
    };
    let Some(milli) = millicores(&limit.v).filter(|milli| *milli <= 100) else {
        return;
    };
    if pod.is_done() {
        return;
    }
    let asked = ctx.in_ticket(&pod.name) || ctx.in_ticket(pod.app());
    let slow = super::words_of_slowness(ctx);
    let alerted = ctx
        .cluster
        .notes
        .iter()
        .any(|note| note.name == pod.name && note.reason.contains("CPUThrottling"));
    let command = command_text(container);
    let burns = ["stress ", "stress-ng", "sysbench", "yes >"]
        .iter()
        .any(|word| command.contains(word));
    let probes = ctx.cluster.notes.iter().any(|note| {
        note.name == pod.name
            && note.reason == "Unhealthy"
            && note.message.contains("deadline exceeded")
            || note.name == pod.name && note.message.contains("Client.Timeout")
    });
    let usage = ctx
        .cluster
        .usage
        .iter()
        .find(|usage| usage.kind == "Pod" && usage.name == pod.name)
        .and_then(|usage| millicores(&usage.cpu.v));
    let at_limit = usage.is_some_and(|used| used * 10 >= milli * 9);
    let strength = match () {
        () if (asked && slow) || alerted || at_limit => 0.88,
        () if (burns || probes) && pod.phase.v == "Running" => 0.55,
        () if milli <= 20 => 0.4,
        () => 0.2,
    };
    let who = pod_words(pod, &container.name);
    let runs = if command.is_empty() {
        String::new()
    } else {
        format!(" while it runs: {}", cut(&command, 160))
    };
    let title = format!(
        "{who} is CPU-throttled: its CPU limit is only {}{}",
        limit.v,
        cut(&runs, 80)
    );
    let statement = format!(
        "{who} is throttled because its CPU limit of {} ({milli} millicores) is far too low for its load{runs}.",
        limit.v
    );
    let mut draft = Draft::cause("cpu-throttled", "Pod", &pod.ns, &pod.name, strength)
        .says(title, statement)
        .show(ctx.quote_loc(limit));
    draft = draft.show(
        container
            .requests
            .get("cpu")
            .and_then(|request| ctx.quote_loc(request)),
    );
    for word in container.command.iter().take(3) {
        draft = draft.show(ctx.quote_loc(word));
    }
    ctx.emit(with_pod(draft, pod, &container.name));
}
