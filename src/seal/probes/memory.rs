//! Probes for executable memory.

use super::{Outcome, Probe, SUCCESS, Scene};
use crate::seal::plan::Layer;
use crate::seal::sys;

const PAGE: usize = 4096;
const READ: usize = libc::PROT_READ as usize;
const WRITE: usize = libc::PROT_WRITE as usize;
const EXEC: usize = libc::PROT_EXEC as usize;

pub(super) fn probes(_scene: &Scene) -> Vec<Probe> {
    let probe = |name: &str, attempt: &str, expected, layers, run: fn() -> Outcome| Probe {
        name: name.to_owned(),
        attempt: attempt.to_owned(),
        layers,
        expected: vec![expected],
        open: vec![],
        run: Box::new(run),
    };
    let denied =
        |name: &str, attempt, run| probe(name, attempt, libc::EPERM, vec![Layer::Seccomp], run);
    vec![
        denied("mmap-write-exec", "mmap(PROT_WRITE | PROT_EXEC)", || {
            mapped(WRITE | EXEC, None)
        }),
        denied("mmap-exec", "mmap(PROT_READ | PROT_EXEC)", || {
            mapped(READ | EXEC, None)
        }),
        denied(
            "mprotect-write-exec",
            "mprotect(PROT_WRITE | PROT_EXEC) of our own page",
            || mapped(READ | WRITE, Some((libc::SYS_mprotect, WRITE | EXEC))),
        ),
        denied(
            "mprotect-exec",
            "mprotect(PROT_READ | PROT_EXEC) of our own page",
            || mapped(READ | WRITE, Some((libc::SYS_mprotect, READ | EXEC))),
        ),
        denied(
            "pkey-mprotect-exec",
            "pkey_mprotect(PROT_EXEC) of our own page",
            || mapped(READ | WRITE, Some((libc::SYS_pkey_mprotect, READ | EXEC))),
        ),
        probe(
            "memory",
            "mmap(PROT_READ | PROT_WRITE), must be possible",
            SUCCESS,
            vec![],
            || mapped(READ | WRITE, None),
        ),
    ]
}

/// Maps one anonymous page, changes its protection if asked, and unmaps it again.
fn mapped(protection: usize, then: Option<(libc::c_long, usize)>) -> Outcome {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    // SAFETY: a new private page at an address that the kernel chooses.
    let page =
        match unsafe { sys::call(libc::SYS_mmap, [0, PAGE, protection, flags, usize::MAX, 0]) } {
            Ok(page) => page,
            Err(errno) => return Outcome::Answer(errno),
        };
    let changed = match then {
        // SAFETY: the page is ours alone and nothing is stored in it; -1 is the default key.
        Some((number, to)) => unsafe { sys::call(number, [page, PAGE, to, usize::MAX, 0, 0]) },
        None => Ok(0),
    };
    // SAFETY: the page was mapped above and nothing refers to it.
    let _ = unsafe { sys::call(libc::SYS_munmap, [page, PAGE, 0, 0, 0, 0]) };
    Outcome::from(changed.map(drop))
}
