//! Running a corpus: several cases at a time within memory, each result whole on disk before the next
//! one, what is there already and was made of the same inputs taken over.

use super::aggregate::{Row, Summary, summarise};
use super::corpus::{Case, Corpus};
use super::score::CaseScore;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::report::Report;
use crate::room::protocol::{Ablation, Origin, Progress};
use crate::triage::{Request, Trial, Watch};
use serde::{Deserialize, Serialize};
use sha2::Digest;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

/// Schema name of a case's result.
pub const CASE_SCHEMA: &str = "narrowroom.case/v1";
/// Schema name of an evaluation.
pub const SCHEMA: &str = "narrowroom.eval/v1";
/// Memory of one run beside its model, in bytes: the tree's texts, the verifier, the unpacker.
const PER_RUN: u64 = 1 << 30;

/// What to evaluate.
pub struct Plan {
    /// The cases.
    pub corpus: Corpus,
    /// The run of each case; its bundle is filled in, its runs directory holds what is unpacked.
    pub request: Request,
    /// What is left out.
    pub ablation: Ablation,
    /// Each case runs this often, with the seeds `seed`, `seed` + 1, ….
    pub repeat: u32,
    /// Runs at a time.
    pub workers: usize,
    /// Where results are kept.
    pub out: PathBuf,
    /// Reports made elsewhere, `<id>.json`: scored instead of running anything.
    pub reports: Option<PathBuf>,
    /// Called when a case is done: how many of how many, and which.
    pub progress: Told,
}

/// Told how many of how many cases are done, and which one was.
pub type Told = Box<dyn Fn(usize, usize, &str)>;

/// A finding of a scored run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// Its cause.
    pub cause: String,
    /// The detector that found it.
    pub detector: String,
    /// Strength by the signals alone, 0 to 1.
    pub signals: f64,
    /// Strength after the model's ranking; as `signals` when it did not rank.
    pub strength: f64,
    /// How far it stands above the strongest other candidate; negative below.
    pub margin: f64,
    /// Confidence as reported.
    pub confidence: f64,
    /// Right, wrong, or neither (another true fault of the bundle).
    pub right: Option<bool>,
}

/// One run of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// Always [`CASE_SCHEMA`].
    pub schema: String,
    /// Digest of the bundle, the truth, the program and every setting.
    pub key: String,
    /// Which repeat, from 0.
    pub repeat: u32,
    /// Exit code of the run.
    pub exit: u8,
    /// Why it failed, if it did.
    pub failure: Option<String>,
    /// The score.
    #[serde(flatten)]
    pub row: Row,
    /// The findings in order, with what their confidence was made of.
    pub findings: Vec<Judged>,
    /// What the model's steps came to.
    pub notes: Vec<String>,
    /// Wall-clock milliseconds.
    pub millis: u64,
    /// Named durations in milliseconds.
    pub timings: Vec<(String, u64)>,
    /// Tokens the model read, and wrote.
    pub tokens: (u64, u64),
    /// SHA-256 of the report.
    pub report_sha256: Option<String>,
}

/// Median, ninetieth percentile and largest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Half are at most this.
    pub median: f64,
    /// Nine of ten are at most this.
    pub p90: f64,
    /// None is more.
    pub max: f64,
}

impl Spread {
    /// Of `values`; zeroes when there is none.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (values.len() as f64 * share).ceil() as usize;
            values.get(index.saturating_sub(1)).copied().unwrap_or(0.0)
        };
        Self {
            median: at(0.5),
            p90: at(0.9),
            max: at(1.0),
        }
    }
}

/// A finished evaluation, `eval.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When it ended, RFC 3339, UTC.
    pub finished: String,
    /// What was run: model, playbook, what was left out, seeds.
    pub settings: BTreeMap<String, String>,
    /// Rates of the first repeat.
    pub summary: Summary,
    /// Share of positive cases answered right at first, of each repeat.
    pub top1_by_repeat: Vec<f64>,
    /// Cases whose first cause is not the same in every repeat.
    pub unstable: Vec<String>,
    /// Wall-clock seconds per run.
    pub seconds: Spread,
    /// Tokens the model read per run.
    pub tokens_read: Spread,
    /// Tokens the model wrote per run.
    pub tokens_written: Spread,
    /// Runs by exit code.
    pub exits: BTreeMap<u8, u64>,
    /// Every run.
    pub cases: Vec<CaseResult>,
}

/// The least a corpus must be answered with; each is a share from 0 to 1.
#[derive(Debug, Clone, Default)]
pub struct Thresholds(pub Vec<(&'static str, bool, f64)>);

impl Thresholds {
    /// What is not met, in plain words.
    pub fn unmet(&self, summary: &Summary) -> Vec<String> {
        let mut unmet = Vec::new();
        for (name, at_least, wanted) in &self.0 {
            let rate = match *name {
                "top-1" => summary.positives.top1,
                "top-3" => summary.positives.top3,
                "top-5" => summary.positives.top5,
                "grounded" => summary.positives.grounded_first,
                "abstention" => summary.abstention.ok,
                "citations" => summary.citations.valid,
                "valid reports" => summary.valid,
                _ => summary.negatives.false_alarms,
            };
            match rate.rate {
                None => unmet.push(format!(
                    "{name}: the corpus has no such case to measure it by"
                )),
                Some(found) if *at_least && found < *wanted => {
                    unmet.push(format!(
                        "{name} is {:.1} %, at least {:.1} % is asked for",
                        100.0 * found,
                        100.0 * wanted
                    ));
                }
                Some(found) if !*at_least && found > *wanted => {
                    unmet.push(format!(
                        "{name} is {:.1} %, at most {:.1} % is allowed",
                        100.0 * found,
                        100.0 * wanted
                    ));
                }
                Some(_) => {}
            }
        }
        unmet
    }
}

/// Workers that fit: as many as asked for, at most one per processor without a model (each is busy
/// alone) and as memory allows.
fn workers(plan: &Plan) -> usize {
    let model = plan.request.model.as_ref().map_or(0, |model| {
        // The prepared weights are mapped, shared between runs by the page cache; what is private is less.
        files::size(&model.dir.join("model.data")) / 2
    });
    let fits = files::available_memory().map_or(usize::MAX, |bytes| {
        usize::try_from(bytes * 8 / 10 / (PER_RUN + model)).unwrap_or(1)
    });
    plan.workers.min(fits).max(1)
}

/// Runs what is not there yet and sums up.
///
/// # Errors
/// A failure of the results folder, or a signal; failed cases are results.
pub async fn evaluate(mut plan: Plan) -> Result<Evaluation> {
    files::make_dir(&plan.out.join("cases"))?;
    let binary = files::sha256(Path::new("/proc/self/exe"))
        .or_fail(ExitCode::Bug, "failed to read the program's own file")?;
    let mut jobs = Vec::new();
    for case in &mut plan.corpus.cases {
        if files::is_dir(&case.bundle) {
            let packed = plan.out.join("packed").join(format!("{}.tar", case.id));
            files::make_dir(&plan.out.join("packed"))?;
            super::pack::pack(&case.bundle, &packed)?;
            case.bundle = packed;
        }
    }
    for case in &plan.corpus.cases {
        let digest = files::sha256(&case.bundle).or_fail(
            ExitCode::Usage,
            format!("failed to read {}", files::shown(&case.bundle)),
        )?;
        for repeat in 0..plan.repeat {
            jobs.push((
                case.clone(),
                repeat,
                key(&plan, case, &digest, &binary, repeat)?,
            ));
        }
    }
    let total = jobs.len();
    let (mut done, mut todo) = (Vec::new(), Vec::new());
    for (case, repeat, key) in jobs {
        match kept(&plan.out, &case.id, repeat, &key) {
            Some(result) => done.push(result),
            None => todo.push((case, repeat, key)),
        }
    }
    (plan.progress)(done.len(), total, "");
    let workers = workers(&plan).min(todo.len().max(1));
    let plan = Rc::new(plan);
    let queue = Rc::new(RefCell::new(
        todo.into_iter().collect::<std::collections::VecDeque<_>>(),
    ));
    let count = Rc::new(Cell::new(done.len()));
    let local = tokio::task::LocalSet::new();
    let made: Vec<CaseResult> = local
        .run_until(async {
            let mut running = tokio::task::JoinSet::new();
            for _ in 0..workers {
                let (plan, queue, count) = (Rc::clone(&plan), Rc::clone(&queue), Rc::clone(&count));
                running.spawn_local(async move {
                    let mut made = Vec::new();
                    loop {
                        let Some((case, repeat, key)) = queue.borrow_mut().pop_front() else {
                            return Ok(made);
                        };
                        let result = one(&plan, &case, repeat, key).await?;
                        count.set(count.get() + 1);
                        (plan.progress)(count.get(), total, &case.id);
                        made.push(result);
                    }
                });
            }
            let mut made = Vec::new();
            while let Some(ended) = running.join_next().await {
                let part: Result<Vec<CaseResult>> =
                    ended.or_fail(ExitCode::Bug, "failed to run a case")?;
                made.extend(part?);
            }
            Ok::<_, Error>(made)
        })
        .await?;
    done.extend(made);
    done.sort_by(|a, b| (&a.row.id, a.repeat).cmp(&(&b.row.id, b.repeat)));
    let evaluation = sum_up(&plan, done);
    files::write_whole(
        &plan.out.join("eval.json"),
        &crate::record::pretty(&evaluation)?,
    )?;
    Ok(evaluation)
}

/// Everything that decides the result of a run.
fn key(plan: &Plan, case: &Case, digest: &str, binary: &str, repeat: u32) -> Result<String> {
    let request = &plan.request;
    let truth = json(&case.truth)?;
    let limits = json(&request.limits)?;
    let ablation = json(&plan.ablation)?;
    let foreign = match &plan.reports {
        Some(dir) => files::sha256(&dir.join(format!("{}.json", case.id))).unwrap_or_default(),
        None => String::new(),
    };
    let playbook = playbook(plan, case)?
        .as_ref()
        .map_or_else(String::new, crate::playbook::Bound::sha256);
    Ok(crate::record::key(&[
        digest,
        &truth,
        binary,
        &playbook,
        request.model.as_ref().map_or("", |model| &model.sha256),
        &limits,
        &ablation,
        &foreign,
        if plan.reports.is_some() {
            "reports"
        } else {
            ""
        },
        &(request.seed + u64::from(repeat)).to_string(),
    ]))
}

fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).or_fail(ExitCode::Bug, "failed to write the settings")
}

/// The playbook asked for, else the case's own, else the layout's.
fn playbook(plan: &Plan, case: &Case) -> Result<Option<crate::playbook::Bound>> {
    match (&plan.request.playbook, &case.truth.playbook) {
        (Some(asked), _) => Ok(Some(asked.clone())),
        (None, Some(name)) => Ok(Some(crate::playbook::load(name)?.0)),
        (None, None) => Ok(None),
    }
}

fn result_path(out: &Path, id: &str, repeat: u32) -> PathBuf {
    out.join("cases").join(format!("{id}.{repeat}.json"))
}

/// A result that is whole and was made of the same inputs.
fn kept(out: &Path, id: &str, repeat: u32, key: &str) -> Option<CaseResult> {
    let text = files::read_text(&result_path(out, id, repeat)).ok()?;
    let result: CaseResult = serde_json::from_str(&text).ok()?;
    (result.key == key && result.schema == CASE_SCHEMA).then_some(result)
}

struct Quiet;
impl Watch for Quiet {
    fn progress(&mut self, _: &Progress) {}
    fn provisional(&mut self, _: &Report) {}
}

async fn one(plan: &Plan, case: &Case, repeat: u32, key: String) -> Result<CaseResult> {
    let started = Instant::now();
    let request = Request {
        bundle: case.bundle.clone(),
        seed: plan.request.seed + u64::from(repeat),
        playbook: playbook(plan, case)?,
        ..plan.request.clone()
    };
    let foreign = plan
        .reports
        .as_ref()
        .map(|dir| files::read_text(&dir.join(format!("{}.json", case.id))).unwrap_or_default());
    let trial = Trial {
        truth: Some(case.truth.clone()),
        foreign,
        ablation: plan.ablation.clone(),
    };
    let mut result = CaseResult {
        schema: CASE_SCHEMA.into(),
        key,
        repeat,
        exit: 0,
        failure: None,
        row: Row {
            id: case.id.clone(),
            kind: case.truth.kind,
            source: case.truth.source.clone(),
            profile: case.truth.profile.clone(),
            score: CaseScore {
                faults: case.truth.faults.len() as u64,
                ..CaseScore::default()
            },
        },
        findings: vec![],
        notes: vec![],
        millis: 0,
        timings: vec![],
        tokens: (0, 0),
        report_sha256: None,
    };
    let mut report = None;
    match crate::triage::attempt(&request, &trial, &mut Quiet).await {
        Ok(tried) => {
            if let Some(score) = tried.score {
                result.row.score = score;
            }
            if let Some(run) = tried.run {
                let bytes = crate::record::pretty(&run.report)?;
                result.exit = run.record.exit;
                result.timings = run.record.timings;
                result.findings = judged(&run.report, &run.record.origins, &result.row.score);
                result.notes = run.record.notes;
                result.tokens = run
                    .record
                    .model
                    .as_ref()
                    .map_or((0, 0), |model| (model.prefill_tokens, model.decode_tokens));
                result.report_sha256 = Some(hex::encode(sha2::Sha256::digest(&bytes)));
                report = Some(bytes);
            }
        }
        // A stopped evaluation and a broken seal are nobody's answer; the rest is this case's result.
        Err(error)
            if matches!(
                error.exit,
                ExitCode::Interrupted | ExitCode::Unsealed | ExitCode::Usage
            ) =>
        {
            return Err(error);
        }
        Err(error) => {
            result.exit = error.exit.code();
            result.failure = Some(error.chain());
        }
    }
    result.millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let (Some(bytes), 0) = (&report, repeat) {
        files::write_whole(&plan.out.join(format!("{}.json", case.id)), bytes)?;
    }
    files::write_whole(
        &result_path(&plan.out, &case.id, repeat),
        &crate::record::pretty(&result)?,
    )?;
    Ok(result)
}

/// Each finding beside the candidate it came from.
fn judged(report: &Report, origins: &[Origin], score: &CaseScore) -> Vec<Judged> {
    let after = |origin: &Origin| origin.model.unwrap_or(origin.signals);
    report
        .findings
        .iter()
        .zip(&score.right)
        .filter_map(|(finding, right)| {
            let at = origins.iter().position(|origin| {
                origin.cause == finding.cause && origin.title == finding.title
            })?;
            let others = origins.iter().enumerate().filter(|(other, _)| *other != at);
            let best = others.map(|(_, other)| after(other)).fold(0.0, f64::max);
            Some(Judged {
                cause: finding.cause.clone(),
                detector: origins[at].detector.clone(),
                signals: origins[at].signals,
                strength: after(&origins[at]),
                margin: after(&origins[at]) - best,
                confidence: finding.confidence,
                right: *right,
            })
        })
        .collect()
}

fn sum_up(plan: &Plan, cases: Vec<CaseResult>) -> Evaluation {
    let rows = |repeat: u32| -> Vec<Row> {
        cases
            .iter()
            .filter(|case| case.repeat == repeat)
            .map(|case| case.row.clone())
            .collect()
    };
    let summary = summarise(&rows(0));
    let top1_by_repeat = (0..plan.repeat)
        .filter_map(|repeat| summarise(&rows(repeat)).positives.top1.rate)
        .collect();
    let mut firsts: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    let mut exits = BTreeMap::new();
    for case in &cases {
        *exits.entry(case.exit).or_insert(0) += 1;
        firsts
            .entry(&case.row.id)
            .or_default()
            .insert(case.row.score.first_cause.as_deref());
    }
    let unstable = firsts
        .iter()
        .filter(|(_, causes)| causes.len() > 1)
        .map(|(id, _)| (*id).to_owned())
        .collect();
    let spread = |of: fn(&CaseResult) -> f64| Spread::of(cases.iter().map(of).collect());
    let request = &plan.request;
    let mut settings = BTreeMap::from([
        ("program".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("seed".to_owned(), request.seed.to_string()),
        ("threads".to_owned(), request.threads.to_string()),
        ("context".to_owned(), request.limits.context.to_string()),
    ]);
    let mut set = |name: &str, value: String| drop(settings.insert(name.to_owned(), value));
    match (&plan.reports, &request.model) {
        (Some(_), _) => set("answers", "reports made elsewhere".into()),
        (None, Some(model)) => set("model", model.sha256.clone()),
        (None, None) => set("model", "none: signals only".into()),
    }
    if plan.ablation.model_only {
        set(
            "ranking",
            match plan.ablation.choose {
                None => "the model alone".into(),
                Some(how) => format!("the model alone, choosing: {how:?}").to_lowercase(),
            },
        );
    }
    if !plan.ablation.without.is_empty() {
        set("without", plan.ablation.without.join(", "));
    }
    if let Some(bound) = &request.playbook {
        set("playbook", bound.sha256());
    }
    Evaluation {
        schema: SCHEMA.into(),
        finished: crate::record::now(),
        settings,
        top1_by_repeat,
        unstable,
        seconds: spread(|case| case.millis as f64 / 1000.0),
        tokens_read: spread(|case| case.tokens.0 as f64),
        tokens_written: spread(|case| case.tokens.1 as f64),
        exits,
        summary,
        cases,
    }
}

/// Reads an earlier evaluation.
///
/// # Errors
/// A usage error when it is not there or of another form.
pub fn read(dir: &Path) -> Result<Evaluation> {
    let path = dir.join("eval.json");
    let fail = || format!("failed to read the evaluation {}", files::shown(&path));
    let text = files::read_text(&path).or_fail(ExitCode::Usage, fail())?;
    let evaluation: Evaluation = serde_json::from_str(&text)
        .or_fail(ExitCode::Usage, fail())
        .map_err(|error| error.hint("was it made by another version? run it again"))?;
    if evaluation.schema != SCHEMA {
        return Err(Error::usage(format!(
            "{}: it is not of the form {SCHEMA}",
            fail()
        )));
    }
    Ok(evaluation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_taken_from_the_values_themselves() {
        assert_eq!(Spread::of(vec![]), Spread::default());
        let spread = Spread::of((1..=10).rev().map(f64::from).collect());
        assert_eq!((spread.median, spread.p90, spread.max), (5.0, 9.0, 10.0));
    }

    #[test]
    fn a_threshold_that_nothing_can_measure_is_not_met() {
        let thresholds = Thresholds(vec![("top-1", true, 0.5), ("false alarms", false, 0.1)]);
        assert_eq!(thresholds.unmet(&Summary::default()).len(), 2);
    }
}
