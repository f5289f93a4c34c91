//! Log lines that an expert knows, as data: literals, an expression, what it means, how strong it is.
//!
//! A rule names no host, no release and no incident. Its strength is how often such a line, seen
//! alone in a host's logs, is the reason why somebody made the bundle.

mod access;
mod boot;
mod crash;
mod devices;
mod filesystems;
mod hardware;
mod interfaces;
mod kernel;
mod limits;
mod memory;
mod network;
mod packages;
mod power;
mod security;
mod services;
mod storage;
#[cfg(test)]
mod tests;
mod volumes;

use super::clock::{DAY, date};
use super::emit::{Draft, raise, times};
use super::facts::Host;
use super::logs::{Group, Hits};
use crate::signals::Partial;
use std::collections::BTreeMap;

/// Which lines a rule may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Only the kernel's messages.
    Kernel,
    /// syslog, journal, audit and their like.
    System,
    /// Every log, programs' own ones too.
    Any,
}

/// One kind of log line.
pub struct Rule {
    /// Name of the detector without `host.`.
    pub detector: &'static str,
    /// Slug in the catalogue.
    pub cause: &'static str,
    /// Kind of the subject.
    pub kind: &'static str,
    /// Template of the subject's name; lines with the same name are one group.
    pub name: &'static str,
    /// Where it looks.
    pub scope: Scope,
    /// Literals, one of which each matching line contains.
    pub needles: &'static [&'static str],
    /// The expression; named captures are slots of the templates and of commands.
    pub pattern: &'static str,
    /// Lines that match this are ordinary, or "".
    pub except: &'static str,
    /// Title with slots, `{n}` for "12 times", `{when}` for the day if it is long ago.
    pub title: &'static str,
    /// The root cause in an expert's words.
    pub statement: &'static str,
    /// See `signals/mod.rs`.
    pub strength: f64,
    /// Fewer lines than this weaken it.
    pub enough: usize,
    /// Ordinary in the first two minutes after a boot.
    pub ordinary_at_boot: bool,
    /// A consequence that needs a reason.
    pub symptom: bool,
    /// Words of the customer that mean this trouble.
    pub ticket: &'static [&'static str],
    /// One fault whoever complains: the most frequent subject speaks, the others are named.
    pub merge: bool,
    /// A detector of its own makes the signal.
    pub quiet: bool,
}

/// Defaults of the tables.
const BASE: Rule = Rule {
    detector: "",
    cause: "",
    kind: "Host",
    name: "host",
    scope: Scope::Kernel,
    needles: &[],
    pattern: "",
    except: "",
    title: "",
    statement: "",
    strength: 0.5,
    enough: 1,
    ordinary_at_boot: false,
    symptom: false,
    ticket: &[],
    merge: false,
    quiet: false,
};

/// Every rule.
pub fn all() -> Vec<&'static Rule> {
    [
        access::RULES,
        boot::RULES,
        crash::RULES,
        devices::RULES,
        filesystems::RULES,
        hardware::RULES,
        interfaces::RULES,
        kernel::RULES,
        limits::RULES,
        memory::RULES,
        network::RULES,
        packages::RULES,
        power::RULES,
        security::RULES,
        services::RULES,
        storage::RULES,
        volumes::RULES,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Replaces `{slot}` by its value; unknown slots become "".
pub fn fill(template: &str, values: &BTreeMap<String, String>) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        let Some(end) = rest[at..].find('}') else {
            break;
        };
        text.push_str(
            values
                .get(&rest[at + 1..at + end])
                .map_or("", String::as_str),
        );
        rest = &rest[at + end + 1..];
    }
    text.push_str(rest);
    text
}

/// How much a log line counts given its age and number.
pub fn weigh(strength: f64, enough: usize, group: &Group, host: &Host) -> f64 {
    let mut strength = strength;
    if group.count() < enough {
        strength *= 0.6;
    }
    if let Some((now, last)) = host.frame.now.zip(group.last) {
        strength *= match (now - last) / DAY {
            ..=7 => 1.0,
            8..=30 => 0.95,
            31..=90 => 0.85,
            _ => 0.65,
        };
    }
    strength
}

/// Text for `{when}`: the day, if it was not the bundle's own or the one before.
pub fn when(group: &Group, host: &Host) -> String {
    match host.frame.now.zip(group.last) {
        Some((now, last)) if now - last > 2 * DAY => format!(", last on {}", date(last)),
        _ => String::new(),
    }
}

/// Turns what the tables found into signals, the four most frequent subjects of each rule.
pub fn report(host: &Host, hits: &Hits, out: &mut Partial) {
    let mut by_rule: BTreeMap<&str, Vec<(&'static Rule, &str, &Group)>> = BTreeMap::new();
    for (rule, key, group) in hits.all().filter(|(rule, _, _)| !rule.quiet) {
        by_rule
            .entry(rule.detector)
            .or_default()
            .push((rule, key, group));
    }
    for mut found in by_rule.into_values() {
        found.sort_by_key(|(_, _, group)| std::cmp::Reverse(group.count()));
        let others: Vec<String> = found
            .iter()
            .skip(1)
            .map(|(_, key, _)| (*key).to_owned())
            .collect();
        let merge = found.first().is_some_and(|(rule, _, _)| rule.merge);
        let more: Vec<_> = found
            .iter()
            .skip(1)
            .take(3)
            .filter_map(|(_, _, g)| g.evidence().into_iter().next())
            .collect();
        for (rule, key, group) in found.into_iter().take(if merge { 1 } else { 4 }) {
            let mut slots = group.captures.clone();
            slots.insert("n".to_owned(), times(group.count()));
            slots.insert("when".to_owned(), when(group, host));
            let mut strength = weigh(rule.strength, rule.enough, group, host);
            if host.ticket_has(rule.ticket)
                || (rule.name.contains('{')
                    && key.len() > 2
                    && host.ticket_has(&[&key.to_lowercase()]))
            {
                strength = raise(strength);
            }
            let mut title = fill(rule.title, &slots);
            let mut evidence = group.evidence();
            if merge && !others.is_empty() {
                title.push_str(&format!(
                    "; also {}",
                    others
                        .iter()
                        .take(4)
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .join(", ")
                ));
                evidence.truncate(2);
                evidence.extend(more.iter().cloned());
            }
            let mut draft = Draft::cause(rule.detector, rule.cause, strength, rule.kind, key)
                .says(title, fill(rule.statement, &slots))
                .cites(evidence);
            if rule.symptom {
                draft = draft.symptom();
            }
            for (slot, value) in &group.captures {
                draft = draft.with(slot, value.as_str());
            }
            draft.put(out);
        }
    }
}
