//! The audit log: one append-only Merkle log over all runs, failed, refused and killed ones too.
//!
//! Owns: the log's files, its entries, its signed checkpoints, its proofs, its verification here and
//! on another machine. Touches: `<runs>/.audit/` and, to verify, the run directories, through
//! [`crate::files`]. Zone: 0; no sealed worker can reach it.
//!
//! ## On disk
//! `<runs>/.audit/` holds
//! - `entries.jsonl`: one [`Entry`] a line. The bytes of a line without its end are a leaf.
//! - `checkpoints`: every signed checkpoint ever made, one after the other, the newest last.
//! - `log.json`: the log's name and the public key that signs it.
//! - `journal.json`: the append that is under way. It is written whole before the two files above are
//!   touched and removed after; whoever meets it finishes that append. So the log verifies after a
//!   kill between any two writes.
//! - `pending/<run>.json`, `.lock`: a run that has begun. Its own process holds the lock; when nobody
//!   does, that process was killed and the next one logs the run as finished or as aborted.
//! - `lock`.
//!
//! ## Formats
//! Hashing as RFC 6962, 2.1: leaf `SHA-256(0x00 ‖ line)`, node `SHA-256(0x01 ‖ left ‖ right)`.
//! Checkpoints as C2SP `tlog-checkpoint` in a C2SP `signed-note` with an Ed25519 key.
//!
//! ## What it shows and what it does not
//! Whoever holds an older checkpoint finds every later change of what it covered. Whoever holds the
//! private key and every copy can write another history: keep checkpoints where the owner of this
//! machine cannot change them.

pub mod entry;
mod export;
mod log;
pub mod note;
mod pending;
mod prove;
mod tip;
mod tree;
mod verify;

pub use entry::{Entry, Kind, Reach, State};
pub use export::{Exported, Proof, check_proof, demand, export, prove_inclusion, verify_export};
pub use log::{Log, LogInfo};
pub use note::Checkpoint;
pub use pending::{Pending, digests, remove, reviewed, sha256};
pub use prove::{Isolation, RunReach, isolation};
pub use tree::{Consistency, check_consistency, consistency};
pub use verify::{Finding, Verification, verify};
