//! A worker's first steps, the same in every zone: seal, prove, then work. Nothing of the bundle is
//! read before the proof is out.

use super::frame;
use super::protocol::{BOOT_VARIABLE, Boot, FromWorker, Progress, ToWorker};
use crate::bundle::Tree;
use crate::error::{Context, Error, ExitCode, Result};
use crate::seal::{self, Mount, SealPlan, Sealed, Stage, Zone};
use crate::secrets::{LearnLimits, Masker};
use std::io::{self, Write};
use std::sync::OnceLock;

/// Where the tree lies inside the room.
pub const TREE: &str = "/tree";
/// Where the model lies inside the room.
pub const MODEL: &str = "/model";

/// The worker's output: frames, nothing else.
pub struct Out(io::Stdout);

impl Out {
    /// Sends one frame.
    ///
    /// # Errors
    /// When the coordinator is gone.
    pub fn send(&mut self, message: &FromWorker) -> Result<()> {
        frame::write(&mut self.0.lock(), message)
            .or_fail(ExitCode::Bug, "failed to talk to the coordinator")
    }
    /// Sends a value of a test as a frame.
    ///
    /// # Errors
    /// When nobody listens.
    #[cfg(feature = "layer-mutation")]
    pub fn raw(&mut self, value: &impl serde::Serialize) -> Result<()> {
        frame::write(&mut self.0.lock(), value).or_fail(ExitCode::Bug, "failed to talk to the test")
    }
    /// Sends a stage name; a lost coordinator ends the worker soon enough by itself.
    pub fn stage(&mut self, name: &str) {
        let _ = self.send(&FromWorker::Progress(Progress::Stage(name.to_owned())));
    }
}

/// Runs the worker of `zone` to its end and returns the process's exit status.
pub fn main(zone: &str) -> ExitCode {
    super::memory::end_when_short();
    let mut out = Out(io::stdout());
    // A panic message can hold the bundle's text; only its place leaves the room.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let failed = FromWorker::Failed {
            exit: ExitCode::Bug,
            message: format!("an internal error{place}"),
            hint: Some(
                "please report it; the place is enough, it holds nothing of the bundle".into(),
            ),
        };
        let _ = frame::write(&mut io::stdout().lock(), &failed);
    }));
    #[cfg(feature = "layer-mutation")]
    if let Some(name) = zone.strip_prefix(super::hostile::TAKEOVER) {
        let done =
            boot().and_then(|boot| super::hostile::takeover(name.parse().ok(), &boot, &mut out));
        return done.map_or_else(|error| error.exit, |()| ExitCode::Done);
    }
    let (name, trial) = zone
        .strip_prefix(super::TRIAL)
        .map_or((zone, false), |name| (name, true));
    let (name, guard) = name
        .strip_prefix(super::GUARD)
        .map_or((name, false), |name| (name, true));
    let done = name
        .parse()
        .map_err(|_| Error::usage(format!("there is no zone {name:?}")))
        .and_then(|zone| run(zone, trial, guard, &mut out));
    match done {
        Ok(()) => {
            let usage = usage();
            let _ = out.send(&FromWorker::Finished {
                peak_kib: usage.0,
                cpu_millis: usage.1,
            });
            ExitCode::Done
        }
        Err(error) => {
            let unknown = Masker::new();
            let masker = KNOWN.get().unwrap_or(&unknown);
            let _ = out.send(&FromWorker::Failed {
                exit: error.exit,
                message: masker.mask(&error.chain()),
                hint: error.hint.as_deref().map(|hint| masker.mask(hint)),
            });
            let _ = io::stdout().flush();
            // The frame tells; the status only says that the worker itself came to its end.
            ExitCode::Done
        }
    }
}

fn boot() -> Result<Boot> {
    let boot = std::env::var(BOOT_VARIABLE).or_fail(
        ExitCode::Usage,
        "a worker is started by narrowroom itself, not by hand",
    )?;
    serde_json::from_str(&boot).or_fail(ExitCode::Bug, "failed to read the worker's description")
}

fn run(zone: Zone, trial: bool, guard: bool, out: &mut Out) -> Result<()> {
    let boot = boot()?;
    if trial {
        for proof in seal::trial(zone, &boot.tree, &boot.allow_weaker)? {
            let proof = Box::new(proof);
            out.send(&match proof.stage {
                Stage::Closed => FromWorker::Sealed(proof),
                Stage::Narrowed => FromWorker::Narrowed(proof),
            })?;
        }
        return Ok(());
    }
    if guard {
        return match zone {
            Zone::Room => crate::guard::review_main(&boot, out),
            zone => crate::guard::scan_main(zone, &boot, out),
        };
    }
    match zone {
        Zone::Unpack => super::zone1::run(&boot, out),
        Zone::Room => super::zone2::run(&boot, out),
        Zone::Verify => super::zone3::run(&boot, out),
    }
}

/// The plan of the seal for `zone`.
pub fn plan(zone: Zone, boot: &Boot) -> SealPlan {
    let mut plan = SealPlan::new(zone);
    let tree = Mount::new(boot.tree.clone(), TREE);
    match zone {
        _ if boot.tree.as_os_str().is_empty() => {}
        Zone::Unpack => plan.write_dirs.push(tree),
        _ => plan.read_dirs.push(tree),
    }
    if let Some(model) = &boot.model {
        plan.read_dirs.push(Mount::new(model.clone(), MODEL));
    }
    plan.limits.memory_bytes = plan.limits.memory_bytes.min(boot.limits.max_memory);
    plan.limits.cpu_seconds = boot
        .limits
        .max_seconds
        .saturating_mul(u64::from(super::MAX_THREADS))
        .max(60);
    if zone == Zone::Unpack {
        plan.limits.file_bytes = boot.limits.max_file_bytes;
    }
    plan.allow_weaker.clone_from(&boot.allow_weaker);
    plan
}

/// A granted directory, opened inside the closed room: descriptors from before it are closed.
///
/// # Errors
/// When it is not there.
pub fn open_tree(sealed: &Sealed) -> Result<cap_std::fs::Dir> {
    let path = sealed
        .path(TREE)
        .ok_or_else(|| Error::bug("the tree was not granted"))?;
    cap_std::fs::Dir::open_ambient_dir(path, cap_std::ambient_authority())
        .or_fail(ExitCode::Bug, "failed to open the tree")
}

/// Reads the frames of the task: the index, then the job.
///
/// # Errors
/// When the coordinator breaks the protocol.
pub fn read_job() -> Result<(Vec<crate::bundle::Entry>, ToWorker)> {
    let mut from = io::BufReader::with_capacity(256 << 10, io::stdin().lock());
    let mut entries = Vec::new();
    loop {
        match frame::read::<ToWorker>(&mut from)
            .or_fail(ExitCode::Bug, "failed to read the task")?
        {
            Some(ToWorker::Entries(part)) => entries.extend(part),
            Some(job) => return Ok((entries, job)),
            None => return Err(Error::bug("the task is missing")),
        }
    }
}

/// What this process knows to be secret: error messages are masked with it too.
static KNOWN: OnceLock<Masker> = OnceLock::new();

/// Learns the secrets of the tree and of further `names`, and takes those in the tree's own names out of it; what
/// cannot be read cannot be masked, so that stops the run.
///
/// # Errors
/// When a file cannot be read.
pub fn learn<'a>(
    tree: &mut Tree,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<&'static Masker> {
    let mut masker = Masker::new();
    let learned = masker
        .learn_tree(tree, LearnLimits::default())
        .or_fail(ExitCode::Bug, "failed to look for secrets in the tree")?;
    if learned.limited {
        return Err(
            Error::limit("the bundle holds more text or more secrets than can be masked").hint(
                "split the bundle: up to 8 GiB of text and 50,000 secret values are searched",
            ),
        );
    }
    masker.learn_texts(names);
    tree.conceal_names(|path| masker.mask_name(path));
    Ok(KNOWN.get_or_init(|| masker))
}

/// Peak resident memory in KiB and processor time in milliseconds of this process.
fn usage() -> (u64, u64) {
    // SAFETY: `rusage` is plain data for which zeroes are valid, and the call only writes to it.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        if libc::getrusage(libc::RUSAGE_SELF, &mut used) != 0 {
            return (0, 0);
        }
        used
    };
    let millis = |time: libc::timeval| {
        u64::try_from(time.tv_sec * 1_000 + time.tv_usec / 1_000).unwrap_or(0)
    };
    (
        u64::try_from(used.ru_maxrss).unwrap_or(0),
        millis(used.ru_utime) + millis(used.ru_stime),
    )
}
