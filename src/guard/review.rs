//! The model's review of a masked change, and what the verifier leaves of it.
//!
//! Zone 2 ([`room_main`]): broad rules choose lines ([`super::suspect`]); the model says of each
//! whether it is what the rule suspects, by the likelihood of "yes" over "no" with the same question
//! about no line at all divided out; for what is left it writes one sentence. The result is a report
//! like any other, and zone 3 judges it like any other: path, line, quote, names, words. Zone 0
//! ([`run`]) starts both and carries the frames. The text in the room is masked before it is written.

use super::model::{GuardReport, Remark, RemarkBy, ReviewState};
use super::remarks;
use super::run::Request;
use super::suspect::{Suspect, suspects};
use crate::bundle::{Entry, Index, Tree};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::Scratch;
use crate::model::{GenerateRequest, Model, RunOptions, Runtime};
use crate::playbook::{self, Cause, Playbook, Step};
use crate::record;
use crate::report::{BundleFacts, Evidence, Finding, Outcome, Report, SCHEMA};
use crate::room::protocol::{Boot, FromWorker, ModelUse, RoomJob, ToWorker};
use crate::room::{self, InputFilter, Out};
use crate::seal::{self, Zone};
use crate::triage::{self, ModelChoice, Session, Watch};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The shipped playbook of the review.
pub const PLAYBOOK: &str = "diff-review";
/// Longest line shown to the model, in characters.
const MAX_LINE: usize = 240;
/// Longest quote in a report, in characters.
const MAX_QUOTE: usize = 200;
/// What stands in the place of the line when the prior is asked for.
const NO_LINE: &str = "(no line)";

/// How the review went.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReviewSummary {
    /// The model.
    pub model: Option<ModelUse>,
    /// Lines it judged.
    pub judged: u64,
    /// Sentences.
    pub notes: Vec<String>,
}

/// The directory of one review: the masked change, gone when this is dropped.
pub struct Scratched {
    scratch: Scratch,
    request: triage::Request,
}

impl Scratched {
    /// Makes it in the runs directory.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn new(request: &Request, model: &ModelChoice) -> Result<Self> {
        let request = triage::Request {
            model: Some(model.clone()),
            runs: request.runs.clone(),
            threads: request.threads,
            limits: request.limits.clone(),
            allow_weaker: request.allow_weaker.clone(),
            ..triage::Request::default()
        };
        let scratch = Scratch::create(&request.runs, &record::new_id())?;
        Session::new(&request, &scratch)?;
        Ok(Self { scratch, request })
    }
    /// Where the masked change lies.
    pub fn tree(&self) -> PathBuf {
        self.scratch.path().join("tree")
    }
}

/// Has the model review what the scan wrote, and the verifier check what it says.
///
/// # Errors
/// Any expected failure of the room or the verifier.
pub async fn run(
    request: &Request,
    model: &ModelChoice,
    scratched: Scratched,
    entries: Vec<Entry>,
    report: &mut GuardReport,
    watch: &mut dyn Watch,
) -> Result<()> {
    if entries.is_empty() {
        report.review.state = ReviewState::NothingToReview;
        report.review.note = "nothing was added that the model could review".into();
        return Ok(());
    }
    let mut session = Session::new(&scratched.request, &scratched.scratch)?;
    let mut worker = session.guard_room(watch).await?;
    triage::send_entries(&mut worker, &entries).await?;
    let bound = match &request.playbook {
        Some(bound) => bound.clone(),
        None => playbook::shipped(PLAYBOOK)?,
    };
    let job = RoomJob {
        key: record::key(&[&bound.sha256(), &model.sha256]),
        bundle_sha256: String::new(),
        skipped: vec![],
        playbook: Some(bound),
        ticket: None,
        use_model: true,
        threads: scratched.request.threads,
        seed: 0,
        ablation: Default::default(),
    };
    worker.send(&ToWorker::Room(Box::new(job))).await?;
    worker.finish_input();
    let mut reviewed = None;
    let mut memory = crate::model::Usage::default();
    while let Some(frame) = worker.next().await? {
        if let Some(pid) = worker.id() {
            memory = memory.most(room::running::memory(pid));
        }
        match session.common(Zone::Room, frame, watch)? {
            None => {}
            Some(FromWorker::Reviewed(made)) => reviewed = Some(*made),
            Some(_) => return Err(Error::bug("the review sent a frame out of turn")),
        }
    }
    worker.end().await?;
    let (draft, summary) =
        reviewed.ok_or_else(|| Error::bug("the review ended without a report"))?;
    let claimed = draft.findings.len() as u64;
    let mut passed = Vec::new();
    if claimed > 0 {
        let text =
            serde_json::to_string(&draft).or_fail(ExitCode::Bug, "failed to write the review")?;
        let index = Index {
            entries,
            skipped: vec![],
        };
        let (_, judged, _) = session
            .judge(
                &index,
                triage::Unverified {
                    text,
                    is_prose: false,
                },
                false,
                Some(draft.bundle.clone()),
                watch,
            )
            .await?;
        passed = judged.findings;
    }
    report.review.state = ReviewState::Done;
    report.review.judged = summary.judged;
    report.review.refused = claimed.saturating_sub(passed.len() as u64);
    report.review.note = words(&summary, passed.len(), report.review.refused);
    report.notes.extend(summary.notes);
    report.review.model = summary.model.map(|model| ModelUse { memory, ..model });
    // What a rule has said of the line already is not said again.
    let said = |one: &Remark| {
        let here = |other: &Remark| (&other.path, other.line) == (&one.path, one.line);
        report.remarks.iter().any(here)
    };
    let more: Vec<Remark> = passed
        .iter()
        .filter_map(remark)
        .filter(|one| !said(one))
        .collect();
    report.remarks.extend(more);
    Ok(())
}

fn words(summary: &ReviewSummary, remarks: usize, refused: u64) -> String {
    let name = summary
        .model
        .as_ref()
        .map_or("the model", |model| model.name.as_str());
    let refused = match refused {
        0 => String::new(),
        n => format!(", the verifier refused {n}"),
    };
    format!(
        "reviewed by {name} in the sealed room: {} lines judged, {remarks} remarks{refused}; a remark does not block (--strict makes it)",
        summary.judged
    )
}

fn remark(finding: &Finding) -> Option<Remark> {
    let evidence = finding.evidence.first()?;
    Some(Remark {
        path: evidence.path.clone(),
        line: evidence.line_start,
        rule: finding.cause.clone(),
        message: remarks::shown(&finding.cause, &finding.root_cause),
        quote: remarks::shown(&finding.cause, &evidence.quote),
        by: RemarkBy::Model,
        commit: None,
    })
}

/// The room's part.
pub(crate) fn room_main(boot: &Boot, out: &mut Out) -> Result<()> {
    let (Some(library), Some(_)) = (&boot.library, &boot.model) else {
        return Err(Error::bug("the review has no model"));
    };
    let runtime = Runtime::load(library)?;
    let entered = seal::enter(&room::plan(Zone::Room, boot))?;
    let sealed = seal::close(entered)?;
    let proof = sealed.prove();
    out.send(&FromWorker::Sealed(Box::new(proof.clone())))?;
    proof.demand()?;
    let dir = room::open_tree(&sealed)?;
    let model_dir = sealed
        .path(room::MODEL)
        .ok_or_else(|| Error::bug("the model was not granted"))?;
    let (entries, ToWorker::Room(job)) = room::read_job()? else {
        return Err(Error::bug("the review was given another task"));
    };
    let files = entries.len() as u64;
    let tree = Tree::new(
        dir,
        Index {
            entries,
            skipped: vec![],
        },
    );
    let bound = job
        .playbook
        .as_ref()
        .ok_or_else(|| Error::bug("the review has no playbook"))?;
    let (playbook, causes) = bound.parse()?;
    let filter = InputFilter::new(&playbook.inputs);
    let most = playbook.steps.iter().find_map(|step| match step {
        Step::Select { max_candidates, .. } => Some(*max_candidates),
        _ => None,
    });
    let chosen = suspects(&tree, &|path| filter.admits(path), most.unwrap_or(20))
        .or_fail(ExitCode::Bug, "failed to read the masked change")?;
    let mut summary = ReviewSummary::default();
    let mut findings = Vec::new();
    if !chosen.is_empty() {
        out.stage("loading the model");
        let options = RunOptions {
            context_tokens: boot.limits.context,
            threads: job.threads,
            seed: job.seed,
            grammars: true,
        };
        let model = Model::open(&runtime, &model_dir, &options)?;
        out.send(&FromWorker::Narrowed(Box::new(sealed.narrow()?)))?;
        let mut reviewer = Reviewer {
            model,
            playbook: &playbook,
            causes: &causes,
            priors: HashMap::new(),
            tokens_left: boot.limits.max_tokens,
        };
        out.stage("model: judging lines");
        findings = reviewer.findings(&chosen, &mut summary)?;
        summary.model = Some(room::model_use(&reviewer.model));
    }
    let report = Report {
        schema: SCHEMA.into(),
        run: job.key.clone(),
        outcome: if findings.is_empty() {
            Outcome::Healthy
        } else {
            Outcome::Findings
        },
        bundle: BundleFacts {
            sha256: job.bundle_sha256.clone(),
            profile: "diff".into(),
            files,
        },
        findings,
        missing: vec![],
        not_examined: vec![],
    };
    out.send(&FromWorker::Reviewed(Box::new((report, summary))))
}

/// Asks the model about one line after the other.
struct Reviewer<'a> {
    model: Model,
    playbook: &'a Playbook,
    causes: &'a [Cause],
    /// For each cause, the margin of "yes" over "no" when there is no line.
    priors: HashMap<String, f64>,
    tokens_left: u64,
}

impl Reviewer<'_> {
    fn findings(
        &mut self,
        chosen: &[Suspect],
        summary: &mut ReviewSummary,
    ) -> Result<Vec<Finding>> {
        let judge = self.playbook.steps.iter().find_map(|step| match step {
            Step::Judge {
                threshold,
                max_findings,
                max_seconds,
                ..
            } => Some((*threshold, *max_findings, *max_seconds)),
            _ => None,
        });
        let (threshold, max_findings, max_seconds) =
            judge.ok_or_else(|| Error::usage("the playbook has no judge step"))?;
        let deadline = Instant::now() + Duration::from_secs(max_seconds);
        let mut judged: Vec<(f64, &Suspect, &Cause)> = Vec::new();
        for (at, suspect) in chosen.iter().enumerate() {
            let Some(cause) = self.causes.iter().find(|cause| {
                cause
                    .signals_for
                    .iter()
                    .any(|signal| signal == suspect.signal)
            }) else {
                continue;
            };
            if Instant::now() > deadline {
                summary.notes.push(format!(
                    "the model judged {at} of {} lines before its time was up",
                    chosen.len()
                ));
                break;
            }
            let margin = self.margin(cause, Some(suspect))? - self.prior(cause)?;
            summary.judged += 1;
            if margin >= threshold {
                judged.push((margin, suspect, cause));
            }
        }
        judged.sort_by(|a, b| b.0.total_cmp(&a.0));
        judged.truncate(max_findings);
        let mut findings = Vec::new();
        for (at, (margin, suspect, cause)) in judged.into_iter().enumerate() {
            let title = cause.about.trim_end_matches('.').to_owned();
            let evidence = Evidence {
                path: suspect.path.clone(),
                line_start: suspect.line,
                line_end: suspect.line,
                quote: quote(&suspect.text),
            };
            let sentence = if Instant::now() < deadline {
                self.sentence(suspect, cause, &evidence)?
            } else {
                None
            };
            findings.push(Finding {
                rank: u32::try_from(at + 1).unwrap_or(u32::MAX),
                cause: cause.slug.clone(),
                root_cause: sentence.unwrap_or_else(|| format!("{title}.")),
                title,
                subject: None,
                confidence: (100.0 / (1.0 + (-margin).exp())).round() / 100.0,
                evidence: vec![evidence],
                commands: vec![],
            });
        }
        Ok(findings)
    }

    fn prior(&mut self, cause: &Cause) -> Result<f64> {
        if let Some(prior) = self.priors.get(&cause.slug) {
            return Ok(*prior);
        }
        let prior = self.margin(cause, None)?;
        self.priors.insert(cause.slug.clone(), prior);
        Ok(prior)
    }

    /// Log-likelihood of "yes" less that of "no".
    fn margin(&mut self, cause: &Cause, suspect: Option<&Suspect>) -> Result<f64> {
        let Some(Step::Judge {
            system,
            prompt,
            yes,
            no,
            ..
        }) = self
            .playbook
            .steps
            .iter()
            .find(|step| matches!(step, Step::Judge { .. }))
        else {
            return Ok(0.0);
        };
        let (path, lines, line) = match suspect {
            Some(suspect) => (suspect.path.clone(), listing(suspect), cut(&suspect.text)),
            None => (
                "(no file)".to_owned(),
                NO_LINE.to_owned(),
                NO_LINE.to_owned(),
            ),
        };
        let values = [
            ("about", cause.about.as_str()),
            ("path", &path),
            ("lines", &lines),
            ("line", &line),
        ];
        let (tokens, _) = room::fill_prompt(&self.model, system, prompt, &values, "")?;
        let answers = [self.model.tokens(yes), self.model.tokens(no)];
        self.spend(tokens.len())?;
        let scored = self.model.score(&tokens, &answers)?;
        match scored.as_slice() {
            [yes, no] => {
                Ok(yes.log_prob / yes.tokens.max(1) as f64 - no.log_prob / no.tokens.max(1) as f64)
            }
            _ => Err(Error::bug("the model scored something else")),
        }
    }

    /// One sentence on why the line should not be published, if it passes the verifier's own rules.
    fn sentence(
        &mut self,
        suspect: &Suspect,
        cause: &Cause,
        evidence: &Evidence,
    ) -> Result<Option<String>> {
        let Some(Step::Write {
            system,
            prompt,
            max_chars,
            max_tokens,
            max_seconds,
            ..
        }) = self
            .playbook
            .steps
            .iter()
            .find(|step| matches!(step, Step::Write { .. }))
        else {
            return Ok(None);
        };
        let lines = listing(suspect);
        let values = [
            ("fault", cause.about.as_str()),
            ("lines", lines.as_str()),
            ("draft", ""),
            ("ticket", ""),
        ];
        let (tokens, _) = room::fill_prompt(&self.model, system, prompt, &values, "")?;
        self.spend(tokens.len())?;
        let request = GenerateRequest {
            prompt: &tokens,
            max_tokens: *max_tokens as usize,
            deadline: Some(Instant::now() + Duration::from_secs(*max_seconds)),
            stop: &["\n"],
            ..GenerateRequest::default()
        };
        let made = self
            .model
            .generate(&request, &mut |_| ControlFlow::Continue(()))?;
        self.spend(made.tokens.len())?;
        let text = made.text.trim();
        let fits =
            text.chars().count() <= *max_chars && text.ends_with('.') && !text.contains('\n');
        let holds = fits
            && crate::verify::check_wording(
                text,
                &suspect.text,
                &cause.about,
                std::slice::from_ref(evidence),
            )
            .is_ok();
        Ok(holds.then(|| text.to_owned()))
    }

    fn spend(&mut self, tokens: usize) -> Result<()> {
        self.tokens_left = self.tokens_left.checked_sub(tokens as u64).ok_or_else(|| {
            Error::limit("the model's token budget is used up")
                .hint("raise --max-tokens, or use --no-model")
        })?;
        Ok(())
    }
}

fn cut(line: &str) -> String {
    line.trim().chars().take(MAX_LINE).collect()
}

fn listing(suspect: &Suspect) -> String {
    suspect
        .around
        .iter()
        .map(|(_, text)| format!("+ {}", cut(text)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The part of a line that is quoted: its longest stretch without a mark, so that it stays verbatim.
fn quote(line: &str) -> String {
    line.trim().chars().take(MAX_QUOTE).collect()
}
