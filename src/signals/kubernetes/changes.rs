//! What was changed shortly before the first error: a flag turned, a configuration reloaded, an index
//! dropped, a migration run. What ran well and fails from a change on, mostly fails because of it.

use super::emit::{Ctx, cut};
use super::header;
use super::model::*;
use crate::signals::logs::Millis;
use aho_corasick::AhoCorasick;
use regex::Regex;
use std::sync::LazyLock;

/// A change counts for errors that begin within this time of it.
const WITHIN: Millis = 45 * 60 * 1000;
/// Clocks of two programs may differ by this much.
const CLOCKS: Millis = 5_000;
/// Changes remembered of all logs.
const MOST: usize = 400;
/// What a known change before the first error adds to a signal.
const ADDS: f64 = 0.05;

/// Words that a line about a change has.
static HINTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "flag",
            "toggle",
            "config",
            "setting",
            "feature",
            "migration",
            "dropindex",
            "drop index",
            "alter table",
            "drop column",
            "rotated",
            "renewed",
        ])
        .ok()
});
/// A switch that was turned while programs ran.
static CHANGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:feature[ _-]?flags?|flags?|toggles?|config(?:uration)?|settings?|feature)\b.{0,80}(?:\b(?:changed|switched|toggled|enabled|disabled|updated|reloaded|turned (?:on|off)|activated)\b|->|→)|(?:changed|switched|toggled|enabled|disabled|turned (?:on|off)|activated) (?:feature|flag|toggle)|\bdropIndex(?:es)?\b|\b(?:drop|dropped) (?:index|column|table)\b|\balter table\b|\bmigrations?\b.{0,60}\b(?:applied|executed|completed|ran|finished)\b|\b(?:applied|executed|migrated)\b.{0,40}\bmigrations?\b|\b(?:certificate|secret|password|credential|token|key)s?\b.{0,30}\b(?:rotated|renewed|replaced)\b").ok()
});

/// A change that a log tells.
#[derive(Debug, Clone)]
pub struct Change {
    /// When, where the line says so.
    pub at: Option<Millis>,
    /// Namespace and pod of the log.
    pub ns: String,
    /// Its pod.
    pub pod: String,
    /// Its line.
    pub src: Src,
    /// The line.
    pub text: String,
}

/// The first occurrence of an error that became a signal.
#[derive(Debug, Clone)]
pub struct First {
    /// When.
    pub at: Millis,
    /// Cause and subject of the signal.
    pub cause: String,
    /// Its pod.
    pub pod: String,
}

/// Whether a line tells a change.
pub fn is_change(line: &str) -> bool {
    HINTS.as_ref().is_some_and(|hints| hints.is_match(line))
        && CHANGE.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Remembers a change of one log.
pub fn remember(ctx: &Ctx, change: Change) {
    let mut known = ctx.changes.borrow_mut();
    if known.len() < MOST {
        known.push(change);
    }
}

/// Shows with each error the last change of another program of its namespace before it began.
pub fn link(ctx: &Ctx) {
    let changes = ctx.changes.borrow();
    for first in ctx.firsts.borrow().iter() {
        ctx.amend(|signal| {
            if signal.cause != first.cause || signal.subject.name != first.pod {
                return;
            }
            let ns = signal.subject.namespace.clone().unwrap_or_default();
            let last = changes
                .iter()
                .filter(|change| change.ns == ns && change.pod != first.pod)
                .filter_map(|change| Some((change.at?, change)))
                .filter(|(at, _)| *at <= first.at + CLOCKS && first.at - *at <= WITHIN)
                .max_by_key(|(at, change)| (*at, change.src));
            let Some((at, change)) = last else { return };
            let minutes = ((first.at - at).max(0) + 30_000) / 60_000;
            let after = match minutes {
                0 => "right after".to_owned(),
                1 => "a minute after".to_owned(),
                n => format!("{n} minutes after"),
            };
            let words = header::shown(&change.text);
            signal.statement = cut(
                &format!(
                    "{} It is first seen {after} a change that {} tells: {}",
                    signal.statement.trim_end(),
                    app_of(&change.pod),
                    cut(&words, 200)
                ),
                700,
            );
            signal.strength = (signal.strength + ADDS).min(0.9);
            if let Some(line) = ctx.quote(change.src, &words)
                && !signal.evidence.contains(&line)
            {
                signal.evidence.insert(signal.evidence.len().min(2), line);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_from_talk_about_settings() {
        for line in [
            "info flag configuration changed, notifying subscribers: {\"new-cart\":{}}",
            "feature flag checkout-v3 -> on",
            "CMD: dropIndexes loyalty",
            "ALTER TABLE orders DROP COLUMN note",
            "Successfully applied 2 migrations to schema public",
            "configuration reloaded",
        ] {
            assert!(is_change(line), "{line}");
        }
        for line in [
            "reading settings from /etc/app",
            "GET /config 200",
            "flags: 3",
        ] {
            assert!(!is_change(line), "{line}");
        }
    }
}
