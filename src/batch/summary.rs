//! What a batch came to: counts, and a row for each bundle, those that need a person first.

use super::desk::{Desk, State};
use super::item::{Ended, Failure, RunFacts};
use super::manifest::{Item, Manifest};
use super::merge::open_all;
use crate::error::{Error, Result};
use crate::report::Outcome;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Schema name of `summary.json`.
pub const SCHEMA: &str = "narrowroom.batch-summary/v1";

/// The summary of a batch, or of a part of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Digest of the manifest.
    pub manifest: String,
    /// Only this shard.
    pub shard: Option<u32>,
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Counts in all.
    pub counts: Counts,
    /// Counts by tenant.
    pub tenants: BTreeMap<String, Counts>,
    /// Counts by shard.
    pub shards: Vec<ShardCounts>,
    /// Seconds of work of all runs, one after the other.
    pub work_seconds: u64,
    /// Largest resident memory of a worker in KiB.
    pub peak_kib: u64,
    /// The bundles.
    pub rows: Vec<Row>,
}

/// How many bundles are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Bundles.
    pub bundles: u64,
    /// With a report that holds.
    pub done: u64,
    /// Of these: a likely cause was found.
    pub findings: u64,
    /// Of these: insufficient evidence.
    pub insufficient: u64,
    /// Of these: no fault found in what was examined.
    pub healthy: u64,
    /// The verifier rejected the output.
    pub rejected: u64,
    /// Input refused.
    pub refused: u64,
    /// Over a limit.
    pub limited: u64,
    /// Failed for another reason than the bundle; run again by the next batch.
    pub open: u64,
    /// Started, not finished.
    pub started: u64,
    /// Not started.
    pub waiting: u64,
}

impl Counts {
    /// Bundles with a final result.
    pub fn finished(&self) -> u64 {
        self.done + self.rejected + self.refused + self.limited
    }
}

/// A shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ShardCounts {
    /// Its number.
    pub shard: u32,
    /// Whether a batch works on it now, on this machine.
    pub running: bool,
    /// Counts.
    pub counts: Counts,
}

/// A bundle.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Id of the item.
    pub item: String,
    /// Path below the manifest's root.
    pub path: String,
    /// Whose it is.
    pub tenant: Option<String>,
    /// Shard.
    pub shard: u32,
    /// One word for where it stands.
    pub state: &'static str,
    /// The run.
    pub run: Option<RunFacts>,
    /// Why there is no report.
    pub failure: Option<Failure>,
    /// How often it was started.
    pub attempts: u32,
}

impl Row {
    /// Rows that need a person come first.
    fn urgency(&self) -> u8 {
        match (self.state, &self.run) {
            ("open", _) => 0,
            ("rejected", _) => 1,
            ("refused" | "limited", _) => 2,
            (_, Some(run)) if run.injections > 0 => 3,
            (_, Some(run)) => match run.outcome {
                Outcome::Findings => 4,
                Outcome::InsufficientEvidence => 5,
                Outcome::Healthy => 6,
            },
            _ => 7,
        }
    }
}

/// Sums up `manifest` from batch directories; `shard` and `tenant` narrow it.
///
/// # Errors
/// A usage error when a directory is foreign or a file in it is damaged.
pub fn summarise(
    manifest: &Manifest,
    from: &[PathBuf],
    shard: Option<u32>,
    tenant: Option<&str>,
) -> Result<Summary> {
    let desks = open_all(manifest, from)?;
    let mut summary = Summary {
        schema: SCHEMA,
        manifest: manifest.digest.clone(),
        shard,
        tenant: tenant.map(str::to_owned),
        counts: Counts::default(),
        tenants: BTreeMap::new(),
        shards: Vec::new(),
        work_seconds: 0,
        peak_kib: 0,
        rows: Vec::new(),
    };
    let mut shards: BTreeMap<u32, Counts> = BTreeMap::new();
    let mut millis = 0_u64;
    for item in manifest.of(shard) {
        if tenant.is_some_and(|tenant| item.tenant.as_deref() != Some(tenant)) {
            continue;
        }
        let row = row(item, &desks)?;
        let tenants = item
            .tenant
            .as_ref()
            .map(|name| summary.tenants.entry(name.clone()).or_default());
        let shards = shards.entry(item.shard).or_default();
        for counts in [Some(&mut summary.counts), Some(shards), tenants]
            .into_iter()
            .flatten()
        {
            counts.add(&row);
        }
        if let Some(run) = &row.run {
            millis = millis.saturating_add(run.millis);
            summary.peak_kib = summary.peak_kib.max(run.peak_kib);
        }
        summary.rows.push(row);
    }
    if summary.rows.is_empty() {
        return Err(Error::usage(
            "the manifest has no bundle of this shard or tenant",
        ));
    }
    for (shard, counts) in shards {
        let mut running = false;
        for desk in &desks {
            running |= desk.is_held(shard)?;
        }
        summary.shards.push(ShardCounts {
            shard,
            running,
            counts,
        });
    }
    summary.work_seconds = millis.div_ceil(1_000);
    summary.rows.sort_by(|a, b| {
        let sure = |row: &Row| {
            row.run
                .as_ref()
                .and_then(|run| run.confidence)
                .unwrap_or(0.0)
        };
        let rank = a.urgency().cmp(&b.urgency());
        rank.then_with(|| sure(b).total_cmp(&sure(a)))
            .then_with(|| a.path.cmp(&b.path))
    });
    Ok(summary)
}

impl Counts {
    fn add(&mut self, row: &Row) {
        self.bundles += 1;
        *match row.state {
            "done" => &mut self.done,
            "rejected" => &mut self.rejected,
            "refused" => &mut self.refused,
            "limited" => &mut self.limited,
            "open" => &mut self.open,
            "started" => &mut self.started,
            _ => &mut self.waiting,
        } += 1;
        if let ("done", Some(run)) = (row.state, &row.run) {
            *match run.outcome {
                Outcome::Findings => &mut self.findings,
                Outcome::InsufficientEvidence => &mut self.insufficient,
                Outcome::Healthy => &mut self.healthy,
            } += 1;
        }
    }
}

fn row(item: &Item, desks: &[Desk]) -> Result<Row> {
    let mut row = Row {
        item: item.id.clone(),
        path: item.path.clone(),
        tenant: item.tenant.clone(),
        shard: item.shard,
        state: "waiting",
        run: None,
        failure: None,
        attempts: 0,
    };
    for desk in desks {
        match desk.state(item)? {
            State::Waiting => {}
            State::Claimed(claim) => (row.state, row.attempts) = ("started", claim.attempt),
            State::Open(open) => {
                (row.state, row.attempts) = ("open", open.attempts);
                row.failure = Some(open.failure);
            }
            State::Finished(result) => {
                row.state = Ended::word(result.ended);
                row.attempts = result.attempts;
                row.run = result.run;
                row.failure = result.failure;
                return Ok(row);
            }
        }
    }
    Ok(row)
}
