//! Names and values: does each stand in the evidence, or else anywhere in the bundle?

use super::answer::made_names;
use super::ledger::Spot;
use super::{DEFAULT_NAMESPACE, Judge};
use crate::bundle::Tree;
use crate::report::{Report, SubjectField};
use crate::verify::lookup::{Instruction, Needle, find_names};
use crate::verify::names::{Name, extract};
use crate::verify::values::Value;
use crate::verify::verdict::{Matched, Rule, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Longest text that is looked for, in bytes.
const MAX_NEEDLE_BYTES: usize = 512;

/// All that is to be looked for, gathered so that one pass over the bundle finds it.
#[derive(Debug, Default)]
pub(super) struct Wanted(BTreeSet<Needle>);

impl Wanted {
    /// Everything that a report names.
    pub fn of(report: &Report) -> Self {
        let mut wanted = Self::default();
        for finding in &report.findings {
            for text in [&finding.title, &finding.root_cause] {
                wanted.text(text);
            }
            for command in &finding.commands {
                wanted.text(&command.why);
                wanted.command(&command.command);
            }
            match &finding.subject {
                Some(SubjectField::Text(text)) => wanted.text(text),
                Some(SubjectField::Subject(subject)) => {
                    for name in [Some(&subject.name), subject.namespace.as_ref()]
                        .into_iter()
                        .flatten()
                    {
                        wanted.name(&Name::new(name));
                    }
                }
                None => {}
            }
        }
        wanted
    }

    /// The made names of a command.
    pub fn command(&mut self, command: &str) {
        for name in made_names(command) {
            self.name(&Name::new(name));
        }
    }

    /// Every name of a text.
    pub fn text(&mut self, text: &str) {
        for name in extract(text) {
            self.name(&name);
        }
    }

    /// A name in all its spellings, its parts, and the days around a time.
    fn name(&mut self, name: &Name) {
        self.0.extend(name.needles());
        self.0.extend(parts(&name.text).map(Needle::name));
        if let Some(Value::Moment(moment)) = &name.value {
            for day in moment.neighbours().into_iter().chain(moment.day_alone()) {
                self.0.extend(Value::Moment(day).needles());
            }
        }
    }

    /// Looks for all of it, and for text that speaks to a model.
    pub fn look(self, tree: &Tree, max_bytes: u64) -> Known {
        let wanted: Vec<Needle> = self
            .0
            .into_iter()
            .filter(|needle| !needle.text.is_empty() && needle.text.len() <= MAX_NEEDLE_BYTES)
            .collect();
        let found = find_names(tree, &wanted, max_bytes);
        Known {
            places: found.places,
            limited: found.limited,
            instructions: found.instructions,
        }
    }
}

/// namespace/name, kind/name, image:tag: the parts may stand apart.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split(['/', ':'])
        .filter(move |part| part.len() > 1 && part.len() < name.len() && *part != DEFAULT_NAMESPACE)
}

/// Where each name stands.
#[derive(Debug, Default)]
pub(super) struct Known {
    places: BTreeMap<Needle, Matched>,
    limited: bool,
    /// Text of the bundle that speaks to a model.
    pub instructions: Vec<Instruction>,
}

impl Known {
    fn place(&self, name: &Name) -> Option<&Matched> {
        name.needles()
            .iter()
            .find_map(|needle| self.places.get(needle))
    }

    /// Whether a name stands anywhere, or the search was cut short.
    pub fn has(&self, name: &Name) -> bool {
        self.limited || self.place(name).is_some()
    }

    fn value_place(&self, value: Value) -> Option<&Matched> {
        value
            .needles()
            .iter()
            .find_map(|needle| self.places.get(needle))
    }

    /// Where all parts of a name stand, if it is one of parts.
    fn place_of_parts(&self, name: &Name) -> Option<&Matched> {
        let text = &name.text;
        if text.starts_with('/') || text.contains(' ') || name.value.is_some() {
            return None;
        }
        let parts: Vec<&str> = parts(text).collect();
        if parts.is_empty() || parts.len() > 4 {
            return None;
        }
        let places: Option<Vec<&Matched>> = parts
            .iter()
            .map(|part| self.places.get(&Needle::name(*part)))
            .collect();
        places?.last().copied()
    }
}

/// How strictly the names of a text are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// A statement: an invented name rejects it.
    Statement,
    /// Why a command is worth running: options and functions to look for may be absent.
    Advice,
    /// Another tool's sentence: it may link to pages outside of the bundle.
    Answer,
}

impl Judge<'_> {
    /// Judges names: each must stand in the evidence or elsewhere in the bundle.
    pub(super) fn names(
        &mut self,
        spot: &Spot,
        text: &str,
        shown: &str,
        strictness: Strictness,
    ) -> bool {
        let names = extract(text);
        let mut all = true;
        for name in &names {
            all &= self.name(spot, name, shown, strictness);
        }
        all
    }

    /// Judges one name.
    pub(super) fn name(
        &mut self,
        spot: &Spot,
        name: &Name,
        shown: &str,
        strictness: Strictness,
    ) -> bool {
        let short: String = name.text.chars().take(80).collect();
        let rule = match &name.value {
            Some(_) => Rule::Value,
            None if name.text.contains(' ') => Rule::Quote,
            None => Rule::Name,
        };
        if name.stands_in(shown) {
            let reason = format!("{short:?} stands in the evidence");
            self.ledger.note(spot, rule, Status::Ok, reason);
            return true;
        }
        let known = self.known.clone();
        if let Some(matched) = known.place(name).or_else(|| known.place_of_parts(name)) {
            let reason = format!("{short:?} stands in the bundle");
            self.ledger
                .note_at(spot, rule, Status::Ok, reason, Some(matched.clone()));
            return true;
        }
        if let Some(how) = name
            .value
            .as_ref()
            .and_then(|value| value.follows_from(shown))
        {
            let reason = format!("{short:?} follows from the evidence: {how}");
            self.ledger.note(spot, rule, Status::Ok, reason);
            return true;
        }
        let (status, reason) = match &name.value {
            _ if known.limited => (
                Status::Flagged,
                format!("{short:?} was not found in what was searched; a limit ended the search"),
            ),
            Some(Value::Moment(moment)) => {
                let same_day = moment.day_alone();
                let near = moment.neighbours().into_iter().chain(same_day);
                if !moment.has_day() {
                    (
                        Status::Flagged,
                        format!("{short:?} stands nowhere in the bundle: computed or invented"),
                    )
                } else if let Some(matched) = near
                    .into_iter()
                    .find_map(|day| known.value_place(Value::Moment(day)))
                {
                    let reason = format!(
                        "{short:?} stands nowhere in the bundle, a time of that or the next day does: computed or invented"
                    );
                    self.ledger
                        .note_at(spot, rule, Status::Flagged, reason, Some(matched.clone()));
                    return true;
                } else {
                    (
                        Status::Rejected,
                        format!("nothing in the bundle is of the day {short:?}"),
                    )
                }
            }
            _ if name.computed => (
                Status::Flagged,
                format!("{short:?} stands nowhere in the bundle: computed or invented"),
            ),
            _ if strictness == Strictness::Advice && is_option(&name.text) => (
                Status::Flagged,
                format!(
                    "{short:?} stands nowhere in the bundle: the name of an option or a function"
                ),
            ),
            _ if strictness == Strictness::Answer && name.text.contains("://") => (
                Status::Flagged,
                format!("{short:?} is a link that is not in the bundle"),
            ),
            _ => (
                Status::Rejected,
                format!("{short:?} stands nowhere in the bundle"),
            ),
        };
        self.ledger.note(spot, rule, status, reason);
        status != Status::Rejected
    }
}

/// Whether a name is written like an option or a function of a program: lower case words joined by `_`.
fn is_option(name: &str) -> bool {
    name.contains('_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.' | '-'))
}
