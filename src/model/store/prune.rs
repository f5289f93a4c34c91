//! What nobody needs any more in the store, and how it is found.

#![expect(clippy::disallowed_methods, reason = "owns the store on disk")]

use super::{ModelId, Store, directory_bytes, file_bytes};
use crate::files;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A thing that may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes it takes.
    pub bytes: u64,
    /// Why nobody needs it, in a few words.
    pub why: &'static str,
}

impl Leftover {
    /// Removes it.
    pub fn remove(&self) {
        if self.path.is_dir() {
            files::remove_tree(&self.path);
        } else {
            // What is still there is found again the next time.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What may go: forms prepared for another processor or library than `layout` names, imports that were
/// cut short, models of another version of the store's format, and, if `downloads`, fetched files of
/// models that are imported. Nothing of the models in `used` is among it.
pub fn leftovers(store: &Store, layout: &str, used: &[PathBuf], downloads: bool) -> Vec<Leftover> {
    let mut found = Vec::new();
    let models = store.root().join("models");
    for name in files::names(&models).unwrap_or_default() {
        let path = models.join(&name);
        if name.starts_with('.') {
            abandoned(path, &mut found);
        } else if let Ok(id) = ModelId::parse(&name)
            && !used.contains(&path)
        {
            of_model(store, &id, layout, &mut found);
        }
    }
    if downloads {
        for name in files::names(&store.root().join("downloads")).unwrap_or_default() {
            let path = store.root().join("downloads").join(&name);
            let imported = name
                .strip_suffix(".gguf")
                .and_then(|name| ModelId::parse(name).ok())
                .is_some_and(|id| super::Manifest::read(&store.model_dir(&id)).is_ok());
            if imported {
                found.push(Leftover {
                    bytes: file_bytes(&path),
                    path,
                    why: "fetched file of a model that is imported",
                });
            }
        }
    }
    found
}

fn of_model(store: &Store, id: &ModelId, layout: &str, found: &mut Vec<Leftover>) {
    let dir = store.model_dir(id);
    if super::Manifest::read(&dir).is_err() {
        found.push(Leftover {
            bytes: directory_bytes(&dir),
            path: dir,
            why: "damaged, or of another version of the format",
        });
        return;
    }
    let prepared = dir.join(crate::model::manifest::PREPARED);
    for name in files::names(&prepared).unwrap_or_default() {
        let path = prepared.join(&name);
        if name.starts_with('.') {
            abandoned(path, found);
        } else if name != layout {
            found.push(Leftover {
                bytes: directory_bytes(&path),
                path,
                why: "prepared for another processor or library",
            });
        } else if !path.join(crate::model::prepare::SEAL).is_file() {
            found.push(Leftover {
                bytes: directory_bytes(&path),
                path,
                why: "prepared by an earlier version, not used any more",
            });
        }
    }
}

/// A folder under a temporary name, unless the process that made it is still there.
fn abandoned(path: PathBuf, found: &mut Vec<Leftover>) {
    let maker = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix(".pending-"))
        .and_then(|rest| rest.split('-').next())
        .and_then(|pid| pid.parse::<u32>().ok());
    let Some(maker) = maker else { return };
    if !Path::new(&format!("/proc/{maker}")).exists() {
        found.push(Leftover {
            bytes: directory_bytes(&path),
            path,
            why: "import that was cut short",
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn leftovers_are_found_and_what_is_used_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let models = dir.path().join("models");
        put(&models.join(".pending-4294967294-0/model.data"), b"half");
        put(
            &models.join(format!(".pending-{}-0/model.data", std::process::id())),
            b"at work",
        );
        put(&models.join("notes.txt/x"), b"not ours");
        let id = "a".repeat(64);
        let damaged = models.join(&id);
        put(&damaged.join("manifest.json"), b"{}");
        let why = |used: &[PathBuf]| {
            let found = leftovers(&store, "layout", used, true);
            let mut list: Vec<_> = found.iter().map(|item| (item.why, item.bytes)).collect();
            list.sort_unstable();
            list
        };
        assert_eq!(
            why(&[]),
            [
                ("damaged, or of another version of the format", 2),
                ("import that was cut short", 4)
            ]
        );
        assert_eq!(why(&[damaged]), [("import that was cut short", 4)]);
        for item in leftovers(&store, "layout", &[], true) {
            item.remove();
            assert!(!item.path.exists());
        }
        assert!(models.join("notes.txt/x").exists());
    }
}
