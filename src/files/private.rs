//! Files that only their owner may read: made whole under their final name by one process, checked
//! before each use.

use super::{make_dir, shown, write_error};
use crate::error::{Error, Result};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Largest private file, in bytes.
const MAX_BYTES: u64 = 16 << 10;

/// Makes `path` with mode 0600 and its folder with 0700. Where it is there already nothing happens:
/// of several processes one wins and each finds a whole file.
///
/// # Errors
/// As [`write_error`].
pub fn create(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    make_dir(parent)?;
    let temporary = parent.join(format!(".{}.new", crate::record::new_id()));
    let done = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }?;
        File::open(parent)?.sync_all()
    })();
    let _ = fs::remove_file(&temporary);
    done.map_err(|error| write_error(error, "the file", path))
}

/// Reads `path` after it was checked, on the opened file: regular, owned by this user or root, and
/// closed to group and others.
///
/// # Errors
/// A usage error that says which of these does not hold and what to do.
pub fn read(path: &Path) -> Result<Zeroizing<String>> {
    let name = shown(path);
    let fail = |error: std::io::Error| {
        Error::usage(format!("failed to read the private file {name}")).source(error)
    };
    // A pipe in its place must not block the program.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty())
        .map(File::from)
        .map_err(|error| fail(error.into()))?;
    let meta = file.metadata().map_err(fail)?;
    if !meta.is_file() {
        return Err(Error::usage(format!(
            "failed to read the private file {name}: it is not a regular file"
        )));
    }
    let own = rustix::process::geteuid().as_raw();
    if meta.uid() != own && meta.uid() != 0 {
        return Err(Error::usage(format!(
            "the private file {name} belongs to user {}, not to you (user {own})",
            meta.uid()
        ))
        .hint("use a key of your own; whoever owns the file can replace it"));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Error::usage(format!(
            "the private file {name} is open to others (mode {:04o})",
            meta.mode() & 0o7777
        ))
        .hint(format!(
            "close it with: chmod 600 {name}; if others may have read it, make a new one"
        )));
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES as usize + 1));
    let read = file
        .take(MAX_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(fail)?;
    if read as u64 > MAX_BYTES {
        return Err(Error::usage(format!(
            "failed to read the private file {name}: it is larger than 16 KiB"
        )));
    }
    Ok(text)
}
