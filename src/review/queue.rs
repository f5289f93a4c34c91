//! Many runs: which of them wait for a person.
//!
//! Touches: the runs directory, reading only. Runs of tenants are in directories of their own below it.

use super::fold;
use super::model::{Event, Review, State};
use crate::error::{Error, Result};
use crate::files;
use crate::record::{self, Run};
use crate::report::Outcome;
use crate::tenant::Tenant;
use crate::verify::VerdictOutcome;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::Path;

/// Which runs to list.
#[derive(Debug, Clone, Default, Args)]
pub struct Filter {
    /// Only runs of this tenant
    #[arg(long, value_name = "NAME", help_heading = "Filters")]
    pub tenant: Option<Tenant>,
    /// Only runs with this outcome
    #[arg(long, value_name = "OUTCOME", help_heading = "Filters")]
    pub outcome: Option<OutcomeIs>,
    /// Only runs whose first finding has at least this confidence, 0 to 1
    #[arg(long, value_name = "P", value_parser = probability, help_heading = "Filters")]
    pub min_confidence: Option<f64>,
    /// Only runs whose first finding has at most this confidence, 0 to 1
    #[arg(long, value_name = "P", value_parser = probability, help_heading = "Filters")]
    pub max_confidence: Option<f64>,
    /// Only runs with this verdict
    #[arg(long, value_name = "VERDICT", help_heading = "Filters")]
    pub verdict: Option<VerdictIs>,
    /// Only runs that stand so with the person
    #[arg(long, value_name = "STATE", help_heading = "Filters")]
    pub review: Option<Stage>,
}

/// Outcomes to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutcomeIs {
    /// A cause was found
    Findings,
    /// The bundle does not show why
    InsufficientEvidence,
    /// No fault was found
    Healthy,
}

/// Verdicts to filter by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerdictIs {
    /// Everything stood
    Accepted,
    /// Something was taken out
    AcceptedWithChanges,
    /// The report does not go to a person as a diagnosis
    Rejected,
}

/// How far a person is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Nobody has opened it
    New,
    /// Opened, not signed
    Begun,
    /// Approved and signed
    Approved,
    /// Rejected and signed
    Rejected,
    /// Approved or rejected
    Signed,
    /// Neither approved nor rejected
    Unsigned,
}

fn probability(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|value| (0.0..=1.0).contains(value))
        .ok_or_else(|| "it is not a number from 0 to 1".to_owned())
}

/// A run in the queue.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Its id.
    pub run: String,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// When it began.
    pub started: String,
    /// Name of the bundle's file.
    pub bundle: String,
    /// Outcome of the report.
    pub outcome: Outcome,
    /// Confidence of the first finding.
    pub confidence: Option<f64>,
    /// Findings in the report.
    pub findings: usize,
    /// What the verifier said.
    pub verdict: VerdictOutcome,
    /// How far a person is.
    pub review: Stage,
    /// Claims decided.
    pub decided: usize,
    /// All claims.
    pub claims: usize,
    /// Who signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl Filter {
    fn lets(&self, row: &Row) -> bool {
        let outcome = self.outcome.is_none_or(|wanted| {
            row.outcome
                == match wanted {
                    OutcomeIs::Findings => Outcome::Findings,
                    OutcomeIs::InsufficientEvidence => Outcome::InsufficientEvidence,
                    OutcomeIs::Healthy => Outcome::Healthy,
                }
        });
        let verdict = self.verdict.is_none_or(|wanted| {
            row.verdict
                == match wanted {
                    VerdictIs::Accepted => VerdictOutcome::Accepted,
                    VerdictIs::AcceptedWithChanges => VerdictOutcome::AcceptedWithChanges,
                    VerdictIs::Rejected => VerdictOutcome::Rejected,
                }
        });
        let review = self.review.is_none_or(|wanted| {
            let signed = matches!(row.review, Stage::Approved | Stage::Rejected);
            match wanted {
                Stage::Signed => signed,
                Stage::Unsigned => !signed,
                stage => row.review == stage,
            }
        });
        // A run without a finding has no confidence to be within bounds.
        let low = self
            .min_confidence
            .is_none_or(|least| row.confidence.is_some_and(|value| value >= least));
        let high = self
            .max_confidence
            .is_none_or(|most| row.confidence.is_some_and(|value| value <= most));
        let tenant = self
            .tenant
            .as_ref()
            .is_none_or(|wanted| row.tenant.as_deref() == Some(wanted.as_str()));
        outcome && verdict && review && low && high && tenant
    }
}

/// A run with its review.
pub struct Reviewed {
    /// Whose it is.
    pub tenant: Option<String>,
    /// The run.
    pub run: Run,
    /// Its review as it was signed, or pending.
    pub signed: Review,
    /// Its review as far as it has come.
    pub working: Review,
}

/// Every run below `runs`, those of tenants too, one after the other, and what could not be read.
pub fn walk(runs: &Path, mut each: impl FnMut(Result<Reviewed>)) -> Result<()> {
    for (tenant, home) in record::homes(runs)? {
        for id in record::ids(&home)? {
            let dir = home.join(&id);
            // Other things may lie beside the runs.
            if !files::exists(&dir.join(record::RECORD)) {
                continue;
            }
            each(record::load(&dir).and_then(|run| {
                Ok(Reviewed {
                    tenant: tenant.as_ref().map(ToString::to_string),
                    signed: super::load(&dir)?,
                    working: super::store::working(&dir)?,
                    run,
                })
            }));
        }
    }
    Ok(())
}

/// The runs that `filter` lets through: what waits first, the oldest first; then what is signed.
///
/// # Errors
/// When the runs directory cannot be read. A damaged run is told to `warn` and left out.
pub fn rows(runs: &Path, filter: &Filter, mut warn: impl FnMut(&Error)) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    walk(runs, |read| match read {
        Ok(reviewed) => {
            let row = row(&reviewed);
            if filter.lets(&row) {
                rows.push(row);
            }
        }
        Err(error) => warn(&error),
    })?;
    let order = |row: &Row| match row.review {
        Stage::Begun => 0,
        Stage::New => 1,
        _ => 2,
    };
    rows.sort_by(|a, b| (order(a), &a.started, &a.run).cmp(&(order(b), &b.started, &b.run)));
    Ok(rows)
}

fn row(reviewed: &Reviewed) -> Row {
    let Reviewed {
        tenant,
        run,
        working: review,
        ..
    } = reviewed;
    let state = fold::fold(super::claims::of(run), review);
    let opened = review
        .history
        .iter()
        .any(|entry| matches!(entry.what, Event::Opened { .. }));
    let stage = match review.state {
        State::Approved => Stage::Approved,
        State::Rejected => Stage::Rejected,
        State::Pending if opened => Stage::Begun,
        State::Pending => Stage::New,
    };
    Row {
        run: run.record.id.clone(),
        tenant: tenant.clone(),
        started: run.record.started.clone(),
        bundle: run.record.bundle.name.clone(),
        outcome: run.report.outcome,
        confidence: run
            .report
            .findings
            .first()
            .map(|finding| finding.confidence),
        findings: run.report.findings.len(),
        verdict: run.verdict.outcome,
        review: stage,
        decided: state
            .claims
            .iter()
            .filter(|claim| claim.decided.is_some())
            .count(),
        claims: state.claims.len(),
        signed_by: state.signed.map(|signed| signed.name),
    }
}
