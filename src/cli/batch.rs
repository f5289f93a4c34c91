//! `narrowroom batch plan | run | status | merge`.

use super::{block_on, print, print_json, terminal};
use crate::batch::{
    self, Budget, Desk, Fit, Manifest, MergeRequest, ModelPin, Need, Order, PlanRequest, Program,
    Progressed, RunOptions, Settings, Shard, Summary, TenantFrom, Watcher, show_bytes,
};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::model::Manifest as ModelManifest;
use crate::seal::Layer;
use crate::triage::ModelChoice;
use clap::{Args, Subcommand};
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Triage many bundles: plan once, run anywhere, resume after any crash, merge.
#[derive(Subcommand)]
pub enum Batch {
    /// Write the manifest: which bundles, whose, in how many shards, with which settings
    Plan(Plan),
    /// Work through a manifest, or one shard of it; finished bundles are left alone
    Run(Run),
    /// Show how far a batch is
    Status(Status),
    /// Merge the results into one file; refuses gaps and duplicates
    Merge(Merge),
}

impl Batch {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::Plan(args) => args.run(),
            Self::Run(args) => args.run(),
            Self::Status(args) => args.run(),
            Self::Merge(args) => args.run(),
        }
    }
}

/// Write the manifest.
#[derive(Args)]
pub struct Plan {
    /// A folder of bundles, or a text file with the path of a bundle a line
    from: PathBuf,
    /// Whose a bundle is: parent-dir, name-regex:PATTERN with a group over the path, or one NAME for all
    #[arg(long, value_name = "RULE")]
    tenant_from: Option<TenantFrom>,
    /// Shards that separate processes or machines can work on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    shards: u32,
    /// Write the manifest here; an existing one is never changed
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Shipped playbook or path of one [default: chosen by each bundle's layout]
    #[arg(long, value_name = "NAME|FILE")]
    playbook: Option<String>,
    /// Imported model, by name or beginning of its sha256 [default: the first imported one]
    #[arg(long, value_name = "NAME", conflicts_with = "no_model")]
    model: Option<String>,
    /// Stop at the answer of the signals
    #[arg(long)]
    no_model: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads of the model for one bundle
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Memory that one worker may use, enforced [default: 1GiB; with a model 512MiB and its keys and values more]
    #[arg(long, value_name = "SIZE", value_parser = batch::parse_bytes)]
    worker_memory: Option<u64>,
    /// Print what was planned as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: Limits,
}

impl Plan {
    fn run(self) -> Result<ExitCode> {
        let playbook = self
            .playbook
            .as_deref()
            .map(crate::playbook::load)
            .transpose()?;
        let playbook = playbook.map(|(bound, _)| bound);
        if let Some(bound) = &playbook {
            super::playbook::refuse_problems(bound)?;
        }
        let choice = match self.no_model {
            true => None,
            false => Some(super::triage::choose_model(self.model.as_deref())?),
        };
        let mut limits = self.limits;
        let mut worker = 1_u64 << 30;
        let mut model = None;
        let mut library_sha256 = None;
        if let Some(choice) = &choice {
            let known = ModelManifest::read(&choice.dir)?;
            if limits.context > known.trained_context {
                return Err(Error::usage(format!(
                    "{} reads at most {} tokens, not {}",
                    crate::report::escape::terminal(&known.name),
                    known.trained_context,
                    limits.context
                ))
                .hint("plan with a smaller --context; it is never cut down silently"));
            }
            worker += (512 << 20) + known.cache_bytes_per_token() * u64::from(limits.context);
            library_sha256 = Some(library_hash(choice)?);
            model = Some(ModelPin {
                name: known.name,
                sha256: choice.sha256.clone(),
            });
        }
        limits.max_memory = limits.max_memory.min(self.worker_memory.unwrap_or(worker));
        let planned = batch::plan(&PlanRequest {
            from: self.from,
            tenant: self.tenant_from,
            shards: self.shards,
            settings: Settings {
                model,
                playbook,
                seed: self.seed,
                threads: self.threads,
                limits,
            },
            program: Program {
                version: env!("CARGO_PKG_VERSION").into(),
                binary_sha256: crate::triage::own_hash()?,
                library_sha256,
            },
        })?;
        let manifest = &planned.manifest;
        write_manifest(&self.out, manifest)?;
        for path in planned.left_out.iter().take(5) {
            eprintln!(
                "warning: {} is not called like an archive and was left out",
                files::shown(path)
            );
        }
        if planned.left_out.len() > 5 {
            eprintln!(
                "warning: {} more files were left out",
                planned.left_out.len() - 5
            );
        }
        let bytes: u64 = manifest.items.iter().map(|item| item.bytes).sum();
        let tenants: std::collections::BTreeSet<_> = manifest
            .items
            .iter()
            .filter_map(|item| item.tenant.as_ref())
            .collect();
        if self.json {
            print_json(&serde_json::json!({
                "manifest": manifest.digest, "bundles": manifest.items.len(), "bytes": bytes,
                "tenants": tenants.len(), "shards": manifest.shards, "left_out": planned.left_out.len(),
            }))?;
            return Ok(ExitCode::Done);
        }
        let model =
            manifest
                .settings
                .model
                .as_ref()
                .map_or("none, signals only".to_owned(), |model| {
                    format!(
                        "{} {}",
                        crate::report::escape::terminal(&model.name),
                        &model.sha256[..12]
                    )
                });
        print(&format!(
            "{} bundles, {}, tenants {}, shards {}\nmodel    {model}\nworker   {} of memory, {} {}\nmanifest {}\n         {}\n",
            manifest.items.len(),
            show_bytes(bytes),
            tenants.len(),
            manifest.shards,
            show_bytes(manifest.settings.limits.max_memory),
            manifest.settings.threads,
            if manifest.settings.threads == 1 {
                "thread"
            } else {
                "threads"
            },
            files::shown(&self.out),
            manifest.digest,
        ))?;
        Ok(ExitCode::Done)
    }
}

/// A manifest is written once; planning the same again is no error.
fn write_manifest(out: &Path, manifest: &Manifest) -> Result<()> {
    if !files::exists(out) {
        return files::write_whole(out, &crate::record::pretty(manifest)?);
    }
    match Manifest::read(out) {
        Ok(old) if old.digest == manifest.digest => Ok(()),
        _ => Err(Error::usage(format!(
            "{} is there already and differs",
            files::shown(out)
        ))
        .hint("a manifest is never changed: name another file with --out, or remove that one")),
    }
}

fn library_hash(choice: &ModelChoice) -> Result<String> {
    files::sha256(&choice.library).or_fail(
        ExitCode::Usage,
        format!(
            "failed to read the library {}",
            files::shown(&choice.library)
        ),
    )
}

/// Work through a manifest.
#[derive(Args)]
pub struct Run {
    /// The manifest
    manifest: PathBuf,
    /// Directory of the batch: claims, runs, results, summary
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Bundles at a time [default: as many as fit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    workers: Option<u32>,
    /// Memory for all workers [default: what this process may still use]
    #[arg(long, value_name = "SIZE", value_parser = batch::parse_bytes)]
    memory: Option<u64>,
    /// Processors for all workers [default: what this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    cpus: Option<u32>,
    /// Work on one shard: its number, or auto to ask Slurm, Kubernetes or HyperQueue
    #[arg(long, value_name = "K|auto|all", default_value = "all")]
    shard: Shard,
    /// Folder of the bundles, where it is another than when planned
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// More attempts for a bundle when memory, disk or processes ran short
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=10))]
    retries: u32,
    /// Which bundles come first; the merged result is the same
    #[arg(
        long,
        value_name = "ORDER",
        value_enum,
        default_value = "largest-first"
    )]
    order: Order,
    /// Say what would run, and in what, and end
    #[arg(long)]
    dry_run: bool,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Go on although this layer of the seal cannot be enforced; the reports say so
    #[arg(long, value_name = "LAYER")]
    allow_weaker_seal: Vec<Layer>,
}

impl Run {
    fn run(self) -> Result<ExitCode> {
        let manifest = Manifest::read(&self.manifest)?;
        let shard = self.shard.resolve(&manifest)?;
        let model = model_of(&manifest)?;
        same_program(&manifest, model.as_ref())?;
        let mut budget = Budget::of_machine();
        budget.memory = self.memory.unwrap_or(budget.memory);
        budget.cpus = self.cpus.unwrap_or(budget.cpus);
        let weights = model.as_ref().map_or(0, weights);
        let items = manifest.of(shard).count();
        let fit = Fit::new(budget, Need::of(&manifest, weights), self.workers, items)?;
        if self.dry_run {
            if self.json {
                print_json(&serde_json::json!({"bundles": items, "shard": shard, "fit": fit}))?;
            } else {
                print(&format!("{}\n", fit.line()))?;
            }
            return Ok(ExitCode::Done);
        }
        if !self.quiet {
            eprintln!("{}", fit.line());
        }
        for layer in &self.allow_weaker_seal {
            eprintln!(
                "warning: the seal may lack its layer {layer}; the reports and records will say so"
            );
        }
        let root = self
            .root
            .map(|root| std::path::absolute(&root).unwrap_or(root));
        let desk = Desk::create(&self.out, &manifest)?;
        let dir = desk.dir().to_owned();
        let options = RunOptions {
            shard,
            root,
            fit,
            model,
            retries: self.retries,
            order: self.order,
            allow_weaker: self.allow_weaker_seal,
        };
        let line: Rc<dyn Watcher> = Rc::new(Line::new(self.quiet));
        let ended = block_on(batch::run(
            manifest.clone(),
            desk,
            options,
            Rc::clone(&line),
        ));
        drop(line);
        let progressed = ended?;
        let summary = batch::summarise(&manifest, std::slice::from_ref(&dir), shard, None)?;
        let name = shard.map_or_else(
            || "summary".to_owned(),
            |shard| format!("summary-shard-{shard}"),
        );
        write_summary(&dir.join(format!("{name}.json")), &summary, Some("runs"))?;
        write_summary(&dir.join(format!("{name}.html")), &summary, Some("runs"))?;
        write_summary(&dir.join(format!("{name}.md")), &summary, Some("runs"))?;
        if self.json {
            print_json(&summary)?;
        } else {
            print(&batch::text(&summary))?;
            print(&format!(
                "\nas a page: {}\n",
                files::shown(&dir.join(format!("{name}.html")))
            ))?;
        }
        outcome(&summary, &progressed)
    }
}

/// How a batch that went through ends.
fn outcome(summary: &Summary, progressed: &Progressed) -> Result<ExitCode> {
    let counts = &summary.counts;
    let all = counts.bundles;
    let changed_only = summary
        .rows
        .iter()
        .filter(|row| row.state == "open")
        .all(|row| {
            row.failure
                .as_ref()
                .is_some_and(|failure| failure.exit == ExitCode::InputRefused.code())
        });
    if progressed.open > 0 && !changed_only {
        return Err(Error::limit(format!(
            "{} of {all} bundles are left open",
            progressed.open
        ))
        .hint("the same command tries them again; narrowroom batch status says why they failed"));
    }
    if counts.rejected > 0 {
        return Err(Error::new(
            ExitCode::Rejected,
            format!(
                "the verifier rejected the output for {} of {all} bundles",
                counts.rejected
            ),
        )
        .hint("all other results are kept; see the summary"));
    }
    let without = counts.refused + counts.limited + counts.open;
    if without > 0 {
        return Err(
            Error::refused(format!("{without} of {all} bundles have no report"))
                .hint("all other results are kept; see the summary"),
        );
    }
    Ok(ExitCode::Done)
}

fn model_of(manifest: &Manifest) -> Result<Option<ModelChoice>> {
    let pinned = manifest.settings.model.as_ref();
    pinned
        .map(|pin| super::triage::choose_model(Some(&pin.sha256)))
        .transpose()
}

/// Results of different builds are never mixed in one batch.
fn same_program(manifest: &Manifest, model: Option<&ModelChoice>) -> Result<()> {
    let program = &manifest.program;
    if program.binary_sha256 != crate::triage::own_hash()? {
        return Err(Error::usage(format!(
            "the manifest was planned by another build of narrowroom (version {}, sha256 {})",
            crate::report::escape::terminal(&program.version),
            crate::report::escape::terminal(
                &program.binary_sha256[..12.min(program.binary_sha256.len())]
            )
        ))
        .hint("run it with that build, or plan again with this one"));
    }
    let library = model.map(library_hash).transpose()?;
    if program.library_sha256 != library {
        return Err(
            Error::usage("the manifest was planned with another inference library")
                .hint("use the same library, or plan again with this one"),
        );
    }
    Ok(())
}

/// Bytes of the model's files that are mapped: the prepared form where there is one.
fn weights(model: &ModelChoice) -> u64 {
    let prepared = model.dir.join("prepared");
    let names = files::names(&prepared).unwrap_or_default();
    names
        .iter()
        .map(|name| files::size(&prepared.join(name).join("model.data")))
        .max()
        .unwrap_or_else(|| files::size(&model.dir.join("model.data")))
}

/// Show how far a batch is.
#[derive(Args)]
pub struct Status {
    /// The manifest
    manifest: PathBuf,
    /// Directories of the batch, those of all shards
    #[arg(required = true, value_name = "OUT")]
    out: Vec<PathBuf>,
    /// Only this tenant's bundles
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Write the summary here too: .html, .md or .json by its ending
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    fn run(self) -> Result<ExitCode> {
        let manifest = Manifest::read(&self.manifest)?;
        let summary = batch::summarise(&manifest, &self.out, None, self.tenant.as_deref())?;
        if let Some(path) = &self.write {
            write_summary(path, &summary, None)?;
        }
        if self.json {
            print_json(&summary)?
        } else {
            print(&batch::text(&summary))?
        }
        Ok(ExitCode::Done)
    }
}

fn write_summary(path: &Path, summary: &Summary, runs: Option<&str>) -> Result<()> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => files::write_whole(path, batch::html(summary, runs).as_bytes()),
        Some("md" | "markdown") => files::write_whole(path, batch::markdown(summary).as_bytes()),
        Some("json") => files::write_whole(path, &crate::record::pretty(summary)?),
        _ => Err(Error::usage(format!(
            "failed to write {}: its ending is not .html, .md or .json",
            files::shown(path)
        ))
        .hint("name a file with one of these endings")),
    }
}

/// Merge the results into one file.
#[derive(Args)]
pub struct Merge {
    /// The manifest
    manifest: PathBuf,
    /// Directories of the batch, those of all shards
    #[arg(required = true, value_name = "OUT")]
    from: Vec<PathBuf>,
    /// Write the merged results here, as JSON Lines
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only this tenant's bundles
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Merge although bundles have no result; the file names them
    #[arg(long)]
    allow_gaps: bool,
    /// Print what was merged as JSON
    #[arg(long)]
    json: bool,
}

impl Merge {
    fn run(self) -> Result<ExitCode> {
        let manifest = Manifest::read(&self.manifest)?;
        let request = MergeRequest {
            from: &self.from,
            tenant: self.tenant.as_deref(),
            allow_gaps: self.allow_gaps,
        };
        let (bytes, head) = batch::merge(&manifest, &request)?;
        files::write_whole(&self.out, &bytes)?;
        if self.json {
            print_json(&head)?;
        } else {
            let gaps = match head.gaps {
                0 => String::new(),
                n => format!(", {n} of them without a result"),
            };
            print(&format!(
                "{} bundles merged into {}{gaps}\n",
                head.items,
                files::shown(&self.out)
            ))?;
        }
        Ok(ExitCode::Done)
    }
}

/// One line that says how far the batch is, on a terminal; elsewhere only what is worth keeping.
struct Line {
    live: bool,
    quiet: bool,
    last: Cell<Option<Instant>>,
}

impl Line {
    fn new(quiet: bool) -> Self {
        Self {
            live: !quiet && std::io::stderr().is_terminal(),
            quiet,
            last: Cell::new(None),
        }
    }

    fn clear(&self) {
        if self.live && self.last.get().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
            let _ = std::io::stderr().flush();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Watcher for Line {
    fn moved(&self, now: &Progressed) {
        if !self.live {
            return;
        }
        let mut text = format!(
            "{} of {} finished · {} running",
            now.finished, now.all, now.running
        );
        if now.failed + now.open > 0 {
            text.push_str(&format!(" · {} failed", now.failed + now.open));
        }
        if let Some(left) = now.left.filter(|_| now.finished < now.all) {
            text.push_str(&format!(" · about {} left", rough(left)));
        }
        let _ = write!(
            std::io::stderr(),
            "\r\x1b[K{}",
            text.chars().take(79).collect::<String>()
        );
        let _ = std::io::stderr().flush();
        self.last.set(Some(Instant::now()));
    }

    fn said(&self, line: &str) {
        if self.quiet {
            return;
        }
        self.clear();
        eprintln!("{}", terminal::shortened(line));
    }
}

/// A time to come, no more exact than it is known.
fn rough(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..=89 => format!("{} s", seconds.max(1)),
        seconds @ 90..=5_399 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}
