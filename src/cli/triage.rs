//! `narrowroom triage BUNDLE`.

use super::classify::read_policy_text;
use super::{RunsDir, block_on, print, print_json, terminal, timings};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::model::store::CATALOGUE;
use crate::model::{ModelId, Store};
use crate::report::{html, markdown, terminal as terminal_report};
use crate::seal::Layer;
use crate::tenant::Tenant;
use crate::triage::{ModelChoice, Request};
use clap::Args;
use std::path::{Path, PathBuf};

/// Find the likely root cause in a bundle, with verified evidence.
#[derive(Args)]
pub struct Triage {
    /// The bundle: a .tar.gz or .tar file
    bundle: PathBuf,
    /// Shipped playbook or path of one [default: chosen by the bundle's layout]
    #[arg(long, value_name = "NAME|FILE")]
    playbook: Option<String>,
    /// Imported model, by name or beginning of its sha256 [default: the first imported one]
    #[arg(long, value_name = "NAME", conflicts_with = "no_model")]
    model: Option<String>,
    /// Stop at the answer of the signals
    #[arg(long)]
    no_model: bool,
    /// The customer's words, or a file that holds them
    #[arg(long, value_name = "TEXT|FILE")]
    ticket: Option<String>,
    /// Write the report here too: .html, .md or .json by its ending, or an existing directory for all three
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
    /// Write a masked packet here, for a person to read, approve and take elsewhere; nothing is sent
    #[arg(long, value_name = "FILE")]
    packet: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads of the model [default: the machine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Print where time and memory went, on standard error; with --json as JSON
    #[arg(long)]
    timings: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Whose bundle it is: its runs are kept under runs/tenants/NAME
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
    /// Sign with this Ed25519 key (PKCS#8 PEM) [default: one that the program makes and keeps]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// An organisation's own command policy beside the shipped one (see classify --print-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Go on although this layer of the seal cannot be enforced; the report says so
    #[arg(long, value_name = "LAYER")]
    allow_weaker_seal: Vec<Layer>,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    limits: Limits,
}

impl Triage {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let playbook = self
            .playbook
            .as_deref()
            .map(crate::playbook::load)
            .transpose()?
            .map(|(bound, _)| bound);
        if let Some(bound) = &playbook {
            super::playbook::refuse_problems(bound)?;
        }
        let model = match self.no_model {
            true => None,
            false => Some(choose_model(self.model.as_deref())?),
        };
        if let (Some(bound), Some(name), Some(model)) = (&playbook, &self.playbook, &model) {
            let now = crate::playbook::lock::Lock::of(bound, Some(model.sha256.clone()));
            crate::playbook::lock::demand(Path::new(name), &now)?;
        }
        let request = Request {
            bundle: self.bundle,
            playbook,
            playbook_given: self.playbook.as_deref().map(given),
            model,
            ticket: self.ticket.as_deref().map(ticket).transpose()?,
            runs: self.runs.path(),
            tenant: self.tenant,
            key: self.key,
            seed: self.seed,
            threads: self.threads.unwrap_or_else(threads),
            limits: self.limits,
            allow_weaker: self.allow_weaker_seal,
            policy: read_policy_text(self.policy.as_deref())?,
        };
        for layer in &request.allow_weaker {
            eprintln!(
                "warning: the seal may lack its layer {layer}; the report and the record will say so"
            );
        }
        let mut line = terminal::Line::new(request.limits.max_seconds, self.quiet || self.json);
        let finished = block_on(crate::triage::run(&request, &mut line))?;
        line.replace();
        let view = &finished.view;
        if let Some(out) = &self.out {
            write_out(out, view)?;
        }
        if let Some(packet) = &self.packet {
            files::write_whole(
                packet,
                crate::escalate::packet(view, &finished.run).as_bytes(),
            )?;
        }
        if self.json {
            print_json(&finished.run.report)?;
        } else {
            let mut shown = view.clone();
            shown.files = vec![
                crate::report::view::OutputFile {
                    what: "this report as a page".into(),
                    path: finished
                        .dir
                        .join("report.html")
                        .to_string_lossy()
                        .into_owned(),
                },
                crate::report::view::OutputFile {
                    what: "prompts, raw output, seal proof".into(),
                    path: format!("narrowroom show {}", finished.run.record.id),
                },
            ];
            print(&terminal_report::render(&shown, terminal::colour()))?;
        }
        if self.timings {
            let record = &finished.run.record;
            if self.json {
                let figures = serde_json::json!({"timings": record.timings, "workers": record.workers, "model": record.model});
                eprintln!("{figures}");
            } else {
                let model = record.model.as_ref();
                eprint!("{}", timings::text(model, &record.timings, &record.workers));
            }
        }
        if finished.run.verdict.is_rejected() {
            return Err(Error::new(
                ExitCode::Rejected,
                "the verifier rejected the output; the run is kept",
            )
            .hint(format!(
                "see what it refused and why: narrowroom show {} --verdict",
                finished.run.record.id
            )));
        }
        Ok(ExitCode::Done)
    }
}

/// Threads of the machine.
pub fn threads() -> u32 {
    std::thread::available_parallelism()
        .map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
        .min(64)
}

/// How the record names a playbook that was asked for: a shipped name, or an absolute path.
fn given(name: &str) -> String {
    if !name.contains('/') && !name.ends_with(".toml") {
        return name.to_owned();
    }
    std::path::absolute(name).map_or_else(
        |_| name.to_owned(),
        |path| path.to_string_lossy().into_owned(),
    )
}

/// The customer's words: the text itself, or the content of a file of that name.
///
/// # Errors
/// When the file cannot be read.
pub fn ticket(text: &str) -> Result<String> {
    let path = Path::new(text);
    if !text.contains('\n') && files::exists(path) {
        return files::read_text(path).or_fail(
            ExitCode::Usage,
            format!("failed to read the ticket {}", files::shown(path)),
        );
    }
    Ok(text.to_owned())
}

/// The model to run: by name or hash, else the best of the imported ones.
///
/// # Errors
/// When none is imported or none is called so.
pub fn choose_model(name: Option<&str>) -> Result<ModelChoice> {
    let store = Store::of_user()?;
    let library = store.library()?;
    let id = match name {
        Some(name) => store.resolve(name)?,
        None => default_model(&store)?,
    };
    Ok(ModelChoice {
        dir: store.model_dir(&id),
        sha256: id.as_str().to_owned(),
        library,
    })
}

/// The best of the pinned models that is imported, else the first of the others.
pub(super) fn default_model(store: &Store) -> Result<ModelId> {
    let models = store.list()?;
    let pinned = CATALOGUE
        .iter()
        .find_map(|known| models.iter().find(|(id, _)| id.as_str() == known.sha256));
    pinned
        .or(models.first())
        .map(|(id, _)| id.clone())
        .ok_or_else(|| Error::usage("no model is imported").hint("run scripts/fetch.sh model qwen2.5-coder-0.5b and narrowroom model import FILE, or go without with --no-model"))
}

fn write_out(out: &Path, view: &crate::report::view::View) -> Result<()> {
    let json = || crate::record::pretty(&view.report);
    if out.is_dir() {
        files::write_whole(&out.join("report.html"), html::render(view).as_bytes())?;
        files::write_whole(&out.join("report.md"), markdown::render(view).as_bytes())?;
        return files::write_whole(&out.join("report.json"), &json()?);
    }
    match out.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => files::write_whole(out, html::render(view).as_bytes()),
        Some("md" | "markdown") => files::write_whole(out, markdown::render(view).as_bytes()),
        Some("json") => files::write_whole(out, &json()?),
        _ => Err(Error::usage(format!(
            "failed to write {}: its ending is not .html, .md or .json",
            files::shown(out)
        ))
        .hint("name a file with one of these endings, or an existing directory")),
    }
}
