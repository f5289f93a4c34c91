//! The manifest: what is to be run on what, fixed once. Its digest covers every field.

use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::playbook::Bound;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Schema name of a manifest.
pub const SCHEMA: &str = "narrowroom.batch/v1";

/// The plan of a batch. Never changed after it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// SHA-256 over this manifest, compact, with an empty digest; lower-case hex.
    pub digest: String,
    /// The program that planned it and must run it, so that every result has the same origin.
    pub program: Program,
    /// How each bundle is triaged.
    pub settings: Settings,
    /// Folder that the paths of the items are below, absolute.
    pub root: String,
    /// Number of shards, at least 1.
    pub shards: u32,
    /// The bundles, sorted by path.
    pub items: Vec<Item>,
}

/// The build that a manifest is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Version.
    pub version: String,
    /// SHA-256 of the program's file.
    pub binary_sha256: String,
    /// SHA-256 of the inference library, when a model is used.
    pub library_sha256: Option<String>,
}

/// How each bundle is triaged: all that decides a report, besides the bundle and the program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The model; absent: signals only.
    pub model: Option<ModelPin>,
    /// Playbook and catalogues; absent: chosen by each bundle's layout.
    pub playbook: Option<Bound>,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of the model for one bundle.
    pub threads: u32,
    /// Limits of one bundle; `max_memory` is what a worker may use.
    pub limits: Limits,
}

/// A model by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelPin {
    /// The publisher's name for it.
    pub name: String,
    /// SHA-256 of the weights it was imported from.
    pub sha256: String,
}

/// One bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Digest of path, hash and tenant, 16 hexadecimal digits; names its files.
    pub id: String,
    /// Path below the manifest's root.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The shard that runs it, from 0.
    pub shard: u32,
}

impl Item {
    /// The id of a bundle.
    pub fn id_of(path: &str, sha256: &str, tenant: Option<&str>) -> String {
        crate::record::key(&["batch item", path, sha256, tenant.unwrap_or("")])
    }
}

impl Manifest {
    /// The digest that this content should have.
    ///
    /// # Errors
    /// Only a bug.
    pub fn computed_digest(&self) -> Result<String> {
        let bare = Self {
            digest: String::new(),
            ..self.clone()
        };
        let bytes =
            serde_json::to_vec(&bare).or_fail(ExitCode::Bug, "failed to write the manifest")?;
        Ok(hex::encode(Sha256::digest(bytes)))
    }

    /// Reads a manifest and checks all that can be checked without its bundles.
    ///
    /// # Errors
    /// A usage error when it is damaged, altered, of another form, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self> {
        let name = files::shown(path);
        let text = files::read_text(path).or_fail(
            ExitCode::Usage,
            format!("failed to read the manifest {name}"),
        )?;
        let manifest: Self = serde_json::from_str(&text).map_err(|error| {
            Error::usage(format!("failed to read the manifest {name}"))
                .source(error)
                .hint("make one with: narrowroom batch plan DIR --out MANIFEST")
        })?;
        if manifest.schema != SCHEMA {
            return Err(Error::usage(format!(
                "the manifest {name} is of the form {:?}, this version reads {SCHEMA}",
                manifest.schema
            )));
        }
        if manifest.computed_digest()? != manifest.digest {
            return Err(Error::usage(format!(
                "the manifest {name} was altered after it was planned"
            ))
            .hint("a manifest is never edited: plan again into another file"));
        }
        manifest.check().map_err(|problem| {
            Error::usage(format!("the manifest {name} contradicts itself: {problem}"))
        })?;
        Ok(manifest)
    }

    fn check(&self) -> std::result::Result<(), String> {
        if self.shards == 0 || self.items.is_empty() {
            return Err("it has no shard or no bundle".into());
        }
        let mut ids = BTreeSet::new();
        for item in &self.items {
            let path = Path::new(&item.path);
            let plain = path
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            let shown = files::shown(path);
            if item.path.is_empty() || !plain {
                return Err(format!("{shown} is not a path below the root"));
            }
            if item.id != Item::id_of(&item.path, &item.sha256, item.tenant.as_deref()) {
                return Err(format!("the id of {shown} is not its digest"));
            }
            if !ids.insert(&item.id) {
                return Err(format!("{shown} is there twice"));
            }
            if item.shard >= self.shards {
                return Err(format!(
                    "{shown} is in shard {} of {}",
                    item.shard, self.shards
                ));
            }
            if let Some(tenant) = &item.tenant {
                super::tenant::check(tenant).map_err(|error| error.message)?;
            }
        }
        Ok(())
    }

    /// The items of a shard, or all, in the manifest's order.
    pub fn of(&self, shard: Option<u32>) -> impl Iterator<Item = &Item> {
        self.items
            .iter()
            .filter(move |item| shard.is_none_or(|shard| item.shard == shard))
    }

    /// Where a bundle lies; `root` takes the place of the manifest's.
    pub fn bundle(&self, root: Option<&Path>, item: &Item) -> PathBuf {
        root.unwrap_or(Path::new(&self.root)).join(&item.path)
    }
}
