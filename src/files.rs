//! The coordinator's file system: the only module of zone 0 that opens paths by name.
//!
//! Owns: XDG places, whole-or-absent writes, directories that remove themselves, locks, listing
//! folders of archives. Never opens a path that came out of a bundle.
#![expect(
    clippy::disallowed_methods,
    reason = "the one place of zone 0 where the host's files are named"
)]

pub mod append;
mod lock;
pub mod private;
mod walk;

pub use lock::{Lock, Sharing};
pub use walk::{Walked, walk};

use crate::error::{Context, Error, ExitCode, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Largest settings or report file read whole, in bytes.
const MAX_TEXT: u64 = 64 << 20;

/// `$XDG_STATE_HOME/narrowroom/runs`, or below `~/.local/state`.
pub fn runs_dir() -> PathBuf {
    xdg("XDG_STATE_HOME", ".local/state").join("runs")
}

/// `$XDG_DATA_HOME/narrowroom`, or below `~/.local/share`.
pub fn data_dir() -> PathBuf {
    xdg("XDG_DATA_HOME", ".local/share")
}

fn xdg(variable: &str, below_home: &str) -> PathBuf {
    let base = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| {
            std::env::var_os("HOME")
                .map_or_else(|| PathBuf::from("/"), PathBuf::from)
                .join(below_home)
        });
    base.join("narrowroom")
}

/// Reads a text file of at most 64 MiB.
///
/// # Errors
/// The system's error; `InvalidData` when it is not UTF-8 or too large.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::IsADirectory,
            "it is a directory",
        ));
    }
    if file.take(MAX_TEXT + 1).read_to_string(&mut text)? as u64 > MAX_TEXT {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is larger than 64 MiB",
        ));
    }
    Ok(text)
}

/// Opens a bundle for a worker to inherit. Only regular files, so that a pipe cannot be swapped in.
///
/// # Errors
/// Refused input: not there, a device.
pub fn open_bundle(path: &Path) -> Result<File> {
    let name = shown(path);
    let file = File::open(path).map_err(|error| {
        let exit = ExitCode::InputRefused;
        Error::new(exit, format!("failed to open the bundle {name}"))
            .source(error)
            .hint("give the path of an archive or a folder that you may read, or - for standard input")
    })?;
    let meta = file.metadata().or_fail(
        ExitCode::InputRefused,
        format!("failed to look at the bundle {name}"),
    )?;
    if !meta.is_file() {
        return Err(Error::refused(format!(
            "failed to open the bundle {name}: it is not a regular file"
        )));
    }
    if meta.len() == 0 {
        return Err(Error::refused(format!(
            "failed to read the bundle {name}: it is empty (0 bytes)"
        ))
        .hint("was the download or the copy cut short?"));
    }
    Ok(file)
}

/// Opens a file of ours for reading.
///
/// # Errors
/// The system's error.
pub fn open_readable(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Size of a file in bytes; 0 when it cannot be told.
pub fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// Memory that can be had without swapping, in bytes, as the kernel estimates it (proc(5), `MemAvailable`).
pub fn available_memory() -> Option<u64> {
    let text = read_text(Path::new("/proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Gives a tree that a worker wrote to the user who started the program.
///
/// # Errors
/// As [`write_error`].
pub fn adopt(tree: &Path) -> Result<()> {
    use rustix::fs::{AtFlags, CWD, chownat};
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    if !uid.is_root() {
        return Ok(());
    }
    let mut folders = vec![tree.to_owned()];
    while let Some(folder) = folders.pop() {
        let fail = |error| write_error(error, "the owner of", &folder);
        for item in fs::read_dir(&folder).map_err(fail)? {
            let item = item.map_err(fail)?;
            if item.file_type().map_err(fail)?.is_dir() {
                folders.push(item.path());
                continue;
            }
            chownat(
                CWD,
                item.path(),
                Some(uid),
                Some(gid),
                AtFlags::SYMLINK_NOFOLLOW,
            )
            .map_err(|error| fail(error.into()))?;
        }
        chownat(
            CWD,
            &folder,
            Some(uid),
            Some(gid),
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(|error| fail(error.into()))?;
    }
    Ok(())
}

/// Whether a directory can be made at `path`: nothing is there, or an empty directory.
pub fn is_free(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(meta) => {
            meta.is_dir() && fs::read_dir(path).is_ok_and(|mut items| items.next().is_none())
        }
    }
}

/// Syncs the directory and gives a finished tree its place there.
///
/// # Errors
/// As [`write_error`].
pub fn place(tree: &Path, to: &Path) -> Result<()> {
    fs::rename(tree, to)
        .and_then(|()| File::open(to.parent().unwrap_or(Path::new("/")))?.sync_all())
        .map_err(|error| write_error(error, "the directory", to))
}

/// Whether something is there.
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Whether a directory is there.
pub fn is_dir(path: &Path) -> bool {
    path.is_dir()
}

/// The path without links, `.` and `..`.
///
/// # Errors
/// The system's error.
pub fn canonical(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

/// Removes a file of ours; one that is not there is no error.
///
/// # Errors
/// As [`write_error`].
pub fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(write_error(error, "the file", path))
        }
        _ => Ok(()),
    }
}

/// SHA-256 of a file, lower-case hex.
///
/// # Errors
/// The system's error.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// A path made safe for a terminal.
pub fn shown(path: &Path) -> String {
    crate::report::escape::terminal(&path.to_string_lossy())
}

/// Tells a full disk, a missing permission and other failures of writing apart.
pub fn write_error(error: io::Error, what: &str, path: &Path) -> Error {
    let name = shown(path);
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => {
            Error::limit(format!("failed to write {what} {name}: no space is left"))
                .hint("free space on that file system, or choose another with --runs DIR")
                .transient()
        }
        Some(libc::EACCES | libc::EPERM | libc::EROFS) => {
            Error::usage(format!("failed to write {what} {name}"))
                .source(error)
                .hint("choose a directory that you may write with --runs DIR (or --out)")
        }
        _ => Error::usage(format!("failed to write {what} {name}"))
            .source(error)
            .hint("choose another place with --runs DIR (or --out)"),
    }
}

/// Writes a file under a temporary name, syncs it and renames it: whole or absent.
///
/// # Errors
/// As [`write_error`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_mode(path, bytes, 0o600)
}

/// As [`write_whole`], in a directory that is made, for every user to read: a sealed worker that gave up
/// root is another user.
///
/// # Errors
/// As [`write_error`].
pub fn write_shared(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)
            .map_err(|error| write_error(error, "the directory", parent))?;
    }
    write_mode(path, bytes, 0o644)
}

/// Whether this process may make files in a directory.
pub fn may_write(dir: &Path) -> bool {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok()
}

fn write_mode(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .ok_or_else(|| Error::usage(format!("{} names no file", shown(path))))?;
    let temporary = parent.join(format!(
        ".{}.{}{SUFFIX}",
        name.to_string_lossy(),
        std::process::id()
    ));
    let done = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        File::open(parent)?.sync_all()
    })();
    done.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        write_error(error, "the file", path)
    })
}

/// Makes a directory and its parents, readable by the owner only.
///
/// # Errors
/// As [`write_error`].
pub fn make_dir(path: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| write_error(error, "the directory", path))
}

/// The names in a directory, sorted; empty when it is not there.
///
/// # Errors
/// The system's error.
pub fn names(path: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![]),
        Err(error) => Err(error),
        Ok(items) => {
            let mut names: Vec<String> = items
                .filter_map(|item| item.ok()?.file_name().into_string().ok())
                .collect();
            names.sort();
            Ok(names)
        }
    }
}

/// A lock on a directory that is held as long as this lives, without a file of its own.
#[derive(Debug)]
pub struct DirLock {
    _held: File,
}

impl DirLock {
    /// Takes the lock; `None` when another process holds it.
    ///
    /// # Errors
    /// A usage error when the directory cannot be opened.
    pub fn take(path: &Path) -> Result<Option<Self>> {
        let fail = format!("failed to lock {}", shown(path));
        let held = File::open(path).or_fail(ExitCode::Usage, fail.clone())?;
        match rustix::fs::flock(&held, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _held: held })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(Error::usage(fail).source(io::Error::from(error))),
        }
    }
}

/// A directory that is removed with all it holds unless it is kept. A lock in it tells others that
/// its owner lives; what a killed process left behind is swept by the next one.
pub struct Scratch {
    path: PathBuf,
    lock: Option<File>,
}

/// How the name of what is not whole yet ends.
pub const SUFFIX: &str = ".partial";

/// The lock stands beside the directory and is there before and after it: a directory whose lock is
/// missing or free was left by a process that is dead, whenever it was killed.
fn lock_of(scratch: &Path) -> PathBuf {
    let mut name = scratch.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Makes and holds a lock; `None` when another process holds it.
fn hold(path: &Path) -> io::Result<Option<File>> {
    loop {
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        // Another process may have swept the file between the two calls.
        let held = file.metadata()?;
        if fs::symlink_metadata(path)
            .is_ok_and(|now| (now.dev(), now.ino()) == (held.dev(), held.ino()))
        {
            return Ok(Some(file));
        }
    }
}

impl Scratch {
    /// Makes `parent/.<name>.partial` and sweeps what dead processes left in `parent`.
    ///
    /// # Errors
    /// As [`write_error`].
    pub fn create(parent: &Path, name: &str) -> Result<Self> {
        make_dir(parent)?;
        sweep(parent);
        let path = parent.join(format!(".{name}{SUFFIX}"));
        let fail = |error| write_error(error, "the directory", &path);
        let lock = hold(&lock_of(&path))
            .map_err(fail)?
            .ok_or_else(|| fail(io::ErrorKind::AlreadyExists.into()))?;
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(fail)?;
        Ok(Self {
            path,
            lock: Some(lock),
        })
    }
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Removes a part of it.
    pub fn remove(&self, name: &str) {
        remove_tree(&self.path.join(name));
    }
    /// Syncs it and gives it its final name.
    ///
    /// # Errors
    /// As [`write_error`].
    pub fn keep(mut self, to: &Path) -> Result<()> {
        let done = (|| {
            File::open(&self.path)?.sync_all()?;
            fs::rename(&self.path, to)?;
            File::open(to.parent().unwrap_or(Path::new("/")))?.sync_all()
        })();
        done.map_err(|error| write_error(error, "the run", to))?;
        self.unlock();
        Ok(())
    }
    fn unlock(&mut self) {
        if self.lock.is_some() {
            let _ = fs::remove_file(lock_of(&self.path));
        }
        self.lock = None;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.lock.is_some() {
            remove_tree(&self.path);
        }
        self.unlock();
    }
}

/// Removes a tree; what cannot be removed stays, so look whether it is gone where that matters.
pub fn remove_tree(path: &Path) {
    let _ = fs::remove_dir_all(path);
}

/// Removes what dead processes left below `parent`: scratch directories that nobody holds.
pub fn sweep(parent: &Path) {
    let ends = [SUFFIX.to_owned(), format!("{SUFFIX}.lock")];
    for name in names(parent).unwrap_or_default() {
        let Some(end) = ends.iter().find(|end| name.ends_with(end.as_str())) else {
            continue;
        };
        let name = &name[..name.len() - end.len()];
        if !name.starts_with('.') {
            continue;
        }
        let path = parent.join(format!("{name}{SUFFIX}"));
        // What cannot be locked cannot be shown to be dead.
        if let Ok(Some(_held)) = hold(&lock_of(&path)) {
            remove_tree(&path);
            let _ = fs::remove_file(lock_of(&path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_goes_away_and_a_kept_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(dir.path(), "a").unwrap();
        let path = scratch.path().to_owned();
        fs::write(path.join("x"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
        let scratch = Scratch::create(dir.path(), "b").unwrap();
        write_whole(&scratch.path().join("y"), b"y").unwrap();
        scratch.keep(&dir.path().join("b")).unwrap();
        assert_eq!(names(dir.path()).unwrap(), ["b"]);
        assert_eq!(names(&dir.path().join("b")).unwrap(), ["y"]);
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_a_living_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        // Killed at work, killed while it was removed or named, killed before it was made.
        for (tree, lock) in [(true, true), (true, false), (false, true)] {
            let dead = dir.path().join(".dead.partial");
            if tree {
                fs::create_dir(&dead).unwrap();
            }
            if lock {
                fs::write(lock_of(&dead), "").unwrap();
            }
            let living = Scratch::create(dir.path(), "living").unwrap();
            let _other = Scratch::create(dir.path(), "other").unwrap();
            assert!(!dead.exists() && !lock_of(&dead).exists(), "{tree} {lock}");
            assert!(living.path().exists());
            assert!(Scratch::create(dir.path(), "living").is_err());
        }
        assert!(names(dir.path()).unwrap().is_empty());
    }
}
