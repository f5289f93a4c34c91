//! What a guard run reports: `narrowroom.guard/v1`. No field holds a secret's value.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Schema name of the report.
pub const SCHEMA: &str = "narrowroom.guard/v1";

/// The whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardReport {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What was looked at, in words.
    pub source: String,
    /// Secrets, by path, line and column. Any of them ends the command with 7.
    pub findings: Vec<Finding>,
    /// Findings beyond the list's limit, counted only.
    pub more_findings: u64,
    /// What a rule or the model remarks; blocks with `--strict` only.
    pub remarks: Vec<Remark>,
    /// Findings that somebody accepted before.
    pub suppressed: Vec<Suppressed>,
    /// What was not looked at, or in part only, and why.
    pub not_examined: Vec<NotExamined>,
    /// Anything else a person should know.
    pub notes: Vec<String>,
    /// How much was looked at.
    pub counts: Counts,
    /// What the model did.
    pub review: Review,
    /// Durations in milliseconds, by stage.
    pub millis: BTreeMap<String, u64>,
}

/// A secret that would be published.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Path in the repository, `/`-separated; secrets in it masked.
    pub path: String,
    /// Line in the new file, counted from 1.
    pub line: u64,
    /// Column of its first character, counted from 1 in Unicode characters.
    pub column: u64,
    /// Last line of it.
    pub end_line: u64,
    /// Column after its last character.
    pub end_column: u64,
    /// The rule that found it.
    pub rule: String,
    /// What stands for the value everywhere; the same value has the same mask in one run.
    pub mask: String,
    /// Names the finding in a baseline. Nothing of a guessable value goes into it.
    pub fingerprint: String,
    /// The commit that adds it, where a range was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Whether the value's own checksum holds, where its format has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
}

/// Who remarks.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum RemarkBy {
    /// A rule of the program.
    Rule,
    /// The local model; the verifier checked the quote and the words.
    Model,
}

/// Something to look at before it is published.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Remark {
    /// Path in the repository.
    pub path: String,
    /// Line in the new file, counted from 1.
    pub line: u64,
    /// What kind of thing it is.
    pub rule: String,
    /// One sentence.
    pub message: String,
    /// The line, secrets masked, cut to 200 characters.
    pub quote: String,
    /// Who says so.
    pub by: RemarkBy,
    /// The commit that adds it, where a range was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// How a finding was accepted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressedBy {
    /// By its fingerprint in the baseline.
    Baseline,
    /// By a comment beside it, with a reason.
    Comment,
}

/// A finding that does not count, and why.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Suppressed {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// What accepted it.
    pub by: SuppressedBy,
    /// The reason that the comment gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Something that was not looked at, wholly or in part.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct NotExamined {
    /// Path in the repository.
    pub path: String,
    /// One word or two: `binary`, `submodule`, `lfs-pointer`, `ignored`, `part`, `unreadable` …
    pub what: String,
    /// A sentence for a person.
    pub why: String,
}

/// How much was looked at.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Files in the change, or given.
    pub files: u64,
    /// Of these, files whose added text was searched.
    pub searched: u64,
    /// Of these, files that add nothing: deleted, renamed or of another mode.
    pub nothing_added: u64,
    /// Commits in the range.
    pub commits: u64,
    /// Lines added.
    pub added_lines: u64,
    /// Bytes of added lines.
    pub added_bytes: u64,
    /// Files left out by `.narrowroomignore`.
    pub ignored: u64,
    /// What was not examined beyond the list's limit.
    pub more_not_examined: u64,
}

/// What the model did.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Whether, and if not why.
    pub state: ReviewState,
    /// In words.
    pub note: String,
    /// The model, if it took part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<crate::room::protocol::ModelUse>,
    /// Lines it judged.
    pub judged: u64,
    /// Remarks that the verifier refused.
    pub refused: u64,
}

/// Whether the model reviewed the change.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewState {
    /// It was switched off.
    #[default]
    Off,
    /// No model is imported.
    NoModel,
    /// There was nothing for it to look at.
    NothingToReview,
    /// It did.
    Done,
}

/// One frame of a scan's result.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Some findings.
    Findings(Vec<Finding>),
    /// Some accepted findings.
    Suppressed(Vec<Suppressed>),
    /// Some of what was not looked at.
    NotExamined(Vec<NotExamined>),
    /// Some remarks by rule.
    Remarks(Vec<Remark>),
    /// The numbers and notes; the last part.
    Done {
        /// How much was looked at.
        counts: Counts,
        /// Findings beyond the limit.
        more_findings: u64,
        /// Sentences.
        notes: Vec<String>,
    },
}

/// What a scan is asked to do. Followed by the input itself, as [`Source`] says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScanJob {
    /// What follows.
    pub source: Source,
    /// Text of the `.narrowroomignore`.
    pub ignore: Option<String>,
    /// Text of the baseline.
    pub baseline: Option<String>,
    /// Whether the masked change is written into the worker's directory, for the review.
    pub write_tree: bool,
}

/// What follows the job on the worker's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The bytes of a patch.
    Patch,
    /// The bytes of our own `git log -p`.
    Log,
    /// Files: a frame with the path, then chunks (length as little-endian `u32`, bytes), the last of length 0.
    Files,
}
