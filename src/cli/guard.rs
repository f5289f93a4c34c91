//! `narrowroom guard` and its hook.

use super::{RunsDir, block_on, print, print_json, terminal, timings};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use crate::guard::{self, Installed, Request, ReviewState, What};
use crate::limits::Limits;
use crate::model::{ModelId, Store};
use crate::report::{escape, sarif};
use crate::seal::Layer;
use crate::triage::ModelChoice;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Search what a change adds for secrets, and have the model review it.
///
/// Ends with 7 when a secret is found; remarks block with --strict only.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Accepting what is no secret: a comment `narrowroom:allow RULE REASON` on its line or above it,\na baseline (--write-baseline), or paths in .narrowroomignore (gitignore syntax)."
)]
pub struct Guard {
    #[command(subcommand)]
    command: Option<HookCommand>,
    /// Files and folders, whole
    #[arg(conflicts_with_all = ["staged", "range", "stdin"])]
    paths: Vec<PathBuf>,
    /// What is staged for the next commit; the default
    #[arg(long, group = "what")]
    staged: bool,
    /// Each commit of a range, as for git log
    #[arg(long, value_name = "A..B", group = "what")]
    range: Option<String>,
    /// A patch on standard input
    #[arg(long, group = "what")]
    stdin: bool,
    /// Only search; no model
    #[arg(long)]
    no_model: bool,
    /// Imported model, by name or beginning of its sha256 [default: the best imported one]
    #[arg(long, value_name = "NAME", conflicts_with = "no_model")]
    model: Option<String>,
    /// Playbook of the review, shipped or the path of one [default: diff-review]
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "no_model")]
    playbook: Option<String>,
    /// Remarks block too, the model's and the rules'
    #[arg(long)]
    strict: bool,
    /// Findings accepted before [default: .narrowroom-baseline.json at the repository's top]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Accept nothing by a baseline
    #[arg(long, conflicts_with_all = ["baseline", "write_baseline"])]
    no_baseline: bool,
    /// Accept all findings of this run, by fingerprint, in a file
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// List accepted findings too
    #[arg(long)]
    show_accepted: bool,
    /// Print as JSON
    #[arg(long, group = "form")]
    json: bool,
    /// Print as SARIF 2.1.0
    #[arg(long, group = "form")]
    sarif: bool,
    /// Print how the model ran, on standard error (--json has it in any case)
    #[arg(long)]
    timings: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Threads of the model [default: the machine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Go on although this layer of the seal cannot be enforced
    #[arg(long, value_name = "LAYER")]
    allow_weaker_seal: Vec<Layer>,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Subcommand)]
enum HookCommand {
    /// Write a Git hook that searches what is staged before each commit
    Install {
        /// Keep an existing hook beside it and run that first
        #[arg(long)]
        force: bool,
    },
    /// Take the hook away and put an earlier one back
    Uninstall,
}

impl Guard {
    /// Runs it.
    pub fn run(mut self) -> Result<ExitCode> {
        match self.command.take() {
            Some(HookCommand::Install { force }) => return install(force),
            Some(HookCommand::Uninstall) => return uninstall(),
            None => {}
        }
        for layer in &self.allow_weaker_seal {
            eprintln!("warning: the seal may lack its layer {layer}");
        }
        let request = Request {
            what: self.what(),
            baseline: self.baseline.clone(),
            use_baseline: !self.no_baseline,
            model: self.choose_model()?,
            playbook: self.playbook()?,
            runs: self.runs.path(),
            threads: self.threads.unwrap_or_else(super::triage::threads),
            limits: self.limits.clone(),
            allow_weaker: self.allow_weaker_seal.clone(),
        };
        let quiet = self.quiet || self.json || self.sarif;
        let mut line = terminal::Line::new(request.limits.max_seconds, quiet);
        let report = block_on(guard::run(&request, &mut line))?;
        line.clear();
        if let Some(path) = &self.write_baseline {
            let by_baseline = report
                .suppressed
                .iter()
                .filter(|item| item.by == guard::SuppressedBy::Baseline)
                .map(|item| &item.finding);
            let accepted = report.findings.iter().chain(by_baseline);
            let count = accepted.clone().count();
            files::write_whole(path, guard::baseline_text(accepted)?.as_bytes())?;
            let more = if report.more_findings > 0 {
                " (not all: the list is full)"
            } else {
                ""
            };
            eprintln!(
                "accepted {count} findings in {}{more}; commit the file if others should have it",
                files::shown(path)
            );
        }
        if self.json {
            print_json(&report)?;
        } else if self.sarif {
            print_json(&sarif::of_guard(&report))?;
        } else {
            let mut text = guard::render(&report, terminal::colour());
            if self.show_accepted {
                text.push_str(&guard::render_suppressed(&report));
            }
            print(&text)?;
        }
        if self.timings {
            eprint!("{}", timings::text(report.review.model.as_ref(), &[], &[]));
        }
        if self.write_baseline.is_some() && report.more_findings == 0 {
            return Ok(ExitCode::Done);
        }
        Ok(guard::exit(&report, self.strict))
    }

    fn playbook(&self) -> Result<Option<crate::playbook::Bound>> {
        let Some(name) = &self.playbook else {
            return Ok(None);
        };
        let (bound, _) = crate::playbook::load(name)?;
        super::playbook::refuse_problems(&bound)?;
        Ok(Some(bound))
    }

    fn what(&self) -> What {
        if !self.paths.is_empty() {
            return What::Paths(self.paths.clone());
        }
        if let Some(range) = &self.range {
            return What::Range(range.clone());
        }
        if self.stdin {
            return What::Stdin;
        }
        // The pre-commit framework says so when it is asked to look at commits, not at the index.
        let reference = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match (
            reference("PRE_COMMIT_FROM_REF"),
            reference("PRE_COMMIT_TO_REF"),
        ) {
            (Some(from), Some(to)) => What::Range(format!("{from}..{to}")),
            // A push of a branch that the other side knows nothing of.
            _ => match reference("PRE_COMMIT_LOCAL_BRANCH") {
                Some(branch) => What::Range(branch),
                None => What::Staged,
            },
        }
    }

    fn choose_model(&self) -> Result<std::result::Result<ModelChoice, (ReviewState, String)>> {
        if self.no_model {
            return Ok(Err((
                ReviewState::Off,
                "the review was switched off".into(),
            )));
        }
        let store = Store::of_user()?;
        let id: Option<ModelId> = match &self.model {
            Some(name) => Some(store.resolve(name)?),
            None => super::triage::default_model(&store).ok(),
        };
        let library = store.library();
        Ok(match (id, library) {
            (Some(id), Ok(library)) => Ok(ModelChoice {
                dir: store.model_dir(&id),
                sha256: id.as_str().to_owned(),
                library,
            }),
            (_, Err(error)) if self.model.is_some() => return Err(error),
            _ => Err((
                ReviewState::NoModel,
                "no model is imported, so only the scan was done; get one with scripts/fetch.sh model qwen2.5-coder-1.5b and narrowroom model import FILE, or say --no-model".into(),
            )),
        })
    }
}

fn here() -> Result<PathBuf> {
    std::env::current_dir()
        .map_err(|error| Error::usage("failed to find the current directory").source(error))
}

fn install(force: bool) -> Result<ExitCode> {
    let Installed {
        hook,
        earlier,
        shared,
    } = block_on(guard::install(&here()?, force))?;
    let mut text = format!("the hook is installed: {}\n", files::shown(&hook));
    if let Some(earlier) = earlier {
        text.push_str(&format!(
            "the earlier hook runs first: {}\n",
            files::shown(&earlier)
        ));
    }
    if shared {
        text.push_str("core.hooksPath names this folder: it may serve other repositories too\n");
    }
    text.push_str(
        "to pass it once: git commit --no-verify; to remove it: narrowroom guard uninstall\n",
    );
    print(&text).map(|()| ExitCode::Done)
}

fn uninstall() -> Result<ExitCode> {
    let Installed { hook, earlier, .. } = block_on(guard::uninstall(&here()?))?;
    let back = if earlier.is_some() {
        ", the earlier one is back"
    } else {
        ""
    };
    print(&format!(
        "the hook is removed{back}: {}\n",
        escape::terminal(&hook.to_string_lossy())
    ))
    .map(|()| ExitCode::Done)
}
