//! Identity, capabilities, no_new_privs, dumpability, and dying with one's parent.

use super::advice::Missing;
use super::namespaces::{Identity, NOBODY};
use super::plan::Layer;
use super::sys::{self, Errno};
use crate::error::{Context, ExitCode, Result};

/// Capability numbers fit below this in every kernel (`_LINUX_CAPABILITY_U32S_3` words).
const CAPABILITIES: usize = 64;

/// `SECBIT_NOROOT`, `SECBIT_NO_SETUID_FIXUP` stays off, `SECBIT_NO_CAP_AMBIENT_RAISE`, each with
/// its lock bit (capabilities(7)): user 0 means nothing here, and that cannot be undone.
const SECURE_BITS: usize = 1 | 1 << 1 | 1 << 6 | 1 << 7;

/// The kernel sends SIGKILL when the thread that started this process ends.
pub(super) fn die_with_parent() -> Result<()> {
    sys::prctl(libc::PR_SET_PDEATHSIG, [libc::SIGKILL as usize, 0, 0, 0])
        .map(drop)
        .map_err(sys::os_error)
        .or_fail(ExitCode::Unsealed, "failed to tie the worker to its parent")
}

/// No core dump, and no other process of the same user may look inside.
pub(super) fn no_core_dump() {
    // Cannot fail with this argument (prctl(2)); the limit on core files says it a second time.
    let _ = sys::prctl(libc::PR_SET_DUMPABLE, [0; 4]);
}

/// Empties the bounding and ambient sets and makes user 0 mean nothing, for good. Without
/// CAP_SETPCAP, so outside of a user namespace of its own, it changes nothing that is not already
/// so; the check tells.
pub(super) fn drop_bounding_set() -> Result<(), Errno> {
    sys::prctl(
        libc::PR_CAP_AMBIENT,
        [libc::PR_CAP_AMBIENT_CLEAR_ALL as usize, 0, 0, 0],
    )?;
    if !bounding_set_is_ours() {
        return Ok(());
    }
    sys::prctl(libc::PR_SET_SECUREBITS, [SECURE_BITS, 0, 0, 0])?;
    for capability in 0..CAPABILITIES {
        match sys::prctl(libc::PR_CAPBSET_DROP, [capability, 0, 0, 0]) {
            Ok(_) => {}
            Err(libc::EINVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Becomes `nobody` where root started us; anybody else already is as little as can be.
pub(super) fn drop_identity(identity: Identity) -> Result<(), Errno> {
    if identity == Identity::Nobody {
        let id = NOBODY as usize;
        // SAFETY: three numbers; this process has one thread, so no other one keeps the old ids.
        unsafe {
            sys::call(libc::SYS_setresgid, [id, id, id, 0, 0, 0])?;
            sys::call(libc::SYS_setresuid, [id, id, id, 0, 0, 0])?;
        }
    }
    Ok(())
}

/// No program that is executed from here on can gain privileges.
pub(super) fn no_new_privs() -> Result<(), Missing> {
    sys::prctl(libc::PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0])
        .map(drop)
        .map_err(|errno| Missing::new(Layer::NoNewPrivs, "prctl(PR_SET_NO_NEW_PRIVS)", errno))
}

/// Whether no_new_privs is in force, with words.
pub(super) fn check_no_new_privs() -> (bool, String) {
    match sys::prctl(libc::PR_GET_NO_NEW_PRIVS, [0; 4]) {
        Ok(1) => (true, "set".to_owned()),
        Ok(_) => (false, "not set".to_owned()),
        Err(errno) => (
            false,
            format!("could not be read: {}", sys::errno_name(errno)),
        ),
    }
}

/// Whether capabilities and identity are gone, with words.
pub(super) fn check_capabilities(identity: Identity) -> (bool, String) {
    match capabilities() {
        Err(errno) => {
            return (
                false,
                format!("could not be read: {}", sys::errno_name(errno)),
            );
        }
        Ok(sets) if sets != [0; 3] => {
            let [effective, permitted, inheritable] = sets;
            return (
                false,
                format!(
                    "effective {effective:#x}, permitted {permitted:#x}, inheritable {inheritable:#x}"
                ),
            );
        }
        Ok(_) => {}
    }
    for capability in 0..CAPABILITIES {
        match sys::prctl(libc::PR_CAPBSET_READ, [capability, 0, 0, 0]) {
            Ok(0) => {}
            Ok(_) => {
                return (
                    false,
                    format!("capability {capability} is in the bounding set"),
                );
            }
            Err(libc::EINVAL) => break,
            Err(errno) => {
                return (
                    false,
                    format!("could not be read: {}", sys::errno_name(errno)),
                );
            }
        }
    }
    let (users, groups) = ids();
    if users.iter().chain(&groups).any(|id| *id == 0) {
        return (false, format!("still user {users:?}, group {groups:?}"));
    }
    let who = match identity {
        Identity::Nobody => "nobody on the host".to_owned(),
        Identity::Caller { uid, .. } => format!("user {uid} on the host, nobody inside"),
    };
    (true, format!("no capability in any set; {who}"))
}

/// Real, effective and saved ids of user and group.
fn ids() -> ([u32; 3], [u32; 3]) {
    let (mut users, mut groups) = ([0; 3], [0; 3]);
    let ([u, eu, su], [g, eg, sg]) = (&mut users, &mut groups);
    // SAFETY: six distinct locals that live through the calls.
    let failed = unsafe { libc::getresuid(u, eu, su) != 0 || libc::getresgid(g, eg, sg) != 0 };
    if failed {
        ([0; 3], [0; 3])
    } else {
        (users, groups)
    }
}

/// Whether this process may change its bounding set (CAP_SETPCAP, number 8).
fn bounding_set_is_ours() -> bool {
    capabilities().is_ok_and(|[effective, ..]| effective & (1 << 8) != 0)
}

/// `struct __user_cap_header_struct` of capget(2), version 3, the calling thread.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct` of capget(2).
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Sets {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;

/// Effective, permitted and inheritable capabilities of this thread, as bit sets.
fn capabilities() -> Result<[u64; 3], Errno> {
    let mut header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let mut sets = [Sets::default(); 2];
    let args = [
        &raw mut header as usize,
        sets.as_mut_ptr() as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: version 3 writes two structures of data; both locals live through the call.
    unsafe { sys::call(libc::SYS_capget, args) }?;
    let join = |of: fn(&Sets) -> u32| u64::from(of(&sets[0])) | u64::from(of(&sets[1])) << 32;
    Ok([
        join(|s| s.effective),
        join(|s| s.permitted),
        join(|s| s.inheritable),
    ])
}

/// Gives up every effective, permitted and inheritable capability.
pub(super) fn drop_capabilities() -> Result<(), Errno> {
    let header = Header {
        version: VERSION_3,
        pid: 0,
    };
    let sets = [Sets::default(); 2];
    let args = [
        &raw const header as usize,
        sets.as_ptr() as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: version 3 reads two structures of data; both locals live through the call.
    unsafe { sys::call(libc::SYS_capset, args) }.map(drop)
}
