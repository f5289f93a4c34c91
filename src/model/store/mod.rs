//! The model store: imported models, downloads and the inference library, below one folder.
//!
//! ```text
//! <data>/lib/libonnxruntime.so.1.28.0     the library
//! <data>/downloads/<sha256>.gguf          files as fetched
//! <data>/models/<sha256 of GGUF>/         manifest.json, model.onnx, model.data, tokenizer.json, prepared/
//! ```
//! `<data>` is `$XDG_DATA_HOME/narrowroom`, by default `~/.local/share/narrowroom`. Nothing in it comes
//! from a bundle. The coordinator writes it; the room may only read one model's folder.

#![expect(clippy::disallowed_methods, reason = "owns the store on disk")]

mod catalogue;
mod find;
mod pending;
mod prune;

pub use catalogue::{CATALOGUE, Known};
pub use find::{Places, find_existing};
pub use pending::Pending;
pub use prune::{Leftover, leftovers};

use super::manifest::Manifest;
use super::runtime::PINNED;
use crate::error::{Context, Error, ExitCode, Result};
use sha2::{Digest, Sha256};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A model's name in the store: the SHA-256 of its GGUF file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(String);

impl ModelId {
    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let valid = text.len() == 64
            && text
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::usage(format!(
                "{text:?} is not a SHA-256 in lower-case hexadecimal"
            )))
        }
    }
    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A store on disk.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// The store below a folder; nothing is created yet.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
    /// The user's store, from `XDG_DATA_HOME` or `HOME`.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when neither is set to an absolute path.
    pub fn of_user() -> Result<Self> {
        let variable = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let data =
            variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")));
        data.map(|data| Self::at(data.join("narrowroom")))
            .ok_or_else(|| {
                Error::usage("no place for models is known")
                    .hint("set HOME or XDG_DATA_HOME to an absolute path")
            })
    }
    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The folder of a model, there or not.
    pub fn model_dir(&self, id: &ModelId) -> PathBuf {
        self.root.join("models").join(id.as_str())
    }
    /// Where a GGUF file with this hash is kept after fetching.
    pub fn download(&self, id: &ModelId) -> PathBuf {
        self.root.join("downloads").join(format!("{id}.gguf"))
    }
    /// The inference library: `NARROWROOM_ORT_LIBRARY` if set, otherwise the pinned one in the store.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when there is none, with the command that fetches it.
    pub fn library(&self) -> Result<PathBuf> {
        if let Some(path) = std::env::var_os("NARROWROOM_ORT_LIBRARY") {
            return Ok(PathBuf::from(path));
        }
        let found = PINNED
            .iter()
            .map(|pinned| self.root.join("lib").join(pinned.file))
            .find(|path| path.is_file());
        found.ok_or_else(|| {
            Error::usage(format!(
                "ONNX Runtime is not in {}",
                self.root.join("lib").display()
            ))
            .hint("run scripts/fetch.sh runtime")
        })
    }
    /// The folder of all models, which is made if it is not there.
    ///
    /// # Errors
    /// Fails when it can't be created.
    pub fn models(&self) -> Result<PathBuf> {
        let dir = self.root.join("models");
        crate::files::make_dir(&dir)?;
        Ok(dir)
    }
    /// An empty folder under a temporary name, for what is to be published in the store.
    ///
    /// # Errors
    /// Fails when it can't be created.
    pub fn pending(&self) -> Result<Pending> {
        Pending::inside(&self.root.join("models"))
    }
    /// The models in the store, by id.
    ///
    /// # Errors
    /// Fails when the folder exists and can't be read.
    pub fn list(&self) -> Result<Vec<(ModelId, Manifest)>> {
        let dir = self.root.join("models");
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let failed = || format!("list {}", dir.display());
        let mut models = Vec::new();
        for entry in std::fs::read_dir(&dir).or_fail(ExitCode::Usage, failed())? {
            let entry = entry.or_fail(ExitCode::Usage, failed())?;
            let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| ModelId::parse(name).ok())
            else {
                continue;
            };
            if let Ok(manifest) = Manifest::read(&entry.path()) {
                models.push((id, manifest));
            }
        }
        models.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(models)
    }
    /// The model that a name means: an alias of [`CATALOGUE`], or a unique prefix (at least 6 digits) of an id.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when nothing or more than one model matches, or the alias isn't imported yet.
    pub fn resolve(&self, name: &str) -> Result<ModelId> {
        if let Some(known) = CATALOGUE.iter().find(|known| known.alias == name) {
            let id = ModelId::parse(known.sha256)?;
            return if Manifest::read(&self.model_dir(&id)).is_ok() {
                Ok(id)
            } else {
                Err(
                    Error::usage(format!("model {name} is not imported")).hint(format!(
                        "run narrowroom model add {name}, or scripts/fetch.sh model {name} first"
                    )),
                )
            };
        }
        let matching: Vec<ModelId> = self
            .list()?
            .into_iter()
            .map(|(id, _)| id)
            .filter(|id| name.len() >= 6 && id.as_str().starts_with(name))
            .collect();
        let aliases: Vec<&str> = CATALOGUE.iter().map(|known| known.alias).collect();
        match <[ModelId; 1]>::try_from(matching) {
            Ok([id]) => Ok(id),
            Err(none) if none.is_empty() => {
                Err(Error::usage(format!("no model {name:?} is known"))
                    .hint(format!("known names are {}", aliases.join(", "))))
            }
            Err(several) => Err(Error::usage(format!(
                "{} models begin with {name:?}",
                several.len()
            ))
            .hint("give more digits")),
        }
    }
    /// Hashes every file of a model again and compares with its manifest.
    ///
    /// # Errors
    /// Refused at the first file that differs.
    pub fn verify(&self, id: &ModelId) -> Result<()> {
        let dir = self.model_dir(id);
        let manifest = Manifest::read(&dir)?;
        for (file, wanted) in manifest.files() {
            if hash_file(&dir.join(file), &mut |_, _| {})? != wanted {
                return Err(Error::refused(format!(
                    "{} of model {id} was changed after its import",
                    file
                ))
                .hint("remove the model with narrowroom model rm, and import it again"));
            }
        }
        for layout in self.prepared(id) {
            super::prepare::verify(&layout)?;
        }
        Ok(())
    }
    /// The folders of a model's prepared forms, one a kind of processor and library.
    pub fn prepared(&self, id: &ModelId) -> Vec<PathBuf> {
        let dir = self.model_dir(id).join(super::manifest::PREPARED);
        let names = crate::files::names(&dir).unwrap_or_default();
        let named = names.iter().filter(|name| !name.starts_with('.'));
        named.map(|name| dir.join(name)).collect()
    }
    /// Bytes that a model takes on disk, prepared forms included.
    pub fn bytes(&self, id: &ModelId) -> u64 {
        directory_bytes(&self.model_dir(id))
    }
    /// Removes a model. What runs from it goes on running.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when it can't be removed.
    pub fn remove(&self, id: &ModelId) -> Result<()> {
        let dir = self.model_dir(id);
        // Under another name first, so that nobody sees half of it.
        let aside = Pending::inside(&self.root.join("models"))?;
        std::fs::rename(&dir, aside.path().join("removed"))
            .or_fail(ExitCode::Usage, format!("remove {}", dir.display()))
    }
}

/// Size of a file in bytes; 0 when it can't be told.
pub(super) fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Bytes of the files below a folder; links aren't followed.
pub(super) fn directory_bytes(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => directory_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

/// SHA-256 of a file, hexadecimal; `progress` hears bytes done and bytes in all.
///
/// # Errors
/// Refused when it can't be read.
pub fn hash_file(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<String> {
    let failed = || format!("read {}", path.display());
    let mut file = File::open(path).or_fail(ExitCode::InputRefused, failed())?;
    let all = file
        .metadata()
        .or_fail(ExitCode::InputRefused, failed())?
        .len();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 4 << 20];
    let mut done = 0;
    loop {
        let count = file
            .read(&mut buffer)
            .or_fail(ExitCode::InputRefused, failed())?;
        if count == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..count]);
        done += count as u64;
        progress(done, all.max(done));
    }
}

#[cfg(test)]
mod tests;
