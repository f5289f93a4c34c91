//! What a failing unit said itself: the error that its program writes into the journal or syslog at each start.

use super::units::is_error;
use crate::bundle::FileKind;
use crate::report::Evidence;
use crate::signals::host::facts::{Host, cite_at};
use crate::signals::host::logs::is_system_log;
use crate::signals::logs::{Level, mask, parse_line};
use crate::signals::services::engine::shorten;
use std::collections::HashMap;

/// Most lines of one program looked at.
const MAX_LINES: usize = 50_000;
/// Different messages remembered.
const MAX_FORMS: usize = 200;

/// The error a program repeats.
pub struct Words {
    /// The last line that says it.
    pub line: Evidence,
    /// How often it was said.
    pub count: usize,
    /// Whether the program itself called it fatal, or said it as its last word again and again.
    pub fatal: bool,
}

/// The error that the program logging as `tag` (or `program`, if not "") says: fatal ones first, then the most
/// frequent, then the latest.
pub fn of(host: &Host, tag: &str, program: &str) -> Option<Words> {
    if tag.len() < 3 {
        return None;
    }
    let mut forms: HashMap<String, (Words, usize)> = HashMap::new();
    let mut seen = 0;
    for entry in host.entries().filter(|entry| {
        !matches!(
            entry.kind,
            FileKind::Archive | FileKind::Binary | FileKind::Empty
        ) && is_system_log(host.rel(entry), entry)
    }) {
        let Ok(Some(text)) = host.tree.text(entry) else {
            continue;
        };
        // Copies of the same lines in syslog and journal count once: the larger count of any file.
        let mut own: HashMap<String, usize> = HashMap::new();
        for (number, line) in text.lines() {
            let Some(said) = said_by(line, tag, program) else {
                continue;
            };
            seen += 1;
            if seen > MAX_LINES {
                break;
            }
            let parsed = parse_line(line);
            let level = parsed.level.or_else(|| parse_line(said).level);
            let fatal = level == Some(Level::Fatal);
            if !(fatal || level == Some(Level::Error) || (level.is_none() && is_error(said))) {
                continue;
            }
            let form = mask(&message(line));
            if forms.len() >= MAX_FORMS && !forms.contains_key(&form) {
                continue;
            }
            let count = own.entry(form.clone()).or_default();
            *count += 1;
            let words = Words {
                line: cite_at(entry.path.as_str(), number, line, 0),
                count: *count,
                fatal,
            };
            match forms.get_mut(&form) {
                Some((known, _)) if known.count > words.count => {}
                Some(known) => *known = (words, number),
                None => {
                    forms.insert(form, (words, number));
                }
            }
        }
    }
    forms
        .into_values()
        .max_by(|(a, a_at), (b, b_at)| {
            (a.fatal, a.count, a_at, &a.line.quote).cmp(&(b.fatal, b.count, b_at, &b.line.quote))
        })
        .map(|(words, _)| words)
}

/// What the program says in a line of syslog or journal: the text after `tag[pid]: `.
fn said_by<'a>(line: &'a str, tag: &str, program: &str) -> Option<&'a str> {
    let mut from = 0;
    for word in line.split_inclusive(char::is_whitespace).take(7) {
        from += word.len();
        let Some(name) = word.trim_end().strip_suffix(':') else {
            continue;
        };
        let name = name.split('[').next().unwrap_or(name);
        let same = |known: &str| {
            !known.is_empty()
                && name.len() > 2
                && (name == known || name == known.trim_end_matches('d'))
        };
        return (same(tag) || same(program)).then(|| line.get(from..).unwrap_or_default());
    }
    None
}

/// What an engineer reads of a journal's line: without stamp and tag, of structured text the message and its error.
pub fn message(line: &str) -> String {
    let text = line.split_once("]: ").map_or(line, |(_, rest)| rest);
    let value = |key: &str| {
        let rest = text.split_once(key)?.1.strip_prefix('"')?;
        let end = rest
            .char_indices()
            .find(|(at, c)| *c == '"' && !rest[..*at].ends_with('\\'))?
            .0;
        Some(&rest[..end])
    };
    let short = |text: &str| shorten(text, 220);
    match (value("msg="), value("error=").or_else(|| value("err="))) {
        (Some(msg), Some(error)) => short(&format!("{msg}: {error}")),
        (Some(msg), None) => short(msg),
        _ => short(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::host::tests::{on, on_ticket};

    #[test]
    fn structured_messages_are_read_with_their_error() {
        assert_eq!(
            message(
                "Sep 17 18:40:30 n shop[9]: time=\"x\" level=fatal msg=\"Failed\" error=\"load \\\"a\\\": bad\""
            ),
            "Failed: load \\\"a\\\": bad"
        );
        assert_eq!(
            message("Sep 17 18:40:30 n shop[9]: no such table"),
            "no such table"
        );
    }

    const STATUS: &str = "● edge-agent.service - Edge\n     Loaded: loaded\n     Active: activating (auto-restart) (Result: exit-code) since x\n    Process: 3139 ExecStart=/usr/local/bin/edge agent (code=exited, status=1/FAILURE)\n";

    fn journal(level: &str) -> String {
        (0..4)
            .map(|n| format!("Nov  5 10:0{n}:17 h edge[{n}]: time=\"x\" level=info msg=\"Starting\"\nNov  5 10:0{n}:18 h edge[{n}]: time=\"x\" level={level} msg=\"key of tenant {n} does not match\"\n"))
            .collect()
    }

    #[test]
    fn what_a_unit_says_at_every_start_is_why_it_ends() {
        let files = |log: &str| {
            on(&[
                ("systemctl-status-edge-agent.txt", STATUS),
                ("journal.txt", log),
            ])
        };
        let out = files(&journal("fatal"));
        let unit = out
            .signals
            .iter()
            .find(|s| s.cause == "unit-failed")
            .unwrap();
        assert!(
            unit.strength > 0.6 && unit.title.contains("does not match"),
            "{unit:?}"
        );
        assert!(unit.evidence[0].quote.contains("does not match"));
        // What it says without an error is no reason.
        let out = files(&journal("info"));
        assert!(
            out.signals.iter().all(|s| s.strength < 0.6),
            "{:?}",
            out.signals
        );
    }

    #[test]
    fn a_snaps_daemon_speaks_by_its_own_name() {
        let status = "× snap.shop.daemon-db.service - Service\n     Active: failed (Result: exit-code) since x\n";
        let log: String = (0..3)
            .map(|n| format!("Sep 17 18:4{n}:30 h shop.daemon-db[9]: time=\"x\" level=fatal msg=\"Failed\" error=\"segment is damaged\"\n"))
            .collect();
        let out = on_ticket(
            &[
                ("snap.shop.daemon-db/systemctl.log", status),
                ("snap.shop.daemon-db/journal.log", &log),
            ],
            Some("shop does not run"),
        );
        assert!(
            out.signals
                .iter()
                .any(|s| s.strength >= 0.8 && s.title.contains("segment is damaged")),
            "{:?}",
            out.signals
        );
        let out = on(&[
            ("snap.shop.daemon-db/systemctl.log", status),
            ("dmesg.txt", "x\n"),
        ]);
        assert!(out.signals.is_empty());
    }
}
