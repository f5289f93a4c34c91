//! Runs all rules over all logs: one pass a file, one automaton for all literals, patterns only on hits.

use super::rule::{Rule, fill};
use crate::bundle::{Entry, FileKind, Text, Tree};
use crate::report::{Evidence, Subject};
use crate::signals::logs::{clock_text, daemon_of, is_log, parse_line};
use crate::signals::{Partial, Signal};
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use regex::{Captures, Regex, RegexBuilder};
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Most subjects kept for one rule.
const MAX_SUBJECTS: usize = 40;
/// Most hits of one rule in one file that are looked at closely; the rest is counted by literal only.
const MAX_HITS: u64 = 20_000;
/// Lines after a hit that may belong to its stack trace.
const MAX_TRACE: usize = 300;
/// Lines and records before a hit in which the trace may stand that it closes.
const MAX_BEFORE: (usize, usize) = (80, 3);
/// Longest quote in characters.
pub const MAX_QUOTE: usize = 400;

/// The compiled rules.
pub struct Engine {
    rules: Vec<&'static Rule>,
    automaton: AhoCorasick,
    /// Rules behind each literal.
    owners: Vec<Vec<usize>>,
    compiled: Vec<OnceCell<Option<Patterns>>>,
}

struct Patterns {
    pattern: Regex,
    unless: Option<Regex>,
    near: Option<Regex>,
    cleared: Option<Regex>,
}

/// Hits of one rule on one subject.
struct Group {
    rule: usize,
    /// Whether a hit came from a file that is neither rotated nor of a previous run.
    current: bool,
    values: BTreeMap<String, String>,
    count: u64,
    recent: VecDeque<i64>,
    dense: bool,
    first: Option<i64>,
    last: Option<i64>,
    evidence: Vec<Evidence>,
    file: String,
    last_line: usize,
    cleared: bool,
}

/// A pattern of ours; `None` if it does not compile (a test sees to it that all do).
pub fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .size_limit(4 << 20)
        .build()
        .ok()
}

/// The first [`MAX_QUOTE`] characters of a line, on a character border, without trailing white space.
pub fn quote(line: &str) -> String {
    line.chars()
        .take(MAX_QUOTE)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// One line of a file as evidence.
pub fn evidence(entry: &Entry, number: usize, line: &str) -> Evidence {
    Evidence {
        path: entry.path.as_str().to_owned(),
        line_start: number as u64,
        line_end: number as u64,
        quote: quote(line),
    }
}

/// A quote that shows byte `at` of a long line: cut around it.
fn quote_around(line: &str, at: usize) -> String {
    if line.chars().count() <= MAX_QUOTE {
        return quote(line);
    }
    let mut from = at.saturating_sub(120).min(line.len());
    while from > 0 && !line.is_char_boundary(from) {
        from -= 1;
    }
    quote(&line[from..])
}

impl Engine {
    /// Compiles the literals of `tables`; patterns are compiled when first needed.
    pub fn new(tables: &[&'static [Rule]]) -> Option<Self> {
        let rules: Vec<&'static Rule> = tables.iter().flat_map(|table| table.iter()).collect();
        let mut literals: Vec<String> = Vec::new();
        let mut at: HashMap<String, usize> = HashMap::new();
        let mut owners: Vec<Vec<usize>> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            for need in rule.needs {
                let literal = need.to_ascii_lowercase();
                let slot = *at.entry(literal.clone()).or_insert_with(|| {
                    literals.push(literal);
                    owners.push(Vec::new());
                    owners.len() - 1
                });
                owners[slot].push(number);
            }
        }
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&literals)
            .ok()?;
        let compiled = rules.iter().map(|_| OnceCell::new()).collect();
        Some(Self {
            rules,
            automaton,
            owners,
            compiled,
        })
    }

    fn patterns(&self, rule: usize) -> Option<&Patterns> {
        let optional = |text: &str| if text.is_empty() { None } else { compile(text) };
        self.compiled[rule]
            .get_or_init(|| {
                let rule = self.rules[rule];
                Some(Patterns {
                    pattern: compile(rule.pattern)?,
                    unless: optional(rule.unless),
                    near: optional(rule.near),
                    cleared: optional(rule.cleared_by),
                })
            })
            .as_ref()
    }

    /// All signals of all rules over the logs of `tree`.
    pub fn run(&self, tree: &Tree) -> Partial {
        let mut found: HashMap<(usize, String), Group> = HashMap::new();
        let mut partial = Partial::default();
        let mut newest = None;
        for entry in tree
            .files()
            .filter(|entry| is_log(tree.rel(entry), entry.kind) && entry.kind != FileKind::Empty)
        {
            match tree.text(entry) {
                Ok(Some(text)) => {
                    newest = newest.max(last_time(&text));
                    self.scan(tree, entry, &text, 0, &mut found);
                }
                Ok(None) => self.stream(tree, entry, &mut found),
                Err(_) => {}
            }
        }
        let mut groups: Vec<_> = found.into_iter().collect();
        groups.sort_by(|a, b| a.0.cmp(&b.0));
        partial.signals.extend(
            groups
                .into_iter()
                .filter_map(|((_, subject), group)| self.signal(subject, group, newest)),
        );
        partial
    }

    /// Files too large to hold: in blocks of lines.
    fn stream(&self, tree: &Tree, entry: &Entry, found: &mut HashMap<(usize, String), Group>) {
        const BLOCK: usize = 8 << 20;
        let mut block = String::with_capacity(BLOCK + (64 << 10));
        let mut first = 0;
        let done = tree.for_each_line(entry, |number, line| {
            if block.len() + line.len() > BLOCK {
                self.scan(tree, entry, &Text::new(block.as_bytes()), first, found);
                block.clear();
                first = number - 1;
            }
            block.push_str(line);
            block.push('\n');
            true
        });
        if done.is_ok() {
            self.scan(tree, entry, &Text::new(block.as_bytes()), first, found);
        }
    }

    /// One text whose line 1 is line `offset + 1` of the file.
    fn scan(
        &self,
        tree: &Tree,
        entry: &Entry,
        text: &Text,
        offset: usize,
        found: &mut HashMap<(usize, String), Group>,
    ) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let content = text.as_str();
        let mut hits: Vec<u64> = vec![0; self.rules.len()];
        let mut last_seen: Vec<usize> = vec![0; self.rules.len()];
        for hit in self.automaton.find_overlapping_iter(content) {
            let mut number = 0;
            for rule in self.owners[hit.pattern().as_usize()].iter().copied() {
                if number == 0 {
                    number = text.line_at(hit.start());
                }
                if last_seen[rule] == number || hits[rule] >= MAX_HITS {
                    continue;
                }
                last_seen[rule] = number;
                hits[rule] += 1;
                self.try_rule(rule, &rel, entry, text, number, offset, found);
            }
        }
        for group in found
            .values_mut()
            .filter(|group| group.file == entry.path.as_str())
        {
            let Some(cleared) = self.patterns(group.rule).and_then(|p| p.cleared.as_ref()) else {
                continue;
            };
            let subject = group.values.get("peer").or_else(|| group.values.get("id"));
            group.cleared = (group.last_line.saturating_sub(offset) + 1..=text.len())
                .filter_map(|number| text.line(number))
                .any(|line| {
                    cleared.is_match(line)
                        && subject.is_none_or(|subject| line.contains(subject.as_str()))
                });
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn try_rule(
        &self,
        rule: usize,
        rel: &str,
        entry: &Entry,
        text: &Text,
        number: usize,
        offset: usize,
        found: &mut HashMap<(usize, String), Group>,
    ) {
        let Some(line) = text.line(number) else {
            return;
        };
        let spec = self.rules[rule];
        let in_path = spec.scope.is_empty() || spec.scope.iter().any(|word| rel.contains(word));
        let parsed = parse_line(line);
        if !in_path {
            let writer = parsed.component.to_ascii_lowercase();
            if writer.is_empty() || !spec.scope.iter().any(|word| writer.contains(word)) {
                return;
            }
        }
        let Some(patterns) = self.patterns(rule) else {
            return;
        };
        let Some(captures) = patterns.pattern.captures(line) else {
            return;
        };
        if patterns
            .unless
            .as_ref()
            .is_some_and(|unless| unless.is_match(line))
        {
            return;
        }
        let mut values = named(&patterns.pattern, &captures, line);
        let daemon = daemon_of(rel, parsed.component);
        values.insert("daemon".into(), daemon);
        values.insert("file".into(), entry.path.name().to_owned());
        values.insert("line".into(), shorten(parsed.message, 200));
        let subject = fill(spec.subject, &|name| values.get(name).cloned());
        let key = (rule, subject);
        if !found.contains_key(&key)
            && found.keys().filter(|(other, _)| *other == rule).count() >= MAX_SUBJECTS
        {
            return;
        }
        let start = captures.get(0).map_or(0, |m| m.start());
        let shown = Evidence {
            path: entry.path.as_str().to_owned(),
            line_start: (number + offset) as u64,
            line_end: (number + offset) as u64,
            quote: quote_around(line, start),
        };
        let time = parsed.time.or_else(|| {
            (1..=30).find_map(|back| parse_line(text.line(number.checked_sub(back)?)?).time)
        });
        let group = found.entry(key).or_insert_with(|| Group {
            rule,
            current: false,
            values: BTreeMap::new(),
            count: 0,
            recent: VecDeque::new(),
            dense: spec.within_s == 0,
            first: None,
            last: None,
            evidence: Vec::new(),
            file: String::new(),
            last_line: 0,
            cleared: false,
        });
        group.count += 1;
        group.current |= !is_old(rel);
        for (name, value) in values {
            group.values.entry(name).or_insert(value);
        }
        if let Some(at) = time {
            group.first = Some(group.first.map_or(at, |first| first.min(at)));
            group.last = Some(group.last.map_or(at, |last| last.max(at)));
            group.recent.push_back(at);
            if group.recent.len() > spec.at_least as usize {
                group.recent.pop_front();
            }
            if group.recent.len() == spec.at_least as usize
                && let (Some(oldest), Some(newest)) = (group.recent.front(), group.recent.back())
                && newest - oldest <= i64::from(spec.within_s) * 1000
            {
                group.dense = true;
            }
        }
        entry.path.as_str().clone_into(&mut group.file);
        group.last_line = number + offset;
        if group.evidence.len() < 3 {
            group.evidence.push(shown);
            if spec.traced
                && !group.values.contains_key("root")
                && let Some((at, root)) = root_of_trace(text, number)
            {
                group.values.insert("root".into(), shorten(root, 160));
                group.evidence.push(evidence_at(
                    entry,
                    at + offset,
                    text.line(at).unwrap_or_default(),
                ));
            }
            if group.count == 1
                && let Some(near) = &patterns.near
            {
                let around = (number + 1..=number + 15)
                    .chain((number.saturating_sub(15).max(1)..number).rev());
                let close: Vec<Evidence> = around
                    .filter_map(|at| Some((at, text.line(at)?)))
                    .filter(|(_, line)| near.is_match(line))
                    .map(|(at, line)| evidence_at(entry, at + offset, line))
                    .filter(|line| !group.evidence.contains(line))
                    .take(2)
                    .collect();
                group.evidence.extend(close);
            }
        }
    }

    fn signal(&self, subject: String, group: Group, newest: Option<i64>) -> Option<Signal> {
        let spec = self.rules[group.rule];
        if group.count < u64::from(spec.at_least) || !(group.dense || group.recent.is_empty()) {
            return None;
        }
        let mut strength = if group.count >= 20 && spec.persistent > spec.strength {
            spec.persistent
        } else {
            spec.strength
        };
        if group.cleared {
            strength *= 0.5;
        }
        // What lies only in rotated logs or a previous run, or long before the end, may be over.
        if !group.current {
            strength *= 0.65;
        }
        strength *= match (group.last, newest) {
            (Some(last), Some(newest)) => match days_between(last, newest) {
                0..=2 => 1.0,
                3..=14 => 0.9,
                _ => 0.75,
            },
            _ => 1.0,
        };
        let span = span(group.count, group.first, group.last);
        let value = |name: &str| match name {
            "count" => Some(group.count.to_string()),
            "span" => Some(span.clone()),
            "subject" => Some(subject.clone()),
            name => group.values.get(name).map(|value| shorten(value, 200)),
        };
        let mut statement = fill(spec.statement, &value);
        if !span.is_empty()
            && !spec.statement.contains("{span}")
            && !spec.statement.contains("{count}")
        {
            statement = format!("{statement} Seen{span}.");
        }
        let mut title = fill(spec.title, &value);
        if let Some(root) = group.values.get("root").filter(|_| spec.traced) {
            let root = fill("{root}", &|_| Some(root.clone()));
            title = format!("{}; {root}", shorten(&title, 160));
            statement = format!("{statement} The innermost exception: {root}.");
        }
        if group.cleared {
            statement.push_str(" A later line of the same log shows that it recovered.");
        }
        let mut entities: BTreeMap<String, String> = group
            .values
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "line" | "file" | "daemon" | "root"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        if let Some(daemon) = group.values.get("daemon") {
            entities.insert("unit".into(), daemon.clone());
            // A file ceph-osd.3.log belongs to osd 3, whose unit is ceph-osd@3.
            if let Some(id) = daemon.strip_prefix("ceph-osd.") {
                entities
                    .entry("osd".into())
                    .or_insert_with(|| id.to_owned());
                entities.insert("unit".into(), format!("ceph-osd@{id}"));
            }
        }
        entities.insert("log".into(), group.evidence.first()?.path.clone());
        Some(Signal {
            detector: spec.id.to_owned(),
            cause: spec.cause.to_owned(),
            title: shorten(&title, 240),
            statement,
            subject: Subject {
                kind: spec.kind.to_owned(),
                namespace: None,
                name: subject,
            },
            evidence: group.evidence,
            strength,
            role: spec.role,
            entities,
        })
    }
}

/// Whether the file is rotated or of a previous run of its container.
fn is_old(rel: &str) -> bool {
    let name = rel.rsplit('/').next().unwrap_or(rel);
    name.contains("previous")
        || name.rsplit_once('.').is_some_and(|(_, tail)| {
            !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit()) && name.contains("log")
        })
        || name.ends_with(".old")
}

/// The time of the last line that has one with a year.
fn last_time(text: &Text) -> Option<i64> {
    const YEAR_2001: i64 = 978_307_200_000;
    (text.len().saturating_sub(20).max(1)..=text.len())
        .rev()
        .filter_map(|number| parse_line(text.line(number)?).time)
        .find(|at| *at >= YEAR_2001)
}

/// Days from `earlier` to `later`; a stamp without a year (2000) counts as of the latest possible year.
fn days_between(earlier: i64, later: i64) -> i64 {
    const DAY: i64 = 86_400_000;
    const YEAR: i64 = 31_556_952_000;
    if earlier < 946_684_800_000 {
        return 0;
    }
    let mut days = (later - earlier) / DAY;
    if earlier < 946_684_800_000 + YEAR {
        days = (later - earlier).rem_euclid(YEAR) / DAY;
        // Leap days blur the end of the year by one day.
        if days > 363 {
            days = 0;
        }
    }
    days.max(0)
}

/// The innermost cause of the trace that the line `number` heads, or else of the one just before it: the last
/// `Caused by:` of a Java trace (the first frames are only of what passed the exception on).
fn root_of_trace(text: &Text, number: usize) -> Option<(usize, &str)> {
    let cause = |at: usize| {
        let line = text.line(at)?.trim();
        let said = line.strip_prefix("Caused by: ").or_else(|| {
            line.strip_prefix("Root cause")
                .map(|rest| rest.trim_start_matches([':', ' ']))
        })?;
        (!said.is_empty()).then_some((at, said))
    };
    let new_record = |at: &usize| {
        text.line(*at).is_none_or(|line| {
            parse_line(line).time.is_some()
                || ["SEVERE:", "WARNING:", "INFO:", "####<"]
                    .iter()
                    .any(|mark| line.starts_with(mark))
        })
    };
    (number + 1..=number + MAX_TRACE)
        .take_while(|at| !new_record(at))
        .filter_map(cause)
        .last()
        .or_else(|| {
            let mut records = 0;
            (number.saturating_sub(MAX_BEFORE.0).max(1)..number)
                .rev()
                .take_while(|at| {
                    records += usize::from(new_record(at));
                    records <= MAX_BEFORE.1
                })
                .find_map(cause)
        })
}

fn evidence_at(entry: &Entry, number: usize, line: &str) -> Evidence {
    evidence(entry, number, line)
}

fn named(pattern: &Regex, captures: &Captures<'_>, line: &str) -> BTreeMap<String, String> {
    pattern
        .capture_names()
        .flatten()
        .filter_map(|name| {
            let found = captures.name(name)?;
            let words = whole_words(line, found.start(), found.end()).trim();
            Some((name.to_owned(), without_tail(words).to_owned()))
        })
        .collect()
}

/// Without the closing brackets and the quotation mark of the JSON line that a text ended.
pub fn without_tail(mut text: &str) -> &str {
    let count = |text: &str, c: char| text.matches(c).count();
    while text.ends_with('}') && count(text, '}') > count(text, '{') {
        text = text[..text.len() - 1].trim_end();
    }
    match text.strip_suffix('"') {
        Some(rest) if count(text, '"') % 2 == 1 => rest,
        _ => text,
    }
}

/// The part of a line, without a last word that a pattern's bound cut in two: half a path is a name that
/// stands nowhere.
pub fn whole_words(line: &str, from: usize, to: usize) -> &str {
    let text = &line[from..to];
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    let cut = text.len() >= 30
        && line[to..].chars().next().is_some_and(inside)
        && text.chars().next_back().is_some_and(inside);
    match text.rfind(char::is_whitespace) {
        Some(at) if cut => text[..at].trim_end(),
        _ => text,
    }
}

/// At most `limit` characters, with "…" where it was cut.
pub fn shorten(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", whole_words(text, 0, end)),
        None => text.to_owned(),
    }
}

/// " 12 times between A and B"; empty for a single line.
pub fn span(count: u64, first: Option<i64>, last: Option<i64>) -> String {
    match (count, first, last) {
        (0 | 1, _, _) => String::new(),
        (count, Some(first), Some(last)) if last > first => format!(
            " {count} times between {} and {}",
            clock_text(first),
            clock_text(last)
        ),
        (count, _, _) => format!(" {count} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;
    use crate::signals::services::rule::RULE;

    static RULES: &[Rule] = &[
        Rule {
            id: "t.flap",
            cause: "flap",
            scope: &["switch"],
            needs: &["claiming"],
            pattern: r"claiming (?P<port>\S+)",
            cleared_by: r"settled",
            at_least: 3,
            within_s: 60,
            strength: 0.8,
            subject: "{port}",
            title: "{port} flaps {count} times",
            statement: "Port {port} flaps{span}.",
            ..RULE
        },
        Rule {
            id: "t.crash",
            cause: "crash",
            needs: &["caught signal"],
            pattern: r"caught signal (?P<signal>\d+)",
            near: r"version",
            strength: 0.9,
            title: "{daemon} crashed: {signal}",
            statement: "{daemon} got {signal}.",
            ..RULE
        },
        Rule {
            id: "t.deploy",
            cause: "deploy",
            needs: &["deploy of"],
            pattern: r"deploy of (?P<what>\S+) failed",
            traced: true,
            title: "{what} fails",
            statement: "{what} was not deployed.",
            ..RULE
        },
    ];

    fn run(files: &[(&str, &str)]) -> Vec<Signal> {
        let (_folder, tree) = tree_of(files.iter().copied());
        let signals = Engine::new(&[RULES]).unwrap().run(&tree).signals;
        let refused = crate::signals::testing::refused(&tree, &signals);
        assert!(refused.is_empty(), "{refused:#?}");
        signals
    }
    fn claims(seconds: &[u32], tail: &str) -> String {
        let lines: Vec<String> = seconds
            .iter()
            .map(|at| format!("2024-01-02 10:{:02}:{:02} claiming p1", at / 60, at % 60))
            .collect();
        format!("{}\n{tail}", lines.join("\n"))
    }

    #[test]
    fn enough_hits_within_the_window_and_in_scope() {
        let found = run(&[("top/var/log/switch.log", &claims(&[1, 20, 40], ""))]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "p1 flaps 3 times");
        assert!(
            found[0]
                .statement
                .contains("3 times between 2024-01-02 10:00:01"),
            "{}",
            found[0].statement
        );
        assert_eq!(
            (found[0].evidence[0].line_start, found[0].strength),
            (1, 0.8)
        );
        assert!(run(&[("top/var/log/switch.log", &claims(&[1, 600, 1200], ""))]).is_empty());
        assert!(run(&[("top/var/log/other.log", &claims(&[1, 20, 40], ""))]).is_empty());
    }

    #[test]
    fn recovery_and_rotation_weaken() {
        assert!(
            run(&[("top/var/log/switch.log", &claims(&[1, 20, 40], "settled\n"))])[0].strength
                < 0.5
        );
        assert!(run(&[("top/var/log/switch.log.1", &claims(&[1, 20, 40], ""))])[0].strength < 0.6);
    }

    #[test]
    fn neighbours_become_evidence() {
        let found = run(&[
            (
                "top/var/log/a/b.3.log",
                "x\ncaught signal 11\n y\n version 1\n",
            ),
            ("top/etc/c.log", "caught signal 9\n"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].title, "b.3 crashed: 11");
        let lines: Vec<u64> = found[0].evidence.iter().map(|e| e.line_start).collect();
        assert_eq!(lines, [2, 4]);
    }

    #[test]
    fn the_innermost_cause_of_a_trace_is_told() {
        let trace = "java.lang.IllegalStateException: outer\n\tat a.b(C.java:1)\nCaused by: a.MiddleException: no\n\tat a.b(C.java:2)\nCaused by: a.RootException: table ORDERS is missing\n\t... 3 more\n";
        let head = "2024-01-02 10:00:00 ERROR deploy of shop failed\n";
        let next = "2024-01-02 10:00:01 ERROR other\nCaused by: a.ForeignException: x\n";
        for text in [
            format!("{head}{trace}{next}"),
            format!("2024-01-02 09:59:59 ERROR child\n{trace}{head}2024-01-02 10:00:01 INFO up\n"),
        ] {
            let found = run(&[("top/var/log/catalina.log", &text)]);
            assert_eq!(found.len(), 1);
            assert_eq!(
                found[0].title,
                "shop fails; a.RootException: table ORDERS is missing"
            );
            assert!(found[0].statement.ends_with("table ORDERS is missing."));
            assert!(
                found[0].evidence[1]
                    .quote
                    .starts_with("Caused by: a.RootException")
            );
        }
        let alone = run(&[("top/var/log/catalina.log", head)]);
        assert_eq!(
            (alone[0].title.as_str(), alone[0].evidence.len()),
            ("shop fails", 1)
        );
    }

    #[test]
    fn words_are_not_cut_in_two() {
        let line = "failed to connect socket to '/var/run/libvirt/libvirt-sock': refused";
        let cut = line.find("virt-sock").unwrap();
        assert_eq!(whole_words(line, 0, cut), "failed to connect socket to");
        assert_eq!(whole_words(line, 0, line.len()), line);
        assert_eq!(whole_words("osd.12", 0, 5), "osd.1");
    }
}
