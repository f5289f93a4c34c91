//! Working through a manifest: several bundles at a time, each in its own sealed processes.

use super::budget::Fit;
use super::desk::{Desk, State};
use super::item::{Claim, Ended, ItemResult, Meaning, meaning};
use super::manifest::{Item, Manifest};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use crate::report::Report;
use crate::room::protocol::Progress;
use crate::seal::Layer;
use crate::triage::{Foretold, ModelChoice, Request, Watch};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Work that a bundle costs whatever its size, in bytes of archive; for the remaining time only.
const FIXED_WORK: u64 = 2 << 20;
/// First pause before another attempt; it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// In which order the bundles are started. The merged result does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// The largest first: the workers end at about the same time.
    LargestFirst,
    /// The smallest first: answers come soon.
    SmallestFirst,
    /// As the manifest has them.
    AsPlanned,
}

/// How a batch runs.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The shard, or all.
    pub shard: Option<u32>,
    /// Folder of the bundles where the manifest's own does not hold.
    pub root: Option<PathBuf>,
    /// Workers, checked against the budget.
    pub fit: Fit,
    /// The model that the manifest pins.
    pub model: Option<ModelChoice>,
    /// Attempts after the first, for what the machine caused.
    pub retries: u32,
    /// Order.
    pub order: Order,
    /// Layers of the seal that may be missing.
    pub allow_weaker: Vec<Layer>,
}

/// How far a batch is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progressed {
    /// Items of this shard.
    pub all: usize,
    /// With a final result, earlier runs of the batch included.
    pub finished: usize,
    /// Of these without a report that holds.
    pub failed: usize,
    /// Left open by this run.
    pub open: usize,
    /// Running now.
    pub running: usize,
    /// Expected time to the end, once one bundle is through.
    pub left: Option<Duration>,
}

/// What the person sees meanwhile.
pub trait Watcher {
    /// Something moved on.
    fn moved(&self, progressed: &Progressed);
    /// A line worth keeping: an item failed, or is tried again.
    fn said(&self, line: &str);
}

struct Shared {
    manifest: Manifest,
    desk: Desk,
    options: RunOptions,
    queue: RefCell<VecDeque<Item>>,
    progressed: Cell<Progressed>,
    /// Work done and left in this run, in bytes.
    done: Cell<u64>,
    left: Cell<u64>,
    started: Instant,
    stop: RefCell<Option<Error>>,
    stopped: Notify,
    watcher: Rc<dyn Watcher>,
}

/// Works through `manifest` in `desk`; finished items are left alone. Ends when every item of the
/// shard has a result or was left open.
///
/// # Errors
/// The first failure that concerns the machine and not a bundle: the seal, the model, the disk's
/// permissions, a signal. All results up to then are kept.
pub async fn run(
    manifest: Manifest,
    desk: Desk,
    options: RunOptions,
    watcher: Rc<dyn Watcher>,
) -> Result<Progressed> {
    let _held = desk.hold(options.shard)?;
    desk.sweep(manifest.of(options.shard))?;
    let mut queue = Vec::new();
    let mut progressed = Progressed::default();
    for item in manifest.of(options.shard) {
        progressed.all += 1;
        if let Some(result) = settled(&manifest, &desk, item)? {
            progressed.finished += 1;
            progressed.failed += usize::from(result.ended != Ended::Done);
        } else {
            queue.push(item.clone());
        }
    }
    match options.order {
        Order::LargestFirst => queue.sort_by_key(|item| std::cmp::Reverse(item.bytes)),
        Order::SmallestFirst => queue.sort_by_key(|item| item.bytes),
        Order::AsPlanned => {}
    }
    let left = queue.iter().map(work).sum();
    let workers = options.fit.workers.max(1);
    let shared = Rc::new(Shared {
        manifest,
        desk,
        options,
        queue: RefCell::new(queue.into()),
        progressed: Cell::new(progressed),
        done: Cell::new(0),
        left: Cell::new(left),
        started: Instant::now(),
        stop: RefCell::new(None),
        stopped: Notify::new(),
        watcher,
    });
    shared.moved(|_| {});
    let local = tokio::task::LocalSet::new();
    let work = Rc::clone(&shared);
    local
        .run_until(async move {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..workers {
                let shared = Rc::clone(&work);
                tasks.spawn_local(async move { worker(&shared).await });
            }
            let watch = tokio::task::spawn_local(signals(Rc::clone(&work)));
            while let Some(ended) = tasks.join_next().await {
                if ended.is_err() {
                    work.halt(Error::bug("a worker of the batch ended in a panic"));
                }
            }
            watch.abort();
        })
        .await;
    let stop = shared.stop.borrow_mut().take();
    match stop {
        Some(error) => Err(error),
        None => Ok(shared.progressed.get()),
    }
}

/// The result of an item, adopting a run that became whole just before the batch was killed.
fn settled(manifest: &Manifest, desk: &Desk, item: &Item) -> Result<Option<ItemResult>> {
    if let Some(result) = desk.result(item)? {
        return Ok(Some(result));
    }
    let Some(claim) = desk.claim(item)? else {
        return Ok(None);
    };
    let Some(run) = desk.run_of(item, &claim)? else {
        return Ok(None);
    };
    let result = ItemResult::of_run(manifest, item, &run, claim.attempt);
    desk.finish(&result)?;
    Ok(Some(result))
}

fn work(item: &Item) -> u64 {
    item.bytes.saturating_add(FIXED_WORK)
}

impl Shared {
    /// Changes the counts and tells the watcher.
    fn moved(&self, change: impl FnOnce(&mut Progressed)) {
        let mut now = self.progressed.get();
        change(&mut now);
        let (done, left) = (self.done.get(), self.left.get());
        now.left = (done > 0).then(|| {
            let per_byte = self.started.elapsed().as_secs_f64() / done as f64;
            Duration::from_secs_f64((per_byte * left as f64).min(1e9))
        });
        self.progressed.set(now);
        self.watcher.moved(&now);
    }

    fn halt(&self, error: Error) {
        self.stop.borrow_mut().get_or_insert(error);
        self.queue.borrow_mut().clear();
        self.stopped.notify_waiters();
    }

    fn is_halted(&self) -> bool {
        self.stop.borrow().is_some()
    }

    fn request(&self, item: &Item) -> Request {
        let settings = &self.manifest.settings;
        Request {
            bundle: self.manifest.bundle(self.options.root.as_deref(), item),
            playbook: settings.playbook.clone(),
            playbook_given: None,
            model: self.options.model.clone(),
            ticket: None,
            runs: self.desk.runs(None),
            tenant: item
                .tenant
                .as_deref()
                .and_then(|tenant| tenant.parse().ok()),
            key: None,
            policy: None,
            seed: settings.seed,
            threads: settings.threads,
            limits: settings.limits.clone(),
            allow_weaker: self.options.allow_weaker.clone(),
        }
    }
}

/// Ends the batch on a signal, also while nothing runs.
async fn signals(shared: Rc<Shared>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
        signal(SignalKind::hangup()),
    ) else {
        return shared.halt(Error::bug("failed to watch for signals"));
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    shared.halt(
        Error::new(
            ExitCode::Interrupted,
            "stopped by a signal; what was finished is kept",
        )
        .hint("go on with the same command"),
    );
}

async fn worker(shared: &Shared) {
    loop {
        let Some(item) = shared.queue.borrow_mut().pop_front() else {
            return;
        };
        shared.moved(|now| now.running += 1);
        let ended = one(shared, &item).await;
        shared.done.set(shared.done.get() + work(&item));
        shared
            .left
            .set(shared.left.get().saturating_sub(work(&item)));
        match ended {
            Ok(Some(ended)) => shared.moved(|now| {
                now.running -= 1;
                now.finished += 1;
                now.failed += usize::from(ended != Ended::Done);
            }),
            Ok(None) => shared.moved(|now| {
                now.running -= 1;
                now.open += 1;
            }),
            Err(error) => {
                shared.halt(error);
                shared.moved(|now| now.running -= 1);
            }
        }
    }
}

/// Runs one bundle to its result; `None` when it stays open.
async fn one(shared: &Shared, item: &Item) -> Result<Option<Ended>> {
    let before = match shared.desk.state(item)? {
        State::Claimed(claim) => claim.attempt,
        State::Open(open) => open.attempts,
        State::Waiting | State::Finished(_) => 0,
    };
    let name = || crate::report::escape::terminal(&item.path);
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=shared.options.retries.saturating_add(1) {
        let claim = shared.desk.begin(item, before.saturating_add(attempt))?;
        let began = Instant::now();
        let error = match triage(shared, item, &claim).await {
            Ok(run) => {
                let result = ItemResult::of_run(&shared.manifest, item, &run, claim.attempt);
                shared.desk.finish(&result)?;
                if result.ended == Ended::Rejected {
                    shared
                        .watcher
                        .said(&format!("{}: the verifier rejected the output", name()));
                }
                return Ok(Some(result.ended));
            }
            Err(error) => error,
        };
        if is_bundles(&error) && is_changed(shared, item) {
            let error = crate::triage::changed(&shared.request(item).bundle);
            return leave_open(shared, item, &error, claim.attempt);
        }
        match meaning(&error) {
            Meaning::Stop => return Err(error),
            Meaning::Final(ended) => {
                let result =
                    ItemResult::of_failure(&shared.manifest, item, ended, &error, claim.attempt);
                shared.desk.finish(&result)?;
                shared
                    .watcher
                    .said(&format!("{}: {}", name(), error.chain()));
                return Ok(Some(ended));
            }
            // A bundle that used up its whole time would most likely do so again now.
            Meaning::Passing
                if attempt <= shared.options.retries
                    && began.elapsed().as_secs() < shared.manifest.settings.limits.max_seconds =>
            {
                shared.watcher.said(&format!(
                    "{}: {}; trying again in {} s",
                    name(),
                    error.chain(),
                    pause.as_secs()
                ));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = shared.stopped.notified() => {}
                }
                if shared.is_halted() {
                    return leave_open(shared, item, &error, claim.attempt);
                }
                pause = pause.saturating_mul(2);
            }
            Meaning::Passing | Meaning::Open => {
                return leave_open(shared, item, &error, claim.attempt);
            }
        }
    }
    Ok(None)
}

fn leave_open(shared: &Shared, item: &Item, error: &Error, attempts: u32) -> Result<Option<Ended>> {
    shared.desk.leave_open(item, error, attempts)?;
    shared.watcher.said(&format!(
        "{}: left open: {}",
        crate::report::escape::terminal(&item.path),
        error.chain()
    ));
    Ok(None)
}

/// Whether a failure may be the bundle's own.
fn is_bundles(error: &Error) -> bool {
    let exits = [
        ExitCode::InputRefused,
        ExitCode::LimitReached,
        ExitCode::Bug,
    ];
    exits.contains(&error.exit)
}

/// Whether the bundle on disk is another than was planned, or cannot be read.
fn is_changed(shared: &Shared, item: &Item) -> bool {
    let path = shared.manifest.bundle(shared.options.root.as_deref(), item);
    files::size(&path) != item.bytes
        || files::sha256(&path).map_or(true, |sha256| sha256 != item.sha256)
}

async fn triage(shared: &Shared, item: &Item, claim: &Claim) -> Result<crate::record::Run> {
    let request = shared.request(item);
    if files::size(&request.bundle) != item.bytes {
        return Err(crate::triage::changed(&request.bundle));
    }
    let foretold = Foretold {
        id: Some(claim.run.clone()),
        bundle_sha256: Some(item.sha256.clone()),
    };
    let finished = crate::triage::run_as(&request, &foretold, &mut Quiet).await?;
    Ok(finished.run)
}

/// The stages of single bundles are not shown in a batch.
struct Quiet;

impl Watch for Quiet {
    fn progress(&mut self, _: &Progress) {}
    fn provisional(&mut self, _: &Report) {}
}
