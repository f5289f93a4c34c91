//! How far people and model agree, over time: what was accepted, edited and rejected, and whether a
//! stated confidence was worth what it said.
//!
//! Counted are runs that were signed, by the month of the signature. A finding that was edited and
//! then accepted counts as edited: the person did not agree with it as it was.

use super::fold::{self, ClaimState};
use super::model::{Agreement, Decision, Outcome};
use super::queue::{Reviewed, walk};
use crate::error::{Error, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Agreement in all, by month, by confidence and by who worded the finding.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// All of it.
    pub all: Counts,
    /// By month of the signature, `2026-03`.
    pub months: BTreeMap<String, Counts>,
    /// Findings by the confidence they stated, in five bands from 0 to 1.
    pub confidence: Vec<Band>,
    /// Findings that the model worded.
    pub worded_by_model: Judged,
    /// Findings that a rule worded.
    pub worded_by_rule: Judged,
}

/// What people decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Runs signed.
    pub runs: u64,
    /// Of these, approved.
    pub approved: u64,
    /// Of these, rejected as a whole.
    pub rejected: u64,
    /// Runs whose first finding was decided about, and how.
    pub first: Judged,
    /// All findings that were decided about.
    pub findings: Judged,
    /// Hypotheses written before the findings were shown, by what the reviewer said at the end.
    pub hypotheses: Hypotheses,
}

/// Findings by what a person made of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// As they were.
    pub accepted: u64,
    /// After an edit.
    pub edited: u64,
    /// Not.
    pub rejected: u64,
}

impl Judged {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.accepted + self.edited + self.rejected
    }
    /// Share accepted as they were, 0 to 1; `None` when there is none.
    pub fn agreement(&self) -> Option<f64> {
        match self.total() {
            0 => None,
            total => Some(self.accepted as f64 / total as f64),
        }
    }
    fn count(&mut self, how: How) {
        match how {
            How::Accepted => self.accepted += 1,
            How::Edited => self.edited += 1,
            How::Rejected => self.rejected += 1,
        }
    }
}

/// Whether the reviewer's own hypothesis agreed, by their own statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Hypotheses {
    /// The same cause.
    pub yes: u64,
    /// In part.
    pub partly: u64,
    /// Another cause.
    pub no: u64,
}

/// Findings whose stated confidence is in one band.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Band {
    /// From this confidence.
    pub from: f64,
    /// To this one, the last band inclusive.
    pub to: f64,
    /// Mean of what was stated.
    pub stated: Option<f64>,
    /// What people made of them.
    pub findings: Judged,
}

#[derive(Clone, Copy)]
enum How {
    Accepted,
    Edited,
    Rejected,
}

fn how(claim: &ClaimState) -> Option<How> {
    let decided = claim.decided.as_ref()?;
    Some(match (decided.decision, claim.is_edited()) {
        (Decision::Reject, _) => How::Rejected,
        (Decision::Accept, true) => How::Edited,
        (Decision::Accept, false) => How::Accepted,
    })
}

/// The agreement over all signed runs below `runs`.
///
/// # Errors
/// When the runs directory cannot be read. A damaged run is told to `warn` and left out.
pub fn of(runs: &Path, tenant: Option<&str>, mut warn: impl FnMut(&Error)) -> Result<Stats> {
    const BANDS: usize = 5;
    let mut stats = Stats::default();
    let mut stated: [(f64, u64, Judged); BANDS] = Default::default();
    walk(runs, |read| match read {
        Ok(reviewed) if tenant.is_none_or(|wanted| reviewed.tenant.as_deref() == Some(wanted)) => {
            count(&mut stats, &mut stated, &reviewed);
        }
        Ok(_) => {}
        Err(error) => warn(&error),
    })?;
    stats.confidence = stated
        .into_iter()
        .enumerate()
        .map(|(at, (sum, n, findings))| Band {
            from: at as f64 / BANDS as f64,
            to: (at + 1) as f64 / BANDS as f64,
            stated: (n > 0).then(|| sum / n as f64),
            findings,
        })
        .collect();
    Ok(stats)
}

fn count(stats: &mut Stats, stated: &mut [(f64, u64, Judged)], reviewed: &Reviewed) {
    let Reviewed {
        run,
        signed: review,
        ..
    } = reviewed;
    let state = fold::fold(super::claims::of(run), review);
    let Some(signed) = &state.signed else { return };
    let month: String = signed.at.chars().take(7).collect();
    for counts in [&mut stats.all, stats.months.entry(month).or_default()] {
        counts.runs += 1;
        match signed.outcome {
            Outcome::Approved => counts.approved += 1,
            Outcome::Rejected => counts.rejected += 1,
        }
        match signed.agreement {
            Some(Agreement::Yes) => counts.hypotheses.yes += 1,
            Some(Agreement::Partly) => counts.hypotheses.partly += 1,
            Some(Agreement::No) => counts.hypotheses.no += 1,
            None => {}
        }
        for (at, claim) in state.claims.iter().enumerate() {
            let is_finding = claim.current().content.finding().is_some();
            if let Some(how) = how(claim).filter(|_| is_finding) {
                counts.findings.count(how);
                if at == 0 {
                    counts.first.count(how);
                }
            }
        }
    }
    for claim in &state.claims {
        let (Some(how), Some(finding)) = (how(claim), claim.versions[0].content.finding()) else {
            continue;
        };
        if finding.confidence.is_finite() {
            let last = stated.len() - 1;
            let at = (finding.confidence.clamp(0.0, 1.0) * stated.len() as f64) as usize;
            let band = &mut stated[at.min(last)];
            band.0 += finding.confidence;
            band.1 += 1;
            band.2.count(how);
        }
        let model = run.record.origins.iter().any(|origin| {
            origin.cause == finding.cause && origin.title == finding.title && origin.worded_by_model
        });
        match model {
            true => stats.worded_by_model.count(how),
            false => stats.worded_by_rule.count(how),
        }
    }
}
