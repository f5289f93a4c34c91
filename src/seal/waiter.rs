//! The process that was started stays outside, waits for the sealed child and ends as it ended.

use std::os::fd::{AsRawFd, OwnedFd};

use super::namespaces::Identity;
use super::{filters, privileges, sys};

/// Waits for `child` and ends this process the same way: with its exit status, or by its signal.
/// `lifeline` is the end of a pipe that only this process holds: when it dies, the child knows.
/// Whoever waits for this process gets the child's resource use with it.
///
/// Does nothing else, and can do next to nothing else: no descriptor but the lifeline, no
/// capability, a seccomp list of a handful of calls.
pub(super) fn wait(child: libc::pid_t, lifeline: &OwnedFd, identity: Identity) -> ! {
    let parent = rustix::process::getppid();
    // Hardening of a process that reads no data: the child's proof does not rest on it.
    let keep = lifeline.as_raw_fd();
    let _ = super::descriptors::close_all_but(&[keep], false);
    privileges::no_core_dump();
    let _ = privileges::drop_bounding_set();
    // The kernel lets our death kill the child only if we are the same user as the child, or more.
    let same_user = privileges::drop_identity(identity);
    let _ = privileges::drop_capabilities();
    // A change of identity unties us from the coordinator; tie again, and look whether it is there.
    let tied = privileges::die_with_parent();
    if same_user.is_err() || tied.is_err() || rustix::process::getppid() != parent {
        // SAFETY: the child was forked by us and not yet waited for.
        unsafe { libc::kill(child, libc::SIGKILL) };
    }
    let _ = filters::apply_waiter();
    let Ok(status) = sys::wait(child) else {
        sys::exit_now(1)
    };
    if libc::WIFEXITED(status) {
        sys::exit_now(libc::WEXITSTATUS(status));
    }
    let signal = libc::WTERMSIG(status);
    // SAFETY: restores the default action of a signal and sends it to this very process.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::kill(libc::getpid(), signal);
    }
    sys::exit_now(128 + signal)
}
