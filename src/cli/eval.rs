//! `narrowroom eval CORPUS`.

use super::triage::{choose_model, threads};
use super::{block_on, print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::eval::{self, Corpus, Plan, Thresholds, calibrate};
use crate::files;
use crate::limits::Limits;
use crate::report::escape;
use crate::room::protocol::{Ablation, Choose};
use crate::seal::Layer;
use crate::triage::Request;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

/// Run labelled incidents, score the answers and hold them to thresholds.
#[derive(Args)]
pub struct Eval {
    /// Folder of cases: <id>/bundle.tar.gz with <id>/truth.json or <id>/expect.toml
    corpus: PathBuf,
    /// Folder of the results; what is there of the same inputs is not run again [default: in the state directory, by corpus and settings]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Only these cases
    #[arg(long, value_name = "ID", num_args = 1..)]
    only: Vec<String>,
    /// Shipped playbook or path of one [default: chosen by each bundle's layout]
    #[arg(long, value_name = "NAME|FILE")]
    playbook: Option<String>,
    /// Imported model, by name or beginning of its sha256 [default: the first imported one]
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Ablation: the signals alone
    #[arg(long, alias = "no-model", conflicts_with_all = ["model", "model_only", "without"])]
    signals_only: bool,
    /// Ablation: the model ranks the catalogue's causes without the signals' strength and order
    #[arg(long)]
    model_only: bool,
    /// Ablation: the model chooses by writing the number of a cause, instead of being asked how likely each is
    #[arg(long, value_name = "HOW", requires = "model_only")]
    choose: Option<Choose>,
    /// Ablation: leave out these kinds of steps
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = ["rank", "draft", "write"])]
    without: Vec<String>,
    /// Score reports made elsewhere, DIR/<id>.json, instead of running anything
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "signals_only", "model_only", "without", "playbook"])]
    reports: Option<PathBuf>,
    /// Cases at a time; fewer when memory does not allow as many [default: the processors without a model, one with a model]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// Run each case this often, with the seeds SEED, SEED + 1, …
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads of the model [default: the machine's, divided by the workers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Compare with an earlier evaluation's folder, case by case
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Fit confidence on the findings, print its figures and write the map here
    #[arg(long, value_name = "FILE")]
    calibrate: Option<PathBuf>,
    /// Fit on these evaluations' findings too
    #[arg(long, value_name = "DIR", requires = "calibrate")]
    with: Vec<PathBuf>,
    /// List every case, not only those answered wrong
    #[arg(long)]
    cases: bool,
    /// Print the evaluation as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    /// Least share of cases whose first finding is right
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Thresholds (exit code 5 when one is not met)")]
    min_top1: Option<f64>,
    /// Least share with the cause among the first three
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Thresholds (exit code 5 when one is not met)")]
    min_top3: Option<f64>,
    /// Least share whose first finding cites a decisive line
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Thresholds (exit code 5 when one is not met)")]
    min_grounded: Option<f64>,
    /// Least share of undecidable cases that are not claimed to be known
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Thresholds (exit code 5 when one is not met)")]
    min_abstention: Option<f64>,
    /// Least share of citations that hold
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Thresholds (exit code 5 when one is not met)")]
    min_citations: Option<f64>,
    /// Least share of cases with a valid report
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Thresholds (exit code 5 when one is not met)")]
    min_valid: Option<f64>,
    /// Largest share of healthy cases with a false alarm
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Thresholds (exit code 5 when one is not met)")]
    max_false_alarms: Option<f64>,
    /// Go on although this layer of the seal cannot be enforced
    #[arg(long, value_name = "LAYER")]
    allow_weaker_seal: Vec<Layer>,
    #[command(flatten)]
    limits: Limits,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("a share is a number from 0 to 1, such as 0.8".into()),
    }
}

impl Eval {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let corpus = Corpus::read(&self.corpus, &self.only)?;
        let playbook = self
            .playbook
            .as_deref()
            .map(crate::playbook::load)
            .transpose()?
            .map(|(bound, _)| bound);
        if let Some(bound) = &playbook {
            super::playbook::refuse_problems(bound)?;
        }
        let model = match self.signals_only || self.reports.is_some() {
            true => None,
            false => Some(choose_model(self.model.as_deref())?),
        };
        let workers = self.workers.map_or_else(
            || {
                if model.is_some() {
                    1
                } else {
                    threads() as usize
                }
            },
            usize::from,
        );
        let each = (threads() / u32::try_from(workers).unwrap_or(u32::MAX)).max(1);
        let ablation = Ablation {
            model_only: self.model_only,
            choose: self.choose,
            without: self.without.clone(),
            render: false,
        };
        let before = self
            .against
            .as_ref()
            .map(|dir| eval::read(dir))
            .transpose()?;
        let more = self
            .with
            .iter()
            .map(|dir| eval::read(dir))
            .collect::<Result<Vec<_>>>()?;
        let name = self.corpus.file_name().map_or_else(
            || "corpus".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        let out = absolute(&self.out.clone().unwrap_or_else(|| {
            let key = crate::record::key(&[
                &absolute(&self.corpus).to_string_lossy(),
                model.as_ref().map_or("", |model| &model.sha256),
                &format!("{ablation:?} {} {:?}", self.seed, self.reports),
            ]);
            files::runs_dir()
                .with_file_name("evals")
                .join(format!("{name}-{key}"))
        }));
        let live = !self.quiet && !self.json && std::io::stderr().is_terminal();
        let plan = Plan {
            corpus,
            request: Request {
                bundle: PathBuf::new(),
                playbook,
                playbook_given: None,
                model,
                ticket: None,
                runs: out.join("running"),
                tenant: None,
                key: None,
                policy: None,
                seed: self.seed,
                threads: self.threads.unwrap_or(each),
                limits: self.limits.clone(),
                allow_weaker: self.allow_weaker_seal.clone(),
            },
            ablation,
            repeat: self.repeat,
            workers,
            out: out.clone(),
            reports: self.reports.as_ref().map(absolute),
            progress: Box::new(move |done, total, id| {
                if live {
                    let _ = write!(
                        std::io::stderr(),
                        "\r\x1b[K{done} of {total} {}",
                        escape::terminal(id)
                    );
                }
            }),
        };
        let evaluation = block_on(eval::evaluate(plan))?;
        if live {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
        let changes = before
            .as_ref()
            .map(|before| eval::against(before, &evaluation));
        files::write_whole(
            &out.join("eval.html"),
            eval::page(&evaluation, &name, changes.as_deref()).as_bytes(),
        )?;
        let fit = match &self.calibrate {
            Some(path) => Some(self.fit(path, &evaluation, &more, &name)?),
            None => None,
        };
        let unmet = self.thresholds().unmet(&evaluation.summary);
        if self.json {
            print_json(&serde_json::json!({
                "evaluation": evaluation, "changes": changes, "calibration": fit, "unmet": unmet,
            }))?;
        } else {
            let mut text = eval::table(&evaluation, self.cases);
            if let Some(changes) = &changes {
                text.push_str(&eval::changes(changes));
            }
            if let Some(fit) = &fit {
                text.push_str(&calibrate::text(fit));
            }
            text.push_str(&format!(
                "\npage  {}\ndata  {}\n",
                files::shown(&out.join("eval.html")),
                files::shown(&out.join("eval.json"))
            ));
            print(&text)?;
        }
        if unmet.is_empty() {
            Ok(ExitCode::Done)
        } else {
            Err(Error::new(ExitCode::Rejected, format!("the answers do not meet the thresholds: {}", unmet.join("; ")))
                .hint("see the cases not answered right, or compare with an earlier evaluation: --against DIR"))
        }
    }

    fn thresholds(&self) -> Thresholds {
        let all = [
            ("top-1", true, self.min_top1),
            ("top-3", true, self.min_top3),
            ("grounded", true, self.min_grounded),
            ("abstention", true, self.min_abstention),
            ("citations", true, self.min_citations),
            ("valid reports", true, self.min_valid),
            ("false alarms", false, self.max_false_alarms),
        ];
        Thresholds(
            all.into_iter()
                .filter_map(|(name, at_least, wanted)| Some((name, at_least, wanted?)))
                .collect(),
        )
    }

    fn fit(
        &self,
        path: &std::path::Path,
        evaluation: &eval::Evaluation,
        more: &[eval::Evaluation],
        name: &str,
    ) -> Result<calibrate::Fit> {
        let mut points = calibrate::points(evaluation);
        for other in more {
            points.extend(calibrate::points(other));
        }
        let model = evaluation.settings.get("model").map_or("", String::as_str);
        let fit = calibrate::fit(
            &points,
            format!(
                "narrowroom eval {name} --calibrate, {} cases and {} more evaluations; model {model}",
                evaluation.summary.cases,
                more.len()
            ),
        )?;
        let text = toml::to_string(&fit.calibration)
            .map_err(|error| Error::bug("failed to write the calibration").source(error))?;
        files::write_whole(path, text.as_bytes())?;
        Ok(fit)
    }
}
