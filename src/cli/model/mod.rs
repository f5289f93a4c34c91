//! `narrowroom model import | list | inspect | ps | prune | rm`.

mod show;

use super::{print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use crate::model::store::{CATALOGUE, Places, find_existing, leftovers};
use crate::model::{
    ImportProgress, ModelId, Runtime, Store, import, inspect_file, inspect_model, show_bytes,
};
use crate::report::escape;
use clap::Subcommand;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Local models: import, list, inspect, bench, what runs now, prune.
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
    /// Show all that is known about a model, or about a GGUF file that is not imported
    #[command(visible_alias = "show")]
    Inspect {
        /// Imported model, by name or beginning of its sha256, or a GGUF file
        #[arg(value_name = "NAME|FILE")]
        model: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the rooms in which a model runs now
    Ps {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove what nobody needs: forms prepared for another processor or library, imports cut short
    Prune {
        /// Only say what would go
        #[arg(long)]
        dry_run: bool,
        /// Fetched files of imported models too
        #[arg(long)]
        downloads: bool,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an imported model
    Rm {
        /// Imported model, by name or beginning of its sha256
        name: String,
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
                let (file, source) = match (file, existing) {
                    (Some(file), _) => {
                        let source = files::shown(&file);
                        (file, source)
                    }
                    (None, Some(name)) => {
                        let file = existing_file(&name)?;
                        let source = files::shown(&file);
                        (file, source)
                    }
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
                let id = import(&file, &source, &store, &runtime, &mut |progress| {
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
                    print(&show::list(&store, &models, alias))?;
                }
                if check && !json {
                    print("every stored file is what was imported\n")?;
                }
            }
            Model::Inspect { model, json } => {
                let layout = layout(&store);
                let inspection = match store.resolve(&model) {
                    Ok(id) => inspect_model(&store, &id, layout.as_deref())?,
                    Err(error) if !files::exists(Path::new(&model)) => return Err(error),
                    Err(_) => inspect_file(Path::new(&model))?,
                };
                if json {
                    print_json(&inspection)?;
                } else {
                    print(&show::inspection(&inspection))?;
                }
            }
            Model::Ps { json } => {
                let rooms = crate::room::running::running();
                if json {
                    print_json(&rooms)?;
                } else {
                    print(&show::rooms(&rooms, &store, alias))?;
                }
            }
            Model::Prune {
                dry_run,
                downloads,
                json,
            } => prune(&store, dry_run, downloads, json)?,
            Model::Rm { name } => {
                let id = store.resolve(&name)?;
                let (dir, bytes) = (store.model_dir(&id), store.bytes(&id));
                if in_use().contains(&dir) {
                    return Err(Error::usage(format!(
                        "failed to remove {}: it runs in a room now",
                        label(&id)
                    ))
                    .hint("see narrowroom model ps"));
                }
                store.remove(&id)?;
                print(&format!("removed {} ({})\n", label(&id), show_bytes(bytes)))?;
            }
        }
        Ok(ExitCode::Done)
    }
}

/// The layout of weights that is used here; none without a library.
fn layout(store: &Store) -> Option<String> {
    let runtime = Runtime::load(&store.library().ok()?).ok()?;
    Some(runtime.layout.to_string())
}

/// Folders of the models that run now.
fn in_use() -> Vec<PathBuf> {
    let rooms = crate::room::running::running();
    rooms.into_iter().map(|room| room.model).collect()
}

fn prune(store: &Store, dry_run: bool, downloads: bool, json: bool) -> Result<()> {
    let layout = layout(store).ok_or_else(|| {
        Error::usage("ONNX Runtime is not here, so nobody knows which prepared forms are needed")
            .hint("run scripts/fetch.sh runtime")
    })?;
    let found = leftovers(store, &layout, &in_use(), downloads);
    if !dry_run {
        found.iter().for_each(|item| item.remove());
    }
    if json {
        return print_json(&serde_json::json!({"removed": !dry_run, "items": found}));
    }
    let mut text = String::new();
    for item in &found {
        text.push_str(&format!(
            "{:>8}  {}\n          {}\n",
            show_bytes(item.bytes),
            item.why,
            files::shown(&item.path)
        ));
    }
    let total = show_bytes(found.iter().map(|item| item.bytes).sum());
    text.push_str(&match (found.is_empty(), dry_run) {
        (true, _) => "nothing to remove\n".to_owned(),
        (false, true) => format!("{total} would be freed; run without --dry-run\n"),
        (false, false) => format!("{total} freed\n"),
    });
    print(&text)
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
