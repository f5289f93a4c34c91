//! The claims judged so far.

use crate::verify::verdict::{ClaimVerdict, Counts, Matched, Rule, Status};

/// Longest excerpt of a claim, in characters.
const MAX_EXCERPT_CHARS: usize = 200;

#[cfg(test)]
thread_local! {
    /// The rule that fails nothing while a test shows what goes through without it.
    pub(super) static OFF: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}

/// Where a claim stands: its place, the finding it belongs to, and the words themselves if the place holds more.
#[derive(Debug, Clone, Default)]
pub(super) struct Spot {
    pub place: String,
    pub finding: Option<u32>,
    pub excerpt: Option<String>,
    /// Where in the text of that place, in bytes.
    pub span: Option<(u64, u64)>,
}

impl Spot {
    /// A place in the report.
    pub fn new(place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            ..Self::default()
        }
    }
    /// The same finding's `field`, below this place.
    pub fn at(&self, field: &str) -> Self {
        Self {
            place: format!("{}/{field}", self.place),
            ..self.clone()
        }
    }
    /// The words that are judged, where the place holds more than them.
    pub fn saying(&self, text: &str) -> Self {
        Self {
            excerpt: Some(text.trim().chars().take(MAX_EXCERPT_CHARS).collect()),
            ..self.clone()
        }
    }
}

/// Claims with their verdicts, in the order in which they were judged.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub claims: Vec<ClaimVerdict>,
}

impl Ledger {
    /// Notes a verdict.
    pub fn note(&mut self, spot: &Spot, rule: Rule, status: Status, reason: impl Into<String>) {
        self.note_at(spot, rule, status, reason, None);
    }

    /// Notes a verdict and where in the bundle it was decided.
    pub fn note_at(
        &mut self,
        spot: &Spot,
        rule: Rule,
        status: Status,
        reason: impl Into<String>,
        matched: Option<Matched>,
    ) {
        #[cfg(test)]
        let status = if OFF.get() == Some(rule) {
            Status::Ok
        } else {
            status
        };
        self.claims.push(ClaimVerdict {
            place: spot.place.clone(),
            finding: spot.finding,
            rule,
            status,
            reason: reason.into(),
            excerpt: spot.excerpt.clone(),
            span: spot.span,
            matched,
        });
    }

    /// Whether any claim from the `from`th on is rejected.
    pub fn rejected_since(&self, from: usize) -> bool {
        self.claims[from..]
            .iter()
            .any(|claim| claim.status == Status::Rejected)
    }

    /// How many ended how.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for claim in &self.claims {
            match claim.status {
                Status::Ok => counts.ok += 1,
                Status::Flagged => counts.flagged += 1,
                Status::Dropped => counts.dropped += 1,
                Status::Rejected => counts.rejected += 1,
            }
        }
        counts
    }
}
