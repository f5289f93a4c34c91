//! What the coordinator and the sealed workers may say to each other: these types and no others.

use crate::bundle::{Entry, Skipped};
use crate::error::ExitCode;
use crate::report::{BundleFacts, Report};
use crate::seal::{Layer, SealProof};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Environment variable that carries the [`Boot`] of a worker.
pub const BOOT_VARIABLE: &str = "NARROWROOM_WORKER";

/// What a worker must know before it is sealed. Written by the coordinator, holds nothing of the bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Boot {
    /// Directory the worker may read or, in zone 1, write; empty: none.
    pub tree: PathBuf,
    /// Directory of the imported model.
    pub model: Option<PathBuf>,
    /// The inference library.
    pub library: Option<PathBuf>,
    /// Limits of the run.
    pub limits: crate::limits::Limits,
    /// Layers the user allowed to be missing.
    pub allow_weaker: Vec<Layer>,
    /// In zone 1: the bundle's file name, which names the file in a lone `.log.gz`; may be empty.
    #[serde(default)]
    pub name: String,
    /// In zone 1: whether single compressed files inside the bundle are opened too; archives always are.
    #[serde(default)]
    pub open_streams: bool,
}

/// From the coordinator, after the seal was proved.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToWorker {
    /// Some of the bundle's index, sorted by path.
    Entries(Vec<Entry>),
    /// What to do in the room; nothing follows.
    Room(Box<RoomJob>),
    /// Which prompts to begin; nothing follows, and no bundle is there.
    Prefix(Box<PrefixJob>),
    /// What to judge; nothing follows.
    Verify(Box<VerifyJob>),
    /// What to scan; the change follows as bytes.
    Scan(Box<crate::guard::ScanJob>),
    /// What to score against a labelled case; nothing follows. The verifier's seal holds.
    Score(Box<ScoreJob>),
}

/// What the room says beside its report: it is shown to people and kept, so the verifier masks it
/// and drops what is not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// Text in the bundle that addresses a model, as the room cites it.
    #[serde(default)]
    pub injections: Vec<crate::report::Evidence>,
    /// All other text, in an order that the coordinator knows.
    #[serde(default)]
    pub texts: Vec<String>,
}

/// The task of computing the fixed beginnings of a playbook's prompts, in a room without a bundle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PrefixJob {
    /// Playbook and catalogues.
    pub playbook: crate::playbook::Bound,
    /// Threads for the model.
    pub threads: u32,
}

/// The task of scoring a report of a labelled case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ScoreJob {
    /// The report's bytes, as they came; `None`: there is none.
    pub report: Option<String>,
    /// The answer sheet.
    pub truth: crate::eval::Truth,
}

/// A way to ask a model for one of several candidates.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Choose {
    /// JSON, as the model likes to write it
    Free,
    /// JSON under a grammar from the first token
    Constrained,
    /// A few free words, then JSON under a grammar
    Draft,
}

/// Parts of the way that an evaluation leaves out, to see what they are worth.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ablation {
    /// The model alone ranks the catalogue's causes with their evidence: the detectors' strength and
    /// order are not used.
    #[serde(default)]
    pub model_only: bool,
    /// How the model alone chooses instead of being asked for the likelihood of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choose: Option<Choose>,
    /// Kinds of steps that are left out: `rank`, `draft`, `write`.
    #[serde(default)]
    pub without: Vec<String>,
    /// Prompts are made and kept, and the model is asked nothing.
    #[serde(default)]
    pub render: bool,
}

impl Ablation {
    /// Whether nothing is left out.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The room's task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoomJob {
    /// Digest of all inputs; becomes the report's `run`.
    pub key: String,
    /// Hash of the archive.
    pub bundle_sha256: String,
    /// Entries that the unpacker left out.
    pub skipped: Vec<Skipped>,
    /// Playbook and catalogues; `None`: the room picks the shipped one for the recognised profile.
    pub playbook: Option<crate::playbook::Bound>,
    /// The customer's words, from the command line.
    pub ticket: Option<String>,
    /// Whether the model takes part.
    pub use_model: bool,
    /// Threads for the model.
    pub threads: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// What is left out, in an evaluation.
    #[serde(default)]
    pub ablation: Ablation,
}

/// The verifier's task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VerifyJob {
    /// The report's bytes, as they came.
    pub report: String,
    /// Whether any failed claim rejects the whole report, or is dropped from it.
    pub strict: bool,
    /// What the report must say about the bundle; checked when given.
    pub bundle: Option<BundleFacts>,
    /// Whether the bytes are another tool's prose, to be judged as it stands.
    pub as_text: bool,
    /// An organisation's own command policy beside the shipped one.
    pub policy: Option<String>,
    /// What else the room said.
    #[serde(default)]
    pub beside: Beside,
}

/// One exchange with the model, masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Exchange {
    /// Step of the playbook.
    pub step: String,
    /// Counts from 1; more than one is a retry or a permutation.
    pub attempt: u32,
    /// The exact prompt, control tokens spelled out, secrets masked.
    pub prompt: String,
    /// The raw output or the scores, secrets masked.
    pub output: String,
    /// Prompt length in tokens.
    pub prompt_tokens: u64,
    /// Output length in tokens.
    pub output_tokens: u64,
    /// Why generation ended.
    pub stop: String,
    /// Duration in milliseconds.
    pub millis: u64,
    /// What was done with the output.
    pub result: String,
}

/// What the model and its engine were, and how they ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ModelUse {
    /// Name in the file.
    pub name: String,
    /// Architecture in the file.
    pub architecture: String,
    /// SHA-256 of the imported weights file.
    pub sha256: String,
    /// Quantisation of the file.
    pub quantisation: String,
    /// Quantisation it runs in.
    pub run_quantisation: String,
    /// Context asked for, in tokens.
    pub context_requested: u32,
    /// Context allocated, in tokens.
    pub context_effective: u32,
    /// Context it was trained for, in tokens.
    pub context_trained: u32,
    /// Most tokens in the context at one time.
    pub context_used: u32,
    /// Sampling in words.
    pub sampling: String,
    /// Threads.
    pub threads: u32,
    /// Seconds to load.
    pub load_seconds: f64,
    /// Tokens read.
    pub prefill_tokens: u64,
    /// Tokens read per second.
    pub prefill_rate: f64,
    /// Tokens read from the prefix cache instead.
    pub cached_tokens: u64,
    /// Tokens written.
    pub decode_tokens: u64,
    /// Tokens written per second.
    pub decode_rate: f64,
    /// Of the tokens written, those that a grammar left no choice about.
    #[serde(default)]
    pub forced_tokens: u64,
    /// Of the tokens written, those that were guessed from earlier text and confirmed by the model.
    #[serde(default)]
    pub guessed_tokens: u64,
    /// Seconds from asking to the first token of an answer, the mean of the answers; absent: none.
    #[serde(default)]
    pub first_token_seconds: Option<f64>,
    /// Candidates whose likelihood was computed.
    #[serde(default)]
    pub scored: u64,
    /// Whether the weights lay ready for this processor; if not, loading took longer and more memory.
    #[serde(default)]
    pub prepared: bool,
    /// Bytes that keys and values of the whole context take.
    #[serde(default)]
    pub cache_bytes: u64,
    /// Most memory that the model's process was seen with.
    #[serde(default)]
    pub memory: crate::model::Usage,
    /// What each step took.
    #[serde(default)]
    pub steps: Vec<StepTimes>,
}

/// What a step of the playbook took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StepTimes {
    /// Its name.
    pub step: String,
    /// Prompt tokens computed.
    pub prefill_tokens: u64,
    /// Prompt tokens found in the cache.
    pub cached_tokens: u64,
    /// Seconds for the prompts.
    pub prefill_seconds: f64,
    /// Tokens written.
    pub decode_tokens: u64,
    /// Of those, tokens that a grammar left no choice about.
    pub forced_tokens: u64,
    /// Of those, tokens that were guessed from earlier text and confirmed by the model.
    #[serde(default)]
    pub guessed_tokens: u64,
    /// Seconds for writing.
    pub decode_seconds: f64,
    /// Seconds from asking to the first token, the mean of the answers; absent: none.
    pub first_token_seconds: Option<f64>,
    /// Candidates whose likelihood was computed.
    pub scored: u64,
    /// Seconds for that, the prompts left out.
    pub scored_seconds: f64,
}

impl StepTimes {
    /// Of a step and what the model did in it.
    pub fn of(step: &str, did: &crate::model::Stats) -> Self {
        let round = |seconds: f64| (seconds * 1e4).round() / 1e4;
        Self {
            step: step.to_owned(),
            prefill_tokens: did.prefill_tokens,
            cached_tokens: did.reused_tokens,
            prefill_seconds: round(did.prefill_seconds),
            decode_tokens: did.decode_tokens,
            forced_tokens: did.forced_tokens,
            guessed_tokens: did.guessed_tokens,
            decode_seconds: round(did.decode_seconds),
            first_token_seconds: first_token(did),
            scored: did.scored,
            scored_seconds: round(did.scored_seconds),
        }
    }
}

/// Seconds from asking to the first token, the mean of the answers; none without one.
pub fn first_token(did: &crate::model::Stats) -> Option<f64> {
    let mean = did.first_token_seconds / did.replies as f64;
    (did.replies > 0).then(|| (mean * 1e4).round() / 1e4)
}

/// Lines around a quote, for showing it; masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EvidenceLines {
    /// Path inside the bundle.
    pub path: String,
    /// Number of the first line given.
    pub first_line: u64,
    /// The lines, each cut to 400 characters.
    pub lines: Vec<String>,
    /// First and last line of the citation.
    pub marked: (u64, u64),
}

/// Where a finding comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Origin {
    /// Cause of the finding.
    pub cause: String,
    /// Title of the finding.
    pub title: String,
    /// The detector that found it.
    pub detector: String,
    /// Confidence of the signals alone, 0 to 1.
    pub signals: f64,
    /// Confidence after the model's ranking; `None` when it did not rank.
    pub model: Option<f64>,
    /// Whether the model wrote the root cause's sentence.
    pub worded_by_model: bool,
}

/// The task was too wide for the model that had it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// Name of the larger local model that the playbook asks for.
    pub model: String,
    /// Why, in words.
    pub why: String,
}

/// What the room did beside the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RoomSummary {
    /// Why the layout was recognised.
    pub profile_why: Vec<String>,
    /// The playbook that ran.
    pub playbook_id: String,
    /// Its version.
    pub playbook_version: String,
    /// Its hash with its catalogues.
    pub playbook_sha256: String,
    /// Number of signals before ranking.
    pub signals: u64,
    /// Number of different secret values masked, by kind.
    pub secrets: std::collections::BTreeMap<String, u64>,
    /// Text in the bundle that addresses a model.
    pub injections: Vec<crate::report::Evidence>,
    /// The model, if it took part.
    pub model: Option<ModelUse>,
    /// Where each finding comes from.
    pub origins: Vec<Origin>,
    /// What the model's steps came to, in plain sentences.
    pub notes: Vec<String>,
    /// What the unpacker left out, as it was given, with the secrets in the names masked.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Fixed beginnings of prompts that the model had to read for want of a file.
    #[serde(default)]
    pub prefixes_missing: u64,
    /// Whether a larger model should look.
    pub escalation: Option<Escalation>,
    /// Named durations in milliseconds, in order.
    pub timings: Vec<(String, u64)>,
}

impl RoomSummary {
    /// Masks everything in it that may hold words of the bundle. Paths of the tree are masked by the tree.
    pub fn mask(&mut self, mask: impl Fn(&str) -> String) {
        let quotes = self.injections.iter_mut().map(|found| &mut found.quote);
        let titles = self.origins.iter_mut().map(|origin| &mut origin.title);
        let names = self.skipped.iter_mut().map(|skipped| &mut skipped.name);
        let wish = self.escalation.iter_mut().map(|wish| &mut wish.why);
        for text in (self.profile_why.iter_mut().chain(&mut self.notes))
            .chain(quotes)
            .chain(titles)
            .chain(names)
            .chain(wish)
        {
            *text = mask(text);
        }
    }
}

/// From a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromWorker {
    /// The seal was closed and probed; first frame of every worker.
    Sealed(Box<SealProof>),
    /// The seal was narrowed and probed again (room, model loaded).
    Narrowed(Box<SealProof>),
    /// What it is doing.
    Progress(Progress),
    /// Some of the index (zone 1).
    Entries(Vec<Entry>),
    /// Some of what was left out (zone 1).
    Skipped(Vec<Skipped>),
    /// The archive was unpacked (zone 1).
    Unpacked {
        /// SHA-256 of the archive's bytes.
        sha256: String,
        /// Size of the archive in bytes.
        bytes: u64,
    },
    /// The signals' answer, before the model (zone 2).
    Provisional(Box<Report>),
    /// One exchange with the model (zone 2).
    Exchange(Box<Exchange>),
    /// The fixed beginning of a prompt: name of its file, and its bytes in base64 (zone 2, without a bundle).
    Prefix {
        /// 64 hex digits.
        name: String,
        /// The file.
        data: String,
    },
    /// The draft (zone 2).
    Draft(Box<(Report, RoomSummary)>),
    /// The verdict, what passed, the lines to show, and what was said beside (zone 3).
    Judged(Box<(crate::verify::Verdict, Report, Vec<EvidenceLines>, Beside)>),
    /// How a labelled case was answered.
    Scored(Box<crate::eval::CaseScore>),
    /// A part of what a scan found (guard).
    Scanned(Box<crate::guard::Part>),
    /// What the model remarks on a change, and how it ran (guard).
    Reviewed(Box<(Report, crate::guard::ReviewSummary)>),
    /// An expected failure.
    Failed {
        /// How the run ends.
        exit: ExitCode,
        /// What failed.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Last frame: peak resident memory in KiB and processor time in milliseconds.
    Finished {
        /// Peak resident memory in KiB.
        peak_kib: u64,
        /// User and system time in milliseconds.
        cpu_millis: u64,
    },
}

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Progress {
    /// Files and bytes written so far.
    Unpack {
        /// Files.
        files: u64,
        /// Bytes.
        bytes: u64,
    },
    /// A named stage began.
    Stage(String),
    /// The model's tokens.
    Tokens {
        /// Step of the playbook.
        step: String,
        /// Tokens so far.
        tokens: u64,
        /// Tokens per second.
        rate: f64,
    },
}
