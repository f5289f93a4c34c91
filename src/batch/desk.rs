//! The batch directory: locks, claims, results. Every file is whole or absent.

use super::item::{CLAIM, Claim, Failure, ItemResult, OPEN, Open, RESULT};
use super::manifest::{Item, Manifest};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, Lock, Sharing};
use crate::record;
use crate::report::wording::short_hash as short;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How long a lock that somebody may only be looking at is asked for again, and how often.
const PATIENCE: [u64; 5] = [10, 20, 40, 80, 150];

/// A batch directory of one manifest.
#[derive(Debug)]
pub struct Desk {
    dir: PathBuf,
    digest: String,
}

/// What is known of an item.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing yet.
    Waiting,
    /// It was started and has no result: it runs, or was killed.
    Claimed(Claim),
    /// The last attempt failed in a way that says nothing about the bundle.
    Open(Open),
    /// It is finished.
    Finished(Box<ItemResult>),
}

/// The right to work on a shard, or on all. The kernel gives it back.
#[derive(Debug)]
pub struct Held {
    _whole: Lock,
    _shard: Option<Lock>,
}

impl Desk {
    /// Makes or opens the directory for working on `manifest`.
    ///
    /// # Errors
    /// A usage error when it belongs to another manifest or cannot be written.
    pub fn create(dir: &Path, manifest: &Manifest) -> Result<Self> {
        let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        files::make_dir(&dir)?;
        for part in ["claims", "results", "open", "runs"] {
            files::make_dir(&dir.join(part))?;
        }
        if !files::exists(&dir.join("manifest.json")) {
            files::write_whole(&dir.join("manifest.json"), &record::pretty(manifest)?)?;
        }
        Self::open(&dir, manifest)
    }

    /// Opens the directory for reading.
    ///
    /// # Errors
    /// A usage error when it is no batch directory, or that of another manifest.
    pub fn open(dir: &Path, manifest: &Manifest) -> Result<Self> {
        let name = files::shown(dir);
        let at = dir.join("manifest.json");
        if !files::exists(&at) {
            return Err(
                Error::usage(format!("{name} is not the directory of a batch"))
                    .hint("give the directory that batch run --out wrote to"),
            );
        }
        let own = Manifest::read(&at)?;
        if own.digest != manifest.digest {
            return Err(Error::usage(format!(
                "{name} belongs to another manifest ({}, not {})",
                short(&own.digest),
                short(&manifest.digest)
            ))
            .hint("give each manifest its own --out directory"));
        }
        Ok(Self {
            dir: dir.to_owned(),
            digest: manifest.digest.clone(),
        })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The runs directory of a tenant.
    pub fn runs(&self, tenant: Option<&str>) -> PathBuf {
        let runs = self.dir.join("runs");
        match tenant {
            Some(tenant) => runs.join("tenants").join(tenant),
            None => runs,
        }
    }

    /// Takes the right to work on `shard`, or on all.
    ///
    /// # Errors
    /// A usage error when another batch works on it.
    pub fn hold(&self, shard: Option<u32>) -> Result<Held> {
        let take = |name: &str, sharing| -> Result<Lock> {
            let path = self.dir.join(name);
            let mut patience = PATIENCE.iter();
            loop {
                if let Some(lock) = Lock::try_take(&path, sharing)? {
                    return Ok(lock);
                }
                let Some(millis) = patience.next() else {
                    return Err(Error::usage(format!(
                        "another batch is working {} in {}",
                        shard.map_or_else(
                            || "on this manifest".to_owned(),
                            |shard| format!("on shard {shard}")
                        ),
                        files::shown(&self.dir)
                    ))
                    .hint("wait for it, or give each shard its own process with --shard K"));
                };
                std::thread::sleep(std::time::Duration::from_millis(*millis));
            }
        };
        Ok(match shard {
            None => Held {
                _whole: take("lock", Sharing::Exclusive)?,
                _shard: None,
            },
            Some(shard) => Held {
                _whole: take("lock", Sharing::Shared)?,
                _shard: Some(take(&format!("lock-{shard}"), Sharing::Exclusive)?),
            },
        })
    }

    /// Whether a batch works on `shard` now.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn is_held(&self, shard: u32) -> Result<bool> {
        let whole = Lock::try_take(&self.dir.join("lock"), Sharing::Shared)?;
        if whole.is_none() {
            return Ok(true);
        }
        let name = self.dir.join(format!("lock-{shard}"));
        Ok(files::exists(&name) && Lock::try_take(&name, Sharing::Shared)?.is_none())
    }

    /// Removes what a killed batch left of `items`: half-written files, unpacked trees.
    pub fn sweep<'a>(&self, items: impl Iterator<Item = &'a Item>) -> Result<()> {
        let mut own = BTreeSet::new();
        let mut tenants = BTreeSet::new();
        for item in items {
            own.insert(item.id.as_str());
            tenants.insert(item.tenant.as_deref());
        }
        for tenant in tenants {
            files::sweep(&self.runs(tenant));
        }
        for part in ["claims", "results", "open"] {
            let dir = self.dir.join(part);
            for name in self.names(part)? {
                let half = name
                    .strip_prefix('.')
                    .filter(|name| name.ends_with(".partial"));
                let id = half.and_then(|name| name.split('.').next());
                if id.is_some_and(|id| own.contains(id)) {
                    files::remove_file(&dir.join(name))?;
                }
            }
        }
        Ok(())
    }

    fn names(&self, part: &str) -> Result<Vec<String>> {
        let dir = self.dir.join(part);
        files::names(&dir).or_fail(
            ExitCode::Usage,
            format!("failed to list {}", files::shown(&dir)),
        )
    }

    fn place(&self, part: &str, id: &str) -> PathBuf {
        self.dir.join(part).join(format!("{id}.json"))
    }

    fn load<T: DeserializeOwned>(&self, part: &str, id: &str) -> Result<Option<T>> {
        let path = self.place(part, id);
        let name = files::shown(&path);
        let text = match files::read_text(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.or_fail(ExitCode::Usage, format!("failed to read {name}"))?,
        };
        serde_json::from_str(&text).map(Some).or_fail(
            ExitCode::Usage,
            format!("failed to read {name}: it is damaged or of another version"),
        )
    }

    fn strange(&self, part: &str, id: &str) -> Error {
        Error::usage(format!(
            "{} does not belong to this manifest",
            files::shown(&self.place(part, id))
        ))
        .hint("move it away; nothing but a batch may write there")
    }

    /// What is known of `item`.
    ///
    /// # Errors
    /// A usage error when a file of it is damaged or belongs to another manifest.
    pub fn state(&self, item: &Item) -> Result<State> {
        if let Some(result) = self.result(item)? {
            return Ok(State::Finished(Box::new(result)));
        }
        if let Some(open) = self.load::<Open>("open", &item.id)? {
            let own = open.schema == OPEN && open.manifest == self.digest && open.item == item.id;
            return if own {
                Ok(State::Open(open))
            } else {
                Err(self.strange("open", &item.id))
            };
        }
        Ok(self.claim(item)?.map_or(State::Waiting, State::Claimed))
    }

    /// The final result of `item`.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub fn result(&self, item: &Item) -> Result<Option<ItemResult>> {
        let Some(found) = self.load::<ItemResult>("results", &item.id)? else {
            return Ok(None);
        };
        let own = found.schema == RESULT && found.manifest == self.digest && found.item == item.id;
        if own {
            Ok(Some(found))
        } else {
            Err(self.strange("results", &item.id))
        }
    }

    /// The claim on `item`.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub fn claim(&self, item: &Item) -> Result<Option<Claim>> {
        let Some(found) = self.load::<Claim>("claims", &item.id)? else {
            return Ok(None);
        };
        let id =
            found.run.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !found.run.is_empty();
        let own = found.schema == CLAIM && found.manifest == self.digest && found.item == item.id;
        if own && id {
            Ok(Some(found))
        } else {
            Err(self.strange("claims", &item.id))
        }
    }

    /// Says that `item` is about to be run under a new id.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn begin(&self, item: &Item, attempt: u32) -> Result<Claim> {
        let claim = Claim {
            schema: CLAIM.into(),
            manifest: self.digest.clone(),
            item: item.id.clone(),
            run: record::new_id(),
            attempt,
        };
        files::write_whole(&self.place("claims", &item.id), &record::pretty(&claim)?)?;
        files::remove_file(&self.place("open", &item.id))?;
        Ok(claim)
    }

    /// The run of a claim, if it is whole.
    ///
    /// # Errors
    /// A usage error when it is damaged.
    pub fn run_of(&self, item: &Item, claim: &Claim) -> Result<Option<record::Run>> {
        let dir = self.runs(item.tenant.as_deref()).join(&claim.run);
        if !files::is_dir(&dir) {
            return Ok(None);
        }
        record::load(&dir).map(Some)
    }

    /// Keeps the final result and takes the claim away.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn finish(&self, result: &ItemResult) -> Result<()> {
        files::write_whole(
            &self.place("results", &result.item),
            &record::pretty(result)?,
        )?;
        files::remove_file(&self.place("open", &result.item))?;
        files::remove_file(&self.place("claims", &result.item))
    }

    /// Keeps why `item` has no result and takes the claim away.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn leave_open(&self, item: &Item, error: &Error, attempts: u32) -> Result<()> {
        let open = Open {
            schema: OPEN.into(),
            manifest: self.digest.clone(),
            item: item.id.clone(),
            failure: Failure::from(error),
            attempts,
        };
        files::write_whole(&self.place("open", &item.id), &record::pretty(&open)?)?;
        files::remove_file(&self.place("claims", &item.id))
    }

    /// Ids that have a result here, whether the manifest knows them or not.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn result_ids(&self) -> Result<Vec<String>> {
        let names = self.names("results")?;
        let ids = names.iter().filter(|name| !name.starts_with('.'));
        Ok(ids
            .map(|name| name.strip_suffix(".json").unwrap_or(name).to_owned())
            .collect())
    }
}
