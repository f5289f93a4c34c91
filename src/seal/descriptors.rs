//! Descriptors: all closed but the granted ones, and a canary that shows whether that happened.

#![expect(
    clippy::disallowed_methods,
    reason = "lists /proc/self/fd before the root changes"
)]

use std::os::fd::RawFd;

use super::sys;
use crate::error::{Context, Error, ExitCode, Result};

/// The highest open descriptor of this process. Needs a visible `/proc`.
pub(super) fn highest() -> Result<RawFd> {
    let listing = std::fs::read_dir("/proc/self/fd")
        .or_fail(ExitCode::Unsealed, "failed to list the open descriptors")?;
    let numbers = listing
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.max().unwrap_or(2))
}

/// Opens a descriptor that nobody needs, high up, as an inherited one would lie: if it is still
/// there when the seal is proved, descriptors were not closed.
pub(super) fn open_canary() -> std::io::Result<RawFd> {
    // SAFETY: duplicates standard input to a free number of at least 200; no memory is involved.
    let fd = unsafe { libc::fcntl(0, libc::F_DUPFD, 200) };
    if fd >= 0 {
        return Ok(fd);
    }
    // Standard input may be closed, or the limit of open files low.
    let file = rustix::fs::open("/", rustix::fs::OFlags::PATH, rustix::fs::Mode::empty())?;
    Ok(std::os::fd::IntoRawFd::into_raw_fd(file))
}

/// Closes every descriptor but `keep` and, if `standard`, 0, 1 and 2.
pub(super) fn close_all_but(keep: &[RawFd], standard: bool) -> Result<(), sys::Errno> {
    let mut stay: Vec<u32> = keep
        .iter()
        .filter_map(|fd| u32::try_from(*fd).ok())
        .collect();
    if standard {
        stay.extend([0, 1, 2]);
    }
    stay.sort_unstable();
    stay.dedup();
    let mut from = 0;
    for fd in stay {
        if from < fd {
            close_range(from, fd - 1)?;
        }
        from = fd + 1;
    }
    close_range(from, u32::MAX)
}

fn close_range(first: u32, last: u32) -> Result<(), sys::Errno> {
    // SAFETY: takes numbers only. What owns a closed descriptor in this process is never used
    // again: `close` consumes what `enter` opened, and the caller names what it still needs.
    unsafe {
        sys::call(
            libc::SYS_close_range,
            [first as usize, last as usize, 0, 0, 0, 0],
        )
    }
    .map(drop)
}

/// The open descriptors among 0 to `highest` that are neither granted nor standard.
pub(super) fn unexpected(granted: &[RawFd], highest: RawFd) -> Vec<RawFd> {
    (3..=highest)
        .filter(|fd| !granted.contains(fd))
        .filter(|fd| {
            // SAFETY: F_GETFD takes no pointer and changes nothing.
            unsafe { libc::fcntl(*fd, libc::F_GETFD) != -1 }
        })
        .collect()
}

/// Refuses granted descriptors that are not open: a bug of the coordinator.
pub(super) fn demand_open(granted: &[RawFd]) -> Result<()> {
    for fd in granted {
        // SAFETY: F_GETFD takes no pointer and changes nothing.
        if unsafe { libc::fcntl(*fd, libc::F_GETFD) } == -1 {
            return Err(Error::bug(format!(
                "seal plan: the kept descriptor {fd} is not open"
            )));
        }
    }
    Ok(())
}
