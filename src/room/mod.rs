//! Sealed workers: how one is started, what it may say, and what each zone does once it is sealed.
//!
//! Owns: the frame protocol ([`frame`], [`protocol`]), the coordinator's handle ([`worker`]) and the
//! workers' own main functions ([`zone1`], [`zone2`], [`zone3`]). Touches: processes (zone 0); in the
//! workers only inherited descriptors and the directories of the seal.

mod absence;
pub(crate) mod again;
mod boot;
mod chain;
pub mod frame;
#[cfg(feature = "layer-mutation")]
pub mod hostile;
mod memory;
mod order;
mod prefix;
pub mod protocol;
pub mod running;
pub mod worker;
mod zone1;
mod zone2;
mod zone3;

/// Prefix of a zone's name for a worker that only proves its seal.
pub const TRIAL: &str = "trial-";
/// Prefix of a zone's name for a worker of the guard.
pub const GUARD: &str = "guard-";
/// Most threads a worker may use; processor time is bounded by the wall-clock limit times this.
pub const MAX_THREADS: u32 = 64;

pub use boot::main as worker_main;
pub(crate) use boot::{MODEL, Out, open_tree, plan, read_job};
pub(crate) use chain::{InputFilter, fill_prompt};
pub use worker::Worker;
pub(crate) use zone2::model_use;
