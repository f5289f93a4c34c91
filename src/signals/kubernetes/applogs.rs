//! Faults that an application reports in its log while its pod runs: repeated errors, a dependency
//! that is gone, a last state that is bad.
//!
//! An error in the log of a running pod is often noise. What makes it count: the customer names the
//! application, the collector fetched only this log, the error is among the last lines or repeats to
//! the end, and it names a dependency.

use super::emit::{Ctx, Draft, cut, full_name_words, with_pod};
use super::lastwords::{self, Words};
use super::logs::has_content;
use super::model::*;
use super::numbers::{self, About};
use super::observe::Seen;
use super::words;
use crate::bundle::Entry;
use aho_corasick::AhoCorasick;
use regex::Regex;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// Longest log scanned, in lines; the end of longer ones.
const MAX_LINES: usize = 400_000;
/// Different messages remembered per log.
const MAX_SHAPES: usize = 400;

/// Different harmless lines remembered per log, so that they are judged once.
const MAX_QUIET: usize = 20_000;

/// Lines of a log that belong to the program's start: settings are read there, not changed.
const STARTUP_LINES: u32 = 20;
/// Changes remembered per log.
const MAX_CHANGES: usize = 50;

/// Words that a line about a change of the program's state has.
static CHANGE_HINTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "flag",
            "toggle",
            "config",
            "setting",
            "feature",
            "migration",
        ])
        .ok()
});
/// A switch that was turned while the program ran.
static CHANGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:feature[ _-]?flags?|flags?|toggles?|config(?:uration)?|settings?|feature)\b.{0,80}(?:\b(?:changed|switched|toggled|enabled|disabled|updated|reloaded|turned (?:on|off)|activated)\b|->|→)|(?:changed|switched|toggled|enabled|disabled|turned (?:on|off)|activated) (?:feature|flag|toggle)").ok()
});
/// The head of a stack trace.
static RAISED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:Caused by: )?(?P<what>(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error|Panic)\b(?::.*)?)$").ok()
});

/// A message and where it occurs.
struct Shape {
    words: Words,
    count: usize,
    first: u32,
    last: u32,
    last_src: Src,
}

/// A line without its numbers, so that repetitions count together.
fn shape_of(line: &str) -> String {
    let mut out = String::with_capacity(line.len().min(200));
    let mut in_number = false;
    for c in line.chars().take(300) {
        if c.is_ascii_digit() {
            if !in_number {
                out.push('#');
            }
            in_number = true;
        } else {
            in_number = false;
            out.push(c);
        }
    }
    out
}

/// Errors of one log. `trouble`: some pod of the cluster visibly fails, so that errors which a ready
/// pod survives are rather its ordinary ones.
pub fn detect(ctx: &Ctx, log: &Log, trouble: bool) {
    let Some(entry) = ctx.tree.find(ctx.path(log.file)).cloned() else {
        return;
    };
    let mut shapes: HashMap<String, Shape> = HashMap::new();
    let mut quiet: HashSet<String> = HashSet::new();
    let (mut total, mut last_content) = (0usize, 0u32);
    let mut seen = Seen::default();
    let mut changes: Vec<(u32, String)> = Vec::new();
    let _ = ctx.tree.for_each_line(&entry, |number, line| {
        if number < log.first || number > log.last {
            return number <= log.last;
        }
        if !has_content(line) {
            return true;
        }
        total += 1;
        let at = u32::try_from(number).unwrap_or(u32::MAX);
        last_content = at;
        if changes.len() < MAX_CHANGES
            && CHANGE_HINTS
                .as_ref()
                .is_some_and(|hints| hints.is_match(line))
            && CHANGE.as_ref().is_some_and(|regex| regex.is_match(line))
        {
            changes.push((at, line.to_owned()));
        }
        let counts = line.contains('/') || super::observe::may_count(line);
        let matters = words::may_matter(line);
        if !counts && !matters {
            return number < MAX_LINES;
        }
        let shape = shape_of(line);
        if counts {
            seen.line(at, line, &shape);
        }
        if !matters {
            return number < MAX_LINES;
        }
        if let Some(known) = shapes.get_mut(&shape) {
            known.count += 1;
            known.last = at;
            known.last_src.line = at;
            return number < MAX_LINES;
        }
        if shapes.len() >= MAX_SHAPES || quiet.contains(&shape) {
            return number < MAX_LINES;
        }
        if let Some(judged) = lastwords::judge(line) {
            let src = Src {
                file: log.file,
                line: at,
                column: 0,
            };
            let words = Words {
                slug: judged.slug,
                score: judged.weight,
                headline: judged.headline,
                what: judged.what,
                text: judged.text,
                src,
                more: Vec::new(),
            };
            shapes.insert(
                shape,
                Shape {
                    words,
                    count: 1,
                    first: at,
                    last: at,
                    last_src: src,
                },
            );
        } else if quiet.len() < MAX_QUIET {
            quiet.insert(shape);
        }
        number < MAX_LINES
    });
    if total == 0 {
        return;
    }
    let pod = ctx
        .cluster
        .pods
        .iter()
        .find(|pod| lastwords::belongs(log, pod, ""));
    let app = app_of(&log.pod).to_owned();
    let asked = ctx.in_ticket(&log.pod)
        || ctx.in_ticket(&app)
        || (!log.container.is_empty() && ctx.in_ticket(&log.container));
    numbers::detect(ctx, &About { log, pod, asked }, &seen);
    // The pod of a failed job, or one that the cluster warns about, may be known by its log only.
    let failed = ctx.cluster.workloads.iter().any(|job| {
        job.kind == "Job"
            && !job.name.is_empty()
            && log.pod.starts_with(job.name.as_str())
            && job.failed.as_ref().is_some_and(|count| count.v > 0)
    });
    let running = pod.map_or(!failed, |pod| pod.is_ready() || pod.is_done());
    let mut ranked: Vec<(f64, &Shape)> = shapes
        .values()
        .map(|shape| {
            let from_end = last_content.saturating_sub(shape.last) as usize;
            let at_end = from_end < 30 || total < 60;
            let repeats = shape.count >= 3
                && (u64::from(shape.last - shape.first) * 3 > u64::from(last_content)
                    || shape.count >= 10 && at_end);
            let startup_only = shape.last < 40 && total > 400 && !asked;
            let mut score = 0.26 + 0.26 * (shape.words.score - 0.4);
            let application = shape.words.slug != "application-error";
            if at_end && application {
                score += 0.07;
            }
            if repeats && application {
                score += 0.06;
            }
            if !at_end && !repeats && total > 60 {
                score -= 0.08;
            }
            if shape.words.slug == "application-slow"
                && ["slow", "latency", "timeout", "hang", "performance"]
                    .iter()
                    .any(|word| ctx.ticket.contains(word))
            {
                score += 0.15;
            }
            if shape.words.score < 0.6 {
                score -= 0.08;
            }
            if log.filtered && total < 200 {
                score += 0.12;
            }
            // The line speaks of what the customer speaks of.
            let shared = ctx.shared_words(&shape.words.text);
            if shared >= 1 && shape.words.slug == "feature-disabled" {
                score += 0.24;
            } else if shared >= 1 && shape.words.score >= 0.55 {
                score += if shared >= 2 { 0.2 } else { 0.12 };
            }
            if asked {
                score += 0.2;
            } else if ctx.narrow {
                score += 0.12;
            }
            if !running {
                score += 0.22;
            } else if trouble && !asked && pod.is_some() {
                score -= 0.1;
            }
            if startup_only {
                score -= 0.2;
            }
            if log.previous {
                score -= 0.08;
            }
            // A control-plane component's log complains by nature.
            if log.ns.starts_with("kube-") || log.ns.starts_with("openshift-") {
                score -= 0.1;
            }
            (score.clamp(0.05, 0.8), shape)
        })
        .collect();
    ranked.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then(b.1.count.cmp(&a.1.count))
            .then(a.1.words.src.line.cmp(&b.1.words.src.line))
    });
    let mut told: Vec<&str> = Vec::new();
    for (score, shape) in ranked {
        if score < 0.2 || told.len() >= 2 || told.contains(&shape.words.slug) {
            continue;
        }
        told.push(shape.words.slug);
        let words = &shape.words;
        let (kind, name) = ("Pod", log.pod.as_str());
        let who = full_name_words(&log.ns, name, &log.container);
        let times = if shape.count > 1 {
            format!(" ({} times, last in line {})", shape.count, shape.last)
        } else {
            String::new()
        };
        let slug = if words.slug == "application-exception" {
            "application-error"
        } else {
            lastwords::as_system(&log.pod, words.slug)
        };
        let headline = if slug == "application-error" {
            "its log reports a failure".to_owned()
        } else {
            words.headline.clone()
        };
        let raised = raised_below(ctx, &entry, words);
        // What ran well for a while and fails from a change on, fails because of it.
        let change = changes
            .iter()
            .rev()
            .find(|(line, _)| *line < shape.first && *line > STARTUP_LINES);
        let (mut title, mut more) = (cut(&words.text, 120), String::new());
        if let Some((_, what)) = &raised {
            title = format!("{} — {}", cut(what, 110), cut(&words.text, 80));
            more = format!(" It raises {}.", cut(what, 200));
        }
        if let Some((_, line)) = change {
            more.push_str(&format!(
                " It is first seen after this change: {}",
                cut(&lastwords::clean(line), 200)
            ));
        }
        let mut draft = Draft::cause(slug, kind, &log.ns, name, score)
            .says(
                format!("{who}: {headline} — {title}"),
                format!(
                    "{who}: {headline}. Its log says{times}: {}.{more}",
                    cut(&words.text, 300)
                ),
            )
            .show(ctx.quote(words.src, &words.text))
            .show(raised.and_then(|(src, what)| ctx.quote(src, &what)))
            .show(change.and_then(|(line, text)| {
                let src = Src {
                    file: log.file,
                    line: *line,
                    column: 0,
                };
                ctx.quote(src, text)
            }))
            .show(ctx.quote(shape.last_src, ""))
            .entity("container", &log.container)
            .entity("dependency", &words.what);
        if let Some(pod) = pod {
            draft = with_pod(draft, pod, &log.container);
        }
        ctx.emit(draft);
    }
}

/// The exception that the lines below an error name, when the error itself names none.
fn raised_below(ctx: &Ctx, entry: &Entry, words: &Words) -> Option<(Src, String)> {
    const BELOW: u32 = 3;
    if words.text.contains("Exception") || words.text.contains("Error:") {
        return None;
    }
    let from = words.src.line;
    let mut found = None;
    let _ = ctx.tree.for_each_line(entry, |number, line| {
        let at = u32::try_from(number).unwrap_or(u32::MAX);
        if at > from
            && let Some(captures) = RAISED.as_ref().and_then(|regex| regex.captures(line))
        {
            let src = Src {
                line: at,
                ..words.src
            };
            found = Some((src, captures["what"].to_owned()));
            return false;
        }
        at < from + BELOW
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_share_a_shape() {
        assert_eq!(
            shape_of("2025-01-01 10:00:01 error 17"),
            shape_of("2024-12-31 23:59:59 error 4")
        );
        assert_ne!(shape_of("error 17"), shape_of("fault 17"));
    }
}
