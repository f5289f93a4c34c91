//! Whether a signature still stands: nothing it covers has changed since.

use super::model::{Review, SignOff, State};
use super::{fold, sign, store};
use crate::error::Result;
use crate::keys::PublicKey;
use serde::Serialize;
use std::path::Path;

/// What `review --check` says.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// Id of the run as its review names it.
    pub run: String,
    /// How it stands.
    pub standing: Standing,
    /// What does not fit, in words.
    pub problems: Vec<String>,
    /// The sign-off that counts.
    pub sign_off: Option<SignOff>,
}

/// How a signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Nobody has signed.
    Unsigned,
    /// Signed, and everything it covers is as it was.
    Valid,
    /// Signed, and something changed since; or the signature is not by its key.
    Invalid,
}

/// Checks the review of the run in `dir`: the chain of its history, each signature, the files that the
/// last one covers, and that it is by the key `by` when one is given.
///
/// # Errors
/// When the review or a file of the run cannot be read.
pub fn check(dir: &Path, by: Option<&PublicKey>) -> Result<Checked> {
    let review = store::load(dir)?;
    let mut problems = Vec::new();
    if let Some(place) = store::first_break(&review)? {
        problems.push(format!("the history was altered at its entry {place}"));
    }
    for (at, signed) in review.sign_offs.iter().enumerate() {
        let which = match review.sign_offs.len() {
            1 => "the sign-off".to_owned(),
            _ => format!("sign-off {}", at + 1),
        };
        one(&review, signed, &which, &mut problems)?;
    }
    let name = dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let counts = fold::in_force(&review);
    if let Some(signed) = counts {
        for (file, then) in &signed.shown.files {
            match sign::file_hash(dir, file) {
                Some(now) if now == *then => {}
                Some(_) => problems.push(format!("{file} changed after the signature")),
                None => problems.push(format!("{file} is no longer there")),
            }
        }
        if name.as_deref() != Some(signed.shown.run.as_str()) {
            problems.push(format!(
                "the signature is for the run {:?}",
                signed.shown.run
            ));
        }
        if by.is_some_and(|by| by.hex() != signed.public_key) {
            problems.push(format!(
                "it is signed with another key: {}",
                signed.public_key
            ));
        }
        if review.history.len() as u64 != signed.entries {
            problems.push("the history goes on after the signature".to_owned());
        }
    }
    let wanted = match counts.map(|signed| signed.outcome) {
        None => State::Pending,
        Some(super::model::Outcome::Approved) => State::Approved,
        Some(super::model::Outcome::Rejected) => State::Rejected,
    };
    if review.state != wanted {
        problems.push(format!(
            "the file says {:?}, its signatures say {:?}",
            review.state.word(),
            wanted.word()
        ));
    }
    Ok(Checked {
        run: name.unwrap_or_default(),
        standing: match (counts, problems.is_empty()) {
            (_, false) => Standing::Invalid,
            (None, true) => Standing::Unsigned,
            (Some(_), true) => Standing::Valid,
        },
        sign_off: counts.cloned(),
        problems,
    })
}

/// One signature by itself, against the history it covers.
fn one(review: &Review, signed: &SignOff, which: &str, problems: &mut Vec<String>) -> Result<()> {
    if !sign::is_genuine(signed)? {
        problems.push(format!(
            "{which} was altered, or is not by the key it names"
        ));
    }
    if store::hash_of(&signed.shown)? != signed.digest {
        problems.push(format!(
            "{which} has another digest than what it says was shown"
        ));
    }
    let covered = usize::try_from(signed.entries)
        .ok()
        .and_then(|n| n.checked_sub(1))
        .and_then(|at| review.history.get(at));
    let history = covered.map(store::hash_of).transpose()?;
    if history.as_deref() != Some(signed.history.as_str()) {
        problems.push(format!("{which} covers another history than this one"));
    }
    Ok(())
}
