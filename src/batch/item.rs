//! What became of one bundle: its final result, or the reason why it has none yet.

use super::manifest::{Item, Manifest};
use crate::error::{Error, ExitCode};
use crate::record::Run;
use crate::report::Outcome;
use serde::{Deserialize, Serialize};

/// Schema name of a result.
pub const RESULT: &str = "narrowroom.batch-result/v1";
/// Schema name of the reason why there is none.
pub const OPEN: &str = "narrowroom.batch-open/v1";
/// Schema name of a claim.
pub const CLAIM: &str = "narrowroom.batch-claim/v1";

/// How an item came to its end. Each is final: the same bundle gives it again.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// A report that the verifier let through.
    Done,
    /// A report that the verifier rejected; kept, not to be acted on.
    Rejected,
    /// Input refused: not a bundle, hostile, damaged.
    Refused,
    /// Over a limit that the bundle itself meets: files, bytes, tokens, memory, processor time.
    Limited,
}

impl Ended {
    /// The word for a person.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Refused => "refused",
            Self::Limited => "limited",
        }
    }
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The exit code that `triage` would end with.
    pub exit: u8,
    /// What failed.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self {
            exit: error.exit.code(),
            message: error.chain(),
            hint: error.hint.clone(),
        }
    }
}

/// `results/<item>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemResult {
    /// Always [`RESULT`].
    pub schema: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Id of the item.
    pub item: String,
    /// How it ended.
    pub ended: Ended,
    /// The run, when there is a report.
    pub run: Option<RunFacts>,
    /// Why there is none.
    pub failure: Option<Failure>,
    /// How often it was started, interrupted starts included.
    pub attempts: u32,
}

/// What a summary shows of a run. Text of the bundle: escape it where it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFacts {
    /// Id of the run.
    pub id: String,
    /// Digest of all inputs and settings.
    pub key: String,
    /// Outcome.
    pub outcome: Outcome,
    /// Title of the first finding.
    pub title: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
    /// Its confidence.
    pub confidence: Option<f64>,
    /// Recognised layout.
    pub profile: String,
    /// Passages that address a model.
    pub injections: u64,
    /// When it began, RFC 3339.
    pub started: String,
    /// Wall-clock milliseconds of its stages.
    pub millis: u64,
    /// Largest resident memory of its workers in KiB.
    pub peak_kib: u64,
}

impl ItemResult {
    /// Of a run that is kept.
    pub fn of_run(manifest: &Manifest, item: &Item, run: &Run, attempts: u32) -> Self {
        let (record, first) = (&run.record, run.report.findings.first());
        let stages = record.timings.iter();
        let millis = stages
            .filter(|(name, _)| !name.starts_with("room: "))
            .map(|(_, n)| n)
            .sum();
        Self {
            schema: RESULT.into(),
            manifest: manifest.digest.clone(),
            item: item.id.clone(),
            ended: if run.verdict.is_rejected() {
                Ended::Rejected
            } else {
                Ended::Done
            },
            run: Some(RunFacts {
                id: record.id.clone(),
                key: record.key.clone(),
                outcome: run.report.outcome,
                title: first.map(|finding| finding.title.clone()),
                cause: first.map(|finding| finding.cause.clone()),
                confidence: first.map(|finding| finding.confidence),
                profile: record.bundle.profile.clone(),
                injections: record.injections.len() as u64,
                started: record.started.clone(),
                millis,
                peak_kib: record
                    .workers
                    .iter()
                    .map(|worker| worker.peak_kib)
                    .max()
                    .unwrap_or(0),
            }),
            failure: None,
            attempts,
        }
    }

    /// Of a bundle that no report can be made of.
    pub fn of_failure(
        manifest: &Manifest,
        item: &Item,
        ended: Ended,
        error: &Error,
        attempts: u32,
    ) -> Self {
        Self {
            schema: RESULT.into(),
            manifest: manifest.digest.clone(),
            item: item.id.clone(),
            ended,
            run: None,
            failure: Some(error.into()),
            attempts,
        }
    }
}

/// `open/<item>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Always [`OPEN`].
    pub schema: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Id of the item.
    pub item: String,
    /// What stopped it last.
    pub failure: Failure,
    /// How often it was started.
    pub attempts: u32,
}

/// `claims/<item>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Always [`CLAIM`].
    pub schema: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Id of the item.
    pub item: String,
    /// The id that its run has, once it is whole.
    pub run: String,
    /// How often it was started, this time included.
    pub attempt: u32,
}

/// What a failure means for an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The bundle's own: it would fail again.
    Final(Ended),
    /// The machine's, now: worth another attempt.
    Passing,
    /// Neither: a person has to look, the item stays open.
    Open,
    /// Nothing can run here: the batch ends.
    Stop,
}

/// Judges a failure by its exit code and cause.
pub fn meaning(error: &Error) -> Meaning {
    match (error.exit, error.transient) {
        (ExitCode::InputRefused | ExitCode::LimitReached, true) => Meaning::Passing,
        (ExitCode::InputRefused, false) => Meaning::Final(Ended::Refused),
        (ExitCode::LimitReached, false) => Meaning::Final(Ended::Limited),
        (ExitCode::Unsealed | ExitCode::Usage | ExitCode::Interrupted, _) => Meaning::Stop,
        _ => Meaning::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_machine_caused_is_tried_again() {
        let limit = || Error::limit("x");
        assert_eq!(meaning(&limit().transient()), Meaning::Passing);
        assert_eq!(meaning(&limit()), Meaning::Final(Ended::Limited));
        assert_eq!(
            meaning(&Error::refused("x")),
            Meaning::Final(Ended::Refused)
        );
        assert_eq!(meaning(&Error::unsealed("x")), Meaning::Stop);
        assert_eq!(meaning(&Error::usage("x")), Meaning::Stop);
        assert_eq!(meaning(&Error::bug("x")), Meaning::Open);
    }
}
