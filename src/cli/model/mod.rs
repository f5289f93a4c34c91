//! `narrowroom model import | list | inspect | tokenize | bench | ps | prune | rm`.

mod bench;
mod show;

use super::{print, print_json};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::model::store::{CATALOGUE, Places, find_existing, leftovers};
use crate::model::{
    ImportProgress, Located, ModelId, Runtime, Source, Store, fetch, import, inspect_file,
    inspect_model, show_bytes, tokenizer_of_file, tokenizer_of_model,
};
use crate::report::escape;
use crate::seal;
use clap::Subcommand;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Longest text that is tokenised, in bytes.
const MAX_INPUT: u64 = 16 << 20;

/// Local models: import, list, inspect, bench, what runs now, prune.
#[derive(Subcommand)]
pub enum Model {
    /// Import a model, once
    Import {
        /// A GGUF file, an ONNX model or its folder, ollama:NAME[:TAG], lmstudio:PUBLISHER/MODEL[/FILE] or hf:OWNER/REPO/FILE
        ///
        /// Files of other programs' stores are read where they are. What hf: names is taken from the hub's
        /// cache on this machine; if it is not there, curl fetches it, unless it is a part of an ONNX model.
        /// ONNX models are those of Optimum, transformers.js and onnxruntime-genai, with tokenizer.json.
        #[arg(required_unless_present = "existing")]
        source: Option<String>,
        /// Look for this pinned model in the stores of Ollama, LM Studio and Hugging Face, by content
        #[arg(long, value_name = "NAME", conflicts_with = "source")]
        existing: Option<String>,
        /// Refuse the file unless its SHA-256 is this
        #[arg(long, value_name = "HEX")]
        sha256: Option<String>,
        /// Fetch nothing
        #[arg(long)]
        offline: bool,
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
    /// Print the token ids of the text on standard input
    Tokenize {
        /// Imported model, by name or beginning of its sha256, or a GGUF file
        #[arg(value_name = "NAME|FILE")]
        model: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure a model: tokens a second, loading, memory, perplexity; beside llama.cpp if asked
    Bench(bench::Bench),
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
                source,
                existing,
                sha256,
                offline,
            } => {
                let (located, source) = match (source, existing) {
                    (Some(source), _) => (locate(&source, &store, offline)?, source),
                    (None, Some(name)) => {
                        let path = existing_file(&name)?;
                        let source = files::shown(&path);
                        (Located { path, sha256: None }, source)
                    }
                    (None, None) => {
                        return Err(Error::usage("say what to import").hint(
                            "a GGUF file, an ONNX model's folder, ollama:NAME, lmstudio:PUBLISHER/MODEL, hf:OWNER/REPO/FILE, or --existing NAME",
                        ));
                    }
                };
                let wanted = sha256.as_ref().or(located.sha256.as_ref());
                let runtime = Runtime::load(&store.library()?)?;
                let live = std::io::stderr().is_terminal();
                seal::confine(&folders_of(&located.path), &[store.models()?])?;
                let id = import(
                    &located.path,
                    &source,
                    wanted.map(String::as_str),
                    &store,
                    &runtime,
                    &mut |progress| {
                        if live {
                            eprint!("\r\x1b[K{}", describe(progress));
                        }
                    },
                )?;
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
            Model::Tokenize { model, json } => {
                let tokenizer = match store.resolve(&model) {
                    Ok(id) => tokenizer_of_model(&store, &id)?,
                    Err(error) if !files::exists(Path::new(&model)) => return Err(error),
                    Err(_) => tokenizer_of_file(Path::new(&model))?,
                };
                let ids = tokenizer.encode_start(&standard_input()?);
                if json {
                    print_json(&serde_json::json!({"count": ids.len(), "ids": ids}))?;
                } else {
                    let words: Vec<String> = ids.iter().map(u32::to_string).collect();
                    print(&format!("{}\n{} tokens\n", words.join(" "), ids.len()))?;
                }
            }
            Model::Bench(args) => args.run(&store)?,
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
    Some(layout_of(&runtime).to_owned())
}

/// The layout of weights of a loaded library.
fn layout_of(runtime: &Runtime) -> &str {
    &runtime.layout
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

/// The folders that a model's files are in, behind links too.
fn folders_of(path: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let mut add = |folder: Option<&Path>| {
        let folder = folder.map(|folder| match folder.as_os_str().is_empty() {
            true => Path::new(".").to_owned(),
            false => folder.to_owned(),
        });
        folders.extend(folder.filter(|folder| files::is_dir(folder)));
    };
    let beside = if files::is_dir(path) {
        Some(path)
    } else {
        path.parent()
    };
    add(beside);
    if let Some(beside) = beside
        && beside.ends_with("onnx")
    {
        add(beside.parent());
    }
    let mut names = vec![path.to_owned()];
    for folder in [path.to_owned(), path.join("onnx")] {
        let list = files::names(&folder).unwrap_or_default();
        names.extend(list.into_iter().map(|name| folder.join(name)));
    }
    for name in names {
        add(files::canonical(&name)
            .ok()
            .as_deref()
            .and_then(Path::parent));
    }
    folders.sort();
    folders.dedup();
    folders
}

/// The text on standard input.
fn standard_input() -> Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::io::stdin()
        .take(MAX_INPUT + 1)
        .read_to_string(&mut text);
    let read = read.or_fail(ExitCode::Usage, "failed to read standard input as text")?;
    if read as u64 > MAX_INPUT {
        return Err(Error::limit("the text is larger than 16 MiB"));
    }
    Ok(text)
}

/// The file that a person named, fetched if need be.
fn locate(text: &str, store: &Store, offline: bool) -> Result<Located> {
    let source = Source::parse(text)?;
    if let Some(located) = source.locate(&Places::of_user())? {
        return Ok(located);
    }
    if text.ends_with(".onnx") {
        return Err(
            Error::usage(format!("{text} is not in the hub's cache on this machine")).hint(
                "an ONNX model is several files: fetch the repository with the hub's own program, then import again",
            ),
        );
    }
    if offline {
        return Err(
            Error::usage(format!("{text} is not in the hub's cache on this machine"))
                .hint("leave out --offline to have curl fetch it"),
        );
    }
    Ok(Located {
        path: fetch(&source, store, std::io::stderr().is_terminal())?,
        sha256: None,
    })
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
    find_existing(known.sha256, known.bytes, &Places::of_user()).ok_or_else(|| {
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
