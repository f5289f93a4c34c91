//! The end of the log, kept so that an append does not read what is before it.
//!
//! `tip.json` is a shortcut and no proof: it counts only while the files end where it says, the last
//! entry is the one it names, and the newest signed checkpoint has the root that it leads to. Anything
//! else, or no file at all, and the whole log is read instead.

use super::log::{CHECKPOINTS, ENTRIES, JOURNAL, LogInfo};
use super::note::Checkpoint;
use super::tree::{Edge, leaf};
use crate::error::Result;
use crate::files::{self, append};
use crate::keys::PublicKey;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file in the log's folder.
pub const FILE: &str = "tip.json";
/// Largest such file, entry or checkpoint that is read, in bytes.
const MAX: u64 = 1 << 20;

/// Where the next entry goes.
pub struct Tip {
    /// Name of the log.
    pub origin: String,
    /// What the tree needs to grow.
    pub edge: Edge,
    /// Length of the entries' file.
    pub entries_bytes: u64,
    /// Of that, the last line with its end.
    pub last_line_bytes: u64,
    /// Length of the checkpoints' file.
    pub checkpoints_bytes: u64,
    /// Of that, the newest checkpoint.
    pub last_note_bytes: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    size: u64,
    peaks: Vec<String>,
    last_leaf: String,
    entries_bytes: u64,
    last_line_bytes: u64,
    checkpoints_bytes: u64,
    last_note_bytes: u64,
}

impl Tip {
    /// The kept tip, if it fits what is on disk; the caller holds the log's lock.
    ///
    /// # Errors
    /// When a file that is there cannot be read.
    pub fn kept(folder: &Path, info: &LogInfo, key: &PublicKey) -> Result<Option<Self>> {
        // An append that was cut short is carried on by the long way.
        if files::exists(&folder.join(JOURNAL)) {
            return Ok(None);
        }
        let read = |name: &str, at: u64| {
            append::read_end(&folder.join(name), at, MAX)
                .ok()
                .flatten()
                .and_then(|bytes| String::from_utf8(bytes).ok())
        };
        Ok((|| {
            let kept: Kept = serde_json::from_str(&read(FILE, 0)?).ok()?;
            let mut peaks = Vec::with_capacity(kept.peaks.len());
            for peak in &kept.peaks {
                let mut hash = [0; 32];
                hex::decode_to_slice(peak, &mut hash).ok()?;
                peaks.push(hash);
            }
            let edge = Edge::kept(kept.size, peaks)?;
            let line = read(
                ENTRIES,
                kept.entries_bytes.checked_sub(kept.last_line_bytes)?,
            )?;
            let note = read(
                CHECKPOINTS,
                kept.checkpoints_bytes.checked_sub(kept.last_note_bytes)?,
            )?;
            let head = Checkpoint::open(&note, key).ok()?;
            let fits = line.len() as u64 == kept.last_line_bytes
                && note.len() as u64 == kept.last_note_bytes
                && hex::encode(leaf(line.strip_suffix('\n')?)) == kept.last_leaf
                && head.origin == info.origin
                && head.size == edge.len()
                && head.root == edge.root();
            fits.then(|| Self {
                origin: info.origin.clone(),
                edge,
                entries_bytes: kept.entries_bytes,
                last_line_bytes: kept.last_line_bytes,
                checkpoints_bytes: kept.checkpoints_bytes,
                last_note_bytes: kept.last_note_bytes,
            })
        })())
    }

    /// Moves the ends behind what was appended.
    pub fn grew(&mut self, line: &str, note: &str) {
        self.last_line_bytes = line.len() as u64 + 1;
        self.entries_bytes += self.last_line_bytes;
        self.last_note_bytes = note.len() as u64;
        self.checkpoints_bytes += self.last_note_bytes;
    }

    /// Writes it down for the next append; `line` is the last entry.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn keep(&self, folder: &Path, line: &str) -> Result<()> {
        let kept = Kept {
            size: self.edge.len(),
            peaks: self.edge.peaks().iter().map(hex::encode).collect(),
            last_leaf: hex::encode(leaf(line)),
            entries_bytes: self.entries_bytes,
            last_line_bytes: self.last_line_bytes,
            checkpoints_bytes: self.checkpoints_bytes,
            last_note_bytes: self.last_note_bytes,
        };
        files::write_whole(&folder.join(FILE), &crate::record::pretty(&kept)?)
    }
}
