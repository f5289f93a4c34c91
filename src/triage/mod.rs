//! One run from bundle to record: starts a sealed worker for each zone, one after the other, and
//! carries typed values between them.
//!
//! Owns: the order of the zones, time limit, interruption, the run directory. Touches: processes,
//! the runs directory. Zone: 0. It never parses a byte of the bundle.

mod view;

pub use view::{grouped, review_view, tick, view};

use crate::audit::Pending;
use crate::bundle::{Entry, Index, Skipped};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, Scratch};
use crate::keys::Key;
use crate::limits::Limits;
use crate::playbook::Bound;
use crate::record::{self, BundleRecord, Record, Run, Settings, WorkerRecord};
use crate::report::{BundleFacts, Report};
use crate::room::Worker;
use crate::room::protocol::{
    Boot, EvidenceLines, Exchange, FromWorker, Progress, RoomJob, RoomSummary, ToWorker, VerifyJob,
};
use crate::seal::{Layer, SealProof, Zone};
use crate::tenant::Tenant;
use crate::verify::Verdict;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Entries per frame.
const BATCH: usize = 2_000;

/// What to run on what.
#[derive(Debug, Clone)]
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

/// What the person sees while it works.
pub trait Watch {
    /// Something moved on.
    fn progress(&mut self, progress: &Progress);
    /// The signals' answer, before the model and the verifier.
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
    // What is no bundle at all never becomes a run.
    files::open_bundle(&request.bundle)?;
    let key = match &request.key {
        Some(path) => Key::load(path)?,
        None => Key::load_or_create(None)?,
    };
    let id = record::new_id();
    let binary = own_hash()?;
    let mut pending = Pending::begin(&request.runs, key, &id, request.tenant.clone(), &binary)?;
    let work = triage(request, id, binary, &mut pending, watch);
    match bounded(request.limits.max_seconds, work).await {
        Ok(finished) => Ok(finished),
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

/// The verifier alone over a report of anybody's.
///
/// # Errors
/// As [`run`].
pub async fn verify(
    report: String,
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
            .judge(&unpacked.index, report, true, Some(facts), watch)
            .await?;
        Ok((verdict, passed))
    })
    .await
}

async fn bounded<T>(max_seconds: u64, work: impl Future<Output = Result<T>>) -> Result<T> {
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
            Err(Error::limit(format!("the run took longer than its limit of {max_seconds} s; nothing was kept")).hint("raise --max-seconds, or use a smaller model or --no-model"))
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
    pending: &mut Pending,
    watch: &mut dyn Watch,
) -> Result<Finished> {
    let started = pending.started().to_owned();
    let guest_sha256 = crate::bundle::unpack::Unpacker::guest_sha256().to_owned();
    let home = request.home();
    let scratch = Scratch::create(&home, &id)?;
    let mut session = Session::new(request, &scratch)?;
    session.pending = Some(pending);

    let unpacked = session.unpack(watch).await?;
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
        limits: request.limits.clone(),
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

    let (draft, summary, transcript) = session.room(&unpacked, &key, watch).await?;
    session.reached("verify", None)?;
    let facts = draft.bundle.clone();
    let text = serde_json::to_string(&draft).or_fail(ExitCode::Bug, "failed to write the draft")?;
    let (verdict, report, contexts) = session
        .judge(&unpacked.index, text, false, Some(facts.clone()), watch)
        .await?;
    let exit = if verdict.is_rejected() {
        ExitCode::Rejected
    } else {
        ExitCode::Done
    };

    session.reached("commit", None)?;
    let Session {
        seals,
        timings,
        workers,
        pending,
        ..
    } = session;
    let pending = pending.ok_or_else(|| Error::bug("a run is not in the audit log"))?;
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
        skipped: unpacked.index.skipped,
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
    let mut view = view(&run);
    view.files = view::files_beside();
    let (html, markdown) = (
        crate::report::html::render(&view),
        crate::report::markdown::render(&view),
    );
    scratch.remove("tree");
    let dir = record::commit(scratch, &home, &run, &html, &markdown, pending)?;
    Ok(Finished { dir, run, view })
}

struct Unpacked {
    index: Index,
    sha256: String,
    bytes: u64,
}

/// What is collected while the zones follow each other.
struct Session<'a> {
    request: &'a Request,
    tree: PathBuf,
    seals: Vec<SealProof>,
    timings: Vec<(String, u64)>,
    workers: Vec<WorkerRecord>,
    pending: Option<&'a mut Pending>,
}

impl<'a> Session<'a> {
    fn new(request: &'a Request, scratch: &Scratch) -> Result<Self> {
        let tree = scratch.path().join("tree");
        files::make_dir(&tree)?;
        if let Some((uid, gid)) = crate::seal::worker_owner() {
            // The worker gives up root before it touches the bundle and must still own its one directory.
            rustix::fs::chown(
                &tree,
                Some(rustix::fs::Uid::from_raw(uid)),
                Some(rustix::fs::Gid::from_raw(gid)),
            )
            .map_err(|error| files::write_error(error.into(), "the directory", &tree))?;
        }
        Ok(Self {
            request,
            tree,
            seals: vec![],
            timings: vec![],
            workers: vec![],
            pending: None,
        })
    }

    /// Tells the audit log how far this has come.
    fn reached(&mut self, stage: &str, bundle_sha256: Option<&str>) -> Result<()> {
        self.pending
            .as_mut()
            .map_or(Ok(()), |pending| pending.reached(stage, bundle_sha256))
    }

    fn boot(&self, zone: Zone) -> Boot {
        let model = self.request.model.as_ref().filter(|_| zone == Zone::Room);
        Boot {
            tree: self.tree.clone(),
            model: model.map(|model| model.dir.clone()),
            library: model.map(|model| model.library.clone()),
            limits: self.request.limits.clone(),
            allow_weaker: self.request.allow_weaker.clone(),
        }
    }

    /// Frames that mean the same in every zone; gives back the others.
    fn common(
        &mut self,
        zone: Zone,
        frame: FromWorker,
        watch: &mut dyn Watch,
    ) -> Result<Option<FromWorker>> {
        match frame {
            FromWorker::Sealed(proof) | FromWorker::Narrowed(proof) => {
                if !proof.holds() {
                    return Err(unproved(&proof));
                }
                self.seals.push(*proof);
                if let Some(pending) = self.pending.as_mut() {
                    pending.sealed(&self.seals)?;
                }
                Ok(None)
            }
            FromWorker::Progress(progress) => {
                watch.progress(&progress);
                Ok(None)
            }
            FromWorker::Finished {
                peak_kib,
                cpu_millis,
            } => {
                self.workers.push(WorkerRecord {
                    zone: zone.to_string(),
                    peak_kib,
                    cpu_millis,
                });
                Ok(None)
            }
            other => Ok(Some(other)),
        }
    }

    /// The first frame of a worker must be its proof; without it nothing is sent.
    async fn sealed(
        &mut self,
        zone: Zone,
        input: Option<std::fs::File>,
        watch: &mut dyn Watch,
    ) -> Result<Worker> {
        let started = Instant::now();
        let mut worker = Worker::spawn(zone, &self.boot(zone), input)?;
        match worker.next().await? {
            Some(frame @ FromWorker::Sealed(_)) => {
                self.common(zone, frame, watch)?;
            }
            _ => {
                return Err(
                    Error::unsealed(format!("the {zone} worker did not prove its seal"))
                        .hint("run: narrowroom doctor"),
                );
            }
        }
        self.lap(&format!("{zone}: start and seal"), started);
        Ok(worker)
    }

    fn lap(&mut self, name: &str, since: Instant) {
        self.timings.push((
            name.to_owned(),
            u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        ));
    }

    async fn unpack(&mut self, watch: &mut dyn Watch) -> Result<Unpacked> {
        let bundle = files::open_bundle(&self.request.bundle)?;
        watch.progress(&Progress::Stage("unpacking".into()));
        let mut worker = self.sealed(Zone::Unpack, Some(bundle), watch).await?;
        let started = Instant::now();
        let (mut index, mut seen) = (Index::default(), None);
        while let Some(frame) = worker.next().await? {
            match self.common(Zone::Unpack, frame, watch)? {
                None => {}
                Some(FromWorker::Entries(entries)) => {
                    extend(&mut index.entries, entries, self.request.limits.max_files)?
                }
                Some(FromWorker::Skipped(skipped)) => {
                    extend(&mut index.skipped, skipped, self.request.limits.max_files)?
                }
                Some(FromWorker::Unpacked { sha256, bytes }) => seen = Some((sha256, bytes)),
                Some(_) => return Err(out_of_turn(Zone::Unpack)),
            }
        }
        worker.end().await?;
        self.lap("unpack", started);
        let (sha256, bytes) =
            seen.ok_or_else(|| Error::bug("the unpack worker ended without a result"))?;
        if index.entries.is_empty() {
            return Err(Error::refused(format!(
                "the bundle {} holds no file",
                files::shown(&self.request.bundle)
            ))
            .hint("was the collection cut short? list it with: tar tf BUNDLE"));
        }
        Ok(Unpacked {
            index,
            sha256,
            bytes,
        })
    }

    async fn room(
        &mut self,
        unpacked: &Unpacked,
        key: &str,
        watch: &mut dyn Watch,
    ) -> Result<(Report, RoomSummary, Vec<Exchange>)> {
        let mut worker = self.sealed(Zone::Room, None, watch).await?;
        let started = Instant::now();
        send_entries(&mut worker, &unpacked.index.entries).await?;
        let job = RoomJob {
            key: key.to_owned(),
            bundle_sha256: unpacked.sha256.clone(),
            skipped: unpacked
                .index
                .skipped
                .iter()
                .take(BATCH)
                .cloned()
                .collect::<Vec<Skipped>>(),
            playbook: self.request.playbook.clone(),
            ticket: self.request.ticket.clone(),
            use_model: self.request.model.is_some(),
            threads: self.request.threads,
            seed: self.request.seed,
        };
        worker.send(&ToWorker::Room(Box::new(job))).await?;
        worker.finish_input();
        let (mut transcript, mut draft) = (Vec::new(), None);
        while let Some(frame) = worker.next().await? {
            match self.common(Zone::Room, frame, watch)? {
                None => {}
                Some(FromWorker::Provisional(report)) => watch.provisional(&report),
                Some(FromWorker::Exchange(exchange)) => {
                    extend(&mut transcript, vec![*exchange], 1_000)?
                }
                Some(FromWorker::Draft(made)) => draft = Some(*made),
                Some(_) => return Err(out_of_turn(Zone::Room)),
            }
        }
        worker.end().await?;
        self.lap("room", started);
        let (report, summary) =
            draft.ok_or_else(|| Error::bug("the room ended without a report"))?;
        Ok((report, summary, transcript))
    }

    async fn judge(
        &mut self,
        index: &Index,
        report: String,
        strict: bool,
        bundle: Option<BundleFacts>,
        watch: &mut dyn Watch,
    ) -> Result<(Verdict, Report, Vec<EvidenceLines>)> {
        watch.progress(&Progress::Stage("verifying".into()));
        let mut worker = self.sealed(Zone::Verify, None, watch).await?;
        let started = Instant::now();
        send_entries(&mut worker, &index.entries).await?;
        worker
            .send(&ToWorker::Verify(Box::new(VerifyJob {
                report,
                strict,
                bundle,
            })))
            .await?;
        worker.finish_input();
        let mut judged = None;
        while let Some(frame) = worker.next().await? {
            match self.common(Zone::Verify, frame, watch)? {
                None => {}
                Some(FromWorker::Judged(made)) => judged = Some(*made),
                Some(_) => return Err(out_of_turn(Zone::Verify)),
            }
        }
        worker.end().await?;
        self.lap("verify", started);
        judged.ok_or_else(|| Error::bug("the verifier ended without a verdict"))
    }
}

async fn send_entries(worker: &mut Worker, entries: &[Entry]) -> Result<()> {
    for part in entries.chunks(BATCH) {
        if let Err(error) = worker.send(&ToWorker::Entries(part.to_vec())).await {
            // The worker's own last words say more than a broken pipe.
            return Err(worker.next().await.err().unwrap_or(error));
        }
    }
    Ok(())
}

fn extend<T>(list: &mut Vec<T>, more: Vec<T>, most: u64) -> Result<()> {
    list.extend(more);
    if list.len() as u64 > most.saturating_mul(2).max(1_000) {
        return Err(Error::bug("a worker sent more than it may"));
    }
    Ok(())
}

fn out_of_turn(zone: Zone) -> Error {
    Error::bug(format!("the {zone} worker sent a frame out of turn"))
}

fn unproved(proof: &SealProof) -> Error {
    let mut failures = proof.failures();
    failures.truncate(4);
    let error = Error::unsealed(format!(
        "the seal of the {} worker does not hold: {}",
        proof.zone,
        failures.join("; ")
    ));
    match proof.advice().first() {
        Some(advice) => error.hint((*advice).to_owned()),
        None => error.hint("run: narrowroom doctor"),
    }
}

/// SHA-256 of the program's own file, lower-case hex.
///
/// # Errors
/// When it cannot be read.
pub fn own_hash() -> Result<String> {
    files::sha256(Path::new("/proc/self/exe"))
        .or_fail(ExitCode::Bug, "failed to read the program's own file")
}
