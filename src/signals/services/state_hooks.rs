//! Why a Juju hook failed: the telling line between the hook's start and its "exit status 1".

use super::engine::compile;
use super::state::{Says, at, name_of};
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};
use regex::Regex;
use std::collections::BTreeMap;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[HOOK];
const HOOK: (&str, &str) = ("juju.hook-reason", "juju-hook-failed");

/// Largest log of a unit that is read.
const MAX_BYTES: u64 = 64 << 20;
/// Lines before the failure in which the reason is looked for.
const LOOK_BACK: usize = 120;

/// What names a reason, best first; the last such line before the failure counts.
const REASONS: [&str; 6] = [
    r"(?P<why>\S+ : (?:Pre)?Depends: .+ but .+)",
    r"(?:^|\s)(?P<why>(?:E|Err|dpkg): .+)",
    r"(?:^|[\s:])(?P<why>(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Timeout|NotFound|Conflict|Failure|Denied|Refused)\b(?:: | \().+)",
    r"(?:^|\s)(?P<why>(?:error|fatal|panic|ERROR|FATAL|Error):? .+)",
    r"(?P<why>.*\b(?:cannot|could not|unable to|no such|not found|permission denied|refused|timed out|failed)\b.*)",
    r"(?P<why>.*CalledProcessError: .+)",
];

struct Patterns {
    failed: Regex,
    ran: Regex,
    said: Regex,
    reasons: Vec<Regex>,
}

impl Patterns {
    fn new() -> Option<Self> {
        Some(Self {
            failed: compile(
                r"hook \x22(?P<hook>[^\x22]+)\x22 \([^)]*\) failed: |hook failed|error running hook \x22(?P<other>[^\x22]+)\x22",
            )?,
            ran: compile(r"ran \x22(?P<hook>[^\x22]+)\x22 hook")?,
            said: compile(
                r"^\S+ \S+ (?:TRACE|DEBUG|INFO|WARNING|ERROR|CRITICAL) (?:unit\.\S+|juju-log|[a-z][a-z0-9-]*(?:-(?:joined|changed|departed|broken|created|relation\S*|status|install|upgrade|start|stop|charm|detached|attached|action))|install|start|stop|leader-elected) (?:logger\.go:\d+ |server\.go:\d+ )?(?P<text>.*)$",
            )?,
            reasons: REASONS
                .iter()
                .map(|text| regex::Regex::new(text).ok())
                .collect::<Option<_>>()?,
        })
    }
}

/// Findings from the logs of Juju's units.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    let Some(patterns) = Patterns::new() else {
        return partial;
    };
    for entry in tree.files().filter(|entry| {
        let rel = tree.rel(entry);
        rel.contains("log/juju/")
            && name_of(rel).starts_with("unit-")
            && rel.ends_with(".log")
            && entry.bytes <= MAX_BYTES
    }) {
        if let Ok(Some(text)) = tree.text(entry) {
            partial.signals.extend(unit(entry, &text, &patterns));
        }
    }
    partial
}

/// The last failure of each hook that no later run made good.
fn unit(entry: &Entry, text: &Text, patterns: &Patterns) -> Vec<Signal> {
    let mut failed: BTreeMap<String, usize> = BTreeMap::new();
    for (number, line) in text.lines() {
        if !line.contains("hook") {
            continue;
        }
        if let Some(found) = patterns.ran.captures(line) {
            failed.remove(&found["hook"]);
        } else if let Some(hook) = patterns
            .failed
            .captures(line)
            .and_then(|found| found.name("hook").or_else(|| found.name("other")))
        {
            failed.insert(hook.as_str().to_owned(), number);
        }
    }
    failed
        .into_iter()
        .take(4)
        .filter_map(|(hook, number)| tell(entry, text, patterns, &hook, number))
        .collect()
}

fn tell(
    entry: &Entry,
    text: &Text,
    patterns: &Patterns,
    hook: &str,
    failed: usize,
) -> Option<Signal> {
    // What the hook itself printed, last line first, until the run before it.
    let said: Vec<(usize, &str)> = (failed.saturating_sub(LOOK_BACK).max(1)..failed)
        .rev()
        .filter_map(|number| Some((number, text.line(number)?)))
        .take_while(|(_, line)| !patterns.ran.is_match(line) && !patterns.failed.is_match(line))
        .filter_map(|(number, line)| {
            let told = patterns.said.captures(line)?.name("text")?.as_str();
            Some((number, told))
        })
        .collect();
    let (number, why) = patterns
        .reasons
        .iter()
        .enumerate()
        .find_map(|(rank, reason)| {
            said.iter().find_map(|(number, told)| {
                // The command's exit code is the weakest reason of all.
                if told.contains("CalledProcessError") && rank + 1 < REASONS.len() {
                    return None;
                }
                let why = reason.captures(told)?.name("why")?.as_str().trim();
                Some((
                    *number,
                    why.split_whitespace().collect::<Vec<_>>().join(" "),
                ))
            })
        })?;
    let daemon = entry.path.name().trim_end_matches(".log");
    let also = said
        .iter()
        .find(|(n, told)| *n != number && (told.starts_with("E: ") || told.contains("Error: ")));
    let lines = [Some(number), Some(failed), also.map(|(n, _)| *n)];
    Says {
        id: HOOK,
        subject: ("Juju unit", &format!("{daemon} {hook}")),
        title: format!("Juju hook {hook} of {daemon} fails: {why}"),
        statement: format!("Hook {hook} of {daemon} fails because: {why}."),
        strength: 0.76,
        role: Role::Cause,
        evidence: lines
            .into_iter()
            .flatten()
            .filter_map(|n| Some(at(entry, n, text.line(n)?)))
            .collect(),
    }
    .signal(&[("unit", daemon), ("hook", hook)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    fn told(log: &str) -> Vec<Signal> {
        let entry = Entry {
            path: BundlePath::parse("var/log/juju/unit-shop-3.log").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Log,
            link_to: None,
        };
        unit(
            &entry,
            &Text::new(log.as_bytes()),
            &Patterns::new().unwrap(),
        )
    }

    const FAILED: &str = "2024-01-02 10:00:09 ERROR juju.worker.uniter.operation runhook.go:153 hook \"start\" (via explicit, bespoke hook script) failed: exit status 1\n";

    #[test]
    fn the_words_of_apt_stand_above_the_exit_code() {
        let log = format!(
            "2024-01-02 10:00:01 INFO juju.worker.uniter.operation runhook.go:159 ran \"install\" hook (via hook dispatching script: dispatch)\n2024-01-02 10:00:05 WARNING unit.shop/3.start E: Unable to locate package shopd\n2024-01-02 10:00:06 WARNING unit.shop/3.start subprocess.CalledProcessError: Command '['apt-get']' returned non-zero exit status 100.\n{FAILED}"
        );
        let found = told(&log);
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .title
                .ends_with("E: Unable to locate package shopd"),
            "{}",
            found[0].title
        );
        assert_eq!(found[0].evidence[0].line_start, 2);
    }

    #[test]
    fn an_exception_is_a_reason_and_a_later_success_ends_it() {
        let log = format!(
            "2024-01-02 10:00:05 DEBUG start pymysql.err.OperationalError: (1045, \"Access denied\")\n2024-01-02 10:00:06 INFO juju.worker.uniter resolver.go:1 x\n{FAILED}"
        );
        assert!(told(&log)[0].title.contains("OperationalError"));
        let healed = format!(
            "{log}2024-01-02 10:09:09 INFO juju.worker.uniter.operation runhook.go:159 ran \"start\" hook (via x)\n"
        );
        assert!(told(&healed).is_empty());
        assert!(told(FAILED).is_empty());
    }
}
