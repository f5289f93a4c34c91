//! Faults that an application reports in its log while its pod runs: repeated errors, a dependency
//! that is gone, a last state that is bad.
//!
//! An error in the log of a running pod is often noise. What makes it count: the customer names the
//! application, the collector fetched only this log, the error is among the last lines or repeats to
//! the end, and it names a dependency.

use super::changes::{self, Change, First};
use super::emit::{Ctx, Draft, cut, full_name_words, with_pod};
use super::lastwords::{self, Words};
use super::logs::has_content;
use super::model::*;
use super::numbers::{self, About};
use super::observe::Seen;
use super::raised;
use super::shapes::{is_side_channel, shape_of};
use super::words;
use crate::signals::logs::parse_line;
use std::collections::{HashMap, HashSet};

/// Longest log scanned, in lines; the end of longer ones.
const MAX_LINES: usize = 400_000;
/// Different messages remembered per log.
const MAX_SHAPES: usize = 400;

/// Different harmless lines remembered per log, so that they are judged once.
const MAX_QUIET: usize = 20_000;

/// Lines of a log that belong to the program's start: settings are read there, not changed.
const STARTUP_LINES: u32 = 20;
/// So do those of its first minutes, milliseconds.
const STARTUP_TIME: i64 = 5 * 60 * 1000;
/// Most that an error which stopped is worth when the customer says that the trouble is over.
const OVER: f64 = 0.22;
/// Most that one refused row is worth.
const ONE_ROW: f64 = 0.2;
/// Changes remembered per log.
const MAX_CHANGES: usize = 50;

/// A message and where it occurs.
struct Shape {
    words: Words,
    count: usize,
    first: u32,
    last: u32,
    last_src: Src,
    /// A stack trace follows it, or it is the head of one.
    traced: bool,
    /// When it first occurred.
    began: Option<i64>,
}

/// Whether a database refuses a single row for what is in it, or a single transaction.
fn is_one_row(text: &str) -> bool {
    let lower = text.to_lowercase();
    [
        "duplicate key",
        "duplicate entry",
        "unique constraint",
        "violates foreign key",
        "violates not-null",
        "violates check constraint",
        "e11000",
        "ora-00001",
        "deadlock detected",
        "deadlock found when",
        "deadlock victim",
    ]
    .iter()
    .any(|words| lower.contains(words))
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
    let mut opened = None;
    // The error that the lines of a stack trace belong to.
    let mut record: Option<String> = None;
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
        if opened.is_none() && total <= STARTUP_LINES as usize {
            opened = parse_line(line).time;
        }
        if changes.len() < MAX_CHANGES && changes::is_change(line) {
            let when = parse_line(line).time;
            // Settings that are read at the start are not changed.
            let later = at > STARTUP_LINES
                || when
                    .zip(opened)
                    .is_some_and(|(when, opened)| when - opened > STARTUP_TIME);
            if later {
                changes.push((at, line.to_owned()));
                changes::remember(
                    ctx,
                    Change {
                        at: when,
                        ns: log.ns.clone(),
                        pod: log.pod.clone(),
                        src: Src {
                            file: log.file,
                            line: at,
                            column: 0,
                        },
                        text: line.to_owned(),
                    },
                );
            }
        }
        let counts = line.contains('/') || super::observe::may_count(line);
        let matters = words::may_matter(line);
        let within = record.is_some() && raised::continues(line);
        if within
            && raised::is_head(line)
            && let Some(shape) = record.as_ref().and_then(|key| shapes.get_mut(key))
        {
            shape.traced = true;
        }
        if !within {
            record = None;
        }
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
            if !within {
                record = Some(shape);
            }
            return number < MAX_LINES;
        }
        if shapes.len() >= MAX_SHAPES || quiet.contains(&shape) {
            return number < MAX_LINES;
        }
        if let Some(judged) = lastwords::judge(line) {
            // A stack trace is one fault: its lines tell what the error at its head raised.
            let general = matches!(judged.slug, "application-error" | "application-exception");
            if within && general {
                return number < MAX_LINES;
            }
            if !within {
                record = Some(shape.clone());
            }
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
                    traced: raised::is_head(line),
                    began: parse_line(line).time,
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
    let asked = ctx.is_asked(&log.pod)
        || ctx.is_asked(&app)
        || (!log.container.is_empty() && ctx.is_asked(&log.container));
    // What the customer quotes stands in the log of what the complaint is about.
    let quoted = ctx.focus.quotes().iter().any(|quote| {
        shapes
            .values()
            .any(|shape| shape.words.text.to_lowercase().contains(quote.as_str()))
    });
    if quoted {
        ctx.quoted.borrow_mut().insert(app.to_lowercase());
    }
    let asked = asked || quoted;
    // A pod that ended lately: its previous log holds the reason.
    let restarted = log.previous && pod.is_some_and(|pod| pod.restarts > 0 || !pod.is_ready());
    numbers::detect(ctx, &About { log, pod, asked }, &seen);
    // The pod of a failed job, or one that the cluster warns about, may be known by its log only.
    let failed = ctx.cluster.workloads.iter().any(|job| {
        job.kind == "Job"
            && !job.name.is_empty()
            && log.pod.starts_with(job.name.as_str())
            && job.failed.as_ref().is_some_and(|count| count.v > 0)
    });
    // Without its state, two logs of one container tell that it ended: the previous one holds the reason.
    let ended = log.previous
        && ctx.cluster.logs.iter().any(|other| {
            !other.previous && !other.empty && other.ns == log.ns && other.pod == log.pod
        });
    let running = pod.map_or(!failed && !ended, |pod| pod.is_ready() || pod.is_done());
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
            let general = matches!(
                shape.words.slug,
                "application-error" | "application-exception"
            );
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
                    .any(|word| ctx.speaks(word))
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
            } else if shared >= 2 && asked && at_end && shape.count >= 5 {
                // A warning that goes on to the end and speaks of the complaint.
                score += 0.2;
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
            if log.previous && !restarted {
                score -= 0.08;
            }
            if asked && general && shape.count >= 5 {
                score += 0.06;
            }
            if asked && general && shape.traced {
                score += 0.1;
            }
            if !asked && super::focus::is_platform(&log.ns) && ctx.focus.is_known() {
                score -= 0.1;
            }
            if is_side_channel(&shape.words.text)
                && !["trace", "metric", "telemetry", "monitor"]
                    .iter()
                    .any(|word| ctx.focus.complaint().contains(word))
            {
                score -= 0.2;
            }
            // A remark says something only when it goes on and speaks of the complaint.
            let speaks = shared >= 2 && at_end && shape.count >= 5;
            if shape.words.score <= lastwords::REMARK && !speaks {
                return (0.0, shape);
            }
            // What stopped long before the end is over, all the more when the customer says so.
            if running && from_end >= 30 && from_end * 2 > last_content as usize {
                score = if ctx.focus.is_over() {
                    score.min(OVER)
                } else {
                    score - 0.06
                };
            }
            // A row that is there already, or one of two transactions that is given up, concerns one
            // request; a database goes on.
            if running && shape.count <= 2 && shared == 0 && is_one_row(&shape.words.text) {
                score = score.min(ONE_ROW);
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
    for (score, shape) in &ranked {
        let score = *score;
        // A weak one may turn out to be what the subject waits for.
        let least = if shape.count >= 5 { 0.08 } else { 0.2 };
        if score < least || told.len() >= 2 || told.contains(&shape.words.slug) {
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
        if let Some(at) = shape.began {
            ctx.firsts.borrow_mut().push(First {
                at,
                cause: slug.to_owned(),
                pod: name.to_owned(),
            });
        }
        let raised = raised::below(ctx, &entry, words.src);
        // What ran well for a while and fails from a change on, fails because of it.
        let change = changes.iter().rev().find(|(line, _)| *line < shape.first);
        let mut title = format!("{headline} — {}", cut(&words.text, 120));
        let mut more = String::new();
        let mut leak_at = None;
        let general = slug == "application-error";
        if slug == "application-out-of-memory"
            && let Some(leak) = ranked
                .iter()
                .find(|(_, other)| other.words.slug == "application-memory-grows")
        {
            title.push_str(&format!(" (memory leak: {})", cut(&leak.1.words.text, 110)));
            more = format!(" Before that it warns: {}", cut(&leak.1.words.text, 200));
            leak_at = Some(leak.1.words.src);
        }
        if let Some(raised) = &raised {
            let at = raised
                .frame
                .as_ref()
                .map(|(call, _)| format!(" in {}", cut(call, 80)))
                .unwrap_or_default();
            let what = lastwords::clean(&raised.what);
            let what = cut(what.trim_end_matches('.'), 120);
            // The head of a trace needs no repetition of itself.
            let said = if words.text.contains(raised.what.trim()) {
                String::new()
            } else {
                format!(" — {}", cut(&words.text, 70))
            };
            if general {
                title = format!("raises {what}{at}{said}");
            }
            if general || !words.text.contains(raised.what.trim()) {
                more.push_str(&format!(
                    " It raises {}{at}.",
                    cut(raised.what.trim_end_matches('.'), 200)
                ));
            }
        }
        if let Some((_, line)) = change {
            more.push_str(&format!(
                " It is first seen after this change: {}",
                cut(&super::header::shown(line), 200)
            ));
        }
        let mut draft = Draft::cause(slug, kind, &log.ns, name, score)
            .says(
                format!("{who}: {title}"),
                format!(
                    "{who}: {headline}. Its log says{times}: {}.{more}",
                    cut(words.text.trim_end_matches('.'), 300)
                ),
            )
            .show(ctx.quote(words.src, &words.text))
            .show(leak_at.and_then(|src| ctx.quote(src, "")))
            .show(
                raised
                    .as_ref()
                    .and_then(|raised| ctx.quote(raised.src, &raised.what)),
            )
            .show(
                raised
                    .as_ref()
                    .and_then(|raised| raised.frame.as_ref())
                    .and_then(|(call, src)| ctx.quote(*src, call)),
            )
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
