//! One run's workers, one after the other: what each is started with, what it sends, what is kept of it.

use super::*;

/// Entries per frame.
const BATCH: usize = 2_000;

/// What the unpacker left: its index, and the bundle's own identity.
pub(super) struct Unpacked {
    pub(super) index: Index,
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// What is collected while the zones follow each other.
pub(crate) struct Session<'a> {
    pub(super) request: &'a Request,
    pub(super) tree: PathBuf,
    pub(super) seals: Vec<SealProof>,
    pub(super) timings: Vec<(String, u64)>,
    pub(super) workers: Vec<WorkerRecord>,
    pub(super) pending: Option<&'a mut Pending>,
    /// SHA-256 that the bundle must have.
    pub(super) wanted: Option<String>,
    pub(super) ablation: Ablation,
    /// The model that the room is started with after an escalation.
    pub(super) larger: Option<ModelChoice>,
    /// The playbook whose fixed words are in no file.
    pub(super) unprepared: Option<Bound>,
    pub(super) name: String,
    /// Whether single compressed files inside the bundle are opened as well.
    pub(super) open_streams: bool,
}

impl<'a> Session<'a> {
    /// Makes the directory that the workers share.
    pub(crate) fn new(request: &'a Request, scratch: &Scratch) -> Result<Self> {
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
            wanted: None,
            ablation: Ablation::default(),
            larger: None,
            unprepared: None,
            name: String::new(),
            open_streams: false,
        })
    }

    /// Tells the audit log how far this has come.
    pub(super) fn reached(&mut self, stage: &str, bundle_sha256: Option<&str>) -> Result<()> {
        self.pending
            .as_mut()
            .map_or(Ok(()), |pending| pending.reached(stage, bundle_sha256))
    }

    pub(super) fn boot(&self, zone: Zone) -> Boot {
        let model = self.larger.as_ref().or(self.request.model.as_ref());
        let model = model.filter(|_| zone == Zone::Room);
        Boot {
            tree: self.tree.clone(),
            model: model.map(|model| model.dir.clone()),
            library: model.map(|model| model.library.clone()),
            limits: self.request.limits.clone(),
            allow_weaker: self.request.allow_weaker.clone(),
            name: self.name.clone(),
            open_streams: self.open_streams,
        }
    }

    /// Frames that mean the same in every zone; gives back the others.
    pub(crate) fn common(
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
    pub(super) async fn sealed(
        &mut self,
        zone: Zone,
        input: Option<std::fs::File>,
        watch: &mut dyn Watch,
    ) -> Result<Worker> {
        let started = Instant::now();
        let worker = Worker::spawn(zone, &self.boot(zone), input)?;
        self.proved(zone, worker, started, watch).await
    }

    /// The model that the room is to run must fit, before anything of it is loaded.
    pub(super) fn demand_memory(&self) -> Result<()> {
        let limits = &self.request.limits;
        match self.larger.as_ref().or(self.request.model.as_ref()) {
            Some(model) => {
                crate::model::demand_memory(&model.dir, limits.context, limits.max_memory)
            }
            None => Ok(()),
        }
    }

    /// The room of a guard's review.
    pub(crate) async fn guard_room(&mut self, watch: &mut dyn Watch) -> Result<Worker> {
        self.demand_memory()?;
        let started = Instant::now();
        let worker = Worker::guard(Zone::Room, &self.boot(Zone::Room))?;
        self.proved(Zone::Room, worker, started, watch).await
    }

    pub(super) async fn proved(
        &mut self,
        zone: Zone,
        mut worker: Worker,
        started: Instant,
        watch: &mut dyn Watch,
    ) -> Result<Worker> {
        match worker.next().await? {
            Some(frame @ FromWorker::Sealed(_)) => {
                self.common(zone, frame, watch)?;
            }
            other => {
                // A worker that the machine killed says nothing about the seal.
                if other.is_none()
                    && let Err(death) = worker.end().await
                    && death.transient
                {
                    return Err(death);
                }
                return Err(
                    Error::unsealed(format!("the {zone} worker did not prove its seal"))
                        .hint("run: narrowroom doctor"),
                );
            }
        }
        self.lap(&format!("{zone}: start and seal"), started);
        Ok(worker)
    }

    pub(super) fn lap(&mut self, name: &str, since: Instant) {
        self.timings.push((
            name.to_owned(),
            u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
        ));
    }

    pub(super) async fn unpack(&mut self, watch: &mut dyn Watch) -> Result<Unpacked> {
        let (bundle, name, feeder) = input::Input::open(&self.request.bundle)?.split();
        self.name = name;
        watch.progress(&Progress::Stage("unpacking".into()));
        let mut worker = self.sealed(Zone::Unpack, Some(bundle), watch).await?;
        let started = Instant::now();
        let (mut index, mut seen) = (Index::default(), None);
        loop {
            let frame = match worker.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                // Where the folder itself changed, that is the reason, and not what it led to.
                Err(error) => return Err(feeder.finish().err().unwrap_or(error)),
            };
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
        index.skipped.extend(feeder.finish()?);
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

    pub(super) async fn room(
        &mut self,
        unpacked: &Unpacked,
        key: &str,
        watch: &mut dyn Watch,
    ) -> Result<(Report, RoomSummary, Vec<Exchange>)> {
        self.demand_memory()?;
        let mut worker = self.sealed(Zone::Room, None, watch).await?;
        let started = Instant::now();
        send_entries(&mut worker, &unpacked.index.entries).await?;
        let job = RoomJob {
            key: key.to_owned(),
            bundle_sha256: unpacked.sha256.clone(),
            skipped: unpacked.index.skipped.clone(),
            playbook: self.request.playbook.clone(),
            ticket: self.request.ticket.clone(),
            use_model: self.request.model.is_some(),
            threads: self.request.threads,
            seed: self.request.seed,
            ablation: self.ablation.clone(),
        };
        worker.send(&ToWorker::Room(Box::new(job))).await?;
        worker.finish_input();
        let use_model = self.request.model.is_some();
        let (mut transcript, mut draft, mut provisional) = (Vec::new(), None, false);
        let mut memory = Usage::default();
        while let Some(frame) = worker.next().await? {
            if let (true, Some(pid)) = (use_model, worker.id()) {
                memory = memory.most(running::memory(pid));
            }
            match self.common(Zone::Room, frame, watch)? {
                None => {}
                Some(FromWorker::Provisional(_)) if provisional => {
                    return Err(out_of_turn(Zone::Room));
                }
                Some(FromWorker::Provisional(_)) if !(use_model && watch.looks()) => {
                    provisional = true;
                }
                Some(FromWorker::Provisional(report)) => {
                    provisional = true;
                    // Nothing unverified reaches a person, not even for a few seconds.
                    let mut report = *report;
                    report.bundle = facts(unpacked, &report)?;
                    let facts = report.bundle.clone();
                    let text = serde_json::to_string(&report)
                        .or_fail(ExitCode::Bug, "failed to write the draft")?;
                    let (verdict, passed, _) = self
                        .judge(
                            &unpacked.index,
                            Unverified {
                                text,
                                is_prose: false,
                            },
                            false,
                            Some(facts),
                            watch,
                        )
                        .await?;
                    if !verdict.is_rejected() {
                        watch.provisional(&passed);
                    }
                }
                Some(FromWorker::Exchange(exchange)) => {
                    extend(&mut transcript, vec![*exchange], 1_000)?
                }
                Some(FromWorker::Draft(made)) if draft.is_none() => draft = Some(*made),
                Some(_) => return Err(out_of_turn(Zone::Room)),
            }
        }
        worker.end().await?;
        self.lap("room", started);
        let (report, mut summary) =
            draft.ok_or_else(|| Error::bug("the room ended without a report"))?;
        if summary.skipped.len() != unpacked.index.skipped.len() {
            return Err(Error::bug("the room lost what the unpacker left out"));
        }
        if let Some(model) = &mut summary.model {
            model.memory = memory;
        }
        Ok((report, summary, transcript))
    }

    /// Zone 3 over a report.
    pub(crate) async fn judge(
        &mut self,
        index: &Index,
        document: Unverified,
        strict: bool,
        bundle: Option<BundleFacts>,
        watch: &mut dyn Watch,
    ) -> Result<(Verdict, Report, Vec<EvidenceLines>)> {
        let nothing = Beside::default();
        let (verdict, passed, lines, _) = self
            .judge_all(index, document, strict, bundle, nothing, watch)
            .await?;
        Ok((verdict, passed, lines))
    }

    /// Zone 3 over a report and over what was said beside it.
    pub(super) async fn judge_all(
        &mut self,
        index: &Index,
        document: Unverified,
        strict: bool,
        bundle: Option<BundleFacts>,
        beside: Beside,
        watch: &mut dyn Watch,
    ) -> Result<(Verdict, Report, Vec<EvidenceLines>, Beside)> {
        watch.progress(&Progress::Stage("verifying".into()));
        let mut worker = self.sealed(Zone::Verify, None, watch).await?;
        let started = Instant::now();
        send_entries(&mut worker, &index.entries).await?;
        worker
            .send(&ToWorker::Verify(Box::new(VerifyJob {
                report: document.text,
                strict,
                bundle,
                as_text: document.is_prose,
                policy: self.request.policy.clone(),
                beside,
            })))
            .await?;
        worker.finish_input();
        let mut judged = None;
        while let Some(frame) = worker.next().await? {
            match self.common(Zone::Verify, frame, watch)? {
                None => {}
                Some(FromWorker::Judged(made)) if judged.is_none() => judged = Some(*made),
                Some(_) => return Err(out_of_turn(Zone::Verify)),
            }
        }
        worker.end().await?;
        self.lap("verify", started);
        judged.ok_or_else(|| Error::bug("the verifier ended without a verdict"))
    }
}

impl Session<'_> {
    /// Scores a report in one more sealed worker of the verifier's kind.
    pub(super) async fn score(
        &mut self,
        index: &Index,
        report: Option<String>,
        trial: &Trial,
        watch: &mut dyn Watch,
    ) -> Result<Option<crate::eval::CaseScore>> {
        let Some(truth) = &trial.truth else {
            return Ok(None);
        };
        let mut worker = self.sealed(Zone::Verify, None, watch).await?;
        send_entries(&mut worker, &index.entries).await?;
        let job = ScoreJob {
            report,
            truth: truth.clone(),
        };
        worker.send(&ToWorker::Score(Box::new(job))).await?;
        worker.finish_input();
        let mut scored = None;
        while let Some(frame) = worker.next().await? {
            match self.common(Zone::Verify, frame, watch)? {
                None => {}
                Some(FromWorker::Scored(made)) => scored = Some(*made),
                Some(_) => return Err(out_of_turn(Zone::Verify)),
            }
        }
        worker.end().await?;
        Ok(scored)
    }
}

pub(crate) async fn send_entries(worker: &mut Worker, entries: &[Entry]) -> Result<()> {
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

pub(super) fn out_of_turn(zone: Zone) -> Error {
    Error::bug(format!("the {zone} worker sent a frame out of turn"))
}

pub(crate) fn unproved(proof: &SealProof) -> Error {
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
