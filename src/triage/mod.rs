//! One run from bundle to record: starts a sealed worker for each zone, one after the other, and
//! carries typed values between them.
//!
//! Owns: the order of the zones, time limit, interruption, the run directory. Touches: processes,
//! the runs directory. Zone: 0. It never parses a byte of the bundle.

mod input;
mod prefix;
mod said;
mod session;
mod view;

pub use view::{grouped, review_view, tick, view};

/// Whether there is a bundle at `path` that can be opened; reads nothing of it.
///
/// # Errors
/// Refused input.
pub fn check_bundle(path: &Path) -> Result<()> {
    input::Input::check(path)
}

use self::session::Unpacked;
pub(crate) use self::session::{Session, send_entries, unproved};
use crate::audit::Pending;
use crate::bundle::{Entry, FileKind, Index};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, Scratch};
use crate::keys::Key;
use crate::limits::Limits;
use crate::model::Usage;
use crate::playbook::Bound;
use crate::record::{self, BundleRecord, Record, Run, Settings, WorkerRecord};
use crate::report::{BundleFacts, Report};
use crate::room::protocol::{
    Ablation, Beside, Boot, EvidenceLines, Exchange, FromWorker, Progress, RoomJob, RoomSummary,
    ScoreJob, ToWorker, VerifyJob,
};
use crate::room::{Worker, running};
use crate::seal::{Layer, SealProof, Zone};
use crate::tenant::Tenant;
use crate::verify::Verdict;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to run on what.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The archive.
    pub bundle: PathBuf,
    /// Playbook and catalogues; `None`: chosen by the recognised layout.
    pub playbook: Option<Bound>,
    /// Name or absolute path by which the playbook was asked for.
    pub playbook_given: Option<String>,
    /// The model's directory, its hash, and the library; `None`: signals only.
    pub model: Option<ModelChoice>,
    /// The customer's words.
    pub ticket: Option<String>,
    /// Where runs are kept.
    pub runs: PathBuf,
    /// Whose bundle it is; its runs are kept apart.
    pub tenant: Option<Tenant>,
    /// The key that signs the log and the attestation; `None`: the program's own.
    pub key: Option<PathBuf>,
    /// Seed of everything random.
    pub seed: u64,
    /// Threads of the model.
    pub threads: u32,
    /// Limits.
    pub limits: Limits,
    /// Layers the user allows to be missing.
    pub allow_weaker: Vec<Layer>,
    /// An organisation's own command policy beside the shipped one.
    pub policy: Option<String>,
}

/// What is to be verified, unread.
#[derive(Debug, Clone)]
pub struct Unverified {
    /// A report, an answer, or prose.
    pub text: String,
    /// Whether it is prose, to be judged as it stands.
    pub is_prose: bool,
}

/// An imported model and the library that runs it.
#[derive(Debug, Clone)]
pub struct ModelChoice {
    /// Its directory in the store.
    pub dir: PathBuf,
    /// SHA-256 of the weights it was imported from.
    pub sha256: String,
    /// The inference library.
    pub library: PathBuf,
}

impl ModelChoice {
    /// An imported model of the user's store, by name or the beginning of its SHA-256.
    ///
    /// # Errors
    /// A usage error when it or the library is not there.
    pub fn named(name: &str) -> Result<Self> {
        let store = crate::model::Store::of_user()?;
        let id = store.resolve(name)?;
        Ok(Self {
            dir: store.model_dir(&id),
            sha256: id.as_str().to_owned(),
            library: store.library()?,
        })
    }
}

/// What the person sees while it works.
pub trait Watch {
    /// Something moved on.
    fn progress(&mut self, progress: &Progress);
    /// Whether somebody looks: only then is the signals' answer verified for itself.
    fn looks(&self) -> bool {
        false
    }
    /// The signals' answer as the verifier let it through, before the model.
    fn provisional(&mut self, report: &Report);
}

/// A finished run.
pub struct Finished {
    /// Where it is kept.
    pub dir: PathBuf,
    /// What it holds.
    pub run: Run,
    /// What its renderers show.
    pub view: crate::report::view::View,
    /// The playbook whose fixed words the model had to read, for want of a file of them.
    unprepared: Option<Bound>,
}

impl Request {
    /// Where this run is kept: the runs directory, or its tenant's part of it.
    pub fn home(&self) -> PathBuf {
        Tenant::home(self.tenant.as_ref(), &self.runs)
    }
}

/// Runs a triage under its time limit; ends early and leaves nothing behind on a signal. Whatever
/// way it ends, it is in the audit log: from here if it can be, else by the next run.
///
/// # Errors
/// Any expected failure; nothing but its entry in the log is left then.
pub async fn run(request: &Request, watch: &mut dyn Watch) -> Result<Finished> {
    run_as(request, &Foretold::default(), watch).await
}

/// What is settled about a run before it starts; for callers that must find it again.
#[derive(Debug, Clone, Default)]
pub struct Foretold {
    /// The run's id; `None`: a new one.
    pub id: Option<String>,
    /// SHA-256 that the bundle must have, lower-case hex; `None`: any.
    pub bundle_sha256: Option<String>,
}

/// As [`run`], with an id and a bundle that were fixed before.
///
/// # Errors
/// As [`run`]; input refused when the bundle has another hash, before the room sees any of it.
pub async fn run_as(
    request: &Request,
    foretold: &Foretold,
    watch: &mut dyn Watch,
) -> Result<Finished> {
    // What is no bundle at all never becomes a run.
    input::Input::check(&request.bundle)?;
    let key = match &request.key {
        Some(path) => Key::load(path)?,
        None => Key::load_or_create(None)?,
    };
    let id = foretold.id.clone().unwrap_or_else(record::new_id);
    let binary = own_hash()?;
    let mut pending = Pending::begin(&request.runs, key, &id, request.tenant.clone(), &binary)?;
    let wanted = foretold.bundle_sha256.clone();
    let work = triage(request, id, binary, wanted, &mut pending, watch);
    match bounded(request.limits.max_seconds, work).await {
        Ok(mut finished) => {
            // The run is whole. This is for the next one, and whatever keeps it from being done costs time only.
            if let Some(playbook) = finished.unprepared.take() {
                let kept = prefix::keep(request, playbook, watch);
                let _ = bounded(prefix::MAX_SECONDS, kept).await;
            }
            Ok(finished)
        }
        Err(mut error) => {
            if let Err(unlogged) = pending.failed(&error) {
                error.message = format!(
                    "{}; and the audit log could not be written ({}), the next run does that",
                    error.message,
                    unlogged.chain()
                );
            }
            Err(error)
        }
    }
}

/// What an evaluation asks beside the run itself.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    /// The answer sheet of the case.
    pub truth: Option<crate::eval::Truth>,
    /// A report made elsewhere, scored instead of running the room.
    pub foreign: Option<String>,
    /// What is left out.
    pub ablation: Ablation,
}

/// How a trial ended.
pub struct Tried {
    /// The run, which is not kept; none when a foreign report was scored.
    pub run: Option<Box<Run>>,
    /// Its score, if there was a truth.
    pub score: Option<crate::eval::CaseScore>,
}

/// A run that is scored and not kept.
///
/// # Errors
/// As [`run`].
pub async fn attempt(request: &Request, trial: &Trial, watch: &mut dyn Watch) -> Result<Tried> {
    bounded(request.limits.max_seconds, async {
        let id = record::new_id();
        let scratch = Scratch::create(&request.runs, &id)?;
        let mut session = Session::new(request, &scratch)?;
        session.ablation = trial.ablation.clone();
        if let Some(report) = &trial.foreign {
            let unpacked = session.unpack(watch).await?;
            let score = session
                .score(&unpacked.index, Some(report.clone()), trial, watch)
                .await?;
            return Ok(Tried { run: None, score });
        }
        let started = record::now();
        let (mut session, run, index) = work(session, id, started, own_hash()?, watch).await?;
        let report = serde_json::to_string(&run.report)
            .or_fail(ExitCode::Bug, "failed to write the report")?;
        let score = session.score(&index, Some(report), trial, watch).await?;
        Ok(Tried {
            run: Some(Box::new(run)),
            score,
        })
    })
    .await
}

/// The verifier alone over a report of anybody's.
///
/// # Errors
/// As [`run`].
pub async fn verify(
    document: Unverified,
    request: &Request,
    watch: &mut dyn Watch,
) -> Result<(Verdict, Report)> {
    bounded(request.limits.max_seconds, async {
        let scratch = Scratch::create(&request.runs, &record::new_id())?;
        let mut session = Session::new(request, &scratch)?;
        let unpacked = session.unpack(watch).await?;
        let facts = BundleFacts {
            sha256: unpacked.sha256.clone(),
            profile: String::new(),
            files: unpacked.index.entries.len() as u64,
        };
        let (verdict, passed, _) = session
            .judge(&unpacked.index, document, true, Some(facts), watch)
            .await?;
        Ok((verdict, passed))
    })
    .await
}

/// What the unpacker alone made of a bundle.
pub struct Extracted {
    /// Files, and what was refused or left out.
    pub index: Index,
    /// SHA-256 of the bundle.
    pub sha256: String,
    /// Size of the bundle in bytes.
    pub bytes: u64,
    /// The seal under which it was done.
    pub seals: Vec<SealProof>,
}

/// The sealed unpacker alone: unpacks the bundle into `out`, which is new or empty. Nothing is left
/// there when the bundle is refused.
///
/// # Errors
/// As [`run`]; [`ExitCode::Usage`] when something is in `out`.
pub async fn unpack(request: &Request, out: &Path, watch: &mut dyn Watch) -> Result<Extracted> {
    if !files::is_free(out) {
        return Err(Error::usage(format!(
            "failed to unpack into {}: something is there",
            files::shown(out)
        ))
        .hint("name a directory that does not exist or is empty"));
    }
    bounded(request.limits.max_seconds, async {
        // Beside its place, so that it gets there in one step.
        let parent = out.parent().unwrap_or(Path::new("/"));
        let scratch = Scratch::create(parent, &record::new_id())?;
        let mut session = Session::new(request, &scratch)?;
        session.open_streams = true;
        let unpacked = session.unpack(watch).await?;
        files::adopt(&session.tree)?;
        files::place(&session.tree, out)?;
        Ok(Extracted {
            index: unpacked.index,
            sha256: unpacked.sha256,
            bytes: unpacked.bytes,
            seals: session.seals,
        })
    })
    .await
}

pub(crate) async fn bounded<T>(
    max_seconds: u64,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    use tokio::signal::unix::{SignalKind, signal};
    let fail = "failed to watch for signals";
    let mut interrupt = signal(SignalKind::interrupt()).or_fail(ExitCode::Bug, fail)?;
    let mut terminate = signal(SignalKind::terminate()).or_fail(ExitCode::Bug, fail)?;
    let mut hangup = signal(SignalKind::hangup()).or_fail(ExitCode::Bug, fail)?;
    let stopped = || {
        Error::new(
            ExitCode::Interrupted,
            "stopped by a signal; nothing was kept",
        )
    };
    tokio::select! {
        done = tokio::time::timeout(Duration::from_secs(max_seconds), work) => done.unwrap_or_else(|_| {
            Err(Error::limit(format!("the run took longer than its limit of {max_seconds} s; nothing was kept")).hint("raise --max-seconds, or use a smaller model or --no-model").transient())
        }),
        _ = interrupt.recv() => Err(stopped()),
        _ = terminate.recv() => Err(stopped()),
        _ = hangup.recv() => Err(stopped()),
    }
}

async fn triage(
    request: &Request,
    id: String,
    binary_sha256: String,
    wanted: Option<String>,
    pending: &mut Pending,
    watch: &mut dyn Watch,
) -> Result<Finished> {
    let started = pending.started().to_owned();
    let home = request.home();
    let scratch = Scratch::create(&home, &id)?;
    let mut session = Session::new(request, &scratch)?;
    session.pending = Some(pending);
    session.wanted = wanted;
    let (mut session, run, _) = work(session, id, started, binary_sha256, watch).await?;
    session.reached("commit", None)?;
    let unprepared = session.unprepared.take();
    let pending = session
        .pending
        .take()
        .ok_or_else(|| Error::bug("a run is not in the audit log"))?;
    let mut view = view(&run);
    view.files = view::files_beside();
    let (html, markdown) = (
        crate::report::html::render(&view),
        crate::report::markdown::render(&view),
    );
    scratch.remove("tree");
    let dir = record::commit(scratch, &home, &run, &html, &markdown, pending)?;
    Ok(Finished {
        dir,
        run,
        view,
        unprepared,
    })
}

/// The zones one after the other; the tree stays for who wants to look once more.
async fn work<'a>(
    mut session: Session<'a>,
    id: String,
    started: String,
    binary_sha256: String,
    watch: &mut dyn Watch,
) -> Result<(Session<'a>, Run, Index)> {
    let request = session.request;
    let guest_sha256 = crate::bundle::unpack::Unpacker::guest_sha256().to_owned();

    let unpacked = session.unpack(watch).await?;
    if let Some(wanted) = &session.wanted
        && *wanted != unpacked.sha256
    {
        return Err(changed(&request.bundle));
    }
    session.reached("room", Some(&unpacked.sha256))?;
    let library_sha256 = match &request.model {
        Some(model) => Some(files::sha256(&model.library).or_fail(
            ExitCode::Usage,
            format!(
                "failed to read the library {}",
                files::shown(&model.library)
            ),
        )?),
        None => None,
    };
    let settings = Settings {
        seed: request.seed,
        threads: request.threads,
        use_model: request.model.is_some(),
        ticket_sha256: request
            .ticket
            .as_deref()
            .map(|ticket| record::key(&[ticket])),
        policy_sha256: request
            .policy
            .as_deref()
            .map(|policy| record::key(&[policy])),
        limits: request.limits.clone(),
        ablation: session.ablation.clone(),
    };
    let playbook_hash = request
        .playbook
        .as_ref()
        .map_or_else(|| "by layout".to_owned(), Bound::sha256);
    let settings_text =
        serde_json::to_string(&settings).or_fail(ExitCode::Bug, "failed to write the settings")?;
    let key = record::key(&[
        &unpacked.sha256,
        &playbook_hash,
        request.model.as_ref().map_or("", |model| &model.sha256),
        library_sha256.as_deref().unwrap_or(""),
        &guest_sha256,
        &binary_sha256,
        &settings_text,
    ]);

    let (mut draft, mut summary, mut transcript) = session.room(&unpacked, &key, watch).await?;
    if summary.prefixes_missing > 0 {
        session.unprepared = match &request.playbook {
            Some(bound) => Some(bound.clone()),
            None => crate::playbook::shipped(&summary.playbook_id).ok(),
        };
    }
    if let Some(wish) = summary.escalation.take() {
        match ModelChoice::named(&wish.model) {
            Ok(larger) if Some(&larger.sha256) != request.model.as_ref().map(|m| &m.sha256) => {
                session.larger = Some(larger);
                let first = transcript;
                let note = format!("escalated to {}: {}", wish.model, wish.why);
                (draft, summary, transcript) = session.room(&unpacked, &key, watch).await?;
                summary.escalation = None;
                summary.notes.insert(0, note);
                transcript.splice(0..0, first);
            }
            Ok(_) => {}
            Err(_) => summary.notes.push(format!(
                "a larger model was asked for ({}: {}), and {} is not imported",
                wish.model, wish.why, wish.model
            )),
        }
    }
    session.reached("verify", None)?;
    // The room was the first to read the bundle's text: what can be known without it is not its to say.
    draft.run.clone_from(&key);
    draft.bundle = facts(&unpacked, &draft)?;
    let facts = draft.bundle.clone();
    let beside = said::take(&mut summary, &mut transcript)?;
    let text = serde_json::to_string(&draft).or_fail(ExitCode::Bug, "failed to write the draft")?;
    let (verdict, report, contexts, beside) = session
        .judge_all(
            &unpacked.index,
            Unverified {
                text,
                is_prose: false,
            },
            false,
            Some(facts.clone()),
            beside,
            watch,
        )
        .await?;
    said::put_back(&mut summary, &mut transcript, beside)?;
    let exit = if verdict.is_rejected() {
        ExitCode::Rejected
    } else {
        ExitCode::Done
    };

    let (seals, timings, workers) = (
        std::mem::take(&mut session.seals),
        std::mem::take(&mut session.timings),
        std::mem::take(&mut session.workers),
    );
    let record = Record {
        schema: record::SCHEMA.into(),
        id: id.clone(),
        key,
        started,
        tenant: request.tenant.clone(),
        cpu: record::cpu(),
        version: env!("CARGO_PKG_VERSION").into(),
        binary_sha256,
        guest_sha256,
        library_sha256,
        bundle: BundleRecord {
            name: request
                .bundle
                .file_name()
                .map(|name| crate::report::escape::terminal(&name.to_string_lossy()))
                .unwrap_or_default(),
            path: std::path::absolute(&request.bundle)
                .ok()
                .map(|path| path.to_string_lossy().into_owned()),
            sha256: unpacked.sha256,
            bytes: unpacked.bytes,
            files: unpacked.index.entries.len() as u64,
            unpacked_bytes: unpacked.index.total_bytes(),
            profile: facts.profile,
            profile_why: summary.profile_why.clone(),
        },
        playbook: record::PlaybookRecord {
            given: request.playbook_given.clone(),
            ..record::playbook_record(&summary)
        },
        model: summary.model.clone(),
        model_sha256: request.model.as_ref().map(|model| model.sha256.clone()),
        settings,
        seals,
        weaker_seal: request
            .allow_weaker
            .iter()
            .map(ToString::to_string)
            .collect(),
        timings: timings
            .into_iter()
            .chain(
                summary
                    .timings
                    .iter()
                    .map(|(name, millis)| (format!("room: {name}"), *millis)),
            )
            .collect(),
        workers,
        notes: summary.notes,
        origins: summary.origins,
        signals: summary.signals,
        secrets_masked: summary.secrets,
        injections: summary.injections,
        skipped: summary.skipped,
        contexts,
        outcome: report.outcome,
        exit: exit.code(),
    };
    let run = Run {
        record,
        report,
        verdict,
        transcript,
    };
    Ok((session, run, unpacked.index))
}

/// What a report says of its bundle, by those who know: the unpacker, and for the layout the room,
/// from the list of layouts.
fn facts(unpacked: &Unpacked, report: &Report) -> Result<BundleFacts> {
    let profile = &report.bundle.profile;
    if !crate::profile::Name::ALL
        .iter()
        .any(|name| name.as_str() == profile)
    {
        return Err(Error::bug("the room named a layout that does not exist"));
    }
    let files = unpacked
        .index
        .entries
        .iter()
        .filter(|entry| entry.kind != FileKind::Link);
    Ok(BundleFacts {
        sha256: unpacked.sha256.clone(),
        profile: profile.clone(),
        files: files.count() as u64,
    })
}

/// A bundle that is not the one that was meant.
pub fn changed(bundle: &Path) -> Error {
    Error::refused(format!(
        "the bundle {} has changed since it was planned",
        files::shown(bundle)
    ))
    .hint("restore the file, or plan again")
}

/// SHA-256 of the program's own file, read once: the file of a running program cannot be written.
///
/// # Errors
/// Only a bug.
pub fn own_hash() -> Result<String> {
    static HASH: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    if let Some(known) = HASH.get() {
        return Ok(known.clone());
    }
    let hash = files::sha256(Path::new("/proc/self/exe"))
        .or_fail(ExitCode::Bug, "failed to read the program's own file")?;
    Ok(HASH.get_or_init(|| hash).clone())
}
