//! Signals from what [`super::observe`] counted in one log.

use super::emit::{Ctx, Draft, cut, full_name_words, with_pod};
use super::model::*;
use super::observe::{Operation, Requests, Seen, at};

/// Requests that a judgement needs.
const MIN_REQUESTS: usize = 20;
/// An operation at least this long is slow, milliseconds.
const SLOW_MS: f64 = 1_000.0;

/// Words of customers who find something slow.
const SLOW_WORDS: [&str; 14] = [
    "slow",
    "latency",
    "timeout",
    "time out",
    "hang",
    "performance",
    "delay",
    "seconds",
    "takes long",
    "long time",
    "lag",
    "stuck",
    "unresponsive",
    "degraded",
];

/// What somebody should know about a log beside its numbers.
pub struct About<'a> {
    /// The log.
    pub log: &'a Log,
    /// Its pod, if known.
    pub pod: Option<&'a Pod>,
    /// The customer names its application.
    pub asked: bool,
}

/// Emits at most one signal of each kind.
pub fn detect(ctx: &Ctx, about: &About, seen: &Seen) {
    failures(ctx, about, seen);
    slow(ctx, about, seen);
    growth(ctx, about, seen);
}

/// A signal about the log's pod, with the lines at `lines`.
fn emit(
    ctx: &Ctx,
    about: &About,
    slug: &str,
    strength: f64,
    says: (String, String),
    lines: &[u32],
) {
    let log = about.log;
    let mut draft = Draft::cause(slug, "Pod", &log.ns, &log.pod, strength)
        .says(says.0, says.1)
        .entity("container", &log.container);
    for line in lines {
        draft = draft.show(ctx.quote(at(log.file, *line), ""));
    }
    if let Some(pod) = about.pod {
        draft = with_pod(draft, pod, &log.container);
    }
    ctx.emit(draft);
}

fn who(about: &About) -> String {
    full_name_words(&about.log.ns, &about.log.pod, &about.log.container)
}

/// `12 x 503, 3 x 500`.
fn codes(requests: &Requests) -> String {
    let mut codes: Vec<(u16, usize)> = requests.codes.iter().map(|(code, n)| (*code, *n)).collect();
    codes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let words: Vec<String> = codes
        .iter()
        .take(3)
        .map(|(code, n)| format!("{n} x HTTP {code}"))
        .collect();
    words.join(", ")
}

fn failures(ctx: &Ctx, about: &About, seen: &Seen) {
    if seen.answered < MIN_REQUESTS {
        return;
    }
    let server: usize = seen.requests.values().map(|r| r.server).sum();
    let share = server as f64 / seen.answered as f64;
    let worst = |of: fn(&Requests) -> usize| {
        let mut all: Vec<(&String, &Requests)> = seen.requests.iter().collect();
        all.sort_by(|a, b| of(b.1).cmp(&of(a.1)).then(a.0.cmp(b.0)));
        all.first()
            .copied()
            .filter(|(_, requests)| of(requests) > 0)
    };
    let has_ticket = !ctx.ticket.is_empty();
    let context: f64 = if about.asked { 0.2 } else { 0.0 }
        + if has_ticket { 0.08 } else { 0.0 }
        + if ctx.narrow { 0.05 } else { 0.0 };
    if server >= 5
        && share >= 0.02
        && let Some((path, requests)) = worst(|r| r.server)
    {
        let base: f64 = match share {
            s if s >= 0.2 => 0.5,
            s if s >= 0.05 => 0.42,
            _ => 0.32,
        };
        let title = format!(
            "{}: {:.0} % of its requests fail with server errors: {path} ({})",
            who(about),
            share * 100.0,
            codes(requests)
        );
        let statement = format!(
            "{} answers {server} of {} requests with server errors (HTTP 5xx). Most are {path}: {} of {} ({}).",
            who(about),
            seen.answered,
            requests.server,
            requests.total,
            codes(requests)
        );
        let (first, last) = requests.lines.unwrap_or_default();
        emit(
            ctx,
            about,
            "application-server-errors",
            (base + context).min(0.76),
            (title, statement),
            &[first, last],
        );
        return;
    }
    // Clients ask for what is not there all the time; it counts when one path that is asked often always fails.
    let Some((path, requests)) = worst(|r| r.client) else {
        return;
    };
    let always = requests.client * 10 >= requests.total * 9;
    let often = requests.client >= 10 && requests.client * 20 >= seen.answered;
    let noise = [
        "favicon",
        "robots.txt",
        "/health",
        "wp-",
        ".php",
        "apple-touch",
    ]
    .iter()
    .any(|word| path.contains(word));
    if always && often && !noise && has_ticket {
        let title = format!("{}: {path} always fails ({})", who(about), codes(requests));
        let statement = format!(
            "{} refuses every request {path}: {} of {} ({}), while its other requests succeed. The path, its version or the caller's rights do not fit.",
            who(about),
            requests.client,
            requests.total,
            codes(requests)
        );
        let (first, last) = requests.lines.unwrap_or_default();
        emit(
            ctx,
            about,
            "application-client-errors",
            (0.46 + context).min(0.72),
            (title, statement),
            &[first, last],
        );
    }
}

fn slow(ctx: &Ctx, about: &About, seen: &Seen) {
    let wanted = SLOW_WORDS.iter().any(|word| ctx.speaks(word));
    let mut slow: Vec<(f64, f64, &Operation)> = seen
        .operations
        .values()
        .filter_map(|operation| {
            let median = operation.median();
            let many = operation
                .samples
                .iter()
                .filter(|ms| **ms >= SLOW_MS)
                .count();
            (many >= 3 || (wanted && many >= 1)).then(|| {
                // The call that is waited for tells more than the request that waits.
                let tells = if operation.inner { 4.0 } else { 1.0 };
                (
                    tells * operation.longest.0.min(60_000.0) * (many as f64).sqrt(),
                    median,
                    operation,
                )
            })
        })
        .collect();
    slow.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.first.cmp(&b.2.first)));
    let Some((_, median, operation)) = slow.first().copied() else {
        return;
    };
    let many = operation
        .samples
        .iter()
        .filter(|ms| **ms >= SLOW_MS)
        .count();
    let share = many as f64 / seen.timed.max(1) as f64;
    let mut strength: f64 = 0.3;
    if wanted {
        strength += 0.24;
    }
    if about.asked {
        strength += 0.14;
    }
    if operation.inner {
        strength += 0.04;
    }
    if share >= 0.1 && many >= 5 {
        strength += 0.06;
    }
    if ctx.narrow {
        strength += 0.05;
    }
    let text = cut(&super::header::shown(&operation.text), 150);
    let title = format!("{}: slow operations: {text}", who(about));
    let statement = format!(
        "{} reports slow operations: {many} of {} of this kind took a second or more (median {:.1} s, longest {:.1} s): {text}",
        who(about),
        operation.count,
        median / 1e3,
        operation.longest.0 / 1e3
    );
    let mut lines = vec![operation.longest.1, operation.first];
    lines.extend(slow.get(1).map(|(_, _, other)| other.longest.1));
    emit(
        ctx,
        about,
        "application-slow",
        strength.min(0.78),
        (title, statement),
        &lines,
    );
}

fn growth(ctx: &Ctx, about: &About, seen: &Seen) {
    let Some((first, last, line, percent)) = seen.growth() else {
        return;
    };
    let unit = if percent { " %" } else { " MiB" };
    let wanted = [
        "memory", "leak", "slow", "restart", "oom", "killed", "crash",
    ]
    .iter()
    .any(|word| ctx.speaks(word));
    let strength: f64 = 0.42
        + if wanted { 0.14 } else { 0.0 }
        + if about.asked { 0.14 } else { 0.0 }
        + if ctx.narrow { 0.06 } else { 0.0 };
    let title = format!(
        "{}: its memory use only grows, from {first:.0}{unit} to {last:.0}{unit} (memory leak)",
        who(about)
    );
    let statement = format!(
        "{} reports {} readings of its memory that grow steadily from {first:.0}{unit} to {last:.0}{unit} and never fall: a leak or a cache without bounds.",
        who(about),
        seen.memory.len()
    );
    let begin = seen.memory.first().map_or(line, |(line, _, _)| *line);
    emit(
        ctx,
        about,
        "application-memory-grows",
        strength.min(0.76),
        (title, statement),
        &[line, begin],
    );
}
