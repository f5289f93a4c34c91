//! Starting `git`, and nothing else: the one place of the guard that starts a process that is not
//! sealed. Its output is not read here beyond names and ids that zone 0 itself needs.
//!
//! The environment is cleared but for what says where the repository and its index are (a commit hook
//! sets these), and every setting of the repository that could execute something is overridden:
//! external diffs, text converters, pagers, file system monitors, signature checks, transports.

use crate::error::{Context, Error, ExitCode, Result};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

/// What `git` may take over from the caller's environment.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_QUARANTINE_PATH",
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
];
/// Settings that win over the repository's own.
const SETTINGS: &[&str] = &[
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.quotePath=true",
    "core.untrackedCache=false",
    "diff.suppressBlankEmpty=false",
    "log.showRoot=true",
    "log.showSignature=false",
    "protocol.allow=never",
    "submodule.recurse=false",
];
/// How a change is written. All content is text to Git, whatever `.gitattributes` says; what is binary
/// is told in the sealed worker. The whole file is context, so that a secret is seen in its place.
const DIFF: &[&str] = &[
    "--patch",
    "--text",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--full-index",
    "--find-renames",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--submodule=short",
    "--ignore-submodules=none",
    "--unified=100000000",
    "-O/dev/null",
];
/// Largest answer of a short question, in bytes.
const MAX_ANSWER: u64 = 64 << 20;
/// What is repeated of Git's own complaint, in bytes.
const MAX_COMPLAINT: u64 = 2_000;

fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .envs(KEPT.iter().filter_map(|name| Some((*name, kept(name)?))))
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .current_dir(dir)
        .arg("--no-pager")
        .args(SETTINGS.iter().flat_map(|setting| ["-c", setting]))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A variable's value; a place is made absolute, since Git may start in another directory than ours.
fn kept(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name)?;
    let place = name.starts_with("GIT_") && !name.starts_with("GIT_CONFIG") && !value.is_empty();
    if place && !value.as_bytes().contains(&b':') {
        return Some(std::path::absolute(&value).map_or(value, PathBuf::into_os_string));
    }
    Some(value)
}

fn spawn(mut command: Command) -> Result<Child> {
    command.spawn().map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let error = Error::usage("failed to start git").source(error);
        if missing {
            error.hint("install git, or give a patch on standard input with --stdin")
        } else {
            error
        }
    })
}

/// What a short question to Git answers.
async fn ask(dir: &Path, args: &[&OsStr]) -> Result<Option<Vec<u8>>> {
    let mut command = command(dir);
    command.args(args).stderr(Stdio::null());
    let mut child = spawn(command)?;
    let mut answer = Vec::new();
    let fail = "failed to read git's answer";
    if let Some(out) = child.stdout.take() {
        out.take(MAX_ANSWER)
            .read_to_end(&mut answer)
            .await
            .or_fail(ExitCode::Bug, fail)?;
    }
    let status = child.wait().await.or_fail(ExitCode::Bug, fail)?;
    Ok(status.success().then_some(answer))
}

fn path(mut answer: Vec<u8>) -> PathBuf {
    if answer.last() == Some(&b'\n') {
        answer.pop();
    }
    PathBuf::from(OsString::from_vec(answer))
}

/// The top folder of the work tree that `dir` lies in; `None` outside of any.
///
/// # Errors
/// When `git` cannot be started.
pub async fn top(dir: &Path) -> Result<Option<PathBuf>> {
    let args = ["rev-parse", "--show-toplevel"].map(OsStr::new);
    Ok(ask(dir, &args)
        .await?
        .map(path)
        .filter(|top| top.is_absolute()))
}

/// The folder that Git takes hooks from, and whether a setting names it.
///
/// # Errors
/// A usage error outside of a repository.
pub async fn hooks_dir(dir: &Path) -> Result<(PathBuf, bool)> {
    let args = ["rev-parse", "--path-format=absolute", "--git-path", "hooks"].map(OsStr::new);
    let hooks = ask(dir, &args).await?.map(path).ok_or_else(no_repository)?;
    let named = ask(dir, &["config", "--get", "core.hooksPath"].map(OsStr::new)).await?;
    Ok((hooks, named.is_some()))
}

/// That there is no repository.
pub fn no_repository() -> Error {
    Error::usage("there is no Git repository here")
        .hint("go into one, or name files and folders, or give a patch with --stdin")
}

/// What is staged, as a patch.
///
/// # Errors
/// When `git` cannot be started.
pub fn staged(top: &Path) -> Result<Child> {
    let mut command = command(top);
    command.args(["diff", "--cached"]).args(DIFF).arg("--");
    spawn(command)
}

/// Each commit of a range, as a log with patches; of a merge, what none of its parents had.
///
/// # Errors
/// A usage error for what is no range.
pub fn range(top: &Path, range: &str) -> Result<Child> {
    if range.is_empty() || range.starts_with('-') || range.contains(['\n', '\0']) {
        return Err(Error::usage(format!("{range:?} is not a range of commits"))
            .hint("give A..B, as for git log"));
    }
    let mut command = command(top);
    command
        .args([
            "log",
            "--reverse",
            "--no-mailmap",
            "--no-notes",
            "--format=tformat:%x00%H%x00%B%x00",
            "--cc",
        ])
        .args(DIFF)
        .args(["--end-of-options", range, "--"]);
    spawn(command)
}

/// Git's own complaint, its beginning; the rest is read too, so that Git never waits.
pub async fn complaint(from: Option<ChildStderr>) -> String {
    let Some(mut from) = from else {
        return String::new();
    };
    let mut kept = Vec::new();
    let _ = (&mut from).take(MAX_COMPLAINT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

/// Waits for its end.
///
/// # Errors
/// Git's own complaint.
pub async fn end(mut child: Child, complaint: &str, what: &str) -> Result<()> {
    let status = child
        .wait()
        .await
        .or_fail(ExitCode::Bug, "failed to wait for git")?;
    if status.success() {
        return Ok(());
    }
    let first = complaint
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("it says nothing");
    Err(Error::usage(format!(
        "failed to read {what}: git says: {}",
        crate::report::escape::terminal(first.trim_start_matches("fatal: "))
    ))
    .hint("nothing was passed; see whether the same git command works by hand"))
}

/// The files below `folder` that are tracked or could be added, and how many Git's own ignore rules
/// leave out; `None` when Git does not know the folder.
///
/// # Errors
/// When `git` cannot be started.
pub async fn files(folder: &Path) -> Result<Option<(Vec<PathBuf>, usize)>> {
    let list = |args: &[&str]| {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        async move {
            let args: Vec<&OsStr> = args.iter().map(OsString::as_os_str).collect();
            Ok::<_, Error>(ask(folder, &args).await?.map(|answer| {
                let mut names: Vec<PathBuf> = answer
                    .split(|byte| *byte == 0)
                    .filter(|name| !name.is_empty())
                    .map(|name| PathBuf::from(OsStr::from_bytes(name)))
                    .collect();
                names.sort();
                names.dedup();
                names
            }))
        }
    };
    let Some(known) = list(&[
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .await?
    else {
        return Ok(None);
    };
    let ignored = list(&[
        "ls-files",
        "-z",
        "--others",
        "--ignored",
        "--exclude-standard",
        "--directory",
    ])
    .await?;
    Ok(Some((known, ignored.map_or(0, |names| names.len()))))
}
