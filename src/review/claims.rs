//! What a person decides about, one by one: each finding, and the report's outcome with its gaps.

use crate::record::Run;
use crate::report::{Finding, Missing, Report};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The id of the last claim: the outcome, what is missing, what was not looked at.
pub const OVERALL: &str = "overall";

/// One thing to decide about.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// `finding-1`, `finding-2`, …, `overall`.
    pub id: String,
    /// What the report says.
    pub content: Content,
}

/// What a claim says; an edit replaces it whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A finding.
    Finding(Box<Finding>),
    /// What to ask the customer for; the outcome itself can be accepted or rejected, not rewritten.
    Missing(Vec<Missing>),
}

impl Content {
    /// One line that names it.
    pub fn title(&self) -> &str {
        match self {
            Self::Finding(finding) => &finding.title,
            Self::Missing(_) => "Outcome and gaps",
        }
    }
    /// The finding, if it is one.
    pub fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Finding(finding) => Some(finding),
            Self::Missing(_) => None,
        }
    }
}

/// The claims of a run, in the order they are shown.
pub fn of(run: &Run) -> Vec<Claim> {
    let report = &run.report;
    report
        .findings
        .iter()
        .enumerate()
        .map(|(at, finding)| Claim {
            id: format!("finding-{}", at + 1),
            content: Content::Finding(Box::new(finding.clone())),
        })
        .chain([Claim {
            id: OVERALL.to_owned(),
            content: Content::Missing(report.missing.clone()),
        }])
        .collect()
}

/// A report that holds only `content`, for the verifier.
pub fn as_report(run: &Run, content: &Content) -> Report {
    let mut report = Report {
        schema: crate::report::SCHEMA.to_owned(),
        run: run.report.run.clone(),
        outcome: crate::report::Outcome::Findings,
        bundle: run.report.bundle.clone(),
        findings: vec![],
        missing: vec![],
        not_examined: vec![],
    };
    match content {
        Content::Finding(finding) => {
            let mut finding = (**finding).clone();
            finding.rank = 1;
            report.findings.push(finding);
        }
        Content::Missing(missing) => {
            report.outcome = crate::report::Outcome::InsufficientEvidence;
            report.missing.clone_from(missing);
        }
    }
    report
}

/// What the verifier's report says of the claim that was `before`; `None` when it is not in there.
pub fn from_report(report: Report, before: &Content) -> Option<Content> {
    match before {
        Content::Finding(old) => {
            let mut finding = report.findings.into_iter().next()?;
            finding.rank = old.rank;
            Some(Content::Finding(Box::new(finding)))
        }
        Content::Missing(_) => Some(Content::Missing(report.missing)),
    }
}
