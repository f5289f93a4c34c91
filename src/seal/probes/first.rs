//! Probes of the namespaces by what they keep away: made first of all, while the worker still has
//! every privilege inside, so that nothing but the namespace itself can be what refuses.

use super::{Outcome, Probe, SUCCESS, Scene};
use crate::seal::enter::HOST_NAME;
use crate::seal::outside::Shared;
use crate::seal::plan::Layer;
use crate::seal::sys::{self, Errno};

/// A user of the host that is no user of the worker's own namespace.
const STRANGER: usize = 1;

pub(super) fn probes(scene: &Scene) -> Vec<Probe> {
    let pid = scene.outside.pid as usize;
    let mut probes = vec![
        probe(
            "host-process",
            "kill(0) to the process that was started, by its number on the host",
            Layer::PidNamespace,
            libc::ESRCH,
            move || {
                // SAFETY: takes numbers; signal 0 is only a question.
                unsafe { sys::call(libc::SYS_kill, [pid, 0, 0, 0, 0, 0]) }.map(drop)
            },
        ),
        probe(
            "host-user",
            "become user 1 of the host",
            Layer::UserNamespace,
            libc::EINVAL,
            become_stranger,
        ),
    ];
    match scene.outside.shared {
        Shared::NoneHere => {}
        Shared::Segment { id, .. } => probes.push(probe(
            "host-shared-memory",
            "look at System V memory of the host, by its number there",
            Layer::IpcNamespace,
            libc::EINVAL,
            move || look_at_segment(id),
        )),
        Shared::Failed(errno) => probes.push(Probe {
            run: Box::new(move || {
                Outcome::CouldNotRun(format!("no segment outside: {}", sys::errno_name(errno)))
            }),
            ..probe(
                "host-shared-memory",
                "look at System V memory of the host",
                Layer::IpcNamespace,
                libc::EINVAL,
                || Ok(()),
            )
        }),
    }
    // Without a user namespace of its own, root would rename the machine.
    if scene.own_users {
        probes.push(probe(
            "own-host-name",
            "set the host's name, which must be possible where it is the worker's own",
            Layer::UtsNamespace,
            SUCCESS,
            || {
                rustix::system::sethostname(HOST_NAME.as_bytes())
                    .map_err(rustix::io::Errno::raw_os_error)
            },
        ));
    }
    probes
}

fn probe(
    name: &str,
    attempt: &str,
    layer: Layer,
    expected: Errno,
    run: impl Fn() -> Result<(), Errno> + Send + Sync + 'static,
) -> Probe {
    Probe {
        name: name.to_owned(),
        attempt: attempt.to_owned(),
        layers: vec![layer],
        expected: vec![expected],
        open: vec![],
        run: Box::new(move || Outcome::from(run())),
    }
}

/// Takes the host's user 1 as real user, and gives it back. The effective and the saved user stay,
/// so no capability is lost on the way.
fn become_stranger() -> Result<(), Errno> {
    let own = rustix::process::getuid().as_raw() as usize;
    let keep = usize::MAX;
    let set = |user| {
        // SAFETY: takes numbers; this process has one thread.
        unsafe { sys::call(libc::SYS_setresuid, [user, keep, keep, 0, 0, 0]) }.map(drop)
    };
    set(STRANGER)?;
    set(own)
}

fn look_at_segment(id: usize) -> Result<(), Errno> {
    let mut found = std::mem::MaybeUninit::<libc::shmid_ds>::zeroed();
    let args = [
        id,
        libc::IPC_STAT as usize,
        found.as_mut_ptr() as usize,
        0,
        0,
        0,
    ];
    // SAFETY: the kernel writes one structure into a local that lives through the call.
    unsafe { sys::call(libc::SYS_shmctl, args) }.map(drop)
}
