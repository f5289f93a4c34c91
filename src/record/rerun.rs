//! Running a run again: the same inputs, found and checked, and what the result is compared to.

use super::diff::{Change, exchanges, settings};
use super::{Record, Run};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::seal::Layer;
use crate::triage::{ModelChoice, Request};
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a person gives where the record alone is not enough.
pub struct Given {
    /// Where the bundle lies now; `None`: where it lay.
    pub bundle: Option<PathBuf>,
    /// The ticket's words, when the first run had some.
    pub ticket: Option<String>,
    /// The model with the recorded hash, when the first run had one.
    pub model: Option<ModelChoice>,
    /// Where runs are kept.
    pub runs: PathBuf,
    /// The key to sign with.
    pub key: Option<PathBuf>,
    /// The organisation's own command policy, when the first run had one.
    pub policy: Option<String>,
}

/// The request that repeats `record`.
///
/// # Errors
/// Refused input when the bundle is gone or another, a usage error when the ticket is missing or
/// another, or the playbook cannot be read.
pub fn request(record: &Record, given: Given) -> Result<Request> {
    let bundle = match (given.bundle, &record.bundle.path) {
        (Some(path), _) => path,
        (None, Some(path)) => PathBuf::from(path),
        (None, None) => {
            return Err(Error::usage("the record does not say where the bundle lay")
                .hint("give it with --bundle FILE"));
        }
    };
    let moved = "if it was moved, say where it is with --bundle FILE";
    crate::triage::check_bundle(&bundle).map_err(|error| error.hint(moved))?;
    let sha256 = files::sha256(&bundle).or_fail(
        ExitCode::InputRefused,
        format!("failed to read the bundle {}", files::shown(&bundle)),
    )?;
    if sha256 != record.bundle.sha256 {
        return Err(Error::refused(format!(
            "the bundle {} is not the one of run {}: its sha256 is {sha256}, the record says {}",
            files::shown(&bundle),
            record.id,
            record.bundle.sha256
        ))
        .hint("it changed since, or is another file; give the right one with --bundle FILE"));
    }
    let digest = |text: &String| super::key(&[text]);
    if given.ticket.as_ref().map(digest) != record.settings.ticket_sha256 {
        return Err(match (&given.ticket, &record.settings.ticket_sha256) {
            (None, Some(_)) => {
                Error::usage("the first run was given a ticket, and the record keeps only its hash")
                    .hint("give the same words again with --ticket TEXT|FILE")
            }
            (Some(_), None) => {
                Error::usage("the first run was given no ticket").hint("go without --ticket")
            }
            _ => Error::usage("the ticket is not the one of the first run: the hashes differ")
                .hint("give the same words, to the byte"),
        });
    }
    if given.policy.as_ref().map(digest) != record.settings.policy_sha256 {
        return Err(Error::usage(
            "the command policy is not the one of the first run: the hashes differ",
        )
        .hint("give the same file with --policy, or none if the first run had none"));
    }
    let playbook = record
        .playbook
        .given
        .as_deref()
        .map(crate::playbook::load)
        .transpose()?
        .map(|(bound, _)| bound);
    Ok(Request {
        bundle,
        playbook,
        playbook_given: record.playbook.given.clone(),
        model: given.model,
        ticket: given.ticket,
        runs: given.runs,
        tenant: record.tenant.clone(),
        key: given.key,
        policy: given.policy,
        seed: record.settings.seed,
        threads: record.settings.threads,
        limits: record.settings.limits.clone(),
        allow_weaker: record
            .weaker_seal
            .iter()
            .filter_map(|name| Layer::ALL.into_iter().find(|layer| layer.name() == name))
            .collect(),
    })
}

/// How a repeated run compares to the first.
#[derive(Debug, Clone, Serialize)]
pub struct Repeated {
    /// Id of the first run.
    pub first: String,
    /// Id of the second run.
    pub second: String,
    /// Whether `report.json` and `verdict.json` are the same, byte for byte.
    pub identical: bool,
    /// Whether they say the same, the digest of their inputs aside.
    pub same_result: bool,
    /// The first place where they differ, with both values.
    pub first_difference: Option<Change>,
    /// The first exchange with the model that differs: step, attempt, what of it.
    pub first_exchange: Option<String>,
    /// Inputs that differ, the likeliest reason first.
    pub reasons: Vec<Change>,
}

/// Compares the files of two runs.
///
/// # Errors
/// Refused input when one cannot be read.
pub fn compare(first: (&Path, &Run), second: (&Path, &Run)) -> Result<Repeated> {
    let bytes = |dir: &Path, name: &str| {
        files::read_text(&dir.join(name)).or_fail(
            ExitCode::InputRefused,
            format!("failed to read {}", files::shown(&dir.join(name))),
        )
    };
    let mut identical = true;
    let mut first_difference = None;
    for name in ["report.json", "verdict.json"] {
        let (a, b) = (bytes(first.0, name)?, bytes(second.0, name)?);
        identical &= a == b;
        if a != b && first_difference.is_none() {
            let value = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
            first_difference = walk(name, &value(&a), &value(&b));
        }
    }
    let (a, b) = (first.1, second.1);
    Ok(Repeated {
        first: a.record.id.clone(),
        second: b.record.id.clone(),
        identical,
        same_result: first_difference.is_none(),
        first_difference,
        first_exchange: exchanges(a, b).into_iter().next(),
        reasons: settings(&a.record, &b.record),
    })
}

/// The first place, as a JSON Pointer behind `at`, where two values differ. The report's `run` is the
/// digest of the inputs: it follows from them and is no difference of its own.
fn walk(at: &str, a: &Value, b: &Value) -> Option<Change> {
    let differs = |a: Option<&Value>, b: Option<&Value>| {
        let text = |value: &Value| value.to_string().chars().take(400).collect::<String>();
        Some(Change {
            what: at.to_owned(),
            a: a.map(text),
            b: b.map(text),
        })
    };
    match (a, b) {
        (Value::Object(left), Value::Object(right)) => {
            let keys = left
                .keys()
                .chain(right.keys().filter(|key| !left.contains_key(*key)));
            keys.filter(|key| !(at == "report.json" && *key == "run"))
                .find_map(|key| match (left.get(key), right.get(key)) {
                    (Some(x), Some(y)) => walk(&format!("{at}/{key}"), x, y),
                    (x, y) => differs(x, y).map(|change| Change {
                        what: format!("{at}/{key}"),
                        ..change
                    }),
                })
        }
        (Value::Array(left), Value::Array(right)) => {
            (0..left.len().max(right.len())).find_map(|n| match (left.get(n), right.get(n)) {
                (Some(x), Some(y)) => walk(&format!("{at}/{n}"), x, y),
                (x, y) => differs(x, y).map(|change| Change {
                    what: format!("{at}/{n}"),
                    ..change
                }),
            })
        }
        _ if a == b => None,
        _ => differs(Some(a), Some(b)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_pointer() {
        let a = json!({"run": "1", "findings": [{"c": 1, "t": "x"}], "z": 1});
        assert!(
            walk(
                "report.json",
                &a,
                &json!({"run": "2", "findings": [{"c": 1, "t": "x"}], "z": 1})
            )
            .is_none()
        );
        let b = json!({"run": "2", "findings": [{"c": 2, "t": "y"}], "z": 2});
        let change = walk("report.json", &a, &b).unwrap();
        assert_eq!(change.what, "report.json/findings/0/c");
        let longer = json!({"run": "1", "findings": [{"c": 1, "t": "x"}, 2], "z": 1});
        let change = walk("report.json", &a, &longer).unwrap();
        assert_eq!(
            (change.what.as_str(), change.a),
            ("report.json/findings/1", None)
        );
    }
}
