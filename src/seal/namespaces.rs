//! The namespaces of the seal, who the worker is in them, and how that is recognised.

#![expect(
    clippy::disallowed_methods,
    reason = "reads and writes /proc/self before the root changes"
)]

use std::os::fd::OwnedFd;

use rustix::thread::UnshareFlags;

use super::advice::{self, Missing};
use super::mutation;
use super::plan::{Layer, SealPlan};
use super::sys;
use crate::error::{Context, Error, ExitCode, Result};

/// The user and group `nobody` of the kernel's own default (`/proc/sys/kernel/overflowuid`).
pub(super) const NOBODY: u32 = 65534;

/// The namespaces, in the order of [`Layer::ALL`], with the name under `/proc/self/ns`.
const KINDS: [(Layer, UnshareFlags, &str); 6] = [
    (Layer::UserNamespace, UnshareFlags::NEWUSER, "user"),
    (Layer::NetworkNamespace, UnshareFlags::NEWNET, "net"),
    (Layer::PidNamespace, UnshareFlags::NEWPID, "pid"),
    (Layer::IpcNamespace, UnshareFlags::NEWIPC, "ipc"),
    (Layer::MountNamespace, UnshareFlags::NEWNS, "mnt"),
    (Layer::UtsNamespace, UnshareFlags::NEWUTS, "uts"),
];

/// Who the worker is on the host, and inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    /// The superuser started us: the worker becomes `nobody` on the host.
    Nobody,
    /// A user started us: the worker stays that user on the host and is `nobody` inside.
    Caller { uid: u32, gid: u32 },
}

impl Identity {
    /// The identity for this process: `nobody` if we are root here and that user exists here.
    pub fn choose() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let gid = rustix::process::getegid().as_raw();
        let mapped = |file| std::fs::read_to_string(file).is_ok_and(|map| maps(&map, NOBODY));
        if uid == 0 && mapped("/proc/self/uid_map") && mapped("/proc/self/gid_map") {
            Identity::Nobody
        } else {
            Identity::Caller { uid, gid }
        }
    }

    fn map(self, of_groups: bool) -> String {
        match self {
            // Root keeps its own line, so that directories only root may enter can be granted.
            Identity::Nobody => format!("0 0 1\n{NOBODY} {NOBODY} 1\n"),
            Identity::Caller { uid, gid } => {
                format!("{NOBODY} {} 1\n", if of_groups { gid } else { uid })
            }
        }
    }
}

/// The owner that a directory needs which a worker is to write, or a file which it is to read,
/// when that is not the calling user: `Some((uid, gid))` for root, who seals as `nobody`.
pub fn worker_owner() -> Option<(u32, u32)> {
    (Identity::choose() == Identity::Nobody).then_some((NOBODY, NOBODY))
}

/// Whether a map of `/proc/self/uid_map` holds `id` on its inner side.
fn maps(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut numbers = line.split_ascii_whitespace().map(str::parse::<u64>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(first)), Some(Ok(_)), Some(Ok(count))) => {
                (first..first.saturating_add(count)).contains(&u64::from(id))
            }
            _ => false,
        }
    })
}

/// The namespaces a process is in, by inode; two processes share one if the numbers are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inodes([u64; KINDS.len()]);

impl Inodes {
    /// Of the calling process. Needs a visible `/proc`.
    pub fn read() -> Result<Self> {
        let mut inodes = [0; KINDS.len()];
        for (inode, (_, _, name)) in inodes.iter_mut().zip(KINDS) {
            let path = format!("/proc/self/ns/{name}");
            let stat = rustix::fs::stat(path.as_str())
                .or_fail(ExitCode::Unsealed, format!("failed to look at {path}"))
                .map_err(|error| error.hint("mount /proc; the seal cannot be proved without it"))?;
            *inode = stat.st_ino;
        }
        Ok(Self(inodes))
    }

    /// Whether `layer` differs between two processes, with words; `None` if it is no namespace.
    pub fn compare(layer: Layer, outside: Self, inside: Self) -> Option<(bool, String)> {
        let at = KINDS.iter().position(|(kind, _, _)| *kind == layer)?;
        let (out, own) = (outside.0[at], inside.0[at]);
        Some(if out == own {
            (
                false,
                format!("shares namespace {out} with the process that started it"),
            )
        } else {
            (true, format!("namespace {own}, outside it was {out}"))
        })
    }
}

/// Moves this process into new namespaces; the pid namespace takes its next child.
///
/// Returns the layers that are missing with consent.
///
/// # Errors
/// [`ExitCode::Unsealed`] with the first layer that is missing without consent.
pub(super) fn unshare(plan: &SealPlan, identity: Identity) -> Result<Vec<Missing>> {
    let wanted: Vec<_> = KINDS
        .into_iter()
        .filter(|(layer, _, _)| !mutation::dropped(*layer))
        .collect();
    let own_users = wanted
        .iter()
        .any(|(layer, _, _)| *layer == Layer::UserNamespace);
    let mapper = match (own_users, identity) {
        (true, Identity::Nobody) => Some(Mapper::start(identity)?),
        _ => None,
    };
    if identity == Identity::Nobody {
        rustix::thread::set_thread_groups(&[])
            .or_fail(ExitCode::Unsealed, "failed to leave the groups of root")?;
    }
    let all = wanted
        .iter()
        .fold(UnshareFlags::empty(), |all, (_, flag, _)| all | *flag);
    let mut missing = Vec::new();
    if unshare_flags(all).is_err() {
        for (layer, flag, name) in &wanted {
            if let Err(errno) = unshare_flags(*flag) {
                let what = format!("unshare({name})");
                missing.push(Missing::new(*layer, &what, errno.raw_os_error()));
            }
        }
    }
    let refused: Vec<_> = missing
        .iter()
        .filter(|one: &&Missing| !plan.waives(one.layer))
        .cloned()
        .collect();
    if !refused.is_empty() {
        return Err(advice::refuse(&refused));
    }
    if own_users && !missing.iter().any(|one| one.layer == Layer::UserNamespace) {
        let written = match mapper {
            Some(mapper) => mapper.write(),
            None => write_maps("/proc/self", identity).map_err(sys::os_error),
        };
        if let Err(cause) = written {
            // The helper answers in any case, unless somebody ends it.
            if cause.kind() == std::io::ErrorKind::BrokenPipe {
                return Err(Error::limit(
                    "the helper that maps the users of the seal was killed, most likely because memory ran out",
                )
                .hint("try again, with more memory free")
                .transient());
            }
            return Err(Missing::because(
                Layer::UserNamespace,
                format!("its users could not be mapped: {cause}"),
            )
            .into_error());
        }
    }
    Ok(missing)
}

fn unshare_flags(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: rustix marks this unsafe because CLONE_FILES and CLONE_FS would change what other
    // threads share; neither is in `KINDS`, and the caller has one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

fn write_maps(process: &str, identity: Identity) -> Result<(), sys::Errno> {
    let write = |file: &str, text: &str| {
        std::fs::write(format!("{process}/{file}"), text)
            .map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
    };
    if matches!(identity, Identity::Caller { .. }) {
        write("setgroups", "deny")?;
    }
    write("uid_map", &identity.map(false))?;
    write("gid_map", &identity.map(true))
}

/// A process that stays outside with root's privileges for as long as it takes to write the maps
/// of the new user namespace: only there is more than one line allowed.
struct Mapper {
    pid: libc::pid_t,
    go: Option<OwnedFd>,
    answer: OwnedFd,
}

impl Mapper {
    fn start(identity: Identity) -> Result<Self> {
        let pipe = || {
            rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                .or_fail(ExitCode::Unsealed, "failed to make a pipe")
        };
        let (ready, go) = pipe()?;
        let (answer, reply) = pipe()?;
        let parent = std::process::id();
        // SAFETY: `enter` made sure that this process has one thread.
        let pid = unsafe { sys::fork() }
            .map_err(sys::os_error)
            .or_fail(ExitCode::Unsealed, "failed to fork")?;
        if pid == 0 {
            drop((go, answer));
            let mut byte = [0];
            let told = rustix::io::read(&ready, &mut byte) == Ok(1);
            if told {
                let written = write_maps(&format!("/proc/{parent}"), identity);
                let errno = written.err().unwrap_or(0);
                let _ = rustix::io::write(&reply, &errno.to_ne_bytes());
            }
            sys::exit_now(0);
        }
        Ok(Self {
            pid,
            go: Some(go),
            answer,
        })
    }

    fn write(self) -> std::io::Result<()> {
        if let Some(go) = &self.go {
            rustix::io::write(go, &[1])?;
        }
        let mut errno = [0; 4];
        let got = rustix::io::read(&self.answer, &mut errno)?;
        let errno = if got == 4 {
            i32::from_ne_bytes(errno)
        } else {
            libc::EPIPE
        };
        if errno == 0 {
            Ok(())
        } else {
            Err(sys::os_error(errno))
        }
    }
}

impl Drop for Mapper {
    fn drop(&mut self) {
        // The helper ends by itself: it was answered, or its pipe has no writer any more.
        self.go = None;
        let _ = sys::wait(self.pid);
    }
}

/// Refuses to go on with more than one thread: Landlock and namespaces seal the calling thread.
pub(super) fn demand_one_thread() -> Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")
        .or_fail(
            ExitCode::Unsealed,
            "failed to count the threads in /proc/self/task",
        )?
        .count();
    if threads == 1 {
        Ok(())
    } else {
        Err(
            Error::unsealed(format!("the worker already has {threads} threads"))
                .hint("this is a bug: a worker must be sealed before it starts a thread"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_holds_what_its_ranges_hold() {
        assert!(maps("         0          0 4294967295\n", NOBODY));
        assert!(maps("0 1000 1\n1 100000 65536\n", NOBODY));
        assert!(!maps("0 1000 1\n", NOBODY));
        assert!(!maps("", NOBODY));
        assert!(!maps("65534 x 1", NOBODY));
    }

    #[test]
    fn a_helper_that_is_killed_is_told_from_a_layer_that_is_missing() {
        let mapper = Mapper::start(Identity::Nobody).unwrap();
        let pid = rustix::process::Pid::from_raw(mapper.pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        let ended = mapper.write().unwrap_err();
        assert_eq!(ended.kind(), std::io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn the_same_process_shares_every_namespace_with_itself() {
        let own = Inodes::read().unwrap();
        for layer in Layer::ALL {
            if let Some((differs, _)) = Inodes::compare(layer, own, own) {
                assert!(!differs, "{layer}");
            }
        }
    }
}
