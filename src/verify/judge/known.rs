//! Names and values: does each stand in the evidence, or else anywhere in the bundle?

use super::ledger::Spot;
use super::{DEFAULT_NAMESPACE, Judge};
use crate::bundle::Tree;
use crate::report::{Report, SubjectField};
use crate::verify::look::{Look, Sight, look_closer};
use crate::verify::lookup::{Edge, Instruction, Needle, find_names};
use crate::verify::names::{Name, What, counts_restarts, extract};
use crate::verify::quote::normalise;
use crate::verify::values::{Nearness, Value, begins_with_one, has_offset};
use crate::verify::verdict::{Matched, Rule, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Longest text that is looked for, in bytes.
const MAX_NEEDLE_BYTES: usize = 512;

/// All that is to be looked for, gathered so that one pass over the bundle finds it.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    needles: BTreeSet<Needle>,
    /// Those that only a line as a whole may tell.
    names: BTreeMap<(String, Option<What>), Name>,
}

impl Wanted {
    /// Everything that a report names.
    pub fn of(report: &Report) -> Self {
        let mut wanted = Self::default();
        for finding in &report.findings {
            for text in [&finding.title, &finding.root_cause] {
                wanted.text(text);
                wanted.deceptive(text);
            }
            for command in &finding.commands {
                wanted.text(&command.why);
                wanted.deceptive(&command.why);
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
        for missing in &report.missing {
            wanted.deceptive(&missing.what);
            wanted.deceptive(&missing.why);
        }
        for part in &report.not_examined {
            wanted.deceptive(&part.why);
        }
        wanted
    }

    /// Every name of a text.
    pub fn text(&mut self, text: &str) {
        for name in extract(text) {
            self.name(&name);
        }
    }

    /// A name that is to be looked for as it stands.
    pub fn plain(&mut self, text: &str) {
        self.needles.insert(Needle::name(text));
    }

    /// A whole label.
    pub fn label(&mut self, text: &str) {
        self.needles.insert(Needle {
            text: text.to_owned(),
            edge: Edge::Label,
        });
    }

    /// A name in all its spellings, its parts, and the days around a time.
    fn name(&mut self, name: &Name) {
        self.names.entry(name.key()).or_insert_with(|| name.clone());
        if name.figure.is_some() {
            return;
        }
        self.needles.extend(name.needles());
        self.needles.extend(parts(&name.text).map(Needle::name));
        if let Some(Value::Moment(moment)) = &name.value {
            for day in moment.neighbours().into_iter().chain(moment.day_alone()) {
                self.needles.extend(Value::Moment(day).needles());
            }
        }
    }

    /// Times of day on the days that are named beside them, which a bundle may give in seconds since 1970.
    fn days(&self) -> Vec<((String, Option<What>), Value)> {
        let moments = || {
            self.names
                .iter()
                .filter_map(|(key, name)| match &name.value {
                    Some(Value::Moment(moment)) => Some((key, moment)),
                    _ => None,
                })
        };
        let mut out = Vec::new();
        for (key, clock) in moments() {
            for (_, day) in moments().take(MAX_DAYS) {
                out.extend(
                    clock
                        .on_the_day_of(day)
                        .map(|moment| (key.clone(), Value::Moment(moment))),
                );
            }
        }
        out
    }

    /// Looks for all of it, and for text that speaks to a model.
    pub fn look(mut self, tree: &Tree, max_bytes: u64) -> Known {
        let days = self.days();
        for (_, value) in &days {
            self.needles.extend(value.needles());
        }
        let wanted: Vec<Needle> = self
            .needles
            .iter()
            .filter(|needle| !needle.text.is_empty() && needle.text.len() <= MAX_NEEDLE_BYTES)
            .cloned()
            .collect();
        let found = find_names(tree, &wanted, max_bytes);
        let mut known = Known {
            places: found.places,
            limited: found.limited,
            instructions: found.instructions,
            ..Known::default()
        };
        for (key, value) in days {
            if let Some(matched) = known.value_place(value).cloned() {
                known
                    .seen
                    .insert((key, Nearness::Rounded), Sight::At(matched));
            }
        }
        self.look_again(tree, max_bytes, &mut known);
        known
    }

    /// Looks line by line for what was not found.
    fn look_again(&self, tree: &Tree, max_bytes: u64, known: &mut Known) {
        let mut keys = Vec::new();
        let mut looks = Vec::new();
        let (mut restarts, mut shares) = (false, false);
        let open = self
            .names
            .values()
            .filter(|name| known.place(name).is_none());
        for name in open.take(MAX_LOOKS) {
            restarts |= name
                .figure
                .as_ref()
                .is_some_and(|figure| figure.what == What::Restarts);
            shares |= name.manner.filled;
            for (near, look) in looks_of(name) {
                if !known.seen.contains_key(&(name.key(), near)) {
                    keys.push(Some((name.key(), near)));
                    looks.push(look);
                }
            }
        }
        if restarts {
            keys.push(None);
            looks.push(Look {
                hints: vec!["restart".to_owned()],
                holds: Box::new(counts_restarts),
            });
        }
        if shares {
            keys.push(None);
            looks.push(Look {
                hints: vec!["%".to_owned()],
                holds: Box::new(shows_share),
            });
        }
        for (at, (key, sight)) in keys
            .into_iter()
            .zip(look_closer(tree, &looks, max_bytes))
            .enumerate()
        {
            match key {
                Some(key) => {
                    known.seen.insert(key, sight);
                }
                None => {
                    let there = matches!(sight, Sight::At(_));
                    let restart = restarts && looks[at].hints[0] == "restart";
                    known.counts_restarts |= there && restart;
                    known.shows_shares |= there && !restart;
                }
            }
        }
    }
}

/// Most days that a time of day is tried on.
const MAX_DAYS: usize = 8;
/// Most names that are looked for line by line.
const MAX_LOOKS: usize = 2_000;

/// What a line by line search asks for a name: a number as what it is, an amount in other units, a quote with other
/// blanks, a time of day that is rounded or of another zone.
fn looks_of(name: &Name) -> Vec<(Nearness, Look<'_>)> {
    let one = |hints, holds| vec![(Nearness::Rounded, Look { hints, holds })];
    if let Some(figure) = &name.figure {
        return one(figure.hints(), Box::new(|line| figure.stands_in_line(line)));
    }
    match &name.value {
        Some(Value::Amount(amount)) => {
            // What is copied is not rounded.
            let amount = if name.computed || name.manner.about {
                amount.clone()
            } else {
                amount.exactly()
            };
            one(
                amount.hints(),
                Box::new(move |line| amount.stands_in_line(line)),
            )
        }
        Some(Value::Moment(moment)) => Nearness::ALL
            .into_iter()
            .filter(|near| match near {
                Nearness::Rounded => true,
                Nearness::Shifted => true,
                Nearness::About => name.manner.about,
            })
            .map(|near| {
                let times = moment.near(near);
                let offset = near == Nearness::Shifted && !name.manner.zone;
                let look = Look {
                    hints: times.clone(),
                    holds: Box::new(move |line| {
                        begins_with_one(line, &times) && (!offset || has_offset(line))
                    }),
                };
                (near, look)
            })
            .collect(),
        None if name.text.contains(' ') => {
            let wanted = normalise(&name.text.to_ascii_lowercase());
            let hint = wanted
                .split(' ')
                .max_by_key(|word| word.len())
                .unwrap_or_default()
                .to_owned();
            one(
                vec![hint],
                Box::new(move |line| normalise(&line.to_ascii_lowercase()).contains(&wanted)),
            )
        }
        None => Vec::new(),
    }
}

/// Whether a line gives the share of a file system, as `df` does.
fn shows_share(line: &str) -> bool {
    line.split_whitespace()
        .zip(line.split_whitespace().skip(1))
        .any(|(share, mount)| {
            mount.starts_with('/')
                && share.strip_suffix('%').is_some_and(|digits| {
                    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
                })
        })
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
    /// What came of the search line by line.
    seen: BTreeMap<((String, Option<What>), Nearness), Sight>,
    /// Whether anything in the bundle counts restarts.
    pub(super) counts_restarts: bool,
    /// Whether anything in the bundle gives the shares of file systems.
    pub(super) shows_shares: bool,
    /// Text of the bundle that speaks to a model.
    pub instructions: Vec<Instruction>,
}

impl Known {
    fn place(&self, name: &Name) -> Option<&Matched> {
        name.needles()
            .iter()
            .find_map(|needle| self.places.get(needle))
            .or_else(|| self.seen_near(name, Nearness::Rounded))
    }

    /// Where a name was seen line by line.
    pub(super) fn seen_near(&self, name: &Name, near: Nearness) -> Option<&Matched> {
        match self.seen.get(&(name.key(), near)) {
            Some(Sight::At(matched)) => Some(matched),
            _ => None,
        }
    }

    /// Whether a limit ended the search for a name.
    pub(super) fn is_unclear(&self, name: &Name) -> bool {
        self.limited
            || Nearness::ALL
                .iter()
                .any(|near| self.seen.get(&(name.key(), *near)) == Some(&Sight::Unclear))
    }

    /// Whether a label stands anywhere, or the search was cut short.
    pub fn has_label(&self, text: &str) -> bool {
        let needle = Needle {
            text: text.to_owned(),
            edge: Edge::Label,
        };
        self.limited || self.places.contains_key(&needle)
    }

    /// Whether a name stands anywhere.
    pub fn stands(&self, name: &Name) -> bool {
        self.place(name).is_some()
    }

    /// Whether a name stands anywhere, or the search was cut short.
    pub fn has(&self, name: &Name) -> bool {
        self.limited || self.place(name).is_some()
    }

    pub(super) fn value_place(&self, value: Value) -> Option<&Matched> {
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
        // Numbers apart are no date and no share; where there is no part, there is nothing to find.
        if parts
            .iter()
            .all(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
            || parts.len() > 4
        {
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
            None if name.figure.is_some() => Rule::Value,
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
        let (status, reason, matched) = known.absent(name, &short, strictness);
        self.ledger.note_at(spot, rule, status, reason, matched);
        status != Status::Rejected
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{answer_in, claims};
    use super::*;
    use serde_json::json;

    /// How the values of `text` are judged in a bundle with `more` at the end of its log.
    fn values(more: &str, text: &str) -> Vec<Status> {
        let verdict = answer_in(more, &json!({"text": text}));
        let all = claims(&verdict, Rule::Value).into_iter();
        all.map(|(_, status, _)| status).collect()
    }

    #[test]
    fn a_count_or_a_share_is_invented_only_where_the_bundle_gives_such() {
        use Status::{Flagged, Rejected};
        let restarts = "  Restart Count:  14\n";
        let disks = "/dev/vda2 9G 1G 8G  9% /\n";
        let both = format!("{restarts}{disks}");
        let full = "The root file system is 37 % used";
        let often = "the pod has 31 restarts";
        for (more, text, expected) in [
            ("", format!("So {often}."), vec![Flagged]),
            (disks, format!("So {often}."), vec![Flagged]),
            (restarts, format!("So {often}."), vec![Rejected]),
            ("", format!("{full}."), vec![Flagged]),
            (restarts, format!("{full}."), vec![Flagged]),
            (disks, format!("{full}."), vec![Rejected]),
            ("", format!("{full} and {often}."), vec![Flagged, Flagged]),
            (
                disks,
                format!("{full} and {often}."),
                vec![Rejected, Flagged],
            ),
            (
                restarts,
                format!("{full} and {often}."),
                vec![Flagged, Rejected],
            ),
            (
                &both,
                format!("{full} and {often}."),
                vec![Rejected, Rejected],
            ),
            (
                disks,
                format!("{full}. Of all requests 41 % failed."),
                vec![Rejected, Flagged],
            ),
            ("", "It ended with exit code 7.".to_owned(), vec![Rejected]),
        ] {
            let mut judged = values(more, &text);
            let mut expected = expected;
            judged.sort();
            expected.sort();
            assert_eq!(judged, expected, "{more:?} {text}");
        }
    }

    #[test]
    fn a_time_beside_its_day_may_stand_in_seconds_since_1970() {
        let more = "ts=1704103200 the job failed, id 1107:23:45\n";
        for (time, status) in [
            ("10:00:00", Status::Ok),
            ("10:00:07", Status::Rejected),
            // Only the end of an identifier looks like it.
            ("07:23:45", Status::Rejected),
        ] {
            let text = format!("On 2024-01-01 the job failed. That was at {time} there.");
            let judged = values(more, &text);
            assert_eq!(judged, [Status::Ok, status], "{time}");
        }
        // Without its day it is no time of that day.
        let alone = values(more, "The job failed at 10:00:00 there.");
        assert_eq!(alone, [Status::Rejected]);
    }

    #[test]
    fn what_is_judged_has_its_rule() {
        let verdict = answer_in(
            "  Environment:   <none>\n",
            &json!({"text": "The pod cart-5f7d9 shows `Environment: <none>` and exit code 137."}),
        );
        for (rule, said) in [
            (Rule::Name, "\"cart-5f7d9\""),
            (Rule::Quote, "\"Environment: <none>\""),
            (Rule::Value, "\"137\""),
        ] {
            let all = claims(&verdict, rule);
            assert_eq!(all.len(), 1, "{rule} {all:?}");
            assert!(all[0].2.contains(said), "{all:?}");
        }
    }

    #[test]
    fn a_share_of_a_file_system_stands_before_its_mount() {
        for (line, shown) in [
            ("/dev/vda2 9G 1G 8G  9% /", true),
            ("tmpfs 9G 1G 8G 100% /run/lock", true),
            ("cpu 9% user", false),
            ("9 /data", false),
            ("% /data", false),
            ("x% /data", false),
            ("9% of /data", false),
        ] {
            assert_eq!(shows_share(line), shown, "{line}");
        }
    }
}
