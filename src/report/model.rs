//! The report, `narrowroom.report/v1`: what the room hands out and the verifier judges.

use serde::{Deserialize, Serialize};

/// The schema name of a report.
pub const SCHEMA: &str = "narrowroom.report/v1";

/// A diagnosis of one bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The id of the run that made it.
    #[serde(default)]
    pub run: String,
    /// What was found in all.
    pub outcome: Outcome,
    /// The bundle it speaks about.
    #[serde(default)]
    pub bundle: BundleFacts,
    /// Ranked causes, the likeliest first.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// What would be needed to know more.
    #[serde(default)]
    pub missing: Vec<Missing>,
    /// What was in the bundle but was not looked at, with the reason.
    #[serde(default)]
    pub not_examined: Vec<NotExamined>,
}

/// What was found in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// At least one cause with enough evidence.
    Findings,
    /// Something is wrong or asked for, and the bundle does not show why.
    InsufficientEvidence,
    /// Nothing wrong was found in what was examined.
    Healthy,
}

/// The bundle a report speaks about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BundleFacts {
    /// SHA-256 of the archive, lower-case hex.
    #[serde(default)]
    pub sha256: String,
    /// The recognised layout.
    #[serde(default)]
    pub profile: String,
    /// Number of files in it.
    #[serde(default)]
    pub files: u64,
}

/// One possible root cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// 1 is the likeliest.
    pub rank: u32,
    /// Slug from the playbook's catalogue, or `unknown`.
    pub cause: String,
    /// One line.
    pub title: String,
    /// One or two sentences.
    pub root_cause: String,
    /// What is affected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<SubjectField>,
    /// Calibrated probability that this is the cause, 0 to 1.
    pub confidence: f64,
    /// Lines of the bundle that show it, verbatim.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// What to run next.
    #[serde(default)]
    pub commands: Vec<Command>,
}

/// A subject, or plain text in reports of other tools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
pub enum SubjectField {
    /// Structured.
    Subject(Subject),
    /// Free text.
    Text(String),
}

/// What is affected.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// `Pod`, `Node`, `Unit`, `Disk`, `Service`, …
    pub kind: String,
    /// Kubernetes namespace, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// Lines of the bundle, quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Path inside the bundle.
    pub path: String,
    /// First line, counted from 1.
    pub line_start: u64,
    /// Last line, inclusive.
    pub line_end: u64,
    /// Verbatim text from those lines.
    pub quote: String,
}

/// A command for the person to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// As it would be typed.
    pub command: String,
    /// What its answer would decide.
    #[serde(default)]
    pub why: String,
    /// Its class; set by the verifier, never believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<CommandClass>,
}

/// What a command does, judged by its effect as an engineer would run it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CommandClass {
    /// Reads state and prints.
    ReadOnly,
    /// Can't be told from the text.
    Unknown,
    /// Creates or modifies, recoverable.
    ChangesState,
    /// Deletes, overwrites, stops, or hands control to unseen code.
    Destructive,
}

/// Something that would be needed to know more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// What is not there.
    pub what: String,
    /// Why it matters and why it is absent, if that is known.
    #[serde(default)]
    pub why: String,
    /// Where it would have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Something in the bundle that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NotExamined {
    /// A path, or a pattern with a count.
    pub what: String,
    /// Why.
    pub why: String,
}
