//! Locks between processes: `flock` on a file of ours, which the kernel drops with its owner.

use super::write_error;
use crate::error::Result;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Whether others may hold the lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Others may share it.
    Shared,
    /// Nobody else may hold it.
    Exclusive,
}

/// A held lock; dropping it, or dying, gives it back.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock on `path`, which is created empty; `None` when another process holds it in a
    /// way that excludes this one.
    ///
    /// # Errors
    /// As [`write_error`].
    pub fn try_take(path: &Path, sharing: Sharing) -> Result<Option<Self>> {
        let fail = |error| write_error(error, "the lock", path);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(fail)?;
        let operation = match sharing {
            Sharing::Shared => FlockOperation::NonBlockingLockShared,
            Sharing::Exclusive => FlockOperation::NonBlockingLockExclusive,
        };
        match flock(&file, operation) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(fail(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_held_lock_excludes_and_a_dropped_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::try_take(&path, Sharing::Shared).unwrap().unwrap();
        assert!(Lock::try_take(&path, Sharing::Shared).unwrap().is_some());
        assert!(Lock::try_take(&path, Sharing::Exclusive).unwrap().is_none());
        drop(held);
        let held = Lock::try_take(&path, Sharing::Exclusive).unwrap().unwrap();
        assert!(Lock::try_take(&path, Sharing::Shared).unwrap().is_none());
        drop(held);
        assert!(Lock::try_take(&path, Sharing::Exclusive).unwrap().is_some());
    }
}
