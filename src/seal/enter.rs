//! Stage 1: new namespaces and the empty root, in a child of the process that was started.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::PathBuf;

use super::advice::Missing;
use super::namespaces::{self, Identity, Inodes};
use super::outside::Outside;
use super::plan::{Layer, SealPlan};
use super::{descriptors, landlock_rules, mutation, privileges, rootfs, sys, waiter};
use crate::error::{Context, Error, ExitCode, Result};

/// The name of the host inside a host-name namespace of its own.
pub(super) const HOST_NAME: &str = "narrowroom";

/// A worker inside its namespaces, not yet closed. It has one thread and full rights over the
/// little that is left: it may open what it still needs, but read no data.
#[derive(Debug)]
pub struct Entered {
    pub(super) plan: SealPlan,
    pub(super) identity: Identity,
    pub(super) own_root: bool,
    pub(super) outside: Inodes,
    pub(super) inside: Inodes,
    pub(super) missing: Vec<Missing>,
    pub(super) lifeline: Option<OwnedFd>,
    pub(super) highest_fd: RawFd,
    pub(super) pid: u32,
    pub(super) kernel: String,
    pub(super) host_name: String,
    pub(super) landlock_abi: u32,
    pub(super) laid: Outside,
    pub(super) own_users: bool,
    pub(super) canary_fd: RawFd,
}

impl Entered {
    /// Where the mount `inside` is reached now: the path itself, or the host's when the mount
    /// namespace is missing with consent. `None` if the plan grants no such mount.
    pub fn path(&self, inside: &str) -> Option<PathBuf> {
        self.plan.reach(inside, self.own_root)
    }
}

/// Enters the namespaces and the empty root of `plan`. Returns only in the sealed child, which is
/// process 1 of its own process-id namespace; the calling process waits and ends as the child
/// ends. The child dies with it, and it dies with the thread that started it.
///
/// # Errors
/// [`ExitCode::Unsealed`] with the missing layer and what to do, unless the plan waives it;
/// [`ExitCode::Bug`] when the plan contradicts itself. The error may be returned in either of the
/// two processes; the caller reports it and ends.
pub fn enter(plan: &SealPlan) -> Result<Entered> {
    plan.check()?;
    die_with_parent()?;
    namespaces::demand_one_thread()?;
    let outside = Inodes::read()?;
    let identity = Identity::choose();
    let landlock_abi = landlock_rules::abi();
    let laid = Outside::lay();
    let mut missing = namespaces::unshare(plan, identity)?;

    let (lifeline, held) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .or_fail(ExitCode::Unsealed, "failed to make a pipe")?;
    // SAFETY: `demand_one_thread` made sure that this process has one thread.
    let child = unsafe { sys::fork() }
        .map_err(sys::os_error)
        .or_fail(ExitCode::Unsealed, "failed to fork into the new namespaces")?;
    if child != 0 {
        drop(lifeline);
        waiter::wait(child, &held, identity);
    }
    drop(held);
    die_with_lifeline(&lifeline)?;

    let inside = Inodes::read()?;
    let highest_fd = descriptors::highest()?;
    if !mutation::dropped(Layer::UtsNamespace) && !lacks(&missing, Layer::UtsNamespace) {
        rustix::system::sethostname(HOST_NAME.as_bytes())
            .or_fail(ExitCode::Unsealed, "failed to set a host name inside")?;
    }
    let own_root =
        !mutation::dropped(Layer::MountNamespace) && !lacks(&missing, Layer::MountNamespace);
    if own_root && let Err(error) = rootfs::build(plan) {
        let one = Missing::because(Layer::MountNamespace, error.chain());
        if !plan.waives(Layer::MountNamespace) || past_the_pivot() {
            return Err(one.into_error());
        }
        missing.push(one);
    }
    let own_root = own_root && !lacks(&missing, Layer::MountNamespace);
    let own_users =
        !mutation::dropped(Layer::UserNamespace) && !lacks(&missing, Layer::UserNamespace);
    let canary_fd = descriptors::open_canary().or_fail(
        ExitCode::Unsealed,
        "failed to open the descriptor that must be closed",
    )?;
    let uname = rustix::system::uname();
    Ok(Entered {
        plan: plan.clone(),
        identity,
        own_root,
        outside,
        inside,
        missing,
        lifeline: Some(lifeline),
        highest_fd: highest_fd.max(canary_fd),
        pid: std::process::id(),
        kernel: uname.release().to_string_lossy().into_owned(),
        host_name: uname.nodename().to_string_lossy().into_owned(),
        landlock_abi,
        laid,
        own_users,
        canary_fd,
    })
}

fn lacks(missing: &[Missing], layer: Layer) -> bool {
    missing.iter().any(|one| one.layer == layer)
}

/// Whether a failed change of the root left us without the host's.
fn past_the_pivot() -> bool {
    rustix::fs::stat("/proc/self/ns/mnt").is_err()
}

/// The kernel kills this process when the thread that started it ends.
fn die_with_parent() -> Result<()> {
    let parent = rustix::process::getppid();
    privileges::die_with_parent()?;
    if rustix::process::getppid() == parent {
        Ok(())
    } else {
        Err(Error::new(ExitCode::Interrupted, "the coordinator is gone"))
    }
}

/// The kernel kills this process when the waiting one ends; if it already did, its pipe is shut.
/// To be repeated after every change of identity, which clears the first half.
pub(super) fn die_with_lifeline(lifeline: &OwnedFd) -> Result<()> {
    privileges::die_with_parent()?;
    let mut poll = libc::pollfd {
        fd: lifeline.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: one structure, alive through the call; a time-out of 0 does not wait.
    let ready = unsafe { libc::poll(&mut poll, 1, 0) };
    if ready == 0 {
        Ok(())
    } else {
        Err(Error::new(
            ExitCode::Interrupted,
            "the process that waits outside is gone",
        ))
    }
}
