//! Making signals: the one place where a detector's findings become [`Signal`]s.

use super::facts::Host;
use crate::report::{Evidence, Missing, Subject};
use crate::signals::{Partial, Role, Signal};
use std::collections::BTreeMap;

/// A signal in the making; `detector` and `cause` are names of the catalogue.
#[derive(Debug, Clone)]
pub struct Draft {
    signal: Signal,
}

impl Draft {
    /// A candidate for the root cause about `kind` `name`, with its strength.
    pub fn cause(detector: &str, cause: &str, strength: f64, kind: &str, name: &str) -> Self {
        Self {
            signal: Signal {
                detector: format!("host.{detector}"),
                cause: cause.to_owned(),
                title: String::new(),
                statement: String::new(),
                subject: Subject {
                    kind: kind.to_owned(),
                    namespace: None,
                    name: name.to_owned(),
                },
                evidence: Vec::new(),
                strength,
                role: Role::Cause,
                entities: BTreeMap::new(),
            },
        }
    }
    /// Turns it into a consequence that needs a reason.
    #[must_use]
    pub fn symptom(mut self) -> Self {
        self.signal.role = Role::Symptom;
        self
    }
    /// The line and the sentences the engineer reads.
    #[must_use]
    pub fn says(mut self, title: impl Into<String>, statement: impl Into<String>) -> Self {
        self.signal.title = title.into();
        self.signal.statement = statement.into();
        self
    }
    /// Adds evidence; six at most are kept, doubled lines dropped.
    #[must_use]
    pub fn cites(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        for item in evidence {
            if self.signal.evidence.len() < 6
                && !item.quote.trim().is_empty()
                && !self.signal.evidence.contains(&item)
            {
                self.signal.evidence.push(item);
            }
        }
        self
    }
    /// A value for command templates.
    #[must_use]
    pub fn with(mut self, slot: &str, value: impl Into<String>) -> Self {
        self.signal.entities.insert(slot.to_owned(), value.into());
        self
    }
    /// Raises the strength when the customer's words name the trouble.
    #[must_use]
    pub fn if_ticket(mut self, host: &Host, words: &[&str]) -> Self {
        if host.ticket_has(words) {
            self.signal.strength = raise(self.signal.strength);
        }
        self
    }
    /// Hands it over. A signal without evidence is dropped: nothing is claimed that can't be shown.
    pub fn put(mut self, out: &mut Partial) {
        if self.signal.evidence.is_empty() {
            return;
        }
        self.signal.strength = (self.signal.strength.clamp(0.05, 0.97) * 100.0).round() / 100.0;
        out.signals.push(self.signal);
    }
}

/// Strength when the ticket speaks of just this: a third of the way to certainty, at least 0.5.
pub fn raise(strength: f64) -> f64 {
    (strength + (0.97 - strength) * 0.3).max(0.5)
}

/// Adds something an expert would ask for.
pub fn ask(out: &mut Partial, what: &str, why: &str, path: Option<&str>) {
    let item = Missing {
        what: what.to_owned(),
        why: why.to_owned(),
        path: path.map(str::to_owned),
    };
    if !out.missing.contains(&item) {
        out.missing.push(item);
    }
}

/// `once`, `12 times`; from 20,000 on lines are no longer all counted.
pub fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        20_000.. => format!("at least {count} times"),
        _ => format!("{count} times"),
    }
}

/// kB as GiB or MiB, for titles.
pub fn size(kib: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    let value = kib as f64;
    if kib >= 1 << 20 {
        format!("{:.1} GiB", value / f64::from(1 << 20))
    } else if kib >= 1 << 10 {
        format!("{:.0} MiB", value / 1024.0)
    } else {
        format!("{kib} KiB")
    }
}

/// `part` of `whole` in percent; 0 for an empty whole.
pub fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}
