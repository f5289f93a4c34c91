//! `narrowroom playbook list | show | new | lint | test | render | schema | lock`.

use super::triage::{choose_model, threads};
use super::{RunsDir, block_on, print, print_json, terminal};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::playbook::lock::{self, Lock};
use crate::playbook::{Bound, Source, lint, load, parse, scaffold};
use crate::report::escape;
use crate::room::protocol::Ablation;
use crate::triage::{Request, Trial};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// List, show, write, check, test and lock playbooks.
#[derive(Subcommand)]
pub enum Playbook {
    /// List the shipped playbooks
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a playbook's text
    Show {
        /// Shipped playbook or path of one
        playbook: String,
    },
    /// Write a new playbook with a test, ready to be changed
    New {
        /// Its id: lower case with dashes; becomes NAME.toml and NAME.tests/
        name: String,
        /// Folder to write into
        #[arg(long, value_name = "DIR", default_value = ".")]
        dir: PathBuf,
    },
    /// Run a playbook's frozen incidents: every one must be answered right
    Test(Test),
    /// Print the exact prompts for a bundle; the model is asked nothing
    Render(Render),
    /// Print the JSON Schema of a playbook, or of a catalogue of causes
    Schema {
        /// Of a catalogue
        #[arg(long)]
        catalogue: bool,
    },
    /// Pin a playbook file to its catalogues and a model: what runs is what was tested
    Lock {
        /// Path of a playbook
        playbook: String,
        /// Pin this model too, by name or beginning of its sha256
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// Write nothing; exit code 5 when something is not as it was locked
        #[arg(long)]
        check: bool,
    },
    /// Check a playbook and its catalogues
    Lint {
        /// Shipped playbook or path of one
        playbook: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Run a playbook's frozen incidents.
#[derive(Args)]
pub struct Test {
    /// Path of a playbook, or a shipped one
    playbook: String,
    /// The incidents [default: NAME.tests/ beside the playbook]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Let this model take part, by name or beginning of its sha256 [default: signals only]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

/// Print the exact prompts for a bundle.
#[derive(Args)]
pub struct Render {
    /// Path of a playbook, or a shipped one
    playbook: String,
    /// The bundle: a .tar.gz or .tar file
    bundle: PathBuf,
    /// Model whose chat template is used, by name or beginning of its sha256 [default: the first imported one]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The customer's words
    #[arg(long, value_name = "TEXT")]
    ticket: Option<String>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    limits: Limits,
}

impl Test {
    fn run(self) -> Result<ExitCode> {
        let (bound, source) = load(&self.playbook)?;
        refuse_problems(&bound)?;
        let corpus = match (&self.corpus, source) {
            (Some(corpus), _) => corpus.clone(),
            (None, Source::File) => Path::new(&self.playbook).with_extension("tests"),
            (None, Source::Shipped) => {
                return Err(Error::usage("a shipped playbook has no tests beside it")
                    .hint("name a folder of incidents: --corpus DIR"));
            }
        };
        let scratch = files::Scratch::create(
            &files::runs_dir(),
            &format!("test-{}", crate::record::new_id()),
        )?;
        let plan = crate::eval::Plan {
            corpus: crate::eval::Corpus::read(&corpus, &[])?,
            request: Request {
                playbook: Some(bound),
                model: self
                    .model
                    .as_deref()
                    .map(|name| choose_model(Some(name)))
                    .transpose()?,
                runs: scratch.path().join("running"),
                threads: threads(),
                ..Request::default()
            },
            ablation: Ablation::default(),
            repeat: 1,
            workers: 1,
            out: scratch.path().to_owned(),
            reports: None,
            progress: Box::new(|_, _, _| {}),
        };
        let evaluation = block_on(crate::eval::evaluate(plan))?;
        if self.json {
            print_json(&evaluation)?;
        } else {
            print(&crate::eval::cases(&evaluation))?;
        }
        if crate::eval::all_fine(&evaluation) {
            return Ok(ExitCode::Done);
        }
        Err(Error::new(
            ExitCode::Rejected,
            "a frozen incident is not answered as it should be",
        )
        .hint("each case's expect.toml says what a right answer says; see docs/playbooks.md"))
    }
}

impl Render {
    fn run(self) -> Result<ExitCode> {
        let (bound, _) = load(&self.playbook)?;
        refuse_problems(&bound)?;
        let request = Request {
            bundle: self.bundle,
            playbook: Some(bound),
            model: Some(choose_model(self.model.as_deref())?),
            ticket: self.ticket,
            runs: self.runs.path(),
            threads: threads(),
            limits: self.limits,
            ..Request::default()
        };
        let trial = Trial {
            ablation: Ablation {
                render: true,
                ..Ablation::default()
            },
            ..Trial::default()
        };
        let mut line = terminal::Line::new(request.limits.max_seconds, true);
        let tried = block_on(crate::triage::attempt(&request, &trial, &mut line))?;
        let run = tried
            .run
            .ok_or_else(|| Error::bug("a run without a result"))?;
        if self.json {
            return print_json(&run.transcript).map(|()| ExitCode::Done);
        }
        for exchange in &run.transcript {
            let prompt: Vec<String> = exchange.prompt.split('\n').map(escape::terminal).collect();
            print(&format!(
                "── {} #{} · {} tokens\n{}\n\n",
                escape::terminal(&exchange.step),
                exchange.attempt,
                exchange.prompt_tokens,
                prompt.join("\n")
            ))?;
        }
        if run.transcript.is_empty() {
            for note in &run.record.notes {
                print(&format!("no prompt: {}\n", escape::terminal(note)))?;
            }
        }
        Ok(ExitCode::Done)
    }
}

/// Writes the files of a new playbook; none that is there is touched.
fn new(name: &str, dir: &Path) -> Result<ExitCode> {
    let plain = !name.is_empty()
        && name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !plain {
        return Err(Error::usage(format!("{name:?} is no id for a playbook"))
            .hint("use lower-case letters, digits and dashes, such as our-product"));
    }
    let made = scaffold(name);
    for (path, _) in &made {
        if files::exists(&dir.join(path)) {
            return Err(Error::usage(format!(
                "{} is there already",
                files::shown(&dir.join(path))
            ))
            .hint("choose another name or folder"));
        }
    }
    for (path, text) in &made {
        let path = dir.join(path);
        files::make_dir(path.parent().unwrap_or(dir))?;
        files::write_whole(&path, text.as_bytes())?;
        print(&format!("{}\n", files::shown(&path)))?;
    }
    Ok(ExitCode::Done)
}

fn pin(playbook: &str, model: Option<&str>, check: bool) -> Result<ExitCode> {
    let path = Path::new(playbook);
    if !files::exists(path) {
        return Err(
            Error::usage(format!("there is no playbook file {}", files::shown(path)))
                .hint("a shipped playbook is part of the program and needs no lock"),
        );
    }
    let model = model
        .map(|name| choose_model(Some(name)))
        .transpose()?
        .map(|model| model.sha256);
    let bound = crate::playbook::read_unlocked(path)?;
    let now = Lock::of(&bound, model);
    if check {
        let Some(locked) = lock::read(path)? else {
            return Err(Error::usage(format!("{} has no lock", files::shown(path)))
                .hint("make one: narrowroom playbook lock FILE"));
        };
        let found = locked.differences(&now);
        if found.is_empty() {
            print("as it was locked\n")?;
            return Ok(ExitCode::Done);
        }
        return Err(Error::new(
            ExitCode::Rejected,
            format!("not as it was locked: {}", found.join("; ")),
        ));
    }
    refuse_problems(&bound)?;
    let text = toml::to_string(&now)
        .map_err(|error| Error::bug("failed to write the lock").source(error))?;
    files::write_whole(&lock::path(path), text.as_bytes())?;
    print(&format!("{}\n", files::shown(&lock::path(path))))?;
    Ok(ExitCode::Done)
}

impl Playbook {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Playbook::List { json } => {
                let mut rows = Vec::new();
                for (id, text) in crate::playbook::SHIPPED {
                    let playbook = parse(text)?;
                    rows.push(serde_json::json!({"id": id, "version": playbook.version, "description": playbook.description, "profiles": playbook.profiles, "sha256": crate::playbook::shipped(id)?.sha256()}));
                }
                if json {
                    return print_json(&rows).map(|()| ExitCode::Done);
                }
                for row in rows {
                    print(&format!(
                        "{:<14} {:<7} {}\n",
                        row["id"].as_str().unwrap_or(""),
                        row["version"].as_str().unwrap_or(""),
                        row["description"].as_str().unwrap_or("")
                    ))?;
                }
            }
            Playbook::New { name, dir } => return new(&name, &dir),
            Playbook::Test(args) => return args.run(),
            Playbook::Render(args) => return args.run(),
            Playbook::Schema { catalogue: true } => {
                print_json(&schemars::schema_for!(crate::playbook::Catalogue))?;
            }
            Playbook::Schema { catalogue: false } => {
                print_json(&schemars::schema_for!(crate::playbook::Playbook))?;
            }
            Playbook::Lock {
                playbook,
                model,
                check,
            } => return pin(&playbook, model.as_deref(), check),
            Playbook::Show { playbook } => print(&load(&playbook)?.0.text)?,
            Playbook::Lint { playbook, json } => {
                let problems = lint(&load(&playbook)?.0)?;
                if json {
                    print_json(&problems)?;
                } else if problems.is_empty() {
                    print("no problem found\n")?;
                } else {
                    for problem in &problems {
                        print(&format!("{}: {}\n", problem.place, problem.message))?;
                    }
                }
                return Ok(if problems.is_empty() {
                    ExitCode::Done
                } else {
                    ExitCode::Usage
                });
            }
        }
        Ok(ExitCode::Done)
    }
}

/// A playbook with problems does not run.
pub fn refuse_problems(bound: &Bound) -> Result<()> {
    match lint(bound)?.first() {
        None => Ok(()),
        Some(problem) => Err(Error::usage(format!(
            "the playbook may not run: {}: {}",
            problem.place, problem.message
        ))
        .hint("see all problems with: narrowroom playbook lint FILE")),
    }
}
