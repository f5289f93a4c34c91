//! Where a model to be imported is: a file, a folder, or a name in the store of Ollama, LM Studio or Hugging Face.
//!
//! Zone 0. Other programs' stores are read, never written; what they say about a file's hash is checked
//! when the file is imported. Formats: Ollama's manifests (`manifests/<host>/<namespace>/<model>/<tag>`,
//! JSON, after the layout of OCI images), the Hugging Face hub cache
//! (`models--<owner>--<repo>/{refs,snapshots}`), LM Studio's `<publisher>/<model>/<file>.gguf`.

use super::store::{ModelId, Places};
use crate::error::{Error, Result};
use crate::files;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Media type of the weights in an Ollama manifest.
const OLLAMA_WEIGHTS: &str = "application/vnd.ollama.image.model";
/// Most names listed when one isn't found.
const MAX_LISTED: usize = 12;

/// A place that a person named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine, or the folder of a ready-made graph.
    File(PathBuf),
    /// `ollama:[HOST/][NAMESPACE/]MODEL[:TAG]`
    Ollama {
        /// `<host>/<namespace>/<model>`
        name: String,
        /// The tag.
        tag: String,
    },
    /// `lmstudio:PUBLISHER/MODEL[/FILE]`
    LmStudio {
        /// `<publisher>/<model>`
        folder: String,
        /// The file, where it was named.
        file: Option<String>,
    },
    /// `hf:OWNER/REPO/FILE[@REVISION]`
    HuggingFace {
        /// `<owner>/<repo>`
        repository: String,
        /// Path of the file in it.
        file: String,
        /// Branch, tag or commit.
        revision: String,
    },
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where it is.
    pub path: PathBuf,
    /// What its store says its SHA-256 is.
    pub sha256: Option<String>,
}

impl Source {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// [`crate::error::ExitCode::Usage`] for a name that isn't of the form.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some(name) = text.strip_prefix("ollama:") {
            let start = name.rfind('/').map_or(0, |at| at + 1);
            let (name, tag) = match name[start..].split_once(':') {
                Some((_, tag)) => (&name[..name.len() - tag.len() - 1], tag),
                None => (name, "latest"),
            };
            let name = match parts(name, text)?.len() {
                1 => format!("registry.ollama.ai/library/{name}"),
                2 => format!("registry.ollama.ai/{name}"),
                3 => name.to_owned(),
                _ => return Err(malformed(text)),
            };
            parts(tag, text)?;
            return Ok(Self::Ollama {
                name,
                tag: tag.to_owned(),
            });
        }
        if let Some(name) = text.strip_prefix("lmstudio:") {
            let list = parts(name, text)?;
            return match list.as_slice() {
                [publisher, model] => Ok(Self::LmStudio {
                    folder: format!("{publisher}/{model}"),
                    file: None,
                }),
                [publisher, model, file] => Ok(Self::LmStudio {
                    folder: format!("{publisher}/{model}"),
                    file: Some((*file).to_owned()),
                }),
                _ => Err(malformed(text)),
            };
        }
        if let Some(name) = text.strip_prefix("hf:") {
            let (name, revision) = name.split_once('@').unwrap_or((name, "main"));
            parts(revision, text)?;
            let list = parts(name, text)?;
            return match list.as_slice() {
                [owner, repo, file @ ..] if !file.is_empty() => Ok(Self::HuggingFace {
                    repository: format!("{owner}/{repo}"),
                    file: file.join("/"),
                    revision: revision.to_owned(),
                }),
                _ => Err(malformed(text)),
            };
        }
        Ok(Self::File(PathBuf::from(text)))
    }

    /// The file on this machine; none where it isn't here and could be fetched.
    ///
    /// # Errors
    /// [`crate::error::ExitCode::Usage`] when it isn't here, with the names that are;
    /// [`crate::error::ExitCode::InputRefused`] for a damaged manifest.
    pub fn locate(&self, places: &Places) -> Result<Option<Located>> {
        match self {
            Self::File(path) => Ok(Some(Located {
                path: path.clone(),
                sha256: None,
            })),
            Self::Ollama { name, tag } => ollama(name, tag, &places.ollama).map(Some),
            Self::LmStudio { folder, file } => {
                lm_studio(folder, file.as_deref(), &places.lm_studio).map(Some)
            }
            Self::HuggingFace {
                repository,
                file,
                revision,
            } => Ok(hub(repository, file, revision, &places.hub)),
        }
    }
}

/// The parts of a name; none of them empty, a step upwards, or made of anything unusual.
fn parts<'a>(name: &'a str, whole: &str) -> Result<Vec<&'a str>> {
    let list: Vec<&str> = name.split('/').collect();
    let fine = |part: &&str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
    };
    if list.iter().all(fine) {
        Ok(list)
    } else {
        Err(malformed(whole))
    }
}

fn malformed(text: &str) -> Error {
    Error::usage(format!("{text:?} is no name of a model")).hint(
        "write a path, ollama:MODEL[:TAG], lmstudio:PUBLISHER/MODEL[/FILE] or hf:OWNER/REPO/FILE",
    )
}

fn missing(what: &str, here: Vec<String>) -> Error {
    let error = Error::usage(format!("{what} is not on this machine"));
    if here.is_empty() {
        return error.hint("that store is empty, or not where it usually is");
    }
    let more = here.len().saturating_sub(MAX_LISTED);
    let mut names = here[..here.len().min(MAX_LISTED)].join(", ");
    if more > 0 {
        names.push_str(&format!(" and {more} more"));
    }
    error.hint(format!("there are: {names}"))
}

#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

fn ollama(name: &str, tag: &str, roots: &[PathBuf]) -> Result<Located> {
    for root in roots {
        let path = root.join("manifests").join(name).join(tag);
        let Ok(text) = files::read_text(&path) else {
            continue;
        };
        let damaged = || Error::refused(format!("{} is no manifest", files::shown(&path)));
        let manifest: Manifest = serde_json::from_str(&text).map_err(|_| damaged())?;
        let mut weights = manifest
            .layers
            .iter()
            .filter(|layer| layer.media_type == OLLAMA_WEIGHTS);
        let digest = weights
            .next()
            .and_then(|layer| layer.digest.strip_prefix("sha256:"))
            .and_then(|hex| ModelId::parse(hex).ok())
            .ok_or_else(damaged)?;
        if weights.next().is_some() {
            return Err(Error::refused(format!(
                "{name}:{tag} is stored in several files"
            )));
        }
        return Ok(Located {
            path: root.join("blobs").join(format!("sha256-{digest}")),
            sha256: Some(digest.as_str().to_owned()),
        });
    }
    let mut here = Vec::new();
    for root in roots {
        let manifests = root.join("manifests");
        for host in names(&manifests) {
            for space in names(&manifests.join(&host)) {
                for model in names(&manifests.join(&host).join(&space)) {
                    for tag in names(&manifests.join(&host).join(&space).join(&model)) {
                        let space = match (host.as_str(), space.as_str()) {
                            ("registry.ollama.ai", "library") => String::new(),
                            ("registry.ollama.ai", space) => format!("{space}/"),
                            (host, space) => format!("{host}/{space}/"),
                        };
                        here.push(format!("ollama:{space}{model}:{tag}"));
                    }
                }
            }
        }
    }
    Err(missing(&format!("Ollama's {name}:{tag}"), here))
}

fn lm_studio(folder: &str, file: Option<&str>, roots: &[PathBuf]) -> Result<Located> {
    let mut here = Vec::new();
    for root in roots {
        let found: Vec<String> = names(&root.join(folder))
            .into_iter()
            .filter(|name| name.ends_with(".gguf") && !name.starts_with("mmproj"))
            .filter(|name| file.is_none_or(|wanted| wanted == name))
            .collect();
        // The first part of a model in parts stands for all of them.
        let whole: Vec<&String> = found
            .iter()
            .filter(|name| super::gguf::split_name(name).is_none_or(|split| split.number == 1))
            .collect();
        match whole.as_slice() {
            [one] => {
                return Ok(Located {
                    path: root.join(folder).join(one),
                    sha256: None,
                });
            }
            [] => {}
            several => {
                let list: Vec<String> = several
                    .iter()
                    .map(|name| format!("lmstudio:{folder}/{name}"))
                    .collect();
                return Err(Error::usage(format!("{folder} holds several models"))
                    .hint(format!("name one: {}", list.join(", "))));
            }
        }
        for publisher in names(root) {
            for model in names(&root.join(&publisher)) {
                here.push(format!("lmstudio:{publisher}/{model}"));
            }
        }
    }
    let file = file.map_or_else(String::new, |file| format!("/{file}"));
    Err(missing(&format!("LM Studio's {folder}{file}"), here))
}

fn hub(repository: &str, file: &str, revision: &str, roots: &[PathBuf]) -> Option<Located> {
    roots.iter().find_map(|root| {
        let home = root.join(format!("models--{}", repository.replace('/', "--")));
        // A revision is a name with a commit behind it, or a commit.
        let commit = files::read_text(&home.join("refs").join(revision))
            .map_or_else(|_| revision.to_owned(), |text| text.trim().to_owned());
        let path = home.join("snapshots").join(commit).join(file);
        let blob = files::canonical(&path).ok()?;
        if file.ends_with(".onnx") {
            // A part of a model: each of its files is checked when it is imported.
            return Some(Located { path, sha256: None });
        }
        let sha256 = blob
            .file_name()
            .and_then(|name| ModelId::parse(&name.to_string_lossy()).ok())
            .map(|id| id.as_str().to_owned());
        Some(Located { path, sha256 })
    })
}

fn names(path: &Path) -> Vec<String> {
    files::names(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: PathBuf, bytes: &[u8]) {
        files::make_dir(path.parent().unwrap()).unwrap();
        files::write_whole(&path, bytes).unwrap();
    }

    #[test]
    fn names_are_read_as_their_programs_write_them() {
        let ollama = |text: &str| match Source::parse(text).unwrap() {
            Source::Ollama { name, tag } => format!("{name} {tag}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            ollama("ollama:qwen2.5-coder:0.5b"),
            "registry.ollama.ai/library/qwen2.5-coder 0.5b"
        );
        assert_eq!(
            ollama("ollama:me/tuned"),
            "registry.ollama.ai/me/tuned latest"
        );
        assert_eq!(ollama("ollama:hf.co/a/b:Q4_K_M"), "hf.co/a/b Q4_K_M");
        assert_eq!(
            Source::parse("hf:Qwen/X-GGUF/x-q4.gguf@v2").unwrap(),
            Source::HuggingFace {
                repository: "Qwen/X-GGUF".into(),
                file: "x-q4.gguf".into(),
                revision: "v2".into()
            }
        );
        assert_eq!(
            Source::parse("some/file.gguf").unwrap(),
            Source::File("some/file.gguf".into())
        );
        for wrong in [
            "ollama:../../etc/passwd",
            "ollama:",
            "ollama:a/b/c/d",
            "lmstudio:one",
            "hf:owner/repo",
            "hf:owner/repo/../x",
            "hf:a/b/c@../x",
            "hf:a/b/c d",
            "hf:a/b//c",
        ] {
            assert!(Source::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn ollama_s_manifest_leads_to_its_blob() {
        let dir = tempfile::tempdir().unwrap();
        let hash = "c".repeat(64);
        let manifest = format!(
            r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/vnd.ollama.image.template","digest":"sha256:{}"}},{{"mediaType":"{OLLAMA_WEIGHTS}","digest":"sha256:{hash}","size":5}}]}}"#,
            "d".repeat(64)
        );
        let at = dir.path().join("manifests/registry.ollama.ai/library/tiny");
        put(at.join("1b"), manifest.as_bytes());
        put(at.join("bad"), b"{}");
        let places = Places {
            ollama: vec![dir.path().to_owned()],
            ..Places::default()
        };
        let find = |name: &str| Source::parse(name).unwrap().locate(&places);
        assert_eq!(
            find("ollama:tiny:1b").unwrap().unwrap(),
            Located {
                path: dir.path().join(format!("blobs/sha256-{hash}")),
                sha256: Some(hash)
            }
        );
        let error = find("ollama:tiny").unwrap_err();
        assert!(error.hint.unwrap().contains("ollama:tiny:1b"));
        assert!(find("ollama:tiny:bad").is_err());
    }

    #[test]
    fn the_hub_cache_and_lm_studio_are_looked_through() {
        let dir = tempfile::tempdir().unwrap();
        let repo = dir.path().join("hub/models--o--r");
        put(repo.join("refs/main"), b"abc123\n");
        let hash = "e".repeat(64);
        put(repo.join("blobs").join(&hash), b"hello");
        let snapshot = repo.join("snapshots/abc123");
        files::make_dir(&snapshot).unwrap();
        std::os::unix::fs::symlink(repo.join("blobs").join(&hash), snapshot.join("m.gguf"))
            .unwrap();
        for name in ["m-q4.gguf", "m-q8.gguf", "mmproj-m.gguf"] {
            put(dir.path().join("lm/p/m").join(name), b"x");
        }
        let places = Places {
            hub: vec![dir.path().join("hub")],
            lm_studio: vec![dir.path().join("lm")],
            ..Places::default()
        };
        let find = |name: &str| Source::parse(name).unwrap().locate(&places);
        let found = find("hf:o/r/m.gguf").unwrap().unwrap();
        assert_eq!(found.sha256, Some(hash));
        assert_eq!(found.path, snapshot.join("m.gguf"));
        assert!(find("hf:o/r/other.gguf").unwrap().is_none());
        std::os::unix::fs::symlink(
            repo.join("blobs").join("e".repeat(64)),
            snapshot.join("m.onnx"),
        )
        .unwrap();
        assert_eq!(find("hf:o/r/m.onnx").unwrap().unwrap().sha256, None);
        assert!(
            find("lmstudio:p/m")
                .unwrap_err()
                .hint
                .unwrap()
                .contains("m-q8.gguf")
        );
        let one = find("lmstudio:p/m/m-q4.gguf").unwrap().unwrap();
        assert_eq!(one.path, dir.path().join("lm/p/m/m-q4.gguf"));
        assert!(find("lmstudio:p/x").is_err());
    }
}
