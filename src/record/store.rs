//! Run directories on disk: writing one, finding one, reading one.

use super::{RECORD, Record, Run, SCHEMA, pretty, word};
use crate::audit::Pending;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, Scratch};
use crate::tenant::{TENANTS, Tenant};
use std::path::{Path, PathBuf};

/// Writes all files of a run into `scratch`, attests and announces them, and gives it its final name.
///
/// # Errors
/// As [`files::write_error`].
pub fn commit(
    scratch: Scratch,
    home: &Path,
    run: &Run,
    html: &str,
    markdown: &str,
    pending: &mut Pending,
) -> Result<PathBuf> {
    let at = scratch.path();
    files::write_whole(&at.join(RECORD), &pretty(&run.record)?)?;
    files::write_whole(&at.join("report.json"), &pretty(&run.report)?)?;
    files::write_whole(&at.join("verdict.json"), &pretty(&run.verdict)?)?;
    let mut lines = Vec::new();
    for exchange in &run.transcript {
        serde_json::to_writer(&mut lines, exchange)
            .or_fail(ExitCode::Bug, "failed to write the transcript")?;
        lines.push(b'\n');
    }
    files::write_whole(&at.join("transcript.jsonl"), &lines)?;
    let review = crate::review::pending(&run.record.id);
    files::write_whole(&at.join("review.json"), &pretty(&review)?)?;
    files::write_whole(&at.join("report.html"), html.as_bytes())?;
    files::write_whole(&at.join("report.md"), markdown.as_bytes())?;
    let digests = crate::audit::digests(at)?;
    let attestation = crate::attest::make(&run.record, &run.verdict, &digests, pending.key())?;
    files::write_whole(&at.join(crate::attest::FILE), &attestation)?;
    pending.keep(
        word(&run.report.outcome),
        word(&run.verdict.outcome),
        run.record.exit,
        crate::audit::digests(at)?,
    )?;
    let to = home.join(&run.record.id);
    scratch.keep(&to)?;
    pending.logged()?;
    Ok(to)
}

/// The ids of all runs in `home`, one tenant's or the runs directory itself.
///
/// # Errors
/// When the directory cannot be read.
pub fn ids(home: &Path) -> Result<Vec<String>> {
    let names = files::names(home).or_fail(
        ExitCode::Usage,
        format!("failed to read the runs directory {}", files::shown(home)),
    )?;
    Ok(names
        .into_iter()
        .filter(|name| !name.starts_with('.') && name != TENANTS)
        .collect())
}

/// Where runs are kept below `runs`: without a tenant first, then each tenant's, sorted.
///
/// # Errors
/// When the directory cannot be read.
pub fn homes(runs: &Path) -> Result<Vec<(Option<Tenant>, PathBuf)>> {
    let tenants = runs.join(TENANTS);
    let names = files::names(&tenants).or_fail(
        ExitCode::Usage,
        format!("failed to read {}", files::shown(&tenants)),
    )?;
    let mut all = vec![(None, runs.to_owned())];
    for tenant in names.iter().filter_map(|name| name.parse::<Tenant>().ok()) {
        let home = Tenant::home(Some(&tenant), runs);
        all.push((Some(tenant), home));
    }
    Ok(all)
}

/// The only run, of any tenant, whose id begins with `prefix`.
///
/// # Errors
/// A usage error when there is none or more than one.
pub fn find(runs: &Path, prefix: &str) -> Result<PathBuf> {
    let mut matching = Vec::new();
    for (_, home) in homes(runs)? {
        for id in ids(&home)? {
            if id.starts_with(prefix) {
                matching.push(home.join(id));
            }
        }
    }
    match matching.as_slice() {
        [one] => Ok(one.clone()),
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
/// Refused input that names the file that is damaged or from another version.
pub fn load(dir: &Path) -> Result<Run> {
    let record = load_record(dir)?;
    let path = dir.join("transcript.jsonl");
    let transcript = read(&path)?;
    Ok(Run {
        record,
        report: json(&dir.join("report.json"), crate::report::SCHEMA)?,
        verdict: json(&dir.join("verdict.json"), crate::verify::VERDICT_SCHEMA)?,
        transcript: transcript
            .lines()
            .enumerate()
            .map(|(at, line)| {
                serde_json::from_str(line).map_err(|error| {
                    damaged(&path, format!("line {} is damaged", at + 1)).source(error)
                })
            })
            .collect::<Result<_>>()?,
    })
}

/// Reads a run's `record.json`.
///
/// # Errors
/// As [`load`].
pub fn load_record(dir: &Path) -> Result<Record> {
    json(&dir.join(RECORD), SCHEMA)
}

fn read(path: &Path) -> Result<String> {
    files::read_text(path).map_err(|error| {
        let what = match error.kind() {
            std::io::ErrorKind::NotFound => "it is missing",
            _ => "it cannot be read",
        };
        damaged(path, what.into()).source(error)
    })
}

fn damaged(path: &Path, what: String) -> Error {
    Error::refused(format!("failed to read {}: {what}", files::shown(path))).hint(
        "the run directory is damaged; narrowroom audit verify names every file that was altered",
    )
}

fn json<T: serde::de::DeserializeOwned>(path: &Path, schema: &str) -> Result<T> {
    let value: serde_json::Value = serde_json::from_str(&read(path)?)
        .map_err(|error| damaged(path, "it is damaged".into()).source(error))?;
    demand_schema(&value, schema).map_err(|error| {
        let mut outer = Error::refused(format!("failed to read {}", files::shown(path)));
        outer.hint.clone_from(&error.hint);
        outer.source(error)
    })?;
    serde_json::from_value(value)
        .map_err(|error| damaged(path, "it is damaged".into()).source(error))
}

/// Demands that a document is of the form `schema`, `<name>/v<number>`, and tells a newer version of
/// the form from something else.
///
/// # Errors
/// Refused input.
pub fn demand_schema(value: &serde_json::Value, schema: &str) -> Result<()> {
    let found = value.get("schema").and_then(serde_json::Value::as_str);
    if found == Some(schema) {
        return Ok(());
    }
    let parts = |text: &str| {
        let (name, version) = text.rsplit_once("/v")?;
        Some((name.to_owned(), version.parse::<u32>().ok()?))
    };
    let newer = found
        .and_then(parts)
        .zip(parts(schema))
        .is_some_and(|((name, version), (known, ours))| name == known && version > ours);
    let found = found.map_or_else(
        || "no form at all".to_owned(),
        |found| crate::report::escape::terminal(&found.chars().take(80).collect::<String>()),
    );
    Err(if newer {
        Error::refused(format!(
            "it was made by a newer narrowroom: it is of the form {found}, this version reads {schema}"
        ))
        .hint("read it with that version, or update this one")
    } else {
        Error::refused(format!(
            "it is damaged or no such document: {found} where {schema} is expected"
        ))
        .hint("narrowroom audit verify names every file that was altered")
    })
}
