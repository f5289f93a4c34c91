//! Building signals: subjects, entities for command templates, and evidence quoted from the bundle.

use super::changes::{Change, First};
use super::focus::Focus;
use super::model::*;
use crate::bundle::Tree;
use crate::report::{Evidence, Missing, Subject};
use crate::signals::{Partial, Role, Signal};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Longest quote, in characters.
const MAX_QUOTE: usize = 400;
/// Characters kept before the decisive word of a longer line.
const LEAD: usize = 60;
/// Most evidence lines per signal.
const MAX_EVIDENCE: usize = 6;

/// Words of tickets that say nothing about the subject.
const COMMON: [&str; 40] = [
    "with",
    "that",
    "this",
    "from",
    "have",
    "since",
    "some",
    "cannot",
    "does",
    "doesn",
    "after",
    "before",
    "when",
    "while",
    "error",
    "fail",
    "failed",
    "failing",
    "problem",
    "issue",
    "work",
    "working",
    "user",
    "customer",
    "server",
    "please",
    "help",
    "long",
    "more",
    "very",
    "there",
    "their",
    "again",
    "every",
    "into",
    "keep",
    "what",
    "because",
    "application",
    "release",
];

/// What a detector sees and where it puts what it finds.
pub struct Ctx<'a> {
    /// The bundle.
    pub tree: &'a Tree,
    /// The picture read from it.
    pub cluster: &'a Cluster,
    /// The customer's words, lower case; "" for none.
    pub ticket: String,
    /// Only a few files were collected on purpose, so each one matters.
    pub narrow: bool,
    /// What the complaint is about.
    pub focus: Focus,
    /// Applications that turned out to be subjects: their logs say what the ticket quotes, or the subject
    /// passes on their failures.
    pub quoted: RefCell<BTreeSet<String>>,
    /// Changes that logs tell.
    pub changes: RefCell<Vec<Change>>,
    /// When errors began.
    pub firsts: RefCell<Vec<First>>,
    out: RefCell<Partial>,
}

/// A signal being built.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The signal, its detector `k8s.<cause>`.
    pub signal: Signal,
}

impl Draft {
    /// A cause about an object; `strength` by the scale of the signals module.
    pub fn cause(slug: &str, kind: &str, ns: &str, name: &str, strength: f64) -> Self {
        let namespace = (!ns.is_empty()).then(|| ns.to_owned());
        let mut entities = BTreeMap::new();
        if !ns.is_empty() {
            entities.insert("namespace".to_owned(), ns.to_owned());
        }
        let slot = match kind {
            "PersistentVolumeClaim" => "pvc".to_owned(),
            "HorizontalPodAutoscaler" => "hpa".to_owned(),
            "NetworkPolicy" => "networkpolicy".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        if !name.is_empty() {
            entities.insert(slot, name.to_owned());
            entities.insert("name".to_owned(), name.to_owned());
        }
        if !kind.is_empty() {
            entities.insert("kind".to_owned(), kind.to_ascii_lowercase());
        }
        if matches!(
            kind,
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob"
        ) {
            entities.insert("workload".to_owned(), name.to_owned());
        }
        Self {
            signal: Signal {
                detector: format!("k8s.{slug}"),
                cause: slug.to_owned(),
                title: String::new(),
                statement: String::new(),
                subject: Subject {
                    kind: kind.to_owned(),
                    namespace,
                    name: name.to_owned(),
                },
                evidence: Vec::new(),
                strength,
                role: Role::Cause,
                entities,
            },
        }
    }
    /// The same as a symptom.
    pub fn symptom(slug: &str, kind: &str, ns: &str, name: &str, strength: f64) -> Self {
        let mut draft = Self::cause(slug, kind, ns, name, strength);
        draft.signal.role = Role::Symptom;
        draft
    }
    /// Title and statement.
    pub fn says(mut self, title: impl Into<String>, statement: impl Into<String>) -> Self {
        self.signal.title = cut(&one_line(&title.into()), 220);
        self.signal.statement = cut(&one_line(&statement.into()), 600);
        self
    }
    /// A value for command templates; empty values are left out.
    pub fn entity(mut self, slot: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.signal
                .entities
                .insert(slot.to_owned(), value.to_owned());
        }
        self
    }
    /// One more evidence line, if there is one.
    pub fn show(mut self, evidence: Option<Evidence>) -> Self {
        if let Some(evidence) = evidence
            && self.signal.evidence.len() < MAX_EVIDENCE
            && !self
                .signal
                .evidence
                .iter()
                .any(|known| known.path == evidence.path && known.line_start == evidence.line_start)
        {
            self.signal.evidence.push(evidence);
        }
        self
    }
}

impl<'a> Ctx<'a> {
    /// A context over a read bundle.
    pub fn new(tree: &'a Tree, cluster: &'a Cluster, ticket: &str, narrow: bool) -> Self {
        let ticket = ticket.to_lowercase();
        Self {
            tree,
            cluster,
            focus: Focus::of(cluster, &ticket),
            ticket,
            narrow,
            quoted: RefCell::default(),
            changes: RefCell::default(),
            firsts: RefCell::default(),
            out: RefCell::default(),
        }
    }
    /// Adds a signal, unless nothing in the bundle shows it.
    pub fn emit(&self, draft: Draft) {
        if !draft.signal.evidence.is_empty() {
            self.out.borrow_mut().signals.push(draft.signal);
        }
    }
    /// Asks for something that is not in the bundle.
    pub fn ask(&self, what: impl Into<String>, why: impl Into<String>, path: Option<String>) {
        self.out.borrow_mut().missing.push(Missing {
            what: what.into(),
            why: why.into(),
            path,
        });
    }
    /// The signals found so far.
    pub fn signals(&self) -> std::cell::Ref<'_, Vec<Signal>> {
        std::cell::Ref::map(self.out.borrow(), |out| &out.signals)
    }
    /// Changes signals that were found already.
    pub fn amend(&self, change: impl FnMut(&mut Signal)) {
        self.out.borrow_mut().signals.iter_mut().for_each(change);
    }
    /// What was found.
    pub fn finish(self) -> Partial {
        self.out.into_inner()
    }
    /// Whether a cause at least this strong is known for the pod.
    pub fn is_explained(&self, ns: &str, name: &str, from: f64) -> bool {
        self.out.borrow().signals.iter().any(|signal| {
            signal.role == Role::Cause
                && signal.strength >= from
                && signal.entities.get("pod").is_some_and(|pod| pod == name)
                && signal.subject.namespace.as_deref().unwrap_or_default() == ns
        })
    }
    /// The path of a file.
    pub fn path(&self, file: u32) -> &str {
        self.cluster
            .files
            .get(file as usize)
            .map_or("", String::as_str)
    }
    /// The line at `src`.
    pub fn line(&self, src: Src) -> Option<String> {
        let entry = self.tree.find(self.path(src.file))?;
        if let Some(text) = self.tree.text(entry).ok()? {
            return text.line(src.line as usize).map(str::to_owned);
        }
        let mut found = None;
        let _ = self.tree.for_each_line(entry, |number, line| {
            if number == src.line as usize {
                found = Some(line.to_owned());
            }
            number < src.line as usize
        });
        found
    }
    /// Streams the lines of a log, each with its number in the file, at most to line `most` of it.
    pub fn each_line(&self, log: &Log, most: usize, mut each: impl FnMut(u32, &str)) {
        let Some(entry) = self.tree.find(self.path(log.file)) else {
            return;
        };
        let _ = self.tree.for_each_line(entry, |number, line| {
            if number >= log.first && number <= log.last {
                each(u32::try_from(number).unwrap_or(u32::MAX), line);
            }
            number < log.last && number < most
        });
    }
    /// The line at `src`, quoted; of a long line the part around `needle` or the value's column.
    pub fn quote(&self, src: Src, needle: &str) -> Option<Evidence> {
        if !src.is_known() {
            return None;
        }
        let line = self.line(src)?;
        let quote = excerpt(&line, needle, src.column as usize);
        if quote.trim().is_empty() {
            return None;
        }
        let number = u64::from(src.line);
        Some(Evidence {
            path: self.path(src.file).to_owned(),
            line_start: number,
            line_end: number,
            quote,
        })
    }
    /// A located text, quoted.
    pub fn quote_loc(&self, loc: &Loc<String>) -> Option<Evidence> {
        self.quote(loc.src, &loc.v)
    }
    /// Whether the customer's words name this object, its application or the given word; `nightly-report`
    /// is also named by "the nightly report".
    pub fn in_ticket(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        name.len() > 2
            && (contains_word(&self.ticket, &name)
                || name.contains(['-', '_'])
                    && name.len() > 5
                    && contains_word(&self.ticket, &name.replace(['-', '_'], " ")))
    }
    /// Whether a word of the ticket begins so: `hang` is in `hangs`, not in `changes`.
    pub fn speaks(&self, word: &str) -> bool {
        self.ticket.match_indices(word).any(|(at, _)| {
            let before = self.ticket[..at].chars().next_back();
            !before.is_some_and(char::is_alphanumeric)
        })
    }
    /// Whether the complaint is about this application, pod or container: the ticket names it, and not
    /// only beside another subject, or an urgent alert does.
    pub fn is_asked(&self, name: &str) -> bool {
        let quoted = self.quoted.borrow();
        let known = self.focus.is_known() || !quoted.is_empty();
        self.focus.holds(name)
            || quoted.contains(app_of(&name.to_lowercase()))
            || self.in_ticket(name) && (!known || self.focus.complains_of(name))
    }
    /// How many different words of the ticket, the ordinary ones aside, stand in `text`.
    pub fn shared_words(&self, text: &str) -> usize {
        let text = text.to_lowercase();
        let mut words: Vec<&str> = self
            .ticket
            .split(|c: char| !c.is_alphanumeric())
            .map(|word| word.strip_suffix('s').unwrap_or(word))
            .filter(|word| word.len() > 3 && !COMMON.contains(word))
            .collect();
        words.sort_unstable();
        words.dedup();
        words.iter().filter(|word| text.contains(**word)).count()
    }
}

/// The host of an address or a URL: `db.shop` of `postgres://db.shop:5432/x`.
pub fn host_of(address: &str) -> &str {
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    rest.split(['/', ':']).next().unwrap_or_default()
}

/// Whether `word` stands in `text` at word borders, `-` and `_` counting as letters.
pub fn contains_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut from = 0;
    while let Some(at) = text
        .get(from..)
        .and_then(|rest| rest.find(word))
        .map(|at| at + from)
    {
        let before = text[..at].chars().next_back().is_some_and(is_part);
        let after = text[at + word.len()..].chars().next().is_some_and(is_part);
        if !before && !after {
            return true;
        }
        from = at + word.len();
    }
    false
}

/// At most [`MAX_QUOTE`] characters of a line, around what matters.
fn excerpt(line: &str, needle: &str, column: usize) -> String {
    let line = line.trim();
    if line.chars().count() <= MAX_QUOTE {
        return line.to_owned();
    }
    let first = needle.lines().next().unwrap_or_default();
    // Words composed of several fields of a line stand in it one by one.
    let at = std::iter::once(first)
        .chain(first.split(": ").filter(|part| part.len() > 7))
        .filter_map(|part| {
            let part: String = part.chars().take(40).collect();
            (!part.is_empty()).then(|| line.find(&part)).flatten()
        })
        .next()
        .unwrap_or(column.min(line.len()));
    let start = line
        .char_indices()
        .map(|(at, _)| at)
        .filter(|pos| *pos <= at)
        .rev()
        .nth(LEAD)
        .unwrap_or(0);
    line[start..]
        .chars()
        .take(MAX_QUOTE)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Text on one line, without control characters.
pub fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// At most `max` characters, with an ellipsis when cut. The cut is made between words: half a name is
/// a name that stands nowhere in the bundle, and would be taken for an invented one.
pub fn cut(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let short: String = text.chars().take(max.saturating_sub(1)).collect();
    let next_is_space = text[short.len()..].starts_with(char::is_whitespace);
    let end = if next_is_space {
        short.len()
    } else {
        // A text without a space in its second half has to be cut anywhere.
        short
            .rfind(char::is_whitespace)
            .filter(|at| *at >= short.len() / 2)
            .unwrap_or(short.len())
    };
    format!(
        "{}…",
        short[..end].trim_end_matches([' ', ',', ';', ':', '(', '"', '='])
    )
}

/// `pod shop/web container main`.
pub fn pod_words(pod: &Pod, container: &str) -> String {
    let kind = if pod.containers.iter().any(|c| c.init && c.name == container) {
        "init container"
    } else {
        "container"
    };
    if container.is_empty() {
        format!("pod {}", pod.full_name())
    } else {
        format!("pod {} {kind} {container}", pod.full_name())
    }
}

/// `pod shop/web container main` for a pod of which only a log is known.
pub fn full_name_words(ns: &str, pod: &str, container: &str) -> String {
    let container = if container.is_empty() {
        String::new()
    } else {
        format!(" container {container}")
    };
    format!("pod {}{container}", full_name(ns, pod))
}

/// The entities of a pod.
pub fn with_pod(draft: Draft, pod: &Pod, container: &str) -> Draft {
    let mut draft = draft
        .entity("namespace", &pod.ns)
        .entity("pod", &pod.name)
        .entity("container", container)
        .entity("node", &pod.node);
    if let Some((kind, name)) = pod.owner.split_once('/') {
        draft = draft.entity("owner", name);
        if kind == "ReplicaSet" {
            draft = draft.entity("deployment", pod.app());
        }
        draft = draft.entity(
            "workload",
            if kind == "ReplicaSet" {
                pod.app()
            } else {
                name
            },
        );
        if matches!(kind, "Job" | "StatefulSet" | "DaemonSet") {
            draft = draft.entity(&kind.to_ascii_lowercase(), name);
        }
    }
    draft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_match_at_their_borders_only() {
        assert!(contains_word("pod web in shop", "web"));
        assert!(!contains_word("pod web-2 in shop", "web"));
        assert!(contains_word("web-2 and web.", "web"));
    }

    #[test]
    fn texts_are_cut_between_words() {
        assert_eq!(
            cut("pull registry.example.com/shop/web:5.1.0", 20),
            "pull registry.examp…"
        );
        assert_eq!(
            cut("cannot pull registry.example.com/shop/web", 20),
            "cannot pull…"
        );
        assert_eq!(cut("cannot pull the image now", 16), "cannot pull the…");
        assert_eq!(cut("short", 16), "short");
    }

    #[test]
    fn long_lines_are_quoted_around_the_value() {
        let line = format!(
            "{}\"reason\":\"OOMKilled\"{}",
            "x".repeat(3000),
            "y".repeat(3000)
        );
        let quote = excerpt(&line, "OOMKilled", 0);
        assert!(
            quote.contains("OOMKilled")
                && quote.chars().count() <= MAX_QUOTE
                && line.contains(&quote)
        );
        assert!(excerpt(&line, "", 3000).contains("OOMKilled"));
    }
}
