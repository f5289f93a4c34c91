//! Looks for a wanted model in the stores of other programs, so that it needn't be fetched twice.
//!
//! Ollama: `blobs/sha256-<hex>`; Hugging Face hub cache: `models--*/blobs/<sha256>`; LM Studio:
//! `<publisher>/<model>/<file>.gguf`. A name is only a hint where to look: what is returned was hashed.

#![expect(
    clippy::disallowed_methods,
    reason = "looks into other programs' stores"
)]

use super::hash_file;
use std::path::{Path, PathBuf};

/// Most folder entries looked at in one store.
const MAX_ENTRIES: usize = 10_000;

/// The folders to look in.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Ollama's `models` folders.
    pub ollama: Vec<PathBuf>,
    /// Hugging Face `hub` folders.
    pub hub: Vec<PathBuf>,
    /// LM Studio's `models` folders.
    pub lm_studio: Vec<PathBuf>,
}

impl Places {
    /// The usual folders of the user and of Ollama's service.
    pub fn of_user() -> Self {
        let variable = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = variable("HOME");
        let below = |path: &str| home.as_ref().map(|home| home.join(path));
        Self {
            ollama: [
                variable("OLLAMA_MODELS"),
                below(".ollama/models"),
                Some(PathBuf::from("/usr/share/ollama/.ollama/models")),
            ]
            .into_iter()
            .flatten()
            .collect(),
            hub: [
                variable("HF_HUB_CACHE"),
                variable("HF_HOME").map(|hf| hf.join("hub")),
                below(".cache/huggingface/hub"),
            ]
            .into_iter()
            .flatten()
            .collect(),
            lm_studio: [below(".lmstudio/models"), below(".cache/lm-studio/models")]
                .into_iter()
                .flatten()
                .collect(),
        }
    }
}

/// The first file in `places` whose content has the wanted hash. Unreadable places are passed over.
pub fn find_existing(sha256: &str, bytes: u64, places: &Places) -> Option<PathBuf> {
    candidates(sha256, places).into_iter().find(|path| {
        let right_size = path
            .metadata()
            .is_ok_and(|meta| meta.is_file() && meta.len() == bytes);
        right_size && hash_file(path, &mut |_, _| {}).is_ok_and(|found| found == sha256)
    })
}

fn candidates(sha256: &str, places: &Places) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = places
        .ollama
        .iter()
        .map(|dir| dir.join("blobs").join(format!("sha256-{sha256}")))
        .collect();
    for hub in &places.hub {
        let repositories = entries(hub).into_iter().filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("models--"))
        });
        found.extend(repositories.map(|repository| repository.join("blobs").join(sha256)));
    }
    for root in &places.lm_studio {
        let files = entries(root)
            .iter()
            .flat_map(|publisher| entries(publisher))
            .flat_map(|model| entries(&model))
            .take(MAX_ENTRIES)
            .collect::<Vec<_>>();
        found.extend(files.into_iter().filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "gguf")
        }));
    }
    found
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .map(|entries| {
            entries
                .flatten()
                .take(MAX_ENTRIES)
                .map(|entry| entry.path())
                .collect()
        })
        .unwrap_or_default();
    paths.sort();
    paths
}
