//! The record of a run: what was run on what, under which seal, with which result.
//!
//! Owns: the run directory (`record.json`, `report.json`, `verdict.json`, `transcript.jsonl`,
//! `review.json`, `report.html`, `report.md`), its ids and its looking up. Touches: the runs directory
//! through [`crate::files`]. Zone: 0. A run is whole or absent: it is written under a temporary name,
//! synced and renamed.

use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, Scratch};
use crate::limits::Limits;
use crate::report::{BundleFacts, Outcome, Report};
use crate::room::protocol::{EvidenceLines, Exchange, ModelUse, Origin, RoomSummary};
use crate::seal::SealProof;
use crate::verify::Verdict;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

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
    /// Limits.
    pub limits: Limits,
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

/// Writes all files of a run into `scratch` and gives it its final name.
///
/// # Errors
/// As [`files::write_error`].
pub fn commit(
    scratch: Scratch,
    runs: &Path,
    run: &Run,
    html: &str,
    markdown: &str,
) -> Result<PathBuf> {
    let at = scratch.path();
    files::write_whole(&at.join("record.json"), &pretty(&run.record)?)?;
    files::write_whole(&at.join("report.json"), &pretty(&run.report)?)?;
    files::write_whole(&at.join("verdict.json"), &pretty(&run.verdict)?)?;
    let mut lines = Vec::new();
    for exchange in &run.transcript {
        serde_json::to_writer(&mut lines, exchange)
            .or_fail(ExitCode::Bug, "failed to write the transcript")?;
        lines.push(b'\n');
    }
    files::write_whole(&at.join("transcript.jsonl"), &lines)?;
    files::write_whole(
        &at.join("review.json"),
        b"{\n  \"schema\": \"narrowroom.review/v1\",\n  \"state\": \"pending\"\n}\n",
    )?;
    files::write_whole(&at.join("report.html"), html.as_bytes())?;
    files::write_whole(&at.join("report.md"), markdown.as_bytes())?;
    let to = runs.join(&run.record.id);
    scratch.keep(&to)?;
    Ok(to)
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

/// The ids of all runs in `runs`.
///
/// # Errors
/// When the directory cannot be read.
pub fn ids(runs: &Path) -> Result<Vec<String>> {
    let names = files::names(runs).or_fail(
        ExitCode::Usage,
        format!("failed to read the runs directory {}", files::shown(runs)),
    )?;
    Ok(names
        .into_iter()
        .filter(|name| !name.starts_with('.'))
        .collect())
}

/// The only run whose id begins with `prefix`.
///
/// # Errors
/// A usage error when there is none or more than one.
pub fn find(runs: &Path, prefix: &str) -> Result<PathBuf> {
    let all = ids(runs)?;
    let matching: Vec<_> = all.iter().filter(|id| id.starts_with(prefix)).collect();
    match matching.as_slice() {
        [one] => Ok(runs.join(one)),
        [] => Err(Error::usage(format!(
            "there is no run {prefix:?} in {}",
            files::shown(runs)
        ))
        .hint("list them with: narrowroom runs")),
        many => Err(
            Error::usage(format!("{} runs begin with {prefix:?}", many.len()))
                .hint("give more characters of the id"),
        ),
    }
}

/// Reads a run whole.
///
/// # Errors
/// A usage error that names the file that is damaged or from another version.
pub fn load(dir: &Path) -> Result<Run> {
    let transcript = files::read_text(&dir.join("transcript.jsonl")).or_fail(
        ExitCode::Usage,
        format!(
            "failed to read {}",
            files::shown(&dir.join("transcript.jsonl"))
        ),
    )?;
    Ok(Run {
        record: load_record(dir)?,
        report: json(&dir.join("report.json"))?,
        verdict: json(&dir.join("verdict.json"))?,
        transcript: transcript
            .lines()
            .map(|line| {
                serde_json::from_str(line).or_fail(
                    ExitCode::Usage,
                    format!(
                        "failed to read {}: a line is damaged",
                        files::shown(&dir.join("transcript.jsonl"))
                    ),
                )
            })
            .collect::<Result<_>>()?,
    })
}

/// Reads a run's `record.json`.
///
/// # Errors
/// As [`load`].
pub fn load_record(dir: &Path) -> Result<Record> {
    let record: Record = json(&dir.join("record.json"))?;
    if record.schema != SCHEMA {
        return Err(Error::usage(format!(
            "{} is of the form {:?}, this version reads {SCHEMA}",
            files::shown(&dir.join("record.json")),
            record.schema
        )));
    }
    Ok(record)
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = files::read_text(path).or_fail(
        ExitCode::Usage,
        format!("failed to read {}", files::shown(path)),
    )?;
    serde_json::from_str(&text).or_fail(
        ExitCode::Usage,
        format!(
            "failed to read {}: it is damaged or of another version",
            files::shown(path)
        ),
    )
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
    }
}

/// The current time, RFC 3339, UTC, to the second.
pub fn now() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    rfc3339(seconds)
}

/// Seconds since 1970 as RFC 3339, by the civil-from-days algorithm (H. Hinnant, "chrono-compatible
/// low-level date algorithms").
pub fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (
        doy - (153 * mp + 2) / 5 + 1,
        if mp < 10 { mp + 3 } else { mp - 9 },
    );
    let year = yoe + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_795_219_200), "2026-11-21T00:00:00Z");
    }

    #[test]
    fn ids_differ_and_the_key_depends_on_every_part_and_its_borders() {
        assert_ne!(new_id(), new_id());
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
    }
}
