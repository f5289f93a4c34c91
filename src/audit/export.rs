//! The log for somebody else: copied out, verified there, and proofs about one entry of it.

use super::entry::Entry;
use super::log::{CHECKPOINTS, ENTRIES, INFO, Log, folder};
use super::note::{Checkpoint, verifier_key};
use super::tree::{Tree, check_inclusion};
use super::verify::{Verification, log_itself};
use crate::error::{Error, Result};
use crate::files;
use crate::keys::PublicKey;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Schema name of an inclusion proof.
const PROOF_SCHEMA: &str = "narrowroom.inclusion/v1";

/// What an export holds.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    /// Entries in it.
    pub entries: u64,
    /// The newest signed checkpoint.
    pub checkpoint: String,
    /// The key that signs the log, hex.
    pub public_key: String,
}

/// The log of `runs`.
///
/// # Errors
/// A usage error when there is none.
pub fn demand(runs: &Path) -> Result<Log> {
    Log::read(&folder(runs))?.ok_or_else(|| {
        Error::usage(format!("there is no audit log in {}", files::shown(runs)))
            .hint("it begins with the first run: narrowroom triage BUNDLE")
    })
}

/// Copies the log of `runs` into the new or empty directory `out`, with its key and a page that says
/// how to verify it.
///
/// # Errors
/// When there is no log, or `out` is not empty.
pub fn export(runs: &Path, out: &Path) -> Result<Exported> {
    let log = demand(runs)?;
    if files::names(out).is_ok_and(|names| !names.is_empty()) {
        return Err(Error::usage(format!("{} is not empty", files::shown(out)))
            .hint("name a directory that is not there yet"));
    }
    let key = log.info.key()?;
    let notes = log.notes()?;
    let newest = notes.last().copied().unwrap_or_default();
    files::make_dir(out)?;
    let vkey = verifier_key(&log.info.origin, &key);
    let put = |name: &str, text: &str| files::write_whole(&out.join(name), text.as_bytes());
    put(ENTRIES, log.entries_text())?;
    put(CHECKPOINTS, log.checkpoints_text())?;
    put("checkpoint", newest)?;
    put("public.pem", &key.pem()?)?;
    put("verifier-key.txt", &format!("{vkey}\n"))?;
    put("README.txt", &readme(&vkey))?;
    // Last: without it the directory is no export.
    files::write_whole(&out.join(INFO), &crate::record::pretty(&log.info)?)?;
    Ok(Exported {
        entries: log.lines().len() as u64,
        checkpoint: newest.to_owned(),
        public_key: key.hex(),
    })
}

fn readme(vkey: &str) -> String {
    format!(
        "An exported audit log of narrowroom.\n\n\
         Verify it anywhere, without a network:\n\n\
         \x20 narrowroom audit verify --export . --public KEY\n\n\
         KEY is the public key as its owner gave it to you by another way: 64 hex\n\
         digits or a PEM file. public.pem is only the log's own word.\n\n\
         Without narrowroom: each line of entries.jsonl, without its line end, is a\n\
         leaf of an RFC 6962 Merkle tree (SHA-256). checkpoints holds C2SP\n\
         tlog-checkpoint notes, signed with this verifier key:\n\n\
         \x20 {vkey}\n\n\
         Keep the file checkpoint: any later export must continue it\n\
         (narrowroom audit verify --since checkpoint).\n"
    )
}

/// Verifies an exported log.
///
/// # Errors
/// When there is none in `dir`, or it cannot be read at all.
pub fn verify_export(
    dir: &Path,
    public: Option<(PublicKey, String)>,
    older: &[(String, String)],
) -> Result<Verification> {
    let log = Log::read_as_is(dir)?.ok_or_else(|| {
        Error::refused(format!("{} holds no exported log", files::shown(dir)))
            .hint("make one with: narrowroom audit export DIR")
    })?;
    Ok(log_itself(&log, public, older)?.0)
}

/// A proof that an entry is in the log, for somebody who does not have the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// Always `narrowroom.inclusion/v1`.
    pub schema: String,
    /// The leaf, exactly.
    pub entry: String,
    /// Its position, from 0.
    pub index: u64,
    /// RFC 6962, 2.1.1, hex, from the leaf up.
    pub hashes: Vec<String>,
    /// The signed checkpoint that it leads to.
    pub checkpoint: String,
    /// C2SP verifier key of the log; its own word.
    pub verifier_key: String,
}

impl Proof {
    /// Reads a proof.
    ///
    /// # Errors
    /// Refused input: damaged, or of another version.
    pub fn parse(text: &str) -> Result<Self> {
        let damaged = |error| Error::refused("the proof is damaged").source(error);
        let value: serde_json::Value = serde_json::from_str(text).map_err(damaged)?;
        crate::record::demand_schema(&value, PROOF_SCHEMA)?;
        serde_json::from_value(value).map_err(damaged)
    }
}

/// Proofs for every entry about the run whose id begins with `prefix`, the oldest first.
///
/// # Errors
/// A usage error when there is no such run, or more than one.
pub fn prove_inclusion(runs: &Path, prefix: &str) -> Result<Vec<Proof>> {
    let log = demand(runs)?;
    let entries = log.entries()?;
    let lines = log.lines();
    let mut ids: Vec<&str> = entries
        .iter()
        .map(|entry| entry.run.as_str())
        .filter(|run| run.starts_with(prefix))
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let [run] = ids.as_slice() else {
        return Err(Error::usage(format!(
            "{} runs in the audit log begin with {prefix:?}",
            ids.len()
        ))
        .hint("list them with: narrowroom audit list"));
    };
    let tree = Tree::of(lines.iter().copied());
    let notes = log.notes()?;
    let checkpoint = notes
        .last()
        .ok_or_else(|| Error::refused("the audit log has no checkpoint"))?;
    let vkey = verifier_key(&log.info.origin, &log.info.key()?);
    entries
        .iter()
        .zip(&lines)
        .filter(|(entry, _)| entry.run == *run)
        .map(|(entry, line)| {
            Ok(Proof {
                schema: PROOF_SCHEMA.into(),
                entry: (*line).to_owned(),
                index: entry.index,
                hashes: tree.inclusion(entry.index)?,
                checkpoint: (*checkpoint).to_owned(),
                verifier_key: vkey.clone(),
            })
        })
        .collect()
}

/// Checks a proof with the log's key; the entry it proves and the checkpoint it leads to.
///
/// # Errors
/// Refused input when anything of it was altered, or the key is another.
pub fn check_proof(proof: &Proof, key: &PublicKey) -> Result<(Entry, Checkpoint)> {
    let head = Checkpoint::open(&proof.checkpoint, key)?;
    check_inclusion(&proof.entry, proof.index, &proof.hashes, &head)?;
    let entry = Entry::parse(&proof.entry)?;
    if entry.index != proof.index || proof.verifier_key != verifier_key(&head.origin, key) {
        return Err(Error::refused(
            "the proof contradicts itself: its index or its verifier key is another",
        ));
    }
    Ok((entry, head))
}
