//! One file from the results of all shards: the manifest's order, nothing twice, nothing missing.
//!
//! `narrowroom.batch-merged/v1` is JSON Lines: first a [`MergedHead`], then one [`MergedItem`] for
//! each bundle in the manifest's order. It holds nothing that depends on when, where, in which order
//! or in how many attempts the work was done.

use super::desk::{Desk, State};
use super::item::{Ended, Failure, ItemResult};
use super::manifest::{Item, Manifest};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::report::Report;
use crate::verify::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Schema name of a merged file.
pub const SCHEMA: &str = "narrowroom.batch-merged/v1";
/// Most items that an error names.
const NAMED: usize = 8;

/// The first line of a merged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergedHead {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Digest of the manifest.
    pub manifest: String,
    /// Only the bundles of this tenant are in the file; absent: all.
    pub tenant: Option<String>,
    /// Lines that follow.
    pub items: u64,
    /// Of these without a result; 0 unless gaps were allowed.
    pub gaps: u64,
}

/// One bundle of a merged file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergedItem {
    /// Id of the item.
    pub item: String,
    /// Path below the manifest's root.
    pub path: String,
    /// SHA-256 of the bundle.
    pub bundle_sha256: String,
    /// Whose it is.
    pub tenant: Option<String>,
    /// How it ended; absent: it has no result, and gaps were allowed.
    pub ended: Option<Ended>,
    /// Digest of all inputs and settings of its run.
    pub key: Option<String>,
    /// Why there is no report.
    pub failure: Option<Failure>,
    /// The report.
    pub report: Option<Report>,
    /// What the verifier said about it.
    pub verdict: Option<Verdict>,
}

/// What a merge takes.
#[derive(Debug, Clone)]
pub struct MergeRequest<'a> {
    /// The batch directories.
    pub from: &'a [PathBuf],
    /// Only this tenant's bundles.
    pub tenant: Option<&'a str>,
    /// Whether bundles without a result are written as such instead of refused.
    pub allow_gaps: bool,
}

/// Merges the results of `manifest` into the bytes of a merged file, with its head.
///
/// # Errors
/// A usage error that names what is missing, there twice, damaged or foreign.
pub fn merge(manifest: &Manifest, request: &MergeRequest) -> Result<(Vec<u8>, MergedHead)> {
    let desks = open_all(manifest, request.from)?;
    foreign(manifest, &desks)?;
    let wanted: Vec<&Item> = manifest
        .of(None)
        .filter(|item| {
            request
                .tenant
                .is_none_or(|tenant| item.tenant.as_deref() == Some(tenant))
        })
        .collect();
    if let (Some(tenant), true) = (request.tenant, wanted.is_empty()) {
        return Err(Error::usage(format!(
            "the manifest has no bundle of the tenant {:?}",
            crate::report::escape::terminal(tenant)
        )));
    }
    let (mut gaps, mut twice, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for item in &wanted {
        let mut found = Vec::new();
        for desk in &desks {
            found.extend(desk.result(item)?.map(|result| (desk, result)));
        }
        match found.as_slice() {
            [(desk, result)] => add(&mut lines, &line(desk, item, result)?)?,
            [] => {
                gaps.push(format!(
                    "{} ({})",
                    files::shown(Path::new(&item.path)),
                    why(item, &desks)?
                ));
                add(&mut lines, &empty(item))?;
            }
            several => {
                let places: Vec<_> = several
                    .iter()
                    .map(|(desk, _)| files::shown(desk.dir()))
                    .collect();
                twice.push(format!(
                    "{} ({})",
                    files::shown(Path::new(&item.path)),
                    places.join(", ")
                ));
            }
        }
    }
    if !twice.is_empty() {
        return Err(Error::usage(format!(
            "{} more than once: {}",
            count(twice.len(), "bundle has a result", "bundles have a result"),
            named(&twice)
        ))
        .hint("give each batch directory once, and each shard to one directory"));
    }
    if !gaps.is_empty() && !request.allow_gaps {
        return Err(Error::usage(format!(
            "{}: {}",
            count(gaps.len(), "bundle has no result", "bundles have no result"),
            named(&gaps)
        ))
        .hint("run the batch again: only what is missing is run; or merge with --allow-gaps, which says in the file what is missing"));
    }
    let head = MergedHead {
        schema: SCHEMA.into(),
        manifest: manifest.digest.clone(),
        tenant: request.tenant.map(str::to_owned),
        items: wanted.len() as u64,
        gaps: gaps.len() as u64,
    };
    let mut bytes = Vec::with_capacity(lines.len() + 512);
    add(&mut bytes, &head)?;
    bytes.append(&mut lines);
    Ok((bytes, head))
}

/// Opens the batch directories, each once.
pub(super) fn open_all(manifest: &Manifest, from: &[PathBuf]) -> Result<Vec<Desk>> {
    let mut seen = BTreeSet::new();
    let mut desks = Vec::new();
    for dir in from {
        let name = files::shown(dir);
        let real = files::canonical(dir).or_fail(
            ExitCode::Usage,
            format!("failed to open the batch directory {name}"),
        )?;
        if !seen.insert(real) {
            return Err(Error::usage(format!(
                "the batch directory {name} was given twice"
            )));
        }
        desks.push(Desk::open(dir, manifest)?);
    }
    Ok(desks)
}

fn foreign(manifest: &Manifest, desks: &[Desk]) -> Result<()> {
    let known: BTreeSet<&str> = manifest.items.iter().map(|item| item.id.as_str()).collect();
    for desk in desks {
        let ids = desk.result_ids()?;
        let strange: Vec<_> = ids
            .iter()
            .filter(|id| !known.contains(id.as_str()))
            .collect();
        if let Some(first) = strange.first() {
            return Err(Error::usage(format!(
                "{} holds {} of no bundle of the manifest, such as {}",
                files::shown(desk.dir()),
                count(strange.len(), "result", "results"),
                crate::report::escape::terminal(first)
            )));
        }
    }
    Ok(())
}

/// The line of an item, with its run checked against the manifest and the result.
fn line(desk: &Desk, item: &Item, result: &ItemResult) -> Result<MergedItem> {
    let mut line = empty(item);
    line.ended = Some(result.ended);
    line.failure.clone_from(&result.failure);
    let Some(facts) = &result.run else {
        return match (&result.failure, result.ended) {
            (Some(_), Ended::Refused | Ended::Limited) => Ok(line),
            _ => Err(damaged(desk, item, "it has neither a run nor a failure")),
        };
    };
    let dir = desk.runs(item.tenant.as_deref()).join(&facts.id);
    let plain = facts.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain || !files::is_dir(&dir) {
        return Err(damaged(desk, item, "its run is not there"));
    }
    let run = crate::record::load(&dir)?;
    if run.record.bundle.sha256 != item.sha256 || run.report.bundle.sha256 != item.sha256 {
        return Err(damaged(desk, item, "its run is about another bundle"));
    }
    if run.record.key != facts.key || run.report.run != facts.key {
        return Err(damaged(desk, item, "its run has another key"));
    }
    if run.verdict.is_rejected() != (result.ended == Ended::Rejected) {
        return Err(damaged(desk, item, "its verdict says something else"));
    }
    line.key = Some(facts.key.clone());
    line.report = Some(run.report);
    line.verdict = Some(run.verdict);
    Ok(line)
}

fn damaged(desk: &Desk, item: &Item, what: &str) -> Error {
    Error::usage(format!(
        "the result of {} in {} is damaged: {what}",
        files::shown(Path::new(&item.path)),
        files::shown(desk.dir())
    ))
    .hint(format!(
        "take away results/{}.json there and run the batch again",
        item.id
    ))
}

fn empty(item: &Item) -> MergedItem {
    MergedItem {
        item: item.id.clone(),
        path: item.path.clone(),
        bundle_sha256: item.sha256.clone(),
        tenant: item.tenant.clone(),
        ended: None,
        key: None,
        failure: None,
        report: None,
        verdict: None,
    }
}

/// Why an item has no result.
fn why(item: &Item, desks: &[Desk]) -> Result<String> {
    for desk in desks {
        match desk.state(item)? {
            State::Open(open) => return Ok(open.failure.message),
            State::Claimed(_) => return Ok("started, not finished".into()),
            State::Waiting | State::Finished(_) => {}
        }
    }
    Ok(format!("shard {}, never started", item.shard))
}

fn add<T: Serialize>(bytes: &mut Vec<u8>, value: &T) -> Result<()> {
    serde_json::to_writer(&mut *bytes, value).or_fail(ExitCode::Bug, "failed to write JSON")?;
    bytes.push(b'\n');
    Ok(())
}

fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn named(names: &[String]) -> String {
    let mut text = names[..names.len().min(NAMED)].join("; ");
    if names.len() > NAMED {
        text.push_str(&format!("; and {} more", names.len() - NAMED));
    }
    text
}
