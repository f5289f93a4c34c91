//! Probes of descriptors: one that was inherited, and one more than the limit has.

use std::os::fd::RawFd;

use super::{Outcome, Probe, Scene};
use crate::seal::plan::Layer;

pub(super) fn probes(scene: &Scene) -> Vec<Probe> {
    let probe = |name: &str, attempt: String, layer, expected, fd: RawFd, at_least: u64| Probe {
        name: name.to_owned(),
        attempt,
        layers: vec![layer],
        expected: vec![expected],
        open: vec![],
        run: Box::new(move || copy(fd, at_least)),
    };
    vec![
        probe(
            "descriptor-inherited",
            "use a descriptor that the worker inherited and was not granted".to_owned(),
            Layer::Descriptors,
            libc::EBADF,
            scene.inherited_fd,
            0,
        ),
        probe(
            "descriptor-limit",
            format!("have a descriptor with the number {}", scene.open_files),
            Layer::Rlimits,
            libc::EINVAL,
            0,
            scene.open_files,
        ),
    ]
}

/// Copies a descriptor to a number of at least `at_least`, and closes the copy.
fn copy(fd: RawFd, at_least: u64) -> Outcome {
    let Ok(at_least) = RawFd::try_from(at_least) else {
        return Outcome::CouldNotRun("the limit is no number of a descriptor".to_owned());
    };
    // SAFETY: takes numbers; what was open before stays as it is.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, at_least) };
    if copy < 0 {
        return Outcome::Answer(crate::seal::sys::last_errno());
    }
    // SAFETY: the kernel has just given this number to us and nothing else knows it.
    unsafe { libc::close(copy) };
    Outcome::Answer(super::SUCCESS)
}
