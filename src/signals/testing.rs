//! What the verifier leaves of signals, for the tests of those who make them.

use super::Signal;
use crate::bundle::Tree;
use crate::report::{BundleFacts, Finding, Outcome, Report, SCHEMA, SubjectField};
use crate::verify;

/// The signals that the verifier would take out of a report, however few words are left, each with its reasons.
pub fn refused(tree: &Tree, signals: &[Signal]) -> Vec<String> {
    let options = verify::Options {
        mode: verify::Mode::Filter,
        ..verify::Options::default()
    };
    signals
        .iter()
        .filter_map(|signal| {
            let mut report = Report {
                schema: SCHEMA.into(),
                run: String::new(),
                outcome: Outcome::Findings,
                bundle: BundleFacts::default(),
                findings: vec![Finding {
                    rank: 1,
                    cause: signal.cause.clone(),
                    title: signal.title.clone(),
                    root_cause: signal.statement.clone(),
                    subject: Some(SubjectField::Subject(signal.subject.clone())),
                    confidence: 0.5,
                    evidence: signal.evidence.clone(),
                    commands: Vec::new(),
                }],
                missing: Vec::new(),
                not_examined: Vec::new(),
            };
            crate::room::again::plain(&mut report, tree);
            let judged = verify::judge(&report, tree, &options);
            judged.report.findings.is_empty().then(|| {
                let why = serde_json::to_string(&judged.verdict).unwrap_or_default();
                format!(
                    "{}: {} | {} | {why}",
                    signal.cause, signal.title, signal.statement
                )
            })
        })
        .collect()
}
