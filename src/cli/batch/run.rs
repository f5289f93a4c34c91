//! `narrowroom batch run`.

use super::line::Line;
use super::merge::write_summary;
use super::plan::library_hash;
use crate::batch::{
    self, Budget, Desk, Fit, Manifest, Need, Order, Progressed, RunOptions, Shard, Summary, Watcher,
};
use crate::cli::{block_on, print, print_json, triage::choose_model};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use crate::report::wording::short_hash;
use crate::seal::Layer;
use crate::triage::ModelChoice;
use clap::Args;
use std::path::PathBuf;
use std::rc::Rc;

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
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
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
        .map(|pin| choose_model(Some(&pin.sha256)))
        .transpose()
}

/// Results of different builds are never mixed in one batch.
fn same_program(manifest: &Manifest, model: Option<&ModelChoice>) -> Result<()> {
    let program = &manifest.program;
    if program.binary_sha256 != crate::triage::own_hash()? {
        return Err(Error::usage(format!(
            "the manifest was planned by another build of narrowroom (version {}, sha256 {})",
            crate::report::escape::terminal(&program.version),
            crate::report::escape::terminal(&short_hash(&program.binary_sha256))
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
