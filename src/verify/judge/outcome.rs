//! The form of a whole report: ranks and outcome.

use super::Judge;
use super::ledger::Spot;
use crate::report::{Outcome, Report};
use crate::verify::verdict::{Rule, Status};

impl Judge<'_> {
    /// Ranks are 1 to n, each once.
    pub(super) fn ranks(&mut self, report: &Report) {
        let count = u32::try_from(report.findings.len()).unwrap_or(u32::MAX);
        for (at, finding) in report.findings.iter().enumerate() {
            let rank = finding.rank;
            let given = report
                .findings
                .iter()
                .filter(|other| other.rank == rank)
                .count();
            let (status, reason) = if rank == 0 || rank > count {
                (Status::Rejected, format!("rank {rank} of {count} findings"))
            } else if given > 1 {
                (Status::Rejected, format!("rank {rank} is given twice"))
            } else {
                (Status::Ok, "the rank is its own".to_owned())
            };
            let spot = Spot {
                finding: Some(rank),
                ..Spot::new(format!("/findings/{at}/rank"))
            };
            self.ledger.note(&spot, Rule::Rank, status, reason);
        }
    }

    /// The outcome fits the findings.
    pub(super) fn outcome(&mut self, report: &Report) {
        let sure = report
            .findings
            .iter()
            .any(|finding| finding.confidence >= 0.5);
        let (status, reason) = match report.outcome {
            Outcome::Findings if report.findings.is_empty() => (
                Status::Rejected,
                "the outcome is findings and there are none",
            ),
            Outcome::Healthy if sure => (
                Status::Rejected,
                "the outcome is healthy and a finding has a confidence of 0.5 or more",
            ),
            Outcome::Healthy if !report.findings.is_empty() => (
                Status::Flagged,
                "the outcome is healthy and there are findings",
            ),
            Outcome::InsufficientEvidence if report.missing.is_empty() => (
                Status::Flagged,
                "the evidence is called insufficient and nothing is named as missing",
            ),
            _ => (Status::Ok, "the outcome fits"),
        };
        self.ledger
            .note(&Spot::new("/outcome"), Rule::Outcome, status, reason);
    }
}
