//! The record of a run: what was run on what, under which seal, with which result.
//!
//! Owns: the run directory (`record.json`, `report.json`, `verdict.json`, `transcript.jsonl`,
//! `review.json`, `report.html`, `report.md`), its ids and its looking up. Touches: the runs directory
//! through [`crate::files`]. Zone: 0. A run is whole or absent: it is written under a temporary name,
//! synced and renamed.

mod clock;
mod cpu;
pub mod diff;
pub mod rerun;
mod store;

pub use clock::{now, rfc3339};
pub use cpu::cpu;
pub use store::{commit, demand_schema, find, homes, ids, load, load_record};

use crate::error::{Context, ExitCode, Result};
use crate::limits::Limits;
use crate::report::{BundleFacts, Outcome, Report};
use crate::room::protocol::{Ablation, EvidenceLines, Exchange, ModelUse, Origin, RoomSummary};
use crate::seal::SealProof;
use crate::secrets::Pseudonyms;
use crate::tenant::Tenant;
use crate::verify::Verdict;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Name of the record in a run directory.
pub const RECORD: &str = "record.json";
/// Files of a run directory that never change once it has its name.
pub const FIXED: [&str; 6] = [
    RECORD,
    "report.json",
    "verdict.json",
    "transcript.jsonl",
    "report.html",
    "report.md",
];
/// Schema name of `record.json`.
pub const SCHEMA: &str = "narrowroom.record/v1";

/// `record.json`.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Id of this run; differs from run to run.
    pub id: String,
    /// Digest of all inputs and settings: the same key must give the same report.
    pub key: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Whose bundle it was.
    #[serde(default)]
    pub tenant: Option<Tenant>,
    /// Processor and those of its features that decide which code the inference library picks.
    #[serde(default)]
    pub cpu: String,
    /// Version of the program.
    pub version: String,
    /// SHA-256 of the program's own file.
    pub binary_sha256: String,
    /// SHA-256 of the WebAssembly guest that unpacked.
    pub guest_sha256: String,
    /// SHA-256 of the inference library, if a model ran.
    pub library_sha256: Option<String>,
    /// The bundle.
    pub bundle: BundleRecord,
    /// The playbook.
    pub playbook: PlaybookRecord,
    /// The model, if one ran.
    pub model: Option<ModelUse>,
    /// SHA-256 of the model that was chosen, whether there was something to ask it or not.
    #[serde(default)]
    pub model_sha256: Option<String>,
    /// Every setting that was in force.
    pub settings: Settings,
    /// The proofs of the seal: one a worker, and one more after the room was narrowed.
    pub seals: Vec<SealProof>,
    /// Layers that the user allowed to be missing.
    pub weaker_seal: Vec<String>,
    /// Named wall-clock durations in milliseconds, in order.
    pub timings: Vec<(String, u64)>,
    /// Peak resident memory in KiB and processor time in milliseconds of each worker.
    pub workers: Vec<WorkerRecord>,
    /// What the steps came to, in plain sentences.
    pub notes: Vec<String>,
    /// Where each finding of the draft comes from.
    pub origins: Vec<Origin>,
    /// Signals found before ranking.
    pub signals: u64,
    /// Different secret values that were masked, by kind.
    pub secrets_masked: std::collections::BTreeMap<String, u64>,
    /// Text in the bundle that addresses a model; listed, never followed.
    pub injections: Vec<crate::report::Evidence>,
    /// Archive entries that were left out, with the reason.
    pub skipped: Vec<crate::bundle::Skipped>,
    /// Lines around the citations, masked, for showing the report again.
    pub contexts: Vec<EvidenceLines>,
    /// Outcome of the report.
    pub outcome: Outcome,
    /// How the process ended.
    pub exit: u8,
}

/// The bundle of a run.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BundleRecord {
    /// Name of the file as it was given, without its folder.
    pub name: String,
    /// Where it lay, absolute; for `rerun`.
    #[serde(default)]
    pub path: Option<String>,
    /// SHA-256 of the archive.
    pub sha256: String,
    /// Size of the archive in bytes.
    pub bytes: u64,
    /// Files in it.
    pub files: u64,
    /// Bytes unpacked.
    pub unpacked_bytes: u64,
    /// Recognised layout.
    pub profile: String,
    /// Why.
    pub profile_why: Vec<String>,
}

/// The playbook of a run.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PlaybookRecord {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its text and its catalogues.
    pub sha256: String,
    /// Shipped name or absolute path that was asked for; absent when the layout chose it.
    #[serde(default)]
    pub given: Option<String>,
}

/// Every setting of a run.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Settings {
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of the model.
    pub threads: u32,
    /// Whether the model was asked.
    pub use_model: bool,
    /// SHA-256 of the ticket given on the command line.
    pub ticket_sha256: Option<String>,
    /// Digest of the organisation's own command policy, when one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_sha256: Option<String>,
    /// Limits.
    pub limits: Limits,
    /// What an evaluation left out.
    #[serde(default, skip_serializing_if = "Ablation::is_none")]
    pub ablation: Ablation,
}

/// Use of one worker.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub struct WorkerRecord {
    /// Its zone.
    pub zone: String,
    /// Peak resident memory in KiB.
    pub peak_kib: u64,
    /// Processor time in milliseconds.
    pub cpu_millis: u64,
}

/// All that a finished run holds.
#[derive(Debug, Clone)]
pub struct Run {
    /// `record.json`.
    pub record: Record,
    /// `report.json`.
    pub report: Report,
    /// `verdict.json`.
    pub verdict: Verdict,
    /// `transcript.jsonl`.
    pub transcript: Vec<Exchange>,
}

impl Run {
    /// Pseudonyms for what stands in any part of the run, numbered in the order of the parts.
    ///
    /// # Errors
    /// A bug when a part can't be written as JSON.
    pub fn pseudonyms(&self) -> Result<Pseudonyms> {
        Pseudonyms::of(&(&self.report, &self.record, &self.verdict, &self.transcript))
    }

    /// Every part with these pseudonyms.
    ///
    /// # Errors
    /// A bug when a part can't be written as JSON or read back.
    pub fn with(&self, pseudonyms: &mut Pseudonyms) -> Result<Self> {
        Ok(Self {
            report: pseudonyms.over(&self.report)?,
            record: pseudonyms.over(&self.record)?,
            verdict: pseudonyms.over(&self.verdict)?,
            transcript: pseudonyms.over(&self.transcript)?,
        })
    }
}

/// A new id: ten characters of a base without look-alikes, from time, process and random bytes.
pub fn new_id() -> String {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut hash = Sha256::new();
    hash.update(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos())
            .to_le_bytes(),
    );
    hash.update(std::process::id().to_le_bytes());
    let mut random = [0_u8; 16];
    let mut filled = 0;
    // Without the kernel's randomness the id is still unique by time and process.
    while filled < random.len() {
        match rustix::rand::getrandom(&mut random[filled..], rustix::rand::GetRandomFlags::empty())
        {
            Ok(read) if read > 0 => filled += read,
            _ => break,
        }
    }
    hash.update(random);
    hash.finalize()
        .iter()
        .take(10)
        .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
        .collect()
}

/// Digest of all that decides the report.
pub fn key(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}

/// How a value of a fixed set is spelled in JSON.
pub fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Indented JSON with a final newline.
///
/// # Errors
/// Only a bug.
pub fn pretty<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec_pretty(value).or_fail(ExitCode::Bug, "failed to write JSON")?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Makes the facts that a report carries about its bundle.
pub fn bundle_facts(record: &Record) -> BundleFacts {
    BundleFacts {
        sha256: record.bundle.sha256.clone(),
        profile: record.bundle.profile.clone(),
        files: record.bundle.files,
    }
}

/// What the room said about itself, kept for [`Record`].
pub fn playbook_record(summary: &RoomSummary) -> PlaybookRecord {
    PlaybookRecord {
        id: summary.playbook_id.clone(),
        version: summary.playbook_version.clone(),
        sha256: summary.playbook_sha256.clone(),
        given: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_and_the_key_depends_on_every_part_and_its_borders() {
        assert_ne!(new_id(), new_id());
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    }
}
