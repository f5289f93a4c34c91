//! One entry of the log, `narrowroom.audit/v1`.

use crate::error::{Error, Result};
use crate::seal::SealProof;
use crate::tenant::Tenant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Schema name of an entry.
pub const SCHEMA: &str = "narrowroom.audit/v1";
/// Longest entry, in bytes.
pub const MAX_LINE: usize = 64 << 10;

/// Stands for the runs directory in the path of a [`Reach`].
pub const RUNS: &str = "<runs>";

/// One entry. It names a run and the digests of its files, and nothing that a bundle says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Position in the log, from 0.
    pub index: u64,
    /// When it was appended, RFC 3339, UTC, by this machine's clock.
    pub time: String,
    /// What it is about.
    pub kind: Kind,
    /// Id of the run.
    pub run: String,
    /// Whose bundle it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Tenant>,
    /// When the run began.
    pub started: String,
    /// How it ended.
    pub state: State,
    /// Exit code of the program; absent when it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// The last stage that was reached, in the program's own words.
    pub stage: String,
    /// Outcome of the report, for a run that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Outcome of the verifier, for a run that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// SHA-256 of the archive, when it was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_sha256: Option<String>,
    /// SHA-256 of the program's own file.
    pub binary_sha256: String,
    /// What its sealed workers could reach, by their mounts and Landlock rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reach: Vec<Reach>,
    /// SHA-256 of each file of the run directory, by name; empty when no directory was kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
}

/// A directory of the host that a sealed worker could reach.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Reach {
    /// The worker's zone.
    pub zone: String,
    /// Where it lies on the host; `<runs>/…` below the runs directory.
    pub host: String,
    /// Where the worker saw it.
    pub inside: String,
    /// Whether it could be written.
    pub write: bool,
    /// Whether the whole seal was proved, no layer waived.
    pub proved: bool,
}

/// What the proofs of a run's seals say could be reached; each root once a zone.
pub fn reach(runs: &Path, seals: &[SealProof]) -> Vec<Reach> {
    let mut all: Vec<Reach> = Vec::new();
    for seal in seals {
        for root in &seal.roots {
            let host = Path::new(&root.host);
            let host = host.strip_prefix(runs).map_or_else(
                |_| root.host.clone(),
                |below| Path::new(RUNS).join(below).to_string_lossy().into_owned(),
            );
            let one = Reach {
                zone: seal.zone.to_string(),
                host,
                inside: root.inside.clone(),
                write: root.write,
                proved: seal.holds() && seal.weaker().is_empty(),
            };
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A run ended.
    Run,
    /// A person's review changed files of a run; `files` are all of them as they are now.
    Review,
    /// The run directory was removed on purpose.
    Removed,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It came to its end and its directory was kept, whatever the verifier said.
    Finished,
    /// It was refused or failed; nothing was kept.
    Failed,
    /// A signal stopped it; nothing was kept.
    Interrupted,
    /// It was killed; nothing was kept.
    Aborted,
}

impl Entry {
    /// The leaf: one line of JSON without its end.
    ///
    /// # Errors
    /// Only a bug.
    pub fn line(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|error| Error::bug("failed to write an audit entry").source(error))
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// Refused input: damaged, or of another version of the form.
    pub fn parse(line: &str) -> Result<Self> {
        let value: serde_json::Value = serde_json::from_str(line)
            .map_err(|error| Error::refused("it is damaged: no JSON").source(error))?;
        crate::record::demand_schema(&value, SCHEMA)?;
        serde_json::from_value(value).map_err(|error| Error::refused("it is damaged").source(error))
    }
}
