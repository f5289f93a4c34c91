//! The attestation of a run: what ran on what under which seal, and what the verifier said, in the
//! form that other tools read.
//!
//! Owns: `attestation.intoto.jsonl` in the run directory. Touches: the run directory through
//! [`crate::files`]. Zone: 0.
//!
//! Format: an in-toto bundle, one DSSE envelope a line, each around an in-toto Statement v1:
//! 1. the seal, as Test Result v0.1: every probe of every worker;
//! 2. the verifier's verdict, as SLSA Verification Summary v1;
//! 3. once a person has signed off: name, time and the digest of exactly what was shown.
//!
//! Subjects of 1 and 2: bundle, playbook, model, guest, binary, library and `report.json`. The program
//! signs 1 and 2; a person's sign-off is another signature on the same envelopes, and 3.
//!
//! A self-made proof shows what the program observed; whoever controls the machine can forge it.

pub mod dsse;
mod statement;

pub use statement::{SIGN_OFF, Statement, Subject, TEST_RESULT, VSA};

use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::keys::{Key, PublicKey};
use crate::record::Record;
use crate::verify::Verdict;
use dsse::Envelope;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the file in the run directory.
pub const FILE: &str = "attestation.intoto.jsonl";
/// Payload type of in-toto statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The content of [`FILE`] for a new run, signed by the program. `files`: digests of the run's files.
///
/// # Errors
/// Only a bug.
pub fn make(
    record: &Record,
    verdict: &Verdict,
    files: &BTreeMap<String, String>,
    key: &Key,
) -> Result<Vec<u8>> {
    let seal = sealed(&statement::seal(record, files), key)?;
    let first = line(&seal)?;
    let summary = statement::summary(record, verdict, files, &crate::audit::sha256(&first));
    let summary = sealed(&summary, key)?;
    Ok([first, line(&summary)?].concat())
}

/// A person's approval.
#[derive(Debug, Clone, Serialize)]
pub struct SignOff {
    /// Name as the person gave it.
    pub name: String,
    /// When, RFC 3339, UTC.
    pub time: String,
    /// SHA-256 of exactly what was shown, lower-case hex.
    pub shown_sha256: String,
}

/// The new content of [`FILE`] with `key`'s signature added to the run's envelopes and a statement
/// about the sign-off behind them. Nothing is written: hand the bytes to [`crate::audit::reviewed`]
/// together with `review.json`, so that both are logged as one change.
///
/// # Errors
/// Refused input for a damaged file; a usage error when `key` is the program's own.
pub fn sign_off(run_dir: &Path, key: &Key, by: &SignOff) -> Result<Vec<u8>> {
    let record = crate::record::load_record(run_dir)?;
    let mut envelopes = read(run_dir)?;
    let program = envelopes
        .first()
        .ok_or_else(|| Error::refused(format!("{FILE} is empty")))?;
    if program
        .signatures
        .first()
        .is_some_and(|one| one.keyid == key.id())
    {
        return Err(
            Error::usage("the program's own key cannot sign for a person")
                .hint("give a key of the person's own with --key FILE"),
        );
    }
    let report = run_dir.join("report.json");
    let report = files::sha256(&report).or_fail(
        ExitCode::InputRefused,
        format!("failed to read {}", files::shown(&report)),
    )?;
    // Signing again replaces the earlier statement of the same person.
    envelopes.retain(|envelope| {
        statement_of(envelope).is_ok_and(|s| s.predicate_type != SIGN_OFF)
            || !envelope.signatures.iter().any(|one| one.keyid == key.id())
    });
    for envelope in &mut envelopes {
        if statement_of(envelope)?.predicate_type != SIGN_OFF {
            envelope.sign(key)?;
        }
    }
    envelopes.push(sealed(&statement::sign_off(&record, by, &report), key)?);
    envelopes
        .iter()
        .map(line)
        .collect::<Result<Vec<_>>>()
        .map(|lines| lines.concat())
}

/// The new content of [`FILE`] without any person's signature or sign-off: who approved a run before
/// has rejected it now. Nothing is written, as in [`sign_off`].
///
/// # Errors
/// Refused input for a damaged file.
pub fn withdrawn(run_dir: &Path) -> Result<Vec<u8>> {
    let mut kept = Vec::new();
    for mut envelope in read(run_dir)? {
        if statement_of(&envelope)?.predicate_type != SIGN_OFF {
            // The program signed first.
            envelope.signatures.truncate(1);
            kept.extend(line(&envelope)?);
        }
    }
    Ok(kept)
}

fn sealed(statement: &Statement, key: &Key) -> Result<Envelope> {
    let payload =
        serde_json::to_vec(statement).or_fail(ExitCode::Bug, "failed to write a statement")?;
    let mut envelope = Envelope::new(PAYLOAD_TYPE, &payload);
    envelope.sign(key)?;
    Ok(envelope)
}

fn line(envelope: &Envelope) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec(envelope).or_fail(ExitCode::Bug, "failed to write an envelope")?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The envelopes of a run.
///
/// # Errors
/// Refused input when the file is damaged; says so when the run is older than attestations.
pub fn read(run_dir: &Path) -> Result<Vec<Envelope>> {
    let path = run_dir.join(FILE);
    let text = files::read_text(&path).map_err(|error| {
        Error::refused(format!("failed to read {}", files::shown(&path)))
            .source(error)
            .hint("runs made before attestations existed have none; narrowroom rerun makes one that has")
    })?;
    text.lines()
        .enumerate()
        .map(|(at, line)| {
            serde_json::from_str(line).or_fail(
                ExitCode::InputRefused,
                format!("{} is damaged at line {}", files::shown(&path), at + 1),
            )
        })
        .collect()
}

/// The statement in an envelope, unverified.
///
/// # Errors
/// Refused input when it is none.
pub fn statement_of(envelope: &Envelope) -> Result<Statement> {
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(Error::refused(format!(
            "an envelope holds {:?}, not an in-toto statement",
            envelope.payload_type
        )));
    }
    serde_json::from_slice(&envelope.payload()?)
        .or_fail(ExitCode::InputRefused, "an in-toto statement is damaged")
}

/// One envelope, checked.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// What its statement is about.
    pub predicate_type: String,
    /// Result in its predicate, if it has one.
    pub result: Option<String>,
    /// For each key that was given: its hex and whether a signature of it holds.
    pub signed_by: Vec<(String, bool)>,
    /// Number of signatures in it.
    pub signatures: usize,
    /// What does not hold.
    pub problems: Vec<String>,
}

/// Checks the envelopes of a run: `program` must have signed the seal and the verdict, every one of
/// `people` all of them, and each digest must be that of the run's own files and record.
///
/// # Errors
/// When the run or its envelopes cannot be read at all.
pub fn verify(run_dir: &Path, program: &PublicKey, people: &[PublicKey]) -> Result<Vec<Checked>> {
    let record = crate::record::load_record(run_dir)?;
    let digests = crate::audit::digests(run_dir)?;
    let envelopes = read(run_dir)?;
    let mut all = Vec::new();
    for envelope in &envelopes {
        let statement = statement_of(envelope)?;
        let by_person = statement.predicate_type == SIGN_OFF;
        let mut problems = Vec::new();
        let mut signed_by = Vec::new();
        for (key, needed) in std::iter::once((program, !by_person)).chain(
            people
                .iter()
                .map(|key| (key, !by_person || people.len() == 1)),
        ) {
            let holds = envelope.is_signed_by(key)?;
            if needed && !holds {
                problems.push(format!("no signature of the key {} holds", key.hex()));
            }
            signed_by.push((key.hex(), holds));
        }
        problems.extend(statement::disagreements(&statement, &record, &digests));
        all.push(Checked {
            result: statement.result(),
            predicate_type: statement.predicate_type,
            signed_by,
            signatures: envelope.signatures.len(),
            problems,
        });
    }
    for needed in [TEST_RESULT, VSA] {
        if !all.iter().any(|one| one.predicate_type == needed) {
            all.push(Checked {
                predicate_type: needed.into(),
                result: None,
                signed_by: vec![],
                signatures: 0,
                problems: vec!["the statement is missing".into()],
            });
        }
    }
    if !people.is_empty() && !all.iter().any(|one| one.predicate_type == SIGN_OFF) {
        all.push(Checked {
            predicate_type: SIGN_OFF.into(),
            result: None,
            signed_by: vec![],
            signatures: 0,
            problems: vec!["nobody has signed off".into()],
        });
    }
    Ok(all)
}
