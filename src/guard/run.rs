//! One guard run from the command line's words to the report. Zone 0: it starts `git` and the sealed
//! worker, and copies bytes from one to the other without looking at them.

use super::host::{self, Named};
use super::model::{
    Counts, GuardReport, NotExamined, Part, Review, ReviewState, SCHEMA, ScanJob, Source,
};
use super::{BASELINE_FILE, IGNORE_FILE, git};
use crate::bundle::Entry;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::report::escape;
use crate::room::Worker;
use crate::room::protocol::{Boot, FromWorker, ToWorker};
use crate::seal::{Layer, Zone};
use crate::triage::{ModelChoice, Watch};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes copied at a time.
pub const CHUNK_BYTES: usize = 256 << 10;
/// Most list items taken from a worker.
const MAX_ITEMS: usize = 40_000;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// What is staged for the next commit.
    Staged,
    /// Each commit of a range, as `git log` takes it.
    Range(String),
    /// A patch on standard input.
    Stdin,
    /// Whole files, and the files of folders.
    Paths(Vec<PathBuf>),
}

/// A guard run.
#[derive(Debug, Clone)]
pub struct Request {
    /// What to look at.
    pub what: What,
    /// The baseline; `None`: the one at the top of the repository, if it is there.
    pub baseline: Option<PathBuf>,
    /// Whether any baseline counts.
    pub use_baseline: bool,
    /// The model that reviews; `None` and why.
    pub model: std::result::Result<ModelChoice, (ReviewState, String)>,
    /// The review's playbook; `None`: the shipped one.
    pub playbook: Option<crate::playbook::Bound>,
    /// Where the masked change is kept while the model looks at it.
    pub runs: PathBuf,
    /// Threads of the model.
    pub threads: u32,
    /// Limits.
    pub limits: Limits,
    /// Layers the user allows to be missing.
    pub allow_weaker: Vec<Layer>,
}

/// Runs it under its time limit.
///
/// # Errors
/// Any expected failure: then nothing was passed.
pub async fn run(request: &Request, watch: &mut dyn Watch) -> Result<GuardReport> {
    crate::triage::bounded(request.limits.max_seconds, guard(request, watch)).await
}

async fn guard(request: &Request, watch: &mut dyn Watch) -> Result<GuardReport> {
    let started = Instant::now();
    let here =
        std::env::current_dir().or_fail(ExitCode::Usage, "failed to find the current directory")?;
    let top = match request.what {
        What::Stdin => None,
        _ => git::top(&here).await?,
    };
    let base = top.clone().unwrap_or(here);
    let scratch = match &request.model {
        Ok(model) => Some(super::review::Scratched::new(request, model)?),
        Err(_) => None,
    };
    let baseline = match (&request.baseline, request.use_baseline) {
        (_, false) => None,
        (Some(path), true) => Some(host::settings(path)?.ok_or_else(|| {
            Error::usage(format!("there is no baseline {}", files::shown(path)))
                .hint("write one with: narrowroom guard --write-baseline FILE")
        })?),
        (None, true) => host::settings(&base.join(BASELINE_FILE))?,
    };
    let job = ScanJob {
        source: match request.what {
            What::Staged | What::Stdin => Source::Patch,
            What::Range(_) => Source::Log,
            What::Paths(_) => Source::Files,
        },
        ignore: host::settings(&base.join(IGNORE_FILE))?,
        baseline,
        write_tree: scratch.is_some(),
    };
    let zone = if job.write_tree {
        Zone::Unpack
    } else {
        Zone::Verify
    };
    let boot = Boot {
        tree: scratch
            .as_ref()
            .map_or_else(PathBuf::new, |scratch| scratch.tree()),
        model: None,
        library: None,
        limits: request.limits.clone(),
        allow_weaker: request.allow_weaker.clone(),
        name: String::new(),
        open_streams: false,
    };
    let mut report = GuardReport {
        schema: SCHEMA.into(),
        source: source_words(&request.what),
        findings: vec![],
        more_findings: 0,
        remarks: vec![],
        suppressed: vec![],
        not_examined: vec![],
        notes: vec![],
        counts: Counts::default(),
        review: Review::default(),
        millis: BTreeMap::new(),
    };
    let mut worker = Worker::guard(zone, &boot)?;
    match worker.next().await? {
        Some(FromWorker::Sealed(proof)) if proof.holds() => {}
        Some(FromWorker::Sealed(proof)) => return Err(crate::triage::unproved(&proof)),
        _ => {
            return Err(Error::unsealed("the scan's worker did not prove its seal")
                .hint("run: narrowroom doctor"));
        }
    }
    lap(&mut report, "seal", started);
    let started = Instant::now();
    let fed = feed(
        &mut worker,
        &job,
        request,
        &base,
        top.is_some(),
        &mut report,
    )
    .await;
    worker.finish_input();
    let entries = collect(&mut worker, &mut report, fed).await?;
    worker.end().await?;
    lap(&mut report, "scan", started);

    match (&request.model, scratch) {
        (Ok(model), Some(scratch)) => {
            let started = Instant::now();
            super::review::run(request, model, scratch, entries, &mut report, watch).await?;
            lap(&mut report, "review", started);
        }
        (Err((state, why)), _) => {
            report.review.state = *state;
            report.review.note.clone_from(why);
        }
        _ => {}
    }
    report.findings.sort();
    report.remarks.sort();
    report.suppressed.sort();
    report.not_examined.sort();
    Ok(report)
}

fn lap(report: &mut GuardReport, name: &str, since: Instant) {
    let millis = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
    report.millis.insert(name.to_owned(), millis);
}

fn source_words(what: &What) -> String {
    match what {
        What::Staged => "what is staged".into(),
        What::Range(range) => format!("the commits {}", escape::terminal(range)),
        What::Stdin => "the patch on standard input".into(),
        What::Paths(paths) if paths.len() == 1 => files::shown(&paths[0]),
        What::Paths(paths) => format!("{} paths", paths.len()),
    }
}

/// Sends the job and the change.
async fn feed(
    worker: &mut Worker,
    job: &ScanJob,
    request: &Request,
    base: &Path,
    in_repository: bool,
    report: &mut GuardReport,
) -> Result<()> {
    worker.send(&ToWorker::Scan(Box::new(job.clone()))).await?;
    match &request.what {
        What::Stdin => copy_stdin(worker).await,
        What::Paths(paths) => {
            for path in paths {
                send_path(worker, path, base, report).await?;
            }
            Ok(())
        }
        _ if !in_repository => Err(git::no_repository()),
        What::Staged => send_git(worker, git::staged(base)?, "what is staged").await,
        What::Range(range) => {
            let what = format!("the range {}", escape::terminal(range));
            send_git(worker, git::range(base, range)?, &what).await
        }
    }
}

async fn copy(worker: &mut Worker, from: &mut (impl AsyncRead + Unpin)) -> Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let read = from
            .read(&mut buffer)
            .await
            .or_fail(ExitCode::Usage, "failed to read the change")?;
        if read == 0 {
            return Ok(());
        }
        worker.send_bytes(&buffer[..read]).await?;
    }
}

/// Standard input is read by a thread of its own, so that a signal is heard while it waits.
async fn copy_stdin(worker: &mut Worker) -> Result<()> {
    use std::io::Read;
    let (to, mut from) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(4);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut buffer = vec![0; CHUNK_BYTES];
            let read = input.read(&mut buffer);
            let last = !matches!(read, Ok(1..));
            let sent = to.blocking_send(read.map(|read| {
                buffer.truncate(read);
                buffer
            }));
            if last || sent.is_err() {
                return;
            }
        }
    });
    while let Some(read) = from.recv().await {
        let bytes = read.or_fail(ExitCode::Usage, "failed to read standard input")?;
        worker.send_bytes(&bytes).await?;
    }
    Ok(())
}

async fn send_git(worker: &mut Worker, mut child: tokio::process::Child, what: &str) -> Result<()> {
    let (out, complaint) = (child.stdout.take(), child.stderr.take());
    let copied = async {
        match out {
            Some(mut out) => copy(worker, &mut out).await,
            None => Ok(()),
        }
    };
    let (copied, complaint) = tokio::join!(copied, git::complaint(complaint));
    copied?;
    git::end(child, &complaint, what).await
}

async fn send_path(
    worker: &mut Worker,
    path: &Path,
    base: &Path,
    report: &mut GuardReport,
) -> Result<()> {
    let mut skip = |path: &Path, what: &str, why: String| {
        report.not_examined.push(NotExamined {
            path: relative(path, base),
            what: what.into(),
            why,
        });
    };
    match host::open(path) {
        Named::Other(why) if !host::there(path) => Err(Error::usage(format!(
            "failed to look at {}: {why}",
            files::shown(path)
        ))
        .hint("name files and folders that are there")),
        Named::Other(why) => {
            skip(path, "unreadable", why);
            Ok(())
        }
        Named::File(file) => send_file(worker, file, &relative(path, base)).await,
        Named::Folder => {
            let (listed, failed) = match git::files(path).await? {
                Some((names, ignored)) => {
                    if ignored > 0 {
                        skip(
                            path,
                            "ignored",
                            format!(
                                "{ignored} files or folders in it are left out by .gitignore; name them to have them searched"
                            ),
                        );
                    }
                    (names.iter().map(|name| path.join(name)).collect(), vec![])
                }
                None => host::walk(path, MAX_FILES),
            };
            for (path, why) in failed {
                skip(&path, "unreadable", why);
            }
            for path in listed {
                match host::open(&path) {
                    Named::File(file) => send_file(worker, file, &relative(&path, base)).await?,
                    Named::Folder => {
                        skip(&path, "submodule", "it is a repository of its own".into())
                    }
                    Named::Other(_) if !host::there(&path) => {
                        skip(&path, "deleted", "it is tracked, but not there".into());
                    }
                    Named::Other(why) => skip(&path, "unreadable", why),
                }
            }
            Ok(())
        }
    }
}

/// Most files of a folder outside of a repository.
const MAX_FILES: usize = 1_000_000;

async fn send_file(worker: &mut Worker, file: std::fs::File, name: &str) -> Result<()> {
    use crate::room::frame;
    use std::io::Read;
    let mut head = Vec::new();
    frame::write(&mut head, &name).or_fail(ExitCode::Bug, "failed to write a frame")?;
    worker.send_bytes(&head).await?;
    let mut file = file;
    let mut buffer = vec![0; 4 + CHUNK_BYTES];
    loop {
        let read = file.read(&mut buffer[4..]).or_fail(
            ExitCode::Usage,
            format!("failed to read {}", escape::terminal(name)),
        )?;
        let length = u32::try_from(read).unwrap_or(0).to_le_bytes();
        buffer[..4].copy_from_slice(&length);
        worker.send_bytes(&buffer[..4 + read]).await?;
        if read == 0 {
            return Ok(());
        }
    }
}

/// `path` below `base`, with `/`; as it was given when it lies elsewhere.
fn relative(path: &Path, base: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let short = absolute
        .strip_prefix(base)
        .map_or_else(|_| path.to_owned(), Path::to_owned);
    short.to_string_lossy().into_owned()
}

/// Reads what the scan found. `fed` is how sending went: the worker's own last words say more than a
/// broken pipe, and a failure of `git` more than a patch that ends early.
async fn collect(
    worker: &mut Worker,
    report: &mut GuardReport,
    fed: Result<()>,
) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut whole = false;
    let result = loop {
        match worker.next().await {
            Err(error) => break Err(error),
            Ok(None) => break Ok(()),
            Ok(Some(FromWorker::Scanned(part))) => whole |= take(*part, report)?,
            Ok(Some(FromWorker::Entries(part))) if entries.len() < MAX_ITEMS => {
                entries.extend(part)
            }
            Ok(Some(FromWorker::Finished { .. })) => {}
            Ok(Some(_)) => break Err(Error::bug("the scan sent a frame out of turn")),
        }
    };
    match (fed, result) {
        (Err(fed), Ok(())) => Err(fed),
        (Err(fed), Err(own)) => Err(if fed.exit == ExitCode::Bug { own } else { fed }),
        (Ok(()), Err(own)) => Err(own),
        (Ok(()), Ok(())) if whole => Ok(entries),
        (Ok(()), Ok(())) => Err(Error::bug("the scan ended without a result")),
    }
}

/// Takes one part; whether it was the last.
fn take(part: Part, report: &mut GuardReport) -> Result<bool> {
    match part {
        Part::Findings(items) => report.findings.extend(items),
        Part::Suppressed(items) => report.suppressed.extend(items),
        Part::NotExamined(items) => report.not_examined.extend(items),
        Part::Remarks(items) => report.remarks.extend(items),
        Part::Done {
            counts,
            more_findings,
            notes,
        } => {
            report.counts = counts;
            report.more_findings = more_findings;
            report.notes.extend(notes);
            return Ok(true);
        }
    }
    let items = report.findings.len()
        + report.suppressed.len()
        + report.not_examined.len()
        + report.remarks.len();
    if items > 2 * MAX_ITEMS + MAX_FILES {
        return Err(Error::bug("the scan sent more than it may"));
    }
    Ok(false)
}
