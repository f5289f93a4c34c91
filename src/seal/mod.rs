//! The seal: the layers that turn a worker into a narrow room, and the proof that they hold.
//!
//! Owns: namespaces and the empty root, limits, capabilities, Landlock, the seccomp allow-lists
//! (data, under `sandbox/seccomp/`), the probes and the report of a seal. Touches: the process it
//! runs in, `/proc/self` before the root is changed, nothing of a bundle. Runs in: the first
//! moments of every sealed process (zones 1 to 3), and in throw-away processes for `doctor`.
//! Format: [`SealProof`] as JSON, part of every record.
//!
//! A worker seals itself in order, while it has one thread and before it reads a byte of input:
//!
//! 1. [`enter`]: new user, network, pid, IPC, mount and host-name namespaces; a child inside
//!    them whose root is an empty, read-only file system that holds the granted directories and
//!    nothing else. The process that was started stays outside, waits and passes the end on.
//! 2. [`close`]: limits, descriptors, identity and capabilities, no_new_privs, Landlock, and
//!    last the allow-list of system calls.
//! 3. [`Sealed::prove`]: every forbidden thing is attempted, each must fail with the errno that
//!    an intact seal gives. What must be possible is attempted too.
//! 4. [`Sealed::narrow`], room only: when the model stands, everything but inference is given up.
//!
//! Descriptors that are open before 2 are closed by it, unless the plan keeps them: open paths
//! after it, where [`Sealed::path`] says. No data may be read before 3 held.
//! A layer that cannot be enforced is [`crate::error::Error::unsealed`] unless the person
//! accepted its absence, and then the proof says so.
//!
//! [`confine`] is less, for a process that imports a model and holds no bundle.

mod advice;
mod close;
mod confine;
mod controls;
mod descriptors;
mod enter;
mod filters;
mod landlock_rules;
mod limits;
mod mutation;
mod names;
mod namespaces;
mod narrow;
mod outside;
mod plan;
mod privileges;
mod probes;
mod proof;
mod prove;
mod rootfs;
mod survey;
mod sys;
#[cfg(test)]
mod tests;
mod trial;
mod waiter;

pub use close::{Sealed, close};
pub use confine::confine;
pub use controls::{ControlReport, controls};
pub use enter::{Entered, enter};
pub use limits::without_core;
pub use namespaces::worker_owner;
pub use plan::{Layer, Mount, ProcessLimits, SealPlan, Zone};
pub use proof::{LayerReport, ProbeReport, ProbeThread, Root, SealProof, Stage};
pub use survey::{LayerSurvey, Survey, survey};
pub use trial::trial;
