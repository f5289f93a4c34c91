//! Helpers of the detectors that read status outputs and configuration: choosing files, building signals.

use super::engine::{evidence, shorten};
use crate::bundle::{Entry, FileKind, Text, Tree};
use crate::report::{Evidence, Subject};
use crate::signals::{Role, Signal};
use std::collections::BTreeMap;
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
