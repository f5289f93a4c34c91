//! The summary for a terminal: 80 columns, readable without colour.

use super::summary::{Counts, Row, Summary};
use crate::report::Outcome;
use crate::report::escape::terminal as esc;
use crate::report::wording as say;
use crate::report::wrap::{COLUMNS, width, wrap};

/// Most rows that are shown; the page and the JSON hold all.
const MAX_ROWS: usize = 20;
/// Most tenants that are shown.
const MAX_TENANTS: usize = 12;

/// What a row says in a few words. Text of the bundle, not escaped.
pub(super) fn says(row: &Row) -> String {
    if let Some(failure) = &row.failure {
        return failure.message.clone();
    }
    let Some(run) = &row.run else {
        return match row.state {
            "started" => "started, not finished".into(),
            _ => String::new(),
        };
    };
    match (row.state, run.outcome, &run.title, run.confidence) {
        ("rejected", ..) => "the verifier rejected the report; do not act on it".into(),
        (_, Outcome::Findings, Some(title), Some(sure)) => {
            format!("{title}, confidence {}", say::confidence_full(sure))
        }
        (_, Outcome::Findings, ..) => "no finding was let through".into(),
        (_, Outcome::InsufficientEvidence, ..) => "insufficient evidence".into(),
        (_, Outcome::Healthy, ..) => "no fault found in what was examined".into(),
    }
}

/// The counts that are not zero, in words.
pub(super) fn in_words(counts: &Counts) -> String {
    let parts = [
        (counts.findings, "likely cause", "likely causes"),
        (
            counts.insufficient,
            "insufficient evidence",
            "insufficient evidence",
        ),
        (counts.healthy, "no fault found", "no fault found"),
        (
            counts.rejected,
            "rejected by the verifier",
            "rejected by the verifier",
        ),
        (counts.refused, "refused", "refused"),
        (counts.limited, "over a limit", "over a limit"),
        (counts.open, "open", "open"),
        (counts.started, "started", "started"),
        (counts.waiting, "waiting", "waiting"),
    ];
    let parts: Vec<_> = parts
        .into_iter()
        .filter(|(n, ..)| *n > 0)
        .map(|(n, one, many)| format!("{} {}", say::grouped(n), if n == 1 { one } else { many }))
        .collect();
    parts.join(", ")
}

/// Title of the summary.
pub(super) fn title(summary: &Summary) -> String {
    let mut text = format!("Batch {}", say::short_hash(&summary.manifest));
    if let Some(shard) = summary.shard {
        text.push_str(&format!(", shard {shard}"));
    }
    if let Some(tenant) = &summary.tenant {
        text.push_str(&format!(", tenant {tenant}"));
    }
    let counts = &summary.counts;
    text.push_str(&format!(
        ": {} of {} finished",
        say::grouped(counts.finished()),
        say::plural(counts.bundles, "bundle", "bundles")
    ));
    text
}

/// Renders `summary` for a terminal of 80 columns.
pub fn text(summary: &Summary) -> String {
    let mut out = String::new();
    let mut add = |first: &str, text: &str| {
        let indent = width(first);
        for (at, line) in wrap(&esc(text), COLUMNS - indent).iter().enumerate() {
            let lead = if at == 0 {
                first.to_owned()
            } else {
                " ".repeat(indent)
            };
            out.push_str(format!("{lead}{line}").trim_end());
            out.push('\n');
        }
    };
    add("", &title(summary));
    add("  ", &in_words(&summary.counts));
    if summary.work_seconds > 0 {
        let work = say::duration(summary.work_seconds.saturating_mul(1_000));
        let peak = super::show_bytes(summary.peak_kib.saturating_mul(1_024));
        add(
            "  ",
            &format!("{work} of work, at most {peak} resident in a worker"),
        );
    }
    if summary.tenants.len() > 1 {
        add("", "");
        add("", "Tenants");
        for (name, counts) in summary.tenants.iter().take(MAX_TENANTS) {
            add(
                "  ",
                &format!(
                    "{name}: {} of {} finished: {}",
                    counts.finished(),
                    counts.bundles,
                    in_words(counts)
                ),
            );
        }
        if summary.tenants.len() > MAX_TENANTS {
            add(
                "  ",
                &format!("and {} more", summary.tenants.len() - MAX_TENANTS),
            );
        }
    }
    if summary.shards.len() > 1 {
        add("", "");
        add("", "Shards");
        for shard in &summary.shards {
            let running = if shard.running { ", running" } else { "" };
            let counts = &shard.counts;
            if counts.finished() < counts.bundles || shard.running {
                add(
                    "  ",
                    &format!(
                        "{}: {} of {} finished{running}",
                        shard.shard,
                        counts.finished(),
                        counts.bundles
                    ),
                );
            }
        }
        let whole = |counts: &Counts| counts.finished() == counts.bundles;
        let finished = summary
            .shards
            .iter()
            .filter(|shard| whole(&shard.counts))
            .count();
        add(
            "  ",
            &format!("{finished} of {} are finished", summary.shards.len()),
        );
    }
    let rows: Vec<_> = summary
        .rows
        .iter()
        .filter(|row| row.state != "waiting")
        .collect();
    if !rows.is_empty() {
        add("", "");
        add("", "Bundles, those that need a person first");
        for row in rows.iter().take(MAX_ROWS) {
            let run = row
                .run
                .as_ref()
                .map_or_else(String::new, |run| format!(", run {}", run.id));
            let flag = row.run.as_ref().filter(|run| run.injections > 0);
            let flag = flag.map_or("", |_| ", addresses a model");
            add("  ", &format!("{} ({}{run}{flag})", row.path, row.state));
            let says = says(row);
            if !says.is_empty() {
                add("    ", &says);
            }
        }
        if rows.len() > MAX_ROWS {
            add(
                "  ",
                &format!(
                    "and {} more; the page and the JSON hold all",
                    rows.len() - MAX_ROWS
                ),
            );
        }
    }
    out
}
