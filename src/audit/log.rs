//! The log's files: reading them, and the one way to append.

use super::entry::{Entry, MAX_LINE};
use super::note::{Checkpoint, split};
use super::tip::Tip;
use super::tree::Edge;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, append};
use crate::keys::{Key, PublicKey};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Folder of the log below the runs directory.
pub const FOLDER: &str = ".audit";
/// Leaves.
pub const ENTRIES: &str = "entries.jsonl";
/// Signed checkpoints.
pub const CHECKPOINTS: &str = "checkpoints";
/// Name and key of the log.
pub const INFO: &str = "log.json";
pub(super) const JOURNAL: &str = "journal.json";
const LOCK: &str = "lock";
/// Largest file of a log that is read, in bytes: about a million runs.
const MAX_FILE: u64 = 2 << 30;
/// Schema name of `log.json`.
const INFO_SCHEMA: &str = "narrowroom.audit-log/v1";

/// Where the log of `runs` is.
pub fn folder(runs: &Path) -> PathBuf {
    runs.join(FOLDER)
}

/// `log.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogInfo {
    /// Always `narrowroom.audit-log/v1`.
    pub schema: String,
    /// Name of the log, in every checkpoint.
    pub origin: String,
    /// The key that signs it, 64 hex digits.
    pub public_key: String,
}

impl LogInfo {
    /// Reads `log.json` of a folder; `None` when it is not there.
    ///
    /// # Errors
    /// Refused input: damaged, or of another version.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(INFO);
        let Some(text) = text(&path)? else {
            return Ok(None);
        };
        let damaged = || format!("failed to read {}: it is damaged", files::shown(&path));
        let value: serde_json::Value =
            serde_json::from_str(&text).or_fail(ExitCode::InputRefused, damaged())?;
        crate::record::demand_schema(&value, INFO_SCHEMA)?;
        serde_json::from_value(value)
            .or_fail(ExitCode::InputRefused, damaged())
            .map(Some)
    }

    /// Reads `log.json` of a folder in which a log is.
    ///
    /// # Errors
    /// As [`Self::read`], and when it is not there.
    pub fn demand(folder: &Path) -> Result<Self> {
        Self::read(folder)?.ok_or_else(|| {
            Error::refused(format!(
                "the audit log {} has no {INFO}",
                files::shown(folder)
            ))
            .hint("it was removed: put it back from a copy or an export")
        })
    }

    /// The key it names.
    ///
    /// # Errors
    /// Refused input when it is none.
    pub fn key(&self) -> Result<PublicKey> {
        PublicKey::parse(&self.public_key).or_fail(
            ExitCode::InputRefused,
            format!("{INFO} of the audit log is damaged"),
        )
    }
}

/// What an append is about to do, written before it does it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Journal {
    entries_bytes: u64,
    checkpoints_bytes: u64,
    line: String,
    checkpoint: String,
}

/// A log as it is read: its text, with an append that was cut short carried to its end in memory.
pub struct Log {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name and key.
    pub info: LogInfo,
    entries: String,
    checkpoints: String,
    /// Whether an append was found that a kill had cut short.
    pub unfinished: bool,
}

impl Log {
    /// Reads the log of a folder; `None` when there is none.
    ///
    /// # Errors
    /// Refused input when a file of it is damaged beyond splitting.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        // A reader that may not write the lock reads what is there.
        let _lock =
            files::exists(&folder.join(INFO)).then(|| append::Lock::wait(&folder.join(LOCK)).ok());
        Self::read_locked(folder)
    }

    /// Reads a log without its lock: a copy that nobody appends to.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_as_is(folder: &Path) -> Result<Option<Self>> {
        Self::read_locked(folder)
    }

    fn read_locked(folder: &Path) -> Result<Option<Self>> {
        if !files::exists(&folder.join(INFO)) && !files::exists(&folder.join(ENTRIES)) {
            return Ok(None);
        }
        let info = LogInfo::demand(folder)?;
        let mut log = Self {
            folder: folder.to_owned(),
            info,
            entries: text(&folder.join(ENTRIES))?.unwrap_or_default(),
            checkpoints: text(&folder.join(CHECKPOINTS))?.unwrap_or_default(),
            unfinished: false,
        };
        if let Some(journal) = text(&folder.join(JOURNAL))? {
            let journal: Journal = serde_json::from_str(&journal).or_fail(
                ExitCode::InputRefused,
                format!("{JOURNAL} of the audit log is damaged"),
            )?;
            let line = format!("{}\n", journal.line);
            log.entries = carried(log.entries, journal.entries_bytes, &line, ENTRIES)?;
            log.checkpoints = carried(
                log.checkpoints,
                journal.checkpoints_bytes,
                &journal.checkpoint,
                CHECKPOINTS,
            )?;
            log.unfinished = true;
        }
        Ok(Some(log))
    }

    /// The lines, without their ends. A last line without an end is one, too.
    pub fn lines(&self) -> Vec<&str> {
        self.entries.strip_suffix('\n').map_or_else(
            || self.entries.lines().collect(),
            |all| all.split('\n').collect(),
        )
    }
    /// The entries' file as it is.
    pub fn entries_text(&self) -> &str {
        &self.entries
    }
    /// The checkpoints' file as it is.
    pub fn checkpoints_text(&self) -> &str {
        &self.checkpoints
    }
    /// The signed checkpoints, the oldest first.
    ///
    /// # Errors
    /// Refused input when the file cannot be split into notes.
    pub fn notes(&self) -> Result<Vec<&str>> {
        split(&self.checkpoints)
    }
    /// Every entry that can be read.
    ///
    /// # Errors
    /// Refused input with the number of the first line that cannot.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        self.lines()
            .iter()
            .enumerate()
            .map(|(at, line)| {
                Entry::parse(line).map_err(|error| {
                    Error::refused(format!("failed to read entry {at} of the audit log"))
                        .source(error)
                        .hint("run: narrowroom audit verify")
                })
            })
            .collect()
    }

    /// Demands that the newest checkpoint is `key`'s and covers all lines: nothing is signed on top of
    /// a damaged log.
    pub(super) fn demand_head(&self, key: &PublicKey) -> Result<Edge> {
        let lines = self.lines();
        let tree = Edge::of(lines.iter().copied());
        let broken = |what: String| {
            Error::refused(format!(
                "the audit log {} is damaged: {what}",
                files::shown(&self.folder)
            ))
            .hint("narrowroom audit verify names the place; nothing is added to a damaged log")
        };
        match self.notes()?.last() {
            None if lines.is_empty() => Ok(tree),
            None => Err(broken("it has entries and no checkpoint".into())),
            Some(note) => {
                let head = Checkpoint::open(note, key).map_err(|error| broken(error.chain()))?;
                if head.size != tree.len()
                    || head.root != tree.root()
                    || head.origin != self.info.origin
                {
                    return Err(broken(
                        "its newest checkpoint does not cover its entries".into(),
                    ));
                }
                Ok(tree)
            }
        }
    }

    /// Checks that the log of `runs` can be appended to with `key`, and makes it where there is none.
    ///
    /// # Errors
    /// Refused input for a damaged log, a usage error for another key.
    pub fn prepare(runs: &Path, key: &Key) -> Result<()> {
        let folder = folder(runs);
        let _lock = append::Lock::wait(&folder.join(LOCK))?;
        Self::tip(&folder, key).map(drop)
    }

    /// Where the next entry goes. The caller holds the lock.
    fn tip(folder: &Path, key: &Key) -> Result<Tip> {
        append::sweep_halves(folder, &[JOURNAL, INFO, super::tip::FILE])?;
        let info = Self::open(folder, key)?;
        if let Some(tip) = Tip::kept(folder, &info, &key.public())? {
            return Ok(tip);
        }
        let mut log =
            Self::read_locked(folder)?.ok_or_else(|| Error::bug("the audit log is gone"))?;
        let edge = log.demand_head(&key.public())?;
        if log.unfinished {
            log.settle()?;
        }
        let last = log.lines().last().map_or(0, |line| line.len() as u64 + 1);
        let note = log.notes()?.last().map_or(0, |note| note.len() as u64);
        Ok(Tip {
            origin: log.info.origin.clone(),
            edge,
            entries_bytes: log.entries.len() as u64,
            last_line_bytes: last,
            checkpoints_bytes: log.checkpoints.len() as u64,
            last_note_bytes: note,
        })
    }

    fn open(folder: &Path, key: &Key) -> Result<LogInfo> {
        if LogInfo::read(folder)?.is_none() && !files::exists(&folder.join(ENTRIES)) {
            let info = LogInfo {
                schema: INFO_SCHEMA.into(),
                origin: format!("narrowroom/log/{}", crate::record::new_id()),
                public_key: key.public_hex(),
            };
            files::write_whole(&folder.join(INFO), &crate::record::pretty(&info)?)?;
        }
        let info = LogInfo::demand(folder)?;
        if info.public_key != key.public_hex() {
            return Err(Error::usage(format!(
                "the audit log {} is signed with another key: {}, not {}",
                files::shown(folder),
                info.public_key,
                key.public_hex()
            ))
            .hint("give the key it was begun with (--key FILE), or keep these runs elsewhere with --runs DIR"));
        }
        Ok(info)
    }

    /// Appends an entry; its index and time are set here.
    ///
    /// # Errors
    /// As [`Self::prepare`], or as [`files::write_error`].
    pub fn append(runs: &Path, key: &Key, entry: Entry) -> Result<Entry> {
        Self::append_at(runs, key, entry, crate::record::now())
    }

    fn append_at(runs: &Path, key: &Key, mut entry: Entry, time: String) -> Result<Entry> {
        let folder = folder(runs);
        let _lock = append::Lock::wait(&folder.join(LOCK))?;
        let mut tip = Self::tip(&folder, key)?;
        entry.index = tip.edge.len();
        entry.time = time;
        let line = entry.line()?;
        if line.len() > MAX_LINE {
            return Err(Error::bug("an audit entry is too long"));
        }
        tip.edge.push(&line);
        let journal = Journal {
            entries_bytes: tip.entries_bytes,
            checkpoints_bytes: tip.checkpoints_bytes,
            checkpoint: Checkpoint {
                origin: tip.origin.clone(),
                size: tip.edge.len(),
                root: tip.edge.root(),
            }
            .sign(key),
            line,
        };
        let bytes = serde_json::to_vec(&journal).or_fail(ExitCode::Bug, "failed to write JSON")?;
        files::write_whole(&folder.join(JOURNAL), &bytes)?;
        journal.carry_out(&folder)?;
        tip.grew(&journal.line, &journal.checkpoint);
        tip.keep(&folder, &journal.line)?;
        append::remove(&folder.join(JOURNAL))?;
        Ok(entry)
    }

    /// Carries an append to its end that was cut short.
    fn settle(&mut self) -> Result<()> {
        let journal = self.folder.join(JOURNAL);
        if let Some(text) = text(&journal)? {
            let parsed: Journal = serde_json::from_str(&text).or_fail(
                ExitCode::InputRefused,
                format!("{JOURNAL} of the audit log is damaged"),
            )?;
            parsed.carry_out(&self.folder)?;
            append::remove(&journal)?;
        }
        self.unfinished = false;
        Ok(())
    }
}

impl Journal {
    /// Writes what it says behind what it found.
    fn carry_out(&self, folder: &Path) -> Result<()> {
        let line = format!("{}\n", self.line);
        append::append_at(&folder.join(ENTRIES), self.entries_bytes, line.as_bytes())?;
        append::append_at(
            &folder.join(CHECKPOINTS),
            self.checkpoints_bytes,
            self.checkpoint.as_bytes(),
        )
    }
}

/// `text` with `more` behind its first `keep` bytes. What is there already must be the beginning of
/// `more`: a journal finishes its own append and cuts nothing else off.
fn carried(text: String, keep: u64, more: &str, name: &str) -> Result<String> {
    let torn = usize::try_from(keep)
        .ok()
        .and_then(|keep| text.as_bytes().get(keep..).map(|tail| (keep, tail)));
    match torn {
        Some((keep, tail)) if more.as_bytes().starts_with(tail) && text.is_char_boundary(keep) => {
            Ok(format!("{}{more}", &text[..keep]))
        }
        _ => Err(Error::refused(format!(
            "the audit log is damaged: {JOURNAL} does not continue {name}"
        ))
        .hint("an interrupted append was altered; keep the files and compare them with a copy")),
    }
}

fn text(path: &Path) -> Result<Option<String>> {
    let fail = format!("failed to read {}", files::shown(path));
    let bytes = append::read_if_there(path, MAX_FILE).or_fail(ExitCode::InputRefused, &fail)?;
    // A torn write may end within a character; the journal repairs it.
    bytes
        .map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(error) if error.utf8_error().error_len().is_none() => {
                let whole = error.utf8_error().valid_up_to();
                let mut bytes = error.into_bytes();
                bytes.truncate(whole);
                String::from_utf8(bytes).or_fail(ExitCode::InputRefused, &fail)
            }
            Err(error) => Err(error).or_fail(ExitCode::InputRefused, &fail),
        })
        .transpose()
}

#[cfg(test)]
#[path = "log_tests.rs"]
pub(super) mod tests;
