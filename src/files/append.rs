//! Files that only grow, and the locks that keep two writers apart.

use super::{make_dir, write_error};
use crate::error::{Error, ExitCode, Result};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest wait for a lock that another process holds.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// An exclusive lock that ends with this value or with the process, whichever is first.
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

impl Lock {
    /// Waits for the lock on `path`, which is made where it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or another process holds it for longer than 30 seconds.
    pub fn wait(path: &Path) -> Result<Self> {
        let until = Instant::now() + MAX_WAIT;
        loop {
            if let Some(lock) = Self::now(path)? {
                return Ok(lock);
            }
            if Instant::now() > until {
                return Err(Error::new(
                    ExitCode::LimitReached,
                    format!("another process holds the lock {}", super::shown(path)),
                )
                .hint("let it end, or end it, and try again"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The lock on `path`, or `None` when another process holds it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn now(path: &Path) -> Result<Option<Self>> {
        if let Some(parent) = path.parent() {
            make_dir(parent)?;
        }
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|error| write_error(error, "the lock", path))?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(None),
            Err(error) => Err(write_error(error.into(), "the lock", path)),
        }
    }
}

/// Makes `path` hold its first `keep` bytes followed by `bytes`, and syncs it. What an interrupted
/// call left behind those first bytes goes away.
///
/// # Errors
/// A bug or a damaged file when it is shorter than `keep`; else as [`write_error`].
pub fn append_at(path: &Path, keep: u64, bytes: &[u8]) -> Result<()> {
    let done = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        if file.metadata()?.len() < keep {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it is shorter than it was",
            ));
        }
        file.set_len(keep)?;
        file.seek(SeekFrom::Start(keep))?;
        file.write_all(bytes)?;
        file.sync_all()
    })();
    done.map_err(|error| write_error(error, "the file", path))
}

/// The bytes of a file of at most `most` bytes; `None` when it is not there.
///
/// # Errors
/// The system's error; `FileTooLarge` when it holds more.
pub fn read_if_there(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    if file.take(most + 1).read_to_end(&mut bytes)? as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {most} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// The bytes of a file from `at` to its end, at most `most` of them; `None` when the file is not there.
///
/// # Errors
/// As [`read_if_there`].
pub fn read_end(path: &Path, at: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    if file.take(most + 1).read_to_end(&mut bytes)? as u64 > most {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it goes on for more than {most} bytes"),
        ));
    }
    Ok(Some(bytes))
}

/// Removes what killed processes left of files that were being written whole, by the beginning of the
/// files' names. The caller holds the lock under which they are written.
///
/// # Errors
/// As [`write_error`], or when the directory cannot be read.
pub fn sweep_halves(dir: &Path, files: &[&str]) -> Result<()> {
    let names = super::names(dir).map_err(|error| write_error(error, "the directory", dir))?;
    for name in names {
        let half = name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(super::SUFFIX));
        if half.is_some_and(|half| {
            files.iter().any(|file| {
                half.strip_prefix(file)
                    .is_some_and(|pid| pid.starts_with('.'))
            })
        }) {
            remove(&dir.join(name))?;
        }
    }
    Ok(())
}

/// Removes a file; that it is gone already is well.
///
/// # Errors
/// As [`write_error`].
pub fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(write_error(error, "the file", path))
        }
        _ => Ok(()),
    }
}

/// What lies in a directory, with what each is, sorted; nothing is followed.
///
/// # Errors
/// The system's error.
pub fn listing(path: &Path) -> io::Result<Vec<(String, Kind)>> {
    let mut all = Vec::new();
    for item in fs::read_dir(path)? {
        let item = item?;
        let kind = item.file_type()?;
        let kind = if kind.is_file() {
            Kind::File
        } else if kind.is_dir() {
            Kind::Dir
        } else {
            Kind::Other
        };
        all.push((item.file_name().to_string_lossy().into_owned(), kind));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A link, a pipe, a device.
    Other,
}
