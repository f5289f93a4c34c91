//! One pass over the host's logs for all rules: literals first (Aho-Corasick over the whole text),
//! a rule's expression only on lines that hold one of its literals.

use super::clock;
use super::facts::{Host, cite_at};
use super::rules::{Rule, Scope};
use crate::bundle::{Entry, FileKind, tree::MAX_TEXT_BYTES};
use crate::report::Evidence;
use crate::report::NotExamined;
use crate::signals::Partial;
use crate::signals::services::engine::{shorten, whole_words};
use aho_corasick::{AhoCorasick, MatchKind};
use regex::Regex;
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// Most bytes of logs read for one host.
const MAX_LOG_BYTES: u64 = 1 << 30;
/// Most subjects kept for one rule.
const MAX_GROUPS: usize = 64;
/// Most lines of one file that are tried for one rule; a rule that floods says nothing new.
const MAX_TRIES: u32 = 20_000;

/// What kind of log a file is; decides which rules look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// The kernel's ring buffer: every line is the kernel's.
    Kernel,
    /// syslog, journal and their like: lines with a program's tag.
    System,
    /// A program's own log.
    App,
}

/// What one rule found about one subject.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// The last match's named captures, and `tag`: the program that logged.
    pub captures: BTreeMap<String, String>,
    /// First stamp known.
    pub first: Option<i64>,
    /// Last stamp known.
    pub last: Option<i64>,
    counts: BTreeMap<String, usize>,
    early: Vec<Evidence>,
    late: Vec<Evidence>,
}

impl Group {
    /// How often: the largest count of any log, because kern.log, syslog and journal repeat each other.
    pub fn count(&self) -> usize {
        self.counts.values().copied().max().unwrap_or(0)
    }
    /// The first line, then the latest ones.
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut all = self.early.clone();
        all.extend(self.late.iter().rev().cloned());
        all.dedup();
        all
    }
    /// A capture's text, or "".
    pub fn get(&self, name: &str) -> &str {
        self.captures.get(name).map_or("", String::as_str)
    }
    fn add(
        &mut self,
        base: &str,
        times: usize,
        evidence: Evidence,
        at: Option<i64>,
        captures: BTreeMap<String, String>,
    ) {
        *self.counts.entry(base.to_owned()).or_default() += times;
        if let Some(at) = at {
            self.first = Some(self.first.map_or(at, |first| first.min(at)));
        }
        // The latest line speaks for the group, unless it says less than an earlier one.
        if at.is_none() || at >= self.last {
            if captures.len() >= self.captures.len() {
                self.captures = captures;
            } else if let Some(message) = captures.get("msg") {
                self.captures.insert("msg".to_owned(), message.clone());
            }
        }
        self.last = self.last.max(at);
        if self.early.is_empty() {
            self.early.push(evidence);
        } else if self
            .late
            .last()
            .is_none_or(|last| last.quote != evidence.quote)
        {
            if self.late.len() == 3 {
                self.late.remove(0);
            }
            self.late.push(evidence);
        }
    }
}

/// A rule's expression and its exception.
type Compiled = (Regex, Option<Regex>);

/// The rules, ready to scan.
pub struct Scanner {
    rules: Vec<&'static Rule>,
    literals: AhoCorasick,
    /// Literal → rule.
    owner: Vec<usize>,
    compiled: Vec<OnceCell<Option<Compiled>>>,
}

/// What all rules found.
#[derive(Default)]
pub struct Hits {
    groups: BTreeMap<(&'static str, String), (&'static Rule, Group)>,
}

impl Hits {
    /// Each subject of the rule with this detector name.
    pub fn of<'a>(&'a self, detector: &'a str) -> impl Iterator<Item = (&'a str, &'a Group)> {
        self.groups
            .iter()
            .filter(move |((id, _), _)| *id == detector)
            .map(|((_, key), (_, group))| (key.as_str(), group))
    }
    /// Everything, by rule and subject.
    pub fn all(&self) -> impl Iterator<Item = (&'static Rule, &str, &Group)> {
        self.groups
            .iter()
            .map(|((_, key), (rule, group))| (*rule, key.as_str(), group))
    }
}

impl Scanner {
    /// Builds the literal matcher; expressions are compiled when first needed.
    pub fn new(rules: Vec<&'static Rule>) -> Option<Self> {
        let mut owner = Vec::new();
        let mut needles = Vec::new();
        for (at, rule) in rules.iter().enumerate() {
            for needle in rule.needles {
                owner.push(at);
                needles.push(*needle);
            }
        }
        let literals = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(needles)
            .ok()?;
        let compiled = rules.iter().map(|_| OnceCell::new()).collect();
        Some(Self {
            rules,
            literals,
            owner,
            compiled,
        })
    }

    /// Reads every log of the host once.
    pub fn scan(&self, host: &Host, out: &mut Partial) -> Hits {
        let mut hits = Hits::default();
        let mut budget = MAX_LOG_BYTES;
        let mut skipped = NotExaminedList::default();
        for entry in host.entries() {
            let rel = host.rel(entry);
            let Some(class) = classify(rel, entry) else {
                continue;
            };
            match entry.kind {
                FileKind::Archive => skipped.add(rel, "compressed log, not opened"),
                FileKind::Binary => skipped.add(rel, "binary log, not opened"),
                FileKind::Empty | FileKind::Link => {}
                _ if entry.bytes > budget => skipped.add(rel, "over the limit of log bytes read"),
                _ => {
                    budget -= entry.bytes;
                    self.scan_file(host, entry, class, &mut hits);
                }
            }
        }
        skipped.finish(out);
        hits
    }

    fn scan_file(&self, host: &Host, entry: &Entry, class: Class, hits: &mut Hits) {
        let mut file = File {
            host,
            path: entry.path.as_str(),
            base: rotation_base(entry.path.name()),
            class,
            tries: vec![0; self.rules.len()],
        };
        if entry.bytes <= MAX_TEXT_BYTES {
            let Ok(Some(text)) = host.tree.text(entry) else {
                return;
            };
            let mut done = 0;
            for found in self.literals.find_iter(text.as_str()) {
                let number = text.line_at(found.start());
                if number > done {
                    done = number;
                    let line = text.line(number).unwrap_or_default();
                    self.scan_line(&mut file, number, line, hits);
                }
            }
        } else {
            let read = host.tree.for_each_line(entry, |number, line| {
                if self.literals.is_match(line) {
                    self.scan_line(&mut file, number, line, hits);
                }
                true
            });
            // A file that can't be read to its end still gave what it gave.
            drop(read);
        }
    }

    fn scan_line(&self, file: &mut File, number: usize, line: &str, hits: &mut Hits) {
        let mut rules: Vec<usize> = self
            .literals
            .find_overlapping_iter(line)
            .map(|m| self.owner[m.pattern().as_usize()])
            .collect();
        rules.sort_unstable();
        rules.dedup();
        for at in rules {
            let rule = self.rules[at];
            let fits = match rule.scope {
                Scope::Kernel => file.class == Class::Kernel || is_kernel_line(line),
                Scope::System => file.class != Class::App,
                Scope::Any => true,
            };
            if !fits || file.tries[at] >= MAX_TRIES {
                continue;
            }
            file.tries[at] += 1;
            let compiled = self.compiled[at].get_or_init(|| {
                let except = if rule.except.is_empty() {
                    None
                } else {
                    Some(Regex::new(rule.except).ok()?)
                };
                Some((Regex::new(rule.pattern).ok()?, except))
            });
            let Some((pattern, except)) = compiled else {
                continue;
            };
            let Some(found) = pattern.captures(line) else {
                continue;
            };
            if except.as_ref().is_some_and(|e| e.is_match(line)) {
                continue;
            }
            let stamp = clock::stamp(line, &file.host.frame);
            if rule.ordinary_at_boot && is_boot(line, stamp, file.host) {
                continue;
            }
            let mut captures: BTreeMap<String, String> = pattern
                .capture_names()
                .flatten()
                .filter_map(|name| {
                    Some((
                        name.to_owned(),
                        shorten(
                            whole_words(line, found.name(name)?.start(), found.name(name)?.end()),
                            200,
                        ),
                    ))
                })
                .collect();
            captures.insert("tag".to_owned(), tag(file, line));
            let key = super::rules::fill(rule.name, &captures);
            let full = hits
                .groups
                .range((rule.detector, String::new())..)
                .take_while(|((id, _), _)| *id == rule.detector)
                .count()
                >= MAX_GROUPS;
            if full && !hits.groups.contains_key(&(rule.detector, key.clone())) {
                continue;
            }
            let group = &mut hits
                .groups
                .entry((rule.detector, key))
                .or_insert_with(|| (rule, Group::default()))
                .1;
            let start = found.get(0).map_or(0, |m| m.start());
            group.add(
                &file.base,
                repeats(line),
                cite_at(file.path, number, line, start),
                stamp,
                captures,
            );
        }
    }
}

/// Files left out, summed up by reason so that thousands of rotated logs make one line each.
#[derive(Default)]
struct NotExaminedList {
    by_reason: BTreeMap<&'static str, (usize, String)>,
}

impl NotExaminedList {
    fn add(&mut self, rel: &str, reason: &'static str) {
        let seen = self
            .by_reason
            .entry(reason)
            .or_insert_with(|| (0, rel.to_owned()));
        seen.0 += 1;
    }
    fn finish(self, out: &mut Partial) {
        for (why, (count, first)) in self.by_reason {
            let what = if count == 1 {
                first
            } else {
                format!("{first} and {} more", count - 1)
            };
            out.not_examined.push(NotExamined {
                what,
                why: why.to_owned(),
            });
        }
    }
}

struct File<'a> {
    host: &'a Host<'a>,
    path: &'a str,
    base: String,
    class: Class,
    /// Lines tried so far, by rule.
    tries: Vec<u32>,
}

/// Whether a file of a host is syslog, journal or the like.
pub fn is_system_log(rel: &str, entry: &Entry) -> bool {
    classify(rel, entry) == Some(Class::System)
}

/// Which rules a file is for; `None` for what is no log.
fn classify(rel: &str, entry: &Entry) -> Option<Class> {
    let name = entry.path.name();
    if [
        "sos_logs/",
        "sos_reports",
        "var/log/installer",
        "sos_commands/logs/ls_",
        "proc/",
        "sys/",
        "etc/",
        "usr/",
    ]
    .iter()
    .any(|p| rel.starts_with(p))
        && rel != "sys/dmesg"
    {
        return None;
    }
    if name.starts_with("dmesg")
        || name.contains("vmcore-dmesg")
        || name.starts_with("kern.log")
        || rel.contains("/kernel/dmesg")
    {
        let ring = !name.starts_with("kern.log");
        return Some(if ring { Class::Kernel } else { Class::System });
    }
    // What containers print belongs to the families that read workloads.
    if ["/pods/", "namespaces/", "podlogs/", "var/log/containers/"]
        .iter()
        .any(|part| rel.contains(part))
    {
        return None;
    }
    if ["systemlogs/", "journald/", "host_service_logs/"]
        .iter()
        .any(|part| rel.contains(part))
    {
        return Some(Class::System);
    }
    let starts = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if starts(&[
        "journal",
        "syslog",
        "messages",
        "boot.log",
        "boot.msg",
        "boot.txt",
        "daemon.log",
        "auth.log",
        "secure",
        "cron",
        "maillog",
        "mail.log",
        "audit.log",
        "user.log",
        "systemctl_status",
        "warn",
        "debug",
        "localmessages",
        "system.log",
    ]) || rel.contains("/systemctl_status_")
    {
        return Some(Class::System);
    }
    (rel.contains("var/log/")
        || rel.contains("/logs/")
        || name.ends_with(".log")
        || name.contains(".log.")
        || entry.kind == FileKind::Log)
        .then_some(Class::App)
}

/// `syslog` for `syslog.1`, `messages` for `messages-20220210`: rotated files add up.
fn rotation_base(name: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match name.rsplit_once(['.', '-']) {
        Some((base, end)) if digits(end) => base.to_owned(),
        _ => name.to_owned(),
    }
}

/// `kernel:` in syslog and journal, or a bare ring-buffer stamp.
fn is_kernel_line(line: &str) -> bool {
    if line.contains("kernel:") || line.contains("kernel[") {
        return true;
    }
    let line = match line.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
        Some((level, rest)) if level.len() < 3 => rest,
        _ => line,
    };
    let Some((inner, _)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return false;
    };
    inner.trim().split_once('.').is_some_and(|(a, b)| {
        b.len() == 6 && (a.to_owned() + b).bytes().all(|c| c.is_ascii_digit())
    })
}

/// Within the first two minutes after a boot.
fn is_boot(line: &str, stamp: Option<i64>, host: &Host) -> bool {
    let ring = line
        .find('[')
        .and_then(|at| line[at + 1..].split(']').next());
    if let Some(seconds) = ring
        .map(str::trim)
        .filter(|t| t.contains('.'))
        .and_then(|t| t.parse::<f64>().ok())
    {
        return seconds < 120.0;
    }
    stamp
        .zip(host.frame.boot)
        .is_some_and(|(at, boot)| (0..120).contains(&(at - boot)))
}

/// The program that logged: a syslog tag, or the log's own name.
fn tag(file: &File, line: &str) -> String {
    if file.class == Class::App {
        return file
            .base
            .strip_suffix(".log")
            .unwrap_or(&file.base)
            .to_owned();
    }
    let word = line
        .split_whitespace()
        .take(6)
        .find(|word| word.ends_with(':') && word.len() > 1 && !word.starts_with('['));
    let word = word.unwrap_or_default().trim_end_matches(':');
    word.split('[').next().unwrap_or_default().to_owned()
}

/// rsyslog's `message repeated 16 times: [ … ]`.
fn repeats(line: &str) -> usize {
    line.split_once("message repeated ")
        .and_then(|(_, rest)| rest.split(' ').next()?.parse().ok())
        .map_or(1, |n: usize| n.min(1_000_000))
}
