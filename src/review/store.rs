//! Reading and writing `review.json`, and its chain of hashes.

use super::model::{Entry, Event, Review, SCHEMA, State};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::keys::Key;
use crate::record::{now, pretty};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The review in a run's directory: pending, then as it was signed.
pub const FILE: &str = "review.json";
/// A review that is not signed yet. The name begins with a dot: it is not part of the run, and the
/// audit log does not speak of it.
pub const DRAFT: &str = ".review.draft.json";
/// Most entries of one history; a person does not get there.
const MAX_ENTRIES: usize = 10_000;

/// A review that nobody has begun.
pub fn pending(run: &str) -> Review {
    Review {
        schema: SCHEMA.to_owned(),
        state: State::Pending,
        run: run.to_owned(),
        history: vec![],
        sign_offs: vec![],
    }
}

/// Reads the review of the run in `dir`.
///
/// # Errors
/// A usage error when it is damaged, of another version, or of another run.
pub fn load(dir: &Path) -> Result<Review> {
    read(&dir.join(FILE))
}

fn read(path: &Path) -> Result<Review> {
    let text = files::read_text(path).or_fail(
        ExitCode::Usage,
        format!("failed to read {}", files::shown(path)),
    )?;
    let schema = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| Some(value.get("schema")?.as_str()?.to_owned()));
    if let Some(other) = schema.filter(|schema| schema != SCHEMA) {
        return Err(Error::usage(format!(
            "{} is of the form {other:?}, this version reads {SCHEMA}",
            files::shown(path)
        ))
        .hint("use the version of narrowroom that wrote it"));
    }
    serde_json::from_str(&text).or_fail(
        ExitCode::Usage,
        format!("failed to read {}: it is damaged", files::shown(path)),
    )
}

/// Reads the review of the run in `dir` as far as it has come: the draft of one that is not signed
/// yet, else `review.json`.
///
/// # Errors
/// As [`load`]; refused input when the draft does not go on from what was signed.
pub fn working(dir: &Path) -> Result<Review> {
    let signed = load(dir)?;
    let path = dir.join(DRAFT);
    if !files::exists(&path) {
        return Ok(signed);
    }
    let draft = read(&path)?;
    let goes_on = draft.history.starts_with(&signed.history) && draft.sign_offs == signed.sign_offs;
    if !goes_on {
        return Err(Error::refused(format!(
            "the unfinished review {} does not go on from review.json",
            files::shown(&path)
        ))
        .hint("remove that file to begin again; what was signed stays"));
    }
    Ok(draft)
}

/// Writes the review that is not signed yet, whole or not at all.
///
/// # Errors
/// As [`files::write_error`].
pub fn save(dir: &Path, review: &Review) -> Result<()> {
    files::write_whole(&dir.join(DRAFT), &pretty(review)?)
}

/// Puts a signed review in the place of `review.json`, with the run's attestation when that changed
/// too; logged as one change. The draft is done with.
///
/// # Errors
/// As [`crate::audit::reviewed`].
pub fn publish(
    runs: &Path,
    dir: &Path,
    review: &Review,
    attestation: Option<Vec<u8>>,
    log_key: Key,
) -> Result<()> {
    let mut changed = vec![(FILE, pretty(review)?)];
    changed.extend(attestation.map(|bytes| (crate::attest::FILE, bytes)));
    crate::audit::reviewed(runs, dir, log_key, &changed)?;
    // Should this fail, the draft is shorter than what was signed and is refused, not used.
    files::append::remove(&dir.join(DRAFT))
}

/// Adds an entry.
///
/// # Errors
/// When the history is as long as it may be.
pub fn append(review: &mut Review, what: Event) -> Result<()> {
    if review.history.len() >= MAX_ENTRIES {
        return Err(Error::limit(format!(
            "the history of this review has reached its {MAX_ENTRIES} entries"
        )));
    }
    let previous = last_hash(review)?;
    review.history.push(Entry {
        number: review.history.len() as u64 + 1,
        at: now(),
        previous,
        what,
    });
    Ok(())
}

/// Hash of the last entry; of nothing when there is none.
pub fn last_hash(review: &Review) -> Result<String> {
    match review.history.last() {
        Some(entry) => hash_of(entry),
        None => Ok(hex::encode(Sha256::digest([]))),
    }
}

/// The first entry whose number or hash does not fit, by its position from 1.
pub fn first_break(review: &Review) -> Result<Option<u64>> {
    let mut previous = hex::encode(Sha256::digest([]));
    for (at, entry) in review.history.iter().enumerate() {
        let position = at as u64 + 1;
        if entry.number != position || entry.previous != previous {
            return Ok(Some(position));
        }
        previous = hash_of(entry)?;
    }
    Ok(None)
}

/// SHA-256 of a value as compact JSON, lower-case hex.
pub fn hash_of<T: Serialize>(value: &T) -> Result<String> {
    Ok(hex::encode(Sha256::digest(compact(value)?)))
}

/// A value as compact JSON: fields in the order of the type, no spaces.
pub fn compact<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).or_fail(ExitCode::Bug, "failed to write JSON")
}
