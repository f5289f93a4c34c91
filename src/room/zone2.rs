//! Zone 2: the room. Signals, selection, the model's steps, the report draft.

use super::absence;
use super::again;
use super::boot::{MODEL, Out, open_tree, plan, read_job};
use super::chain::{Candidate, Chain};
use super::protocol::{Boot, FromWorker, ModelUse, RoomJob, RoomSummary, ToWorker, first_token};
use crate::bundle::{Index, Tree};
use crate::error::{Error, Result};
use crate::model::{Model, RunOptions, Runtime, Sampling, Usage, Words};
use crate::playbook::calibration::Calibration;
use crate::playbook::{self, Cause, Playbook, Step};
use crate::report::{
    BundleFacts, Command, CommandClass, Finding, Missing, NotExamined, Outcome, Report, SCHEMA,
    SubjectField,
};
use crate::seal::{self, Zone};
use crate::secrets::{self, Masker};
use crate::signals::{self, Analysis, Role, Signal};
use std::time::Instant;

/// A finding needs at least this confidence for the outcome "findings", if no calibration says another.
const FINDING_FROM: f64 = 0.5;
/// Candidates the model chooses from when it ranks alone.
const ALONE: usize = 12;
/// Weaker candidates are not worth a person's time.
const LISTED_FROM: f64 = 0.2;
/// A ranked top five, not everything.
const MAX_FINDINGS: usize = 5;
/// A symptom alone is never a cause.
const SYMPTOM_CEILING: f64 = 0.4;
/// Longest ticket the model is shown, in characters.
const MAX_TICKET: usize = 1_500;

struct Clock(Vec<(String, u64)>, Instant);

impl Clock {
    fn lap(&mut self, name: &str) {
        self.0.push((
            name.to_owned(),
            u64::try_from(self.1.elapsed().as_millis()).unwrap_or(u64::MAX),
        ));
        self.1 = Instant::now();
    }
}

pub fn run(boot: &Boot, out: &mut Out) -> Result<()> {
    let runtime = match (&boot.library, &boot.model) {
        (Some(library), Some(_)) => Some(Runtime::load(library)?),
        _ => None,
    };
    let entered = seal::enter(&plan(Zone::Room, boot))?;
    let sealed = seal::close(entered)?;
    let proof = sealed.prove();
    out.send(&FromWorker::Sealed(Box::new(proof.clone())))?;
    proof.demand()?;
    let model_dir = sealed.path(MODEL);

    let mut clock = Clock(vec![], Instant::now());
    let (entries, job) = match read_job()? {
        (entries, ToWorker::Room(job)) => (entries, job),
        (_, ToWorker::Prefix(job)) => {
            let (runtime, dir) = (runtime.as_ref(), model_dir.as_deref());
            return super::prefix::run(&job, runtime, dir, &boot.limits, &sealed, out);
        }
        _ => return Err(Error::bug("the room was given another zone's task")),
    };
    let dir = open_tree(&sealed)?;
    let mut tree = Tree::new(
        dir,
        Index {
            entries,
            skipped: vec![],
        },
    );
    #[cfg(feature = "layer-mutation")]
    super::hostile::lies::tell(out, &proof)?;
    out.stage("looking for secrets");
    let names = job.skipped.iter().map(|skipped| skipped.name.as_str());
    let masker = super::boot::learn(&mut tree, names)?;
    let tree = tree;
    clock.lap("secrets");

    out.stage("extracting signals");
    let profile = crate::profile::recognise(&tree);
    let bound = match &job.playbook {
        Some(bound) => bound.clone(),
        None => playbook::shipped(playbook::for_profile(profile.name.as_str()))?,
    };
    let (mut playbook, causes) = bound.parse()?;
    playbook
        .steps
        .retain(|step| !job.ablation.without.iter().any(|kind| kind == step.kind()));
    let playbook = playbook;
    let wanted = job.use_model && playbook.steps.iter().any(Step::uses_model);
    // Read while the signals are sought.
    let words = model_dir
        .as_deref()
        .filter(|_| wanted && runtime.is_some())
        .map(|dir| Words::begin(dir, true));
    let ticket = ticket(&job, &tree);
    let mut analysis = signals::analyse(&tree, &profile, &causes, ticket.as_deref());
    if job.ablation.model_only {
        forget_strength(&mut analysis);
    }
    clock.lap("signals");

    let facts = BundleFacts {
        sha256: job.bundle_sha256.clone(),
        profile: profile.name.as_str().to_owned(),
        files: tree.files().count() as u64,
    };
    let mut summary = RoomSummary {
        profile_why: profile.why.clone(),
        playbook_id: playbook.id.clone(),
        playbook_version: playbook.version.clone(),
        playbook_sha256: bound.sha256(),
        signals: analysis.signals.len() as u64,
        injections: analysis.injections.clone(),
        ..RoomSummary::default()
    };
    #[cfg(feature = "layer-mutation")]
    let hostile = super::hostile::notes();
    let mut candidates = candidates(
        &analysis,
        &playbook,
        &causes,
        masker,
        job.ablation.model_only,
    );
    let missing = absence::explained(&analysis.missing, &tree);
    let mut report = masked(
        assemble(&job, facts, &candidates, &analysis, &missing),
        masker,
    );
    again::plain(&mut report, &tree);
    out.send(&FromWorker::Provisional(Box::new(report.clone())))?;

    if let (Some(runtime), Some(model_dir), Some(words), false) =
        (&runtime, &model_dir, words, candidates.is_empty())
    {
        out.stage("loading the model");
        let options = RunOptions {
            context_tokens: boot.limits.context,
            threads: job.threads,
            seed: job.seed,
            grammars: true,
        };
        let mut model = Model::open_with(runtime, model_dir, &options, words)?;
        let fixed = super::prefix::beginnings(&model, &playbook)?;
        summary.prefixes_missing = model.read_prefixes(model_dir, &fixed) as u64;
        clock.lap("model load");
        // From here on no file is opened any more: what the report is judged by is read now.
        let cited = candidates.iter().flat_map(|one| &one.signal.evidence);
        let held = tree.held(cited.map(|evidence| evidence.path.as_str()));
        out.send(&FromWorker::Narrowed(Box::new(sealed.narrow()?)))?;
        clock.lap("second seal");
        let mut chain = Chain::new(
            model,
            &playbook,
            out,
            masker,
            ticket.as_deref(),
            boot.limits.max_tokens,
            &job,
        );
        chain.run(&mut candidates)?;
        summary.escalation = chain.escalation(confidence(&candidates, 0));
        let (model, notes, steps) = chain.finish();
        clock.lap("model steps");
        summary.model = Some(ModelUse {
            sampling: sampling(&playbook),
            steps,
            ..model_use(&model)
        });
        summary.notes = notes;
        let bundle = report.bundle.clone();
        let settled = report.findings;
        report = masked(
            assemble(&job, bundle.clone(), &candidates, &analysis, &missing),
            masker,
        );
        let mut worded: Vec<bool> = candidates.iter().map(|one| one.wording.is_some()).collect();
        if again::falls(&report, &worded, &held) {
            for candidate in &mut candidates {
                candidate.wording = None;
                candidate.extra.clear();
            }
            worded.clear();
            summary.notes.push("write: the verifier would take the finding out for the model's sentence; the signals' wording stands".into());
            report = masked(
                assemble(&job, bundle, &candidates, &analysis, &missing),
                masker,
            );
        }
        again::plain_again(&mut report, &settled, &worded, &held);
    } else if wanted {
        summary
            .notes
            .push("the model was not asked: there was no candidate to rank or to word".into());
    } else {
        summary
            .notes
            .push("the model was switched off; this is the answer of the signals alone".into());
    }
    #[cfg(feature = "layer-mutation")]
    summary.notes.extend(hostile);
    summary.origins = candidates.iter().map(Candidate::origin).collect();
    summary.skipped.clone_from(&job.skipped);
    summary.mask(|text| masker.mask(text));
    summary.secrets = masker
        .counts()
        .iter()
        .map(|(kind, count)| ((*kind).to_owned(), *count as u64))
        .collect();
    summary.timings = clock.0;
    #[cfg(feature = "layer-mutation")]
    {
        let secret = tree.get("b/secret.txt");
        let secret = secret.and_then(|entry| tree.text(entry).ok().flatten());
        let secret = secret.map_or_else(String::new, |text| text.as_str().trim().to_owned());
        super::hostile::lies::twist(out, &mut report, &mut summary, &secret);
    }
    out.send(&FromWorker::Draft(Box::new((report, summary))))
}

/// The customer's words: from the command line and from a `ticket.txt` at the top of the bundle.
fn ticket(job: &RoomJob, tree: &Tree) -> Option<String> {
    let inside = tree
        .get("ticket.txt")
        .and_then(|entry| tree.text(entry).ok().flatten())
        .map(|text| text.as_str().to_owned());
    let words: Vec<String> = job
        .ticket
        .iter()
        .cloned()
        .chain(inside)
        .map(|text| text.trim().chars().take(MAX_TICKET).collect::<String>())
        .filter(|text| !text.is_empty())
        .collect();
    (!words.is_empty()).then(|| words.join("\n"))
}

/// The playbook's selection: strongest first, evidence cut to what the step allows, masked.
fn candidates(
    analysis: &Analysis,
    playbook: &Playbook,
    causes: &[Cause],
    masker: &Masker,
    alone: bool,
) -> Vec<Candidate> {
    let (most, lines) = playbook
        .steps
        .iter()
        .find_map(|step| match step {
            Step::Select {
                max_candidates,
                max_lines,
                ..
            } => Some((*max_candidates, *max_lines)),
            _ => None,
        })
        .unwrap_or((6, 3));
    let most = if alone { ALONE } else { most };
    let allowed = super::chain::InputFilter::new(&playbook.inputs);
    let mut chosen = Vec::new();
    let mut told: Vec<(again::Lines, f64)> = Vec::new();
    for signal in &analysis.signals {
        if chosen.len() == most {
            break;
        }
        let strength = if signal.role == Role::Symptom && !alone {
            signal.strength.min(SYMPTOM_CEILING)
        } else {
            signal.strength
        };
        if strength < LISTED_FROM {
            continue;
        }
        let cited = again::lines(&signal.evidence);
        let again = |(lines, as_strong): &(again::Lines, f64)| {
            cited.is_subset(lines) && strength <= *as_strong
        };
        if !alone && !cited.is_empty() && told.iter().any(again) {
            continue;
        }
        told.push((cited, strength));
        let mut signal = Signal {
            strength,
            ..signal.clone()
        };
        signal.title = masker.mask(&signal.title);
        signal.statement = masker.mask(&signal.statement);
        let shown: Vec<_> = signal
            .evidence
            .iter()
            .filter(|evidence| allowed.admits(&evidence.path))
            .take(lines)
            .cloned()
            .map(|mut evidence| {
                evidence.quote = unmasked(&masker.mask(&evidence.quote));
                evidence
            })
            .collect();
        let commands = causes
            .iter()
            .find(|cause| cause.slug == signal.cause)
            .map(|cause| commands(cause, &signal))
            .unwrap_or_default();
        chosen.push(Candidate {
            before: strength,
            ranked: false,
            signal,
            shown,
            commands,
            wording: None,
            extra: vec![],
        });
    }
    chosen.sort_by(|a, b| b.signal.strength.total_cmp(&a.signal.strength));
    chosen
}

/// For the model alone: nothing of the detectors' judgement is left, only what they found and where.
fn forget_strength(analysis: &mut Analysis) {
    for signal in &mut analysis.signals {
        signal.strength = 0.5;
    }
    analysis.signals.sort_by(|a, b| {
        let place = |signal: &Signal| {
            signal
                .evidence
                .first()
                .map(|e| (e.path.clone(), e.line_start))
        };
        place(a).cmp(&place(b)).then_with(|| a.cause.cmp(&b.cause))
    });
}

/// Calibrated probability that a candidate is the cause.
fn confidence(candidates: &[Candidate], at: usize) -> f64 {
    let Some(own) = candidates.get(at) else {
        return 0.0;
    };
    let best = candidates
        .iter()
        .enumerate()
        .filter(|(other, _)| *other != at)
        .map(|(_, other)| other.signal.strength)
        .fold(0.0, f64::max);
    let strength = own.signal.strength;
    let Some(map) = Calibration::shipped() else {
        return strength;
    };
    let p = map.confidence(strength, strength - best);
    // A symptom stays below what counts as an answer, whatever the map says.
    if own.signal.role == Role::Symptom {
        p.min(map.threshold - 0.01)
    } else {
        p
    }
}

/// The report as it may leave the room.
fn masked(mut report: Report, masker: &Masker) -> Report {
    masker.mask_report(&mut report);
    for evidence in report
        .findings
        .iter_mut()
        .flat_map(|finding| &mut finding.evidence)
    {
        evidence.quote = unmasked(&evidence.quote);
    }
    report
}

/// A quote without its masked parts, so that it stays verbatim: the longest stretch between masks, if
/// that is long enough to mean something, else the quote with its masks.
fn unmasked(quote: &str) -> String {
    const ENOUGH: usize = 24;
    let mut stretches = Vec::new();
    let mut rest = quote;
    while let Some(mark) = secrets::find_mark(rest) {
        stretches.push(&rest[..mark.start]);
        rest = &rest[mark.end..];
    }
    stretches.push(rest);
    let longest = stretches
        .iter()
        .map(|part| part.trim())
        .max_by_key(|part| part.chars().count())
        .unwrap_or(quote);
    if longest.chars().count() >= ENOUGH {
        longest.to_owned()
    } else {
        quote.to_owned()
    }
}

fn commands(cause: &Cause, signal: &Signal) -> Vec<Command> {
    cause
        .commands
        .iter()
        .filter_map(|template| {
            let command = playbook::fill(&template.command, &signal.entities)?;
            Some(Command {
                command,
                why: template.why.clone(),
                class: Some(CommandClass::ReadOnly),
            })
        })
        .take(5)
        .collect()
}

fn assemble(
    job: &RoomJob,
    bundle: BundleFacts,
    candidates: &[Candidate],
    analysis: &Analysis,
    missing: &[Missing],
) -> Report {
    let mut findings: Vec<Finding> = candidates
        .iter()
        .enumerate()
        .map(|(at, candidate)| {
            let signal = &candidate.signal;
            let mut evidence = signal.evidence.clone();
            for extra in &candidate.extra {
                if !evidence
                    .iter()
                    .any(|known| known.path == extra.path && known.line_start == extra.line_start)
                {
                    evidence.push(extra.clone());
                }
            }
            Finding {
                rank: 0,
                cause: signal.cause.clone(),
                title: signal.title.clone(),
                root_cause: candidate
                    .wording
                    .clone()
                    .unwrap_or_else(|| signal.statement.clone()),
                subject: Some(SubjectField::Subject(signal.subject.clone())),
                confidence: (confidence(candidates, at) * 100.0).round() / 100.0,
                evidence,
                commands: candidate.commands.clone(),
            }
        })
        .take(MAX_FINDINGS)
        .collect();
    for (at, finding) in findings.iter_mut().enumerate() {
        // What to run next belongs to the likely cause; the others keep the one command that tells most.
        finding.commands.truncate(if at == 0 { 4 } else { 1 });
        finding.rank = u32::try_from(at + 1).unwrap_or(u32::MAX);
    }
    let symptom = analysis
        .signals
        .iter()
        .any(|signal| signal.role == Role::Symptom && signal.strength >= LISTED_FROM);
    let threshold = Calibration::shipped().map_or(FINDING_FROM, |map| map.threshold);
    let outcome = if findings
        .iter()
        .any(|finding| finding.confidence >= threshold)
    {
        Outcome::Findings
    } else if symptom || !analysis.missing.is_empty() {
        Outcome::InsufficientEvidence
    } else {
        Outcome::Healthy
    };
    let mut not_examined = analysis.not_examined.clone();
    if !job.skipped.is_empty() {
        not_examined.push(NotExamined {
            what: format!("{} archive entries", job.skipped.len()),
            why: "the unpacker left them out; the record lists each with its reason".into(),
        });
    }
    Report {
        schema: SCHEMA.into(),
        run: job.key.clone(),
        outcome,
        bundle,
        findings,
        missing: missing.to_vec(),
        not_examined,
    }
}

/// What the model was and how it ran.
pub fn model_use(model: &Model) -> ModelUse {
    let (facts, stats) = (model.facts(), model.stats());
    ModelUse {
        name: facts.name.clone(),
        architecture: facts.architecture.clone(),
        sha256: facts.gguf_sha256.clone(),
        quantisation: facts.file_quantisation.clone(),
        run_quantisation: facts.run_quantisation.clone(),
        context_requested: facts.requested_context,
        context_effective: facts.effective_context,
        context_trained: facts.trained_context,
        context_used: u32::try_from(stats.peak_context).unwrap_or(u32::MAX),
        sampling: Sampling::default().words(),
        threads: facts.threads,
        load_seconds: facts.load_seconds,
        prefill_tokens: stats.prefill_tokens,
        prefill_rate: rate(stats.prefill_tokens, stats.prefill_seconds),
        cached_tokens: stats.reused_tokens,
        decode_tokens: stats.decode_tokens,
        decode_rate: rate(stats.decode_tokens, stats.decode_seconds),
        forced_tokens: stats.forced_tokens,
        guessed_tokens: stats.guessed_tokens,
        first_token_seconds: first_token(&stats),
        scored: stats.scored,
        prepared: facts.prepared,
        cache_bytes: facts.cache_bytes,
        // The coordinator sees that from outside; the room sees no /proc.
        memory: Usage::default(),
        steps: vec![],
    }
}

/// How the steps that write choose their tokens, in words.
fn sampling(playbook: &Playbook) -> String {
    let mut words: Vec<(&str, String)> = Vec::new();
    for step in &playbook.steps {
        if let Some(sampling) = step.sampling() {
            words.push((step.id(), sampling.words()));
        }
    }
    let same = words.windows(2).all(|pair| pair[0].1 == pair[1].1);
    match words.first() {
        None => Sampling::default().words(),
        Some((_, all)) if same => all.clone(),
        Some(_) => words
            .iter()
            .map(|(step, words)| format!("{step}: {words}"))
            .collect::<Vec<_>>()
            .join("; "),
    }
}

fn rate(tokens: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        (tokens as f64 / seconds * 10.0).round() / 10.0
    } else {
        0.0
    }
}
