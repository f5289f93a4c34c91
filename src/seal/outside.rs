//! What lies outside of the namespaces and must not be reached from inside: laid by the process
//! that was started, before it enters them, and attempted by the sealed child.

use super::sys::{self, Errno};

/// One page of System V memory is enough to be named.
const BYTES: usize = 4096;

/// System V memory of the namespace that the worker was started in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    /// The segment's id there, and where it is attached in this process.
    Segment { id: usize, at: usize },
    /// The kernel knows no System V memory, so there is none to be kept from.
    NoneHere,
    /// It could not be laid: what it would have shown is not shown.
    Failed(Errno),
}

/// Things of the host that a sealed process attempts to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outside {
    /// Process id, outside, of the process that was started.
    pub pid: u32,
    /// A segment of shared memory that belongs to it.
    pub shared: Shared,
}

impl Outside {
    /// Lays them. The segment is marked for removal at once: it lives as long as a process has it
    /// attached and leaves nothing, however the process ends.
    pub fn lay() -> Self {
        Self {
            pid: std::process::id(),
            shared: segment(),
        }
    }

    /// Takes back what this process itself still holds of it.
    pub fn let_go(self) {
        if let Shared::Segment { at, .. } = self.shared {
            // SAFETY: the address is that of a segment attached by `segment`, which nothing uses.
            let _ = unsafe { sys::call(libc::SYS_shmdt, [at, 0, 0, 0, 0, 0]) };
        }
    }
}

fn segment() -> Shared {
    let mode = libc::IPC_CREAT as usize | 0o600;
    // SAFETY: takes numbers; 0 asks for a segment without a name.
    let id = match unsafe { sys::call(libc::SYS_shmget, [0, BYTES, mode, 0, 0, 0]) } {
        Ok(id) => id,
        Err(libc::ENOSYS) => return Shared::NoneHere,
        Err(errno) => return Shared::Failed(errno),
    };
    // SAFETY: the kernel chooses the address of a new mapping, which nobody else uses.
    let attached = unsafe { sys::call(libc::SYS_shmat, [id, 0, 0, 0, 0, 0]) };
    // SAFETY: removal takes no structure.
    let _ = unsafe { sys::call(libc::SYS_shmctl, [id, libc::IPC_RMID as usize, 0, 0, 0, 0]) };
    match attached {
        Ok(at) => Shared::Segment { id, at },
        Err(errno) => Shared::Failed(errno),
    }
}
