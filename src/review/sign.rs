//! The sign-off: what was shown, its digest, and the signature under both.

use super::desk::Desk;
use super::model::{Agreement, Outcome, Shown, ShownClaim, SignOff};
use super::store::{compact, hash_of, last_hash};
use crate::attest::{self, dsse};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::keys::{self, Key};
use crate::record::{FIXED, now};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::path::Path;

/// Type of the signed object in the pre-authentication encoding.
const PAYLOAD_TYPE: &str = "application/vnd.narrowroom.review+json";

/// SHA-256 of each file in `dir` that a review is made from.
pub fn file_hashes(dir: &Path) -> Result<BTreeMap<String, String>> {
    FIXED
        .iter()
        .map(|name| {
            let path = dir.join(name);
            let sha256 = files::sha256(&path).or_fail(
                ExitCode::Usage,
                format!("failed to read {}", files::shown(&path)),
            )?;
            Ok(((*name).to_owned(), sha256))
        })
        .collect()
}

/// Signs what is on the desk; with the sign-off comes the run's attestation, when it changes.
pub fn sign(
    desk: &Desk,
    program: &Key,
    outcome: Outcome,
    name: String,
    note: String,
    agreement: Option<Agreement>,
) -> Result<(SignOff, Option<Vec<u8>>)> {
    let path = desk.opening().key.clone();
    let path = path.unwrap_or_else(|| keys::kept_at(keys::PERSON));
    let key = Key::load_or_create(Some(&path))?;
    if key.id() == program.id() {
        return Err(
            Error::usage("the program's own key cannot sign for a person")
                .hint("give a key of the person's own with --key FILE"),
        );
    }
    let shown = Shown {
        run: desk.run().record.id.clone(),
        files: file_hashes(&desk.opening().dir)?,
        claims: desk
            .state()
            .claims
            .iter()
            .map(|claim| ShownClaim {
                claim: claim.id.clone(),
                version: claim.current().number,
                decision: claim.decided.as_ref().map(|decided| decided.decision),
                shown: claim.seen.clone(),
            })
            .collect(),
    };
    let mut signed = SignOff {
        outcome,
        name,
        at: now(),
        note,
        agreement,
        entries: desk.review().history.len() as u64,
        history: last_hash(desk.review())?,
        digest: hash_of(&shown)?,
        shown,
        key: key.id(),
        public_key: key.public_hex(),
        signature: String::new(),
    };
    signed.signature = STANDARD.encode(key.sign(&signed_bytes(&signed)?));
    let attestation = attested(desk, &key, &signed)?;
    Ok((signed, attestation))
}

/// The run's attestation with the person's approval on it, or without an earlier one.
fn attested(desk: &Desk, key: &Key, signed: &SignOff) -> Result<Option<Vec<u8>>> {
    let dir = &desk.opening().dir;
    if !files::exists(&dir.join(attest::FILE)) {
        return Ok(None);
    }
    match signed.outcome {
        Outcome::Approved => {
            let by = attest::SignOff {
                name: signed.name.clone(),
                time: signed.at.clone(),
                shown_sha256: signed.digest.clone(),
            };
            attest::sign_off(dir, key, &by).map(Some)
        }
        Outcome::Rejected if desk.review().sign_offs.is_empty() => Ok(None),
        Outcome::Rejected => attest::withdrawn(dir).map(Some),
    }
}

/// What is signed: the pre-authentication encoding of DSSE over the sign-off with an empty signature.
fn signed_bytes(signed: &SignOff) -> Result<Vec<u8>> {
    let mut bare = signed.clone();
    bare.signature.clear();
    let body = compact(&bare)?;
    Ok(dsse::pae(PAYLOAD_TYPE, &body))
}

/// Whether the signature under `signed` is by the public key in it.
pub fn is_genuine(signed: &SignOff) -> Result<bool> {
    let Ok(signature) = STANDARD.decode(&signed.signature) else {
        return Ok(false);
    };
    Ok(keys::verify(
        &signed.public_key,
        &signed_bytes(signed)?,
        &signature,
    ))
}

/// SHA-256 of one file of a run; `None` when it cannot be read or is not one of [`FIXED`].
pub fn file_hash(dir: &Path, name: &str) -> Option<String> {
    FIXED
        .contains(&name)
        .then(|| files::sha256(&dir.join(name)).ok())
        .flatten()
}
