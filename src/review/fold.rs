//! The state of a review, folded from its history.

use super::claims::{Claim, Content};
use super::model::{Check, Decision, Event, Judged, Review, SignOff};
use std::collections::{BTreeMap, BTreeSet};

/// Where every claim stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// The claims, in the order they are shown.
    pub claims: Vec<ClaimState>,
    /// What the reviewer believed before they saw the findings.
    pub hypothesis: Option<String>,
    /// Whether they are asked for it.
    pub hypothesis_first: bool,
    /// The sign-off that is in force.
    pub signed: Option<SignOff>,
}

/// Where one claim stands.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimState {
    /// Its id.
    pub id: String,
    /// Its versions that were not undone; never empty, the first is the report's own.
    pub versions: Vec<Version>,
    /// Hash of what was shown of the current version in this sitting.
    pub seen: Option<String>,
    /// How the current version was decided.
    pub decided: Option<Decided>,
    /// The reviewer's words, in order.
    pub comments: Vec<String>,
}

/// One version of a claim.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Counts from 1; a number is never given twice.
    pub number: u32,
    /// What it says.
    pub content: Content,
    /// Why it was made; empty for the first.
    pub reason: String,
    /// What the verifier said of an edit; the first was judged with the report.
    pub check: Option<Check>,
}

/// A decision about the current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// How.
    pub decision: Decision,
    /// Why.
    pub reason: String,
}

impl ClaimState {
    /// The version that counts.
    pub fn current(&self) -> &Version {
        // The report's own version is never removed.
        &self.versions[self.versions.len() - 1]
    }
    /// Whether the current version was edited by a person.
    pub fn is_edited(&self) -> bool {
        self.versions.len() > 1
    }
    /// Whether the current version went through the verifier.
    pub fn is_verified(&self) -> bool {
        self.current()
            .check
            .as_ref()
            .is_none_or(|check| check.judged == Judged::Verified)
    }
    /// Whether it was accepted.
    pub fn is_accepted(&self) -> bool {
        self.decided
            .as_ref()
            .is_some_and(|decided| decided.decision == Decision::Accept)
    }
    /// One word for where it stands.
    pub fn word(&self) -> &'static str {
        match (&self.decided, self.is_verified()) {
            (Some(decided), _) if decided.decision == Decision::Reject => "rejected",
            (Some(_), _) => "accepted",
            (None, false) => match self.current().check.as_ref().map(|check| check.judged) {
                Some(Judged::Failed) => "edit refused",
                _ => "not verified",
            },
            (None, true) if self.seen.is_some() => "seen",
            (None, true) => "not seen",
        }
    }
}

impl Folded {
    /// The claim with this id.
    pub fn claim(&self, id: &str) -> Option<&ClaimState> {
        self.claims.iter().find(|claim| claim.id == id)
    }

    /// Whether the findings are still hidden.
    pub fn is_hidden(&self) -> bool {
        self.hypothesis_first && self.hypothesis.is_none() && self.signed.is_none()
    }
}

/// Numbers of the entries that were undone.
fn undone(review: &Review) -> BTreeSet<u64> {
    review
        .history
        .iter()
        .filter_map(|entry| match entry.what {
            Event::Undone { entry } => Some(entry),
            _ => None,
        })
        .collect()
}

/// The last entry that an undo would take back.
pub fn last_undoable(review: &Review) -> Option<u64> {
    let undone = undone(review);
    let from = review.sign_offs.last().map_or(0, |signed| signed.entries);
    review
        .history
        .iter()
        .rev()
        .take_while(|entry| entry.number > from)
        .find(|entry| {
            !undone.contains(&entry.number)
                && matches!(
                    entry.what,
                    Event::Decided { .. } | Event::Edited { .. } | Event::Commented { .. }
                )
        })
        .map(|entry| entry.number)
}

/// The number that the next version of a claim gets.
pub fn next_version(review: &Review, id: &str) -> u32 {
    review
        .history
        .iter()
        .filter_map(|entry| match &entry.what {
            Event::Edited { claim, version, .. } if claim == id => Some(*version),
            _ => None,
        })
        .max()
        .unwrap_or(1)
        .saturating_add(1)
}

/// The sign-off that counts: the last one, unless the history went on after it.
pub fn in_force(review: &Review) -> Option<&SignOff> {
    let last = review.sign_offs.last()?;
    let reopened = review
        .history
        .iter()
        .any(|entry| entry.number > last.entries && matches!(entry.what, Event::Reopened { .. }));
    (!reopened).then_some(last)
}

/// Folds the history of `review` over the claims of its run.
pub fn fold(claims: Vec<Claim>, review: &Review) -> Folded {
    let mut all: Vec<ClaimState> = claims
        .into_iter()
        .map(|claim| ClaimState {
            id: claim.id,
            versions: vec![Version {
                number: 1,
                content: claim.content,
                reason: String::new(),
                check: None,
            }],
            seen: None,
            decided: None,
            comments: vec![],
        })
        .collect();
    let at: BTreeMap<String, usize> = all
        .iter()
        .enumerate()
        .map(|(at, claim)| (claim.id.clone(), at))
        .collect();
    let skip = undone(review);
    let (mut hypothesis, mut hypothesis_first) = (None, false);
    // What was seen, by claim and version; and the last decision about each version.
    let mut seen: BTreeMap<(usize, u32), String> = BTreeMap::new();
    let mut decided: BTreeMap<(usize, u32), Decided> = BTreeMap::new();
    for entry in &review.history {
        if skip.contains(&entry.number) {
            continue;
        }
        match &entry.what {
            Event::Opened {
                hypothesis_first: first,
                ..
            } => {
                // Who takes a review up again looks at every claim again.
                seen.clear();
                hypothesis_first |= *first;
            }
            Event::Hypothesis { text } => hypothesis = Some(text.clone()),
            Event::Seen {
                claim,
                version,
                shown,
                ..
            } => {
                if let Some(at) = at.get(claim) {
                    seen.insert((*at, *version), shown.clone());
                }
            }
            Event::Decided {
                claim,
                version,
                decision,
                reason,
            } => {
                if let Some(at) = at.get(claim) {
                    decided.insert(
                        (*at, *version),
                        Decided {
                            decision: *decision,
                            reason: reason.clone(),
                        },
                    );
                }
            }
            Event::Edited {
                claim,
                version,
                reason,
                content,
                check,
            } => {
                if let Some(at) = at.get(claim) {
                    all[*at].versions.push(Version {
                        number: *version,
                        content: content.clone(),
                        reason: reason.clone(),
                        check: Some(check.clone()),
                    });
                }
            }
            Event::Verified {
                claim,
                version,
                content,
                check,
            } => {
                let known = at.get(claim).and_then(|at| {
                    all[*at]
                        .versions
                        .iter_mut()
                        .find(|known| known.number == *version)
                });
                if let Some(known) = known {
                    known.content = content.clone();
                    known.check = Some(check.clone());
                }
            }
            Event::Commented { claim, text } => {
                if let Some(at) = at.get(claim) {
                    all[*at].comments.push(text.clone());
                }
            }
            Event::Undone { .. } | Event::Reopened { .. } => {}
        }
    }
    for (at, claim) in all.iter_mut().enumerate() {
        let key = (at, claim.current().number);
        claim.seen = seen.remove(&key);
        claim.decided = decided.remove(&key);
    }
    Folded {
        claims: all,
        hypothesis,
        hypothesis_first,
        signed: in_force(review).cloned(),
    }
}
