//! What the kernel counted against a container's CPU limit: `cpu.stat` of its cgroup, as collectors and people copy it.

use super::emit::{Ctx, Draft, pod_words, with_pod};
use super::words_of_slowness;
use crate::bundle::Entry;
use crate::report::Evidence;

/// Largest file looked into, in bytes; the kernel writes a dozen lines.
const MAX_BYTES: u64 = 16 << 10;
/// Periods (100 ms each) below which a share says nothing: a program that starts is throttled for a moment.
const MIN_PERIODS: u64 = 600;
/// Share of throttled periods from which waiting for the limit is felt.
const FELT: f64 = 0.25;

struct Count {
    periods: u64,
    throttled: u64,
    line: usize,
}

fn count(text: &str) -> Option<Count> {
    let of = |key: &str| {
        text.lines().enumerate().find_map(|(at, line)| {
            let value = line.trim().strip_prefix(key)?.trim();
            Some((at + 1, value.parse::<u64>().ok()?))
        })
    };
    let (_, periods) = of("nr_periods ")?;
    let (line, throttled) = of("nr_throttled ")?;
    Some(Count {
        periods,
        throttled,
        line,
    })
}

fn is_statistic(entry: &Entry) -> bool {
    let lower = entry.path.as_str().to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    (1..=MAX_BYTES).contains(&entry.bytes)
        && (name.contains("cpu.stat")
            || name.contains("cpu-stat")
            || name.contains("cpu_stat")
            || lower.contains("cgroup"))
}

/// Containers that wait for their limit.
pub fn detect(ctx: &Ctx) {
    for entry in ctx.tree.files().filter(|entry| is_statistic(entry)) {
        let Some(text) = ctx.tree.text(entry).ok().flatten() else {
            continue;
        };
        let Some(found) = count(text.as_str()).filter(|found| found.periods >= MIN_PERIODS) else {
            continue;
        };
        let share = found.throttled as f64 / found.periods as f64;
        let path = entry.path.as_str();
        let pod = ctx
            .cluster
            .pods
            .iter()
            .filter(|pod| path.contains(&pod.name))
            .max_by_key(|pod| pod.name.len());
        let Some(pod) = pod.filter(|_| share >= FELT) else {
            continue;
        };
        let limited: Vec<_> = pod
            .containers
            .iter()
            .filter(|container| container.limits.contains_key("cpu"))
            .collect();
        let limit = match limited.as_slice() {
            [only] => only.limits.get("cpu"),
            _ => None,
        };
        let container = limited.first().map_or("", |container| &container.name);
        let who = pod_words(pod, if limit.is_some() { container } else { "" });
        let of = limit.map_or(String::new(), |limit| format!(" of {}", limit.v));
        let asked = words_of_slowness(ctx) || ctx.in_ticket(pod.app());
        let strength = match (share >= 0.5, asked) {
            (true, true) => 0.9,
            (true, false) => 0.8,
            (false, true) => 0.75,
            (false, false) => 0.55,
        };
        let percent = (share * 100.0).floor();
        let draft = Draft::cause("cpu-throttled", "Pod", &pod.ns, &pod.name, strength)
            .says(
                format!("{who} is CPU-throttled by its CPU limit{of} in {percent} % of all periods"),
                format!(
                    "{who} was stopped by its CPU limit{of} in {} of {} periods ({percent} %): it waits for its next share of processor time instead of working, however idle the node is.",
                    found.throttled, found.periods
                ),
            )
            .show(text.line(found.line).map(|line| Evidence {
                path: path.to_owned(),
                line_start: found.line as u64,
                line_end: found.line as u64,
                quote: line.trim().to_owned(),
            }))
            .show(limit.and_then(|limit| ctx.quote_loc(limit)));
        ctx.emit(with_pod(draft, pod, container));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, quiet, run};
    use super::*;

    const POD: &str = r#"{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"name":"quote-6c5d9f7b8-x2lqz","namespace":"shop"},"spec":{"containers":[{"name":"quote","image":"q:1","resources":{"limits":{"cpu":"400m"}}}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[{"name":"quote","ready":true,"restartCount":0,"state":{"running":{}}}]}}]}"#;

    fn files(periods: u64, throttled: u64) -> [(&'static str, String); 2] {
        [
            ("pods.json", POD.to_owned()),
            (
                "exec/shop/quote-6c5d9f7b8-x2lqz/cpu.stat",
                format!(
                    "usage_usec 9\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 7\n"
                ),
            ),
        ]
    }

    #[test]
    fn a_limit_that_stops_a_container_most_of_the_time() {
        let made = files(90_000, 80_000);
        let found = run(&made.each_ref().map(|(path, text)| (*path, text.as_str())));
        let signal = first(&found);
        assert_eq!(signal.cause, "cpu-throttled");
        assert!(
            signal.title.contains("400m") && signal.title.contains("88 %"),
            "{}",
            signal.title
        );
        for (periods, throttled) in [(90_000, 9_000), (100, 90), (0, 0)] {
            let made = files(periods, throttled);
            quiet(&made.each_ref().map(|(path, text)| (*path, text.as_str())));
        }
        assert!(count("nr_periods x\nnr_throttled 1\n").is_none());
    }
}
