//! The customer's bundle: its paths, its index, reading it, unpacking it.
//!
//! Owns: [`path::BundlePath`], [`index::Index`], [`tree::Tree`], and the unpacker's host side.
//! Touches: the one directory capability it is given. No network, no processes, no terminal.
//! Zone: `unpack` runs in zone 1; `tree` is read in zones 2 and 3.

mod decode;
pub mod folder;
pub mod index;
pub mod path;
#[cfg(test)]
pub(crate) mod testing;
pub mod tree;
pub mod unpack;

pub use index::{Entry, FileKind, Index, Skipped};
pub use path::BundlePath;
pub use tree::{Text, Tree};
