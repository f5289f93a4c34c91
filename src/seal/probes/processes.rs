//! Probes that would start a process.

use super::{Outcome, Probe, Scene};
use crate::seal::plan::Layer;
use crate::seal::sys;

pub(super) fn probes(scene: &Scene) -> Vec<Probe> {
    let probe = |name: &str, attempt: &str, run: fn() -> Outcome| Probe {
        name: name.to_owned(),
        attempt: attempt.to_owned(),
        layers: vec![Layer::Seccomp],
        expected: vec![libc::EPERM],
        open: vec![],
        run: Box::new(run),
    };
    let mut probes = vec![
        probe("fork", "clone(SIGCHLD), a process of its own", || {
            clone_process(0)
        }),
        probe("clone-user", "clone(CLONE_NEWUSER | SIGCHLD)", || {
            clone_process(libc::CLONE_NEWUSER as usize)
        }),
    ];
    // In the zone that may have threads, the second one of the proof shows that this one can be met.
    if !scene.zone.may_start_threads() {
        probes.push(probe(
            "thread",
            "start a second thread",
            || match std::thread::Builder::new().spawn(|| {}) {
                Ok(thread) => {
                    let _ = thread.join();
                    Outcome::Answer(super::SUCCESS)
                }
                Err(error) => Outcome::Answer(error.raw_os_error().unwrap_or(libc::EIO)),
            },
        ));
    }
    probes
}

/// A copy of this process that ends at once.
fn clone_process(flags: usize) -> Outcome {
    let args = [flags | libc::SIGCHLD as usize, 0, 0, 0, 0, 0];
    // SAFETY: without CLONE_VM the child is a copy with a stack of its own, and it makes one call
    // that needs nothing: it ends.
    match unsafe { sys::call(libc::SYS_clone, args) } {
        Ok(0) => sys::exit_now(0),
        Ok(child) => match i32::try_from(child).map(sys::wait) {
            Ok(Ok(_)) => Outcome::Answer(super::SUCCESS),
            _ => Outcome::CouldNotRun("the child could not be waited for".to_owned()),
        },
        Err(errno) => Outcome::Answer(errno),
    }
}
