//! Helpers of the detectors that read status outputs and configuration: choosing files, building signals.

use super::engine::{evidence, shorten};
use crate::bundle::{Entry, FileKind, Text, Tree};
use crate::report::{Evidence, Subject};
use crate::signals::{Role, Signal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Largest status output that is read.
const MAX_BYTES: u64 = 8 << 20;

/// Texts of the files outside logs whose lower-case path (without the top folder) satisfies `wanted`.
pub fn texts<'a>(
    tree: &'a Tree,
    wanted: impl Fn(&str) -> bool + 'a,
) -> impl Iterator<Item = (&'a Entry, Arc<Text>)> + 'a {
    tree.files().filter_map(move |entry| {
        let small = entry.bytes > 0
            && entry.bytes <= MAX_BYTES
            && !matches!(entry.kind, FileKind::Binary | FileKind::Archive);
        if !small || !wanted(&tree.rel(entry).to_ascii_lowercase()) {
            return None;
        }
        Some((entry, tree.text(entry).ok().flatten()?))
    })
}

/// The last name of a path.
pub fn name_of(rel: &str) -> &str {
    rel.rsplit('/').next().unwrap_or(rel)
}

/// The first line that contains `needle`, as evidence.
pub fn line_with(entry: &Entry, text: &Text, needle: &str) -> Option<Evidence> {
    text.lines()
        .find(|(_, line)| line.contains(needle))
        .map(|(number, line)| evidence(entry, number, line))
}

/// One line as evidence.
pub fn at(entry: &Entry, number: usize, line: &str) -> Evidence {
    evidence(entry, number, line)
}

/// What a state detector says.
pub struct Says<'a> {
    /// Detector id and cause.
    pub id: (&'static str, &'static str),
    /// Kind and name of the subject.
    pub subject: (&'static str, &'a str),
    /// Title and statement.
    pub title: String,
    /// Statement.
    pub statement: String,
    /// Strength.
    pub strength: f64,
    /// Role.
    pub role: Role,
    /// Decisive lines.
    pub evidence: Vec<Evidence>,
}

impl Says<'_> {
    /// The signal; `None` without evidence.
    pub fn signal(self, entities: &[(&str, &str)]) -> Option<Signal> {
        if self.evidence.is_empty() {
            return None;
        }
        let mut evidence = self.evidence;
        evidence.truncate(6);
        let entities: BTreeMap<String, String> = entities
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Some(Signal {
            detector: self.id.0.to_owned(),
            cause: self.id.1.to_owned(),
            title: shorten(&self.title, 240),
            statement: shorten(&self.statement, 700),
            subject: Subject {
                kind: self.subject.0.to_owned(),
                namespace: None,
                name: self.subject.1.to_owned(),
            },
            evidence,
            strength: self.strength,
            role: self.role,
            entities,
        })
    }
}

/// The value of `name = …` in the first file that `wanted` accepts and that sets it, comments left out.
pub fn setting(
    tree: &Tree,
    wanted: impl Fn(&str) -> bool,
    name: &str,
) -> Option<(String, Evidence)> {
    texts(tree, wanted).find_map(|(entry, text)| value_of(entry, &text, name))
}

/// The value of `name = …` in one file and its line.
pub fn value_of(entry: &Entry, text: &Text, name: &str) -> Option<(String, Evidence)> {
    text.lines().find_map(|(number, line)| {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        (key.trim() == name && !value.is_empty())
            .then(|| (value.to_owned(), at(entry, number, line)))
    })
}

/// `0-3,8,^2` or `0 1 2` as a set of processor numbers; numbers beyond 8192 are not believed.
pub fn cpu_list(text: &str) -> BTreeSet<u32> {
    const MAX_CPU: u32 = 8192;
    let mut set = BTreeSet::new();
    let mut without = BTreeSet::new();
    for part in text.split([',', ' ']).map(str::trim) {
        let (part, into) = match part.strip_prefix('^') {
            Some(rest) => (rest, &mut without),
            None => (part, &mut set),
        };
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(low), Ok(high)) = (low.parse::<u32>(), high.parse::<u32>())
            && low <= high
            && high <= MAX_CPU
        {
            into.extend(low..=high);
        }
    }
    set.difference(&without).copied().collect()
}

/// A set of processors as people write it: `0-3,8`.
pub fn cpu_text(set: &BTreeSet<u32>) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for cpu in set {
        match parts.last_mut() {
            Some((_, high)) if *high + 1 == *cpu => *high = *cpu,
            _ => parts.push((*cpu, *cpu)),
        }
    }
    let parts: Vec<String> = parts
        .into_iter()
        .map(|(low, high)| {
            if low == high {
                low.to_string()
            } else {
                format!("{low}-{high}")
            }
        })
        .collect();
    parts.join(",")
}
