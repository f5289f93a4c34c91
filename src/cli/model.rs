//! `narrowroom model import | list`.

use super::{print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::model::store::{CATALOGUE, Places, find_existing};
use crate::model::{ImportProgress, ModelId, Runtime, Store, import};
use crate::report::escape;
use clap::Subcommand;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Import and list local models.
#[derive(Subcommand)]
pub enum Model {
    /// Import a GGUF file, once
    Import {
        /// The GGUF file
        #[arg(required_unless_present = "existing")]
        file: Option<PathBuf>,
        /// Look for this pinned model in the stores of Ollama, LM Studio and Hugging Face, by content
        #[arg(long, value_name = "NAME", conflicts_with = "file")]
        existing: Option<String>,
        /// Refuse the file unless its SHA-256 is this
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
    },
    /// List the imported models
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
        /// Hash every stored file again and compare
        #[arg(long)]
        check: bool,
    },
}

impl Model {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let store = Store::of_user()?;
        match self {
            Model::Import {
                file,
                existing,
                sha256,
            } => {
                let file = match (file, existing) {
                    (Some(file), _) => file,
                    (None, Some(name)) => existing_file(&name)?,
                    (None, None) => {
                        return Err(Error::usage("give a GGUF file or --existing NAME"));
                    }
                };
                if let Some(wanted) = sha256 {
                    let found = crate::files::sha256(&file).map_err(|error| {
                        Error::usage(format!("failed to read {}", crate::files::shown(&file)))
                            .source(error)
                    })?;
                    if !found.eq_ignore_ascii_case(&wanted) {
                        return Err(Error::refused(format!(
                            "{} is not the wanted file: its sha256 is {found}",
                            crate::files::shown(&file)
                        ))
                        .hint("fetch it again; nothing was imported"));
                    }
                }
                let runtime = Runtime::load(&store.library()?)?;
                let live = std::io::stderr().is_terminal();
                let id = import(&file, &store, &runtime, &mut |progress| {
                    if live {
                        eprint!("\r\x1b[K{}", describe(progress));
                    }
                })?;
                if live {
                    eprint!("\r\x1b[K");
                }
                let name = store
                    .list()?
                    .into_iter()
                    .find(|(known, _)| *known == id)
                    .map(|(_, manifest)| manifest.name)
                    .unwrap_or_default();
                print(&format!(
                    "imported {} as {}\n",
                    escape::terminal(&name),
                    label(&id)
                ))?;
            }
            Model::List { json, check } => {
                let models = store.list()?;
                if check {
                    for (id, _) in &models {
                        store.verify(id)?;
                    }
                }
                if json {
                    let rows: Vec<_> = models.iter().map(|(id, manifest)| serde_json::json!({"alias": alias(id), "sha256": id.as_str(), "manifest": manifest})).collect();
                    print_json(&rows)?;
                } else if models.is_empty() {
                    print(
                        "no model is imported; known ones: scripts/fetch.sh model NAME, then narrowroom model import FILE\n",
                    )?;
                    for known in CATALOGUE {
                        print(&format!(
                            "  {:<20} {:>5} MB  {}  {}\n",
                            known.alias,
                            known.bytes / 1_000_000,
                            known.licence,
                            known.title
                        ))?;
                    }
                } else {
                    for (id, manifest) in &models {
                        print(&format!(
                            "{:<20} {:<7} {:<8} runs as {}  context {}  {}\n",
                            label(id),
                            manifest.architecture,
                            manifest.file_quantisation,
                            manifest.run_quantisation,
                            manifest.trained_context,
                            escape::terminal(&manifest.name)
                        ))?;
                    }
                }
            }
        }
        Ok(ExitCode::Done)
    }
}

fn existing_file(name: &str) -> Result<PathBuf> {
    let known = CATALOGUE
        .iter()
        .find(|known| known.alias == name)
        .ok_or_else(|| {
            Error::usage(format!("there is no pinned model {name:?}")).hint(format!(
                "known: {}",
                CATALOGUE.map(|known| known.alias).join(", ")
            ))
        })?;
    find_existing(known, &Places::of_user()).ok_or_else(|| {
        Error::usage(format!(
            "no store of Ollama, LM Studio or Hugging Face here holds {name} (sha256 {}…)",
            &known.sha256[..16]
        ))
        .hint(format!("fetch it: scripts/fetch.sh model {name}"))
    })
}

fn alias(id: &ModelId) -> Option<&'static str> {
    CATALOGUE
        .iter()
        .find(|known| known.sha256 == id.as_str())
        .map(|known| known.alias)
}

fn label(id: &ModelId) -> String {
    alias(id).map_or_else(|| id.as_str()[..12].to_owned(), str::to_owned)
}

fn describe(progress: ImportProgress) -> String {
    let percent = |done: u64, all: u64| done * 100 / all.max(1);
    match progress {
        ImportProgress::Hashing(done, all) => format!("hashing {} %", percent(done, all)),
        ImportProgress::Converting(done, all) => {
            format!("converting the weights {} %", percent(done, all))
        }
        ImportProgress::Preparing => "preparing for this processor …".into(),
        ImportProgress::AlreadyThere => "already imported".into(),
    }
}
