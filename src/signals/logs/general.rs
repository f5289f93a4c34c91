//! The general path: the line that explains a fault for which there is no detector.
//!
//! Error templates of each daemon are counted; what persists, what ends in an exception, what stands at the
//! end of a log and what the ticket speaks of comes first. The result is modest on purpose: a lone error line
//! of a running service is a hint, not a diagnosis.

use super::line::{Level, Line, parse_line};
use super::noise::{ALARM_WORDS, exception, is_frame, is_noise, is_strong, names_reason};
use super::owner::{daemon_of, is_history, is_log};
use super::template::{Stat, Templates, mask};
use super::time::Millis;
use crate::bundle::{Entry, Tree};
use crate::report::{Evidence, Subject};
use crate::signals::services::engine::{evidence, shorten, span};
use crate::signals::{Partial, Role, Signal};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Cause of every signal of the general path.
pub const CAUSE: &str = "unexplained-error-in-log";
/// Detector of every signal of the general path.
pub const DETECTOR: &str = "logs.unexplained-error";
/// Most signals handed out, and most for one daemon.
const MAX_SIGNALS: usize = 8;
const MAX_PER_DAEMON: usize = 2;
/// Alarming lines looked at in one file; further ones are the same few templates.
const MAX_CANDIDATES: usize = 50_000;

/// A template's first line.
#[derive(Debug, Clone)]
struct First {
    evidence: Evidence,
    message: String,
    exception: Option<String>,
    level: Option<Level>,
    continuation: bool,
    /// Whether no ordinary line follows in the same file within the last few lines.
    near_end: bool,
}

/// What one daemon's logs looked like.
#[derive(Debug, Default)]
struct Daemon {
    name: String,
    first: Option<Millis>,
    last: Option<Millis>,
    lines: u64,
}

/// Finds unexplained errors in all logs of `tree`.
pub fn detect(tree: &Tree, ticket: Option<&str>) -> Partial {
    let mut partial = Partial::default();
    let Ok(words) = AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .build(ALARM_WORDS)
    else {
        return partial;
    };
    let mut templates = Templates::default();
    let mut daemons: Vec<Daemon> = Vec::new();
    let mut known: HashMap<String, u32> = HashMap::new();
    for entry in tree.files() {
        let rel = tree.rel(entry);
        if is_log(rel, entry.kind) && !is_history(rel) {
            scan(
                tree,
                entry,
                rel,
                &words,
                &mut templates,
                &mut daemons,
                &mut known,
            );
        }
    }
    let dropped = templates.dropped;
    let all = templates.into_sorted();
    let mut scored = Vec::new();
    let failing: BTreeSet<u32> = all
        .iter()
        .filter(|(_, _, stat)| stat.key.level >= Some(Level::Error))
        .map(|(owner, _, _)| *owner)
        .collect();
    for item in &all {
        if let Some(daemon) = daemons.get(item.0 as usize) {
            let score = score(&item.2, daemon, failing.len(), ticket);
            if score >= 0.15 {
                scored.push((score, item));
            }
        }
    }
    scored.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then_with(|| b.1.2.count.cmp(&a.1.2.count))
            .then_with(|| a.1.1.cmp(&b.1.1))
    });
    let mut taken: HashMap<u32, usize> = HashMap::new();
    for (score, (owner, _, stat)) in scored {
        let seen = taken.entry(*owner).or_default();
        if *seen < MAX_PER_DAEMON && partial.signals.len() < MAX_SIGNALS {
            *seen += 1;
            if let Some(daemon) = daemons.get(*owner as usize) {
                partial.signals.push(signal(score, daemon, stat));
            }
        }
    }
    if dropped > 0 {
        partial.not_examined.push(crate::report::NotExamined {
            what: format!("{dropped} alarming log lines of further forms"),
            why: format!(
                "more than {} different forms of error lines; the rest was not compared",
                super::template::MAX_TEMPLATES
            ),
        });
    }
    partial
}

fn scan(
    tree: &Tree,
    entry: &Entry,
    rel: &str,
    words: &AhoCorasick,
    templates: &mut Templates<First>,
    daemons: &mut Vec<Daemon>,
    known: &mut HashMap<String, u32>,
) {
    let mut owner_of = |daemons: &mut Vec<Daemon>, line: &Line<'_>| {
        let name = daemon_of(rel, line.component);
        *known.entry(name.clone()).or_insert_with(|| {
            daemons.push(Daemon {
                name,
                ..Daemon::default()
            });
            u32::try_from(daemons.len() - 1).unwrap_or(u32::MAX)
        })
    };
    let mut take = |number: usize, line: &str, total: usize| {
        let parsed = parse_line(line);
        if parsed.component == "kernel"
            || parsed.component.starts_with("systemd")
            || !is_alarming(line, &parsed)
        {
            return;
        }
        let owner = owner_of(daemons, &parsed);
        let exception = exception(line).map(|(class, text)| {
            if text.is_empty() {
                class.to_owned()
            } else {
                format!("{class}: {text}")
            }
        });
        let message = exception.clone().unwrap_or_else(|| clean(parsed.message));
        // The head of a traceback: only the module's name.
        if !message.trim().contains(' ') && exception.is_none() {
            return;
        }
        let template = mask(&message);
        templates.add(owner, template, parsed.time, || First {
            evidence: evidence(entry, number, line),
            message,
            exception,
            level: parsed.level,
            continuation: parsed.continuation,
            near_end: total.saturating_sub(number) <= 5,
        });
    };
    let mut edge: (Option<Millis>, Option<Millis>, u64) = (None, None, 0);
    match tree.text(entry) {
        Ok(Some(text)) => {
            let mut last = 0;
            let mut seen = 0;
            for hit in words.find_iter(text.as_str()) {
                let number = text.line_at(hit.start());
                if number == last {
                    continue;
                }
                last = number;
                seen += 1;
                if seen > MAX_CANDIDATES {
                    break;
                }
                if let Some(line) = text.line(number) {
                    take(number, line, text.len());
                }
            }
            let time_of = |number: usize| text.line(number).and_then(|line| parse_line(line).time);
            edge = (
                (1..=text.len().min(40)).find_map(time_of),
                (text.len().saturating_sub(40).max(1)..=text.len())
                    .rev()
                    .find_map(time_of),
                text.len() as u64,
            );
        }
        Ok(None) => {
            let mut seen = 0;
            let read = tree.for_each_line(entry, |number, line| {
                edge.2 = number as u64;
                if edge.0.is_none() || number % 4096 == 0 {
                    let time = parse_line(line).time;
                    edge.0 = edge.0.or(time);
                    edge.1 = time.or(edge.1);
                }
                if words.is_match(line) {
                    seen += 1;
                    take(number, line, usize::MAX);
                }
                seen <= MAX_CANDIDATES
            });
            if read.is_err() {
                return;
            }
        }
        Err(_) => return,
    }
    for daemon in daemons.iter_mut().filter(|daemon| {
        daemon.name == daemon_of(rel, "") || daemon_of(rel, &daemon.name) == daemon.name
    }) {
        daemon.first = match (daemon.first, edge.0) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        daemon.last = daemon.last.max(edge.1);
        daemon.lines += edge.2;
    }
}

fn is_alarming(line: &str, parsed: &Line<'_>) -> bool {
    let by_level = match parsed.level {
        Some(Level::Error | Level::Fatal) => true,
        Some(Level::Warn) => is_strong(parsed.message),
        Some(_) => return false,
        None => is_strong(line),
    };
    by_level && !is_frame(line) && !is_noise(line)
}

/// A message without request ids and module prefixes, for titles.
fn clean(message: &str) -> String {
    let mut text = message.trim();
    if let Some((module, rest)) = text.split_once(' ')
        && module.contains('.')
        && rest.starts_with('[')
    {
        text = rest;
    }
    while let Some(rest) = text
        .strip_prefix('[')
        .and_then(|inner| inner.split_once("] "))
        .map(|(_, rest)| rest)
    {
        text = rest.trim_start();
    }
    text.to_owned()
}

fn score(stat: &Stat<First>, daemon: &Daemon, failing: usize, ticket: Option<&str>) -> f64 {
    let first = &stat.key;
    let mut score: f64 = match (first.exception.is_some(), first.level) {
        (true, Some(Level::Error | Level::Fatal) | None) => 0.36,
        (_, Some(Level::Fatal)) => 0.36,
        (_, Some(Level::Error)) => 0.30,
        (true, _) => 0.26,
        (false, None) => 0.24,
        (false, _) => 0.16,
    };
    let (length, late) = match (daemon.first, daemon.last, stat.first, stat.last) {
        (Some(begin), Some(end), Some(first), Some(last)) if end > begin => {
            #[allow(clippy::cast_precision_loss)]
            let part = |from: i64, to: i64| (to - from) as f64 / (end - begin) as f64;
            (part(first, last), part(last, end) < 0.1)
        }
        _ => (0.0, first.near_end),
    };
    let persistent = stat.count >= 10 && late && length > 0.2;
    if persistent {
        score += 0.06;
    }
    if late {
        score += 0.02;
    }
    // "certificate expired" tells an engineer what to do, "request failed" does not.
    if names_reason(&first.message) {
        score += 0.05;
    }
    if failing == 1 && first.level >= Some(Level::Error) {
        score += 0.04;
    }
    // One line at the time of a restart or start is the commonest false alarm.
    if stat.count == 1 && !late && first.exception.is_none() {
        score -= 0.06;
    }
    match onset(stat, daemon) {
        // It began at some time and goes on: what somebody complains about does.
        Onset::Began if late && stat.count >= 3 => score += 0.05,
        // A handful of lines spread over the whole log has been so all along.
        Onset::AllAlong if stat.count < 10 && first.exception.is_none() => score -= 0.05,
        _ => {}
    }
    let mut cap: f64 = 0.45;
    let housekeeping = is_housekeeping(&daemon.name);
    if housekeeping {
        cap = HOUSEKEEPING;
    }
    if let Some(ticket) = ticket {
        let told = ticket.to_ascii_lowercase();
        let named = daemon
            .name
            .to_ascii_lowercase()
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| word.len() > 3 && told.contains(word));
        let words = first.message.to_ascii_lowercase();
        let shared: usize = told
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| word.len() > 5 && words.contains(word))
            .count();
        // A path, an address or a numbered name is shared by no accident.
        let thing = told
            .split_whitespace()
            .map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/'))
            .any(|word| word.len() > 4 && is_thing(word) && words.contains(word));
        if named || thing || shared >= 2 {
            score += 0.12;
            cap = 0.55;
        } else if !housekeeping && clock_of(&told).is_some_and(|at| began_at(stat, at)) {
            score += 0.08;
            cap = cap.max(0.5);
        }
    }
    if housekeeping && cap <= HOUSEKEEPING {
        return score.min(cap);
    }
    // The same exception or named reason over a good part of the log, to its end, is a fault and no accident.
    if persistent
        && stat.count >= 20
        && length > 0.3
        && first.level >= Some(Level::Error)
        && (first.exception.is_some() || names_reason(&first.message))
    {
        score += 0.06;
        cap = cap.max(0.52);
    }
    if persistent && stat.count >= 100 && length > 0.5 && first.level >= Some(Level::Error) {
        score += 0.08;
        cap = cap.max(0.52);
    }
    score.min(cap)
}

/// Most that an error of a program beside the machine's work is worth, unless the ticket speaks of it.
const HOUSEKEEPING: f64 = 0.17;

/// Programs that keep the machine itself up to date, register or watch it: their errors stand in most logs and
/// the machine does its work all the same.
fn is_housekeeping(name: &str) -> bool {
    const NAMES: [&str; 40] = [
        "fwupd",
        "snapd",
        "packagekit",
        "unattended",
        "apt",
        "motd",
        "ubuntu-advantage",
        "ua-",
        "esm-",
        "pro-client",
        "update-notifier",
        "update-manager",
        "landscape",
        "livepatch",
        "canonical-livepatch",
        "suseconnect",
        "registration",
        "zypp",
        "yast",
        "dnf",
        "yum",
        "rhsm",
        "insights",
        "subscription",
        "whoopsie",
        "apport",
        "abrt",
        "geoclue",
        "colord",
        "modemmanager",
        "bolt",
        "thermald",
        "tracker",
        "gnome",
        "gdm",
        "pulseaudio",
        "pipewire",
        "avahi",
        "cups-browsed",
        "man-db",
    ];
    let name = name.to_ascii_lowercase();
    let name = name.rsplit('/').next().unwrap_or(&name);
    NAMES.iter().any(|known| name.starts_with(known))
}

/// When a template came up.
#[derive(Debug, PartialEq, Eq)]
enum Onset {
    /// After a time without it.
    Began,
    /// In the first tenth of the log already, with long gaps.
    AllAlong,
    /// Its times are not known.
    Unknown,
}

fn onset(stat: &Stat<First>, daemon: &Daemon) -> Onset {
    let (Some(begin), Some(end), Some(first), Some(last)) =
        (daemon.first, daemon.last, stat.first, stat.last)
    else {
        return Onset::Unknown;
    };
    let length = end - begin;
    if length <= 0 {
        return Onset::Unknown;
    }
    if (first - begin) * 4 > length {
        Onset::Began
    } else if (first - begin) * 5 < length && (last - first) * 5 > length * 2 {
        Onset::AllAlong
    } else {
        Onset::Unknown
    }
}

/// A name no word of prose is: a path, an address, a numbered name.
fn is_thing(word: &str) -> bool {
    word.contains('/') && word.len() > 5
        || word.contains('.') && word.bytes().any(|b| b.is_ascii_digit())
        || word.bytes().any(|b| b.is_ascii_digit())
            && word.bytes().filter(u8::is_ascii_alphabetic).count() >= 3
}

/// The first time of day that a ticket names, in minutes: `10:22`.
fn clock_of(told: &str) -> Option<i64> {
    told.match_indices(':').find_map(|(at, _)| {
        let hour = told.get(at.checked_sub(2)?..at)?.trim_start();
        let minute = told.get(at + 1..at + 3)?;
        let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    })
}

/// Whether the first line of a template stands within a quarter of an hour of that time of day.
fn began_at(stat: &Stat<First>, minutes: i64) -> bool {
    // Stamps since boot have no time of day.
    stat.first
        .filter(|at| *at > 3650 * 86_400_000)
        .is_some_and(|at| {
            let apart = (at.div_euclid(60_000).rem_euclid(1440) - minutes).rem_euclid(1440);
            apart.min(1440 - apart) <= 15
        })
}

fn signal(score: f64, daemon: &Daemon, stat: &Stat<First>) -> Signal {
    let first = &stat.key;
    let message = shorten(&first.message, 180);
    let seen = span(stat.count, stat.first, stat.last);
    let verb = if first.exception.is_some() {
        "raises"
    } else {
        "reports"
    };
    let often = if seen.is_empty() {
        " once".to_owned()
    } else {
        seen
    };
    let tail = if first.continuation {
        " (inside a multi-line message)"
    } else {
        ""
    };
    Signal {
        detector: DETECTOR.to_owned(),
        cause: CAUSE.to_owned(),
        title: shorten(&format!("{} {verb} {message}", daemon.name), 240),
        statement: format!(
            "{} logs \"{message}\"{often}{tail}; no rule explains this error further.",
            daemon.name
        ),
        subject: Subject {
            kind: "Service".into(),
            namespace: None,
            name: daemon.name.clone(),
        },
        evidence: vec![first.evidence.clone()],
        strength: score,
        role: Role::Cause,
        entities: BTreeMap::from([
            ("unit".to_owned(), daemon.name.clone()),
            ("log".to_owned(), first.evidence.path.clone()),
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn run(files: &[(&str, String)], ticket: Option<&str>) -> Vec<Signal> {
        let (_folder, tree) = tree_of(files.iter().map(|(path, text)| (path, text)));
        detect(&tree, ticket).signals
    }
    fn log(lines: &[(u32, &str)]) -> String {
        lines
            .iter()
            .map(|(minute, text)| {
                format!(
                    "2024-01-02 {:02}:{:02}:00.000 7 {text}\n",
                    10 + minute / 60,
                    minute % 60
                )
            })
            .collect()
    }

    #[test]
    fn the_exception_is_first_and_never_sure() {
        let text = log(&[
            (0, "INFO app.core started with 0 errors"),
            (1, "ERROR app.core Traceback (most recent call last):"),
            (1, "ERROR app.core   File \"/a.py\", line 3, in b"),
            (
                1,
                "ERROR app.core app.exc.StoreError: shelf 7 does not exist",
            ),
            (2, "WARNING app.core request failed to finish"),
        ]);
        let found = run(&[("top/var/log/app/app.log", text)], None);
        assert!(
            found[0]
                .title
                .contains("StoreError: shelf 7 does not exist"),
            "{found:?}"
        );
        assert!(
            found
                .iter()
                .all(|signal| signal.strength < 0.5 && signal.cause == CAUSE)
        );
    }

    #[test]
    fn persistence_and_the_ticket_raise_it() {
        let lines: Vec<(u32, String)> = (0..240)
            .map(|n| (n, format!("ERROR app.core cannot reach shelf {n}: refused")))
            .collect();
        let lines: Vec<(u32, &str)> = lines
            .iter()
            .map(|(at, text)| (*at, text.as_str()))
            .collect();
        let often = run(&[("top/var/log/app/shelfd.log", log(&lines))], None);
        assert_eq!(often.len(), 1);
        assert!(
            often[0].statement.contains("240 times") && often[0].strength > 0.48,
            "{often:?}"
        );
        let once = |ticket| {
            run(
                &[(
                    "top/var/log/app/shelfd.log",
                    log(&[
                        (0, "ERROR app.core cannot reach shelf 1: refused"),
                        (90, "INFO app.core ok"),
                    ]),
                )],
                ticket,
            )[0]
            .strength
        };
        assert!(once(Some("shelfd is slow")) > once(None));
    }

    #[test]
    fn what_keeps_the_machine_up_to_date_never_beats_its_work() {
        let lines = log(&[
            (
                0,
                "a fwupdmgr[3]: Failed to download metadata for lvfs: Host is unreachable",
            ),
            (30, "a smtpgate[9]: cannot reach relay: refused"),
            (40, "a smtpgate[9]: cannot reach relay: refused"),
            (
                58,
                "a fwupdmgr[3]: Failed to download metadata for lvfs: Host is unreachable",
            ),
            (59, "a smtpgate[9]: cannot reach relay: refused"),
        ])
        .replace(" 7 ", " ");
        let found = run(&[("top/var/log/syslog", lines.clone())], None);
        assert!(found[0].subject.name == "smtpgate", "{found:?}");
        assert!(
            found
                .iter()
                .all(|s| s.subject.name == "smtpgate" || s.strength < 0.2)
        );
        // Unless it is what the customer asks about.
        let found = run(
            &[("top/var/log/syslog", lines)],
            Some("Why does fwupdmgr fail?"),
        );
        assert!(found[0].subject.name == "fwupdmgr", "{found:?}");
    }

    #[test]
    fn what_began_at_the_time_of_the_ticket_comes_first() {
        let text = log(&[
            (3, "ERROR app.a cannot open shelf alpha"),
            (61, "ERROR app.b cannot reach counter beta"),
            (119, "INFO app.core ok"),
        ]);
        let found = run(
            &[("top/var/log/app/app.log", text)],
            Some("Nothing works since 11:02."),
        );
        assert!(found[0].title.contains("counter beta"), "{found:?}");
        assert_eq!(clock_of("since 9:05 today"), Some(545));
        assert_eq!(clock_of("at 99:99, host:port, x:é"), None);
    }

    #[test]
    fn history_and_reassurance_are_silent() {
        let noise = log(&[
            (0, "INFO app error_count=0"),
            (1, "ERROR app received SIGTERM, shutting down"),
            (2, "DEBUG app failed to find cache"),
        ]);
        assert!(
            run(
                &[
                    ("top/var/log/app/a.log", noise),
                    (
                        "top/var/log/apt/term.log",
                        log(&[(0, "ERROR cannot install x")])
                    )
                ],
                None
            )
            .is_empty()
        );
    }
}
