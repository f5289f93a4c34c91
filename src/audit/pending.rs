//! Runs that have begun, and changes by a review: written down and signed before they happen, so that
//! whatever is killed on the way is logged by the next one.

use super::entry::{Entry, Kind, SCHEMA, State};
use super::log::{Log, folder};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, append};
use crate::keys::{Key, PublicKey};
use crate::seal::SealProof;
use crate::tenant::Tenant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FOLDER: &str = "pending";
/// Guards the folder while names in it come and go.
const GUARD: &str = "pending.lock";
/// Largest file in the folder, in bytes.
const MAX_FILE: u64 = 256 << 10;

/// What lies in `pending/<run>.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    entry: Entry,
    signature: String,
}

impl Saved {
    fn message(entry: &Entry) -> Result<Vec<u8>> {
        Ok(format!("narrowroom pending v1\n{}", entry.line()?).into_bytes())
    }
}

/// A run that has begun and is in the log at its end, whatever that is.
pub struct Pending {
    runs: PathBuf,
    key: Key,
    entry: Entry,
    _lock: append::Lock,
}

impl Pending {
    /// Writes down that a run begins. What killed processes left is logged first.
    ///
    /// # Errors
    /// When the log is damaged, of another key, or cannot be written.
    pub fn begin(
        runs: &Path,
        key: Key,
        run: &str,
        tenant: Option<Tenant>,
        binary_sha256: &str,
    ) -> Result<Self> {
        Log::prepare(runs, &key)?;
        let now = crate::record::now();
        let entry = Entry {
            schema: SCHEMA.into(),
            index: 0,
            time: now.clone(),
            kind: Kind::Run,
            run: run.to_owned(),
            tenant,
            started: now,
            state: State::Aborted,
            exit: None,
            stage: "unpack".into(),
            outcome: None,
            verdict: None,
            bundle_sha256: None,
            binary_sha256: binary_sha256.to_owned(),
            reach: vec![],
            files: BTreeMap::new(),
        };
        Self::enter(runs, key, entry)
    }

    fn enter(runs: &Path, key: Key, entry: Entry) -> Result<Self> {
        let at = folder(runs);
        let _guard = append::Lock::wait(&at.join(GUARD))?;
        recover(runs, &key)?;
        let lock = append::Lock::now(&lock_of(&at, &entry.run))?.ok_or_else(|| {
            Error::usage(format!("the run {} is being worked on already", entry.run))
        })?;
        let pending = Self {
            runs: runs.to_owned(),
            key,
            entry,
            _lock: lock,
        };
        pending.save()?;
        Ok(pending)
    }

    /// The key that signs this run.
    pub fn key(&self) -> &Key {
        &self.key
    }
    /// When it began, RFC 3339, UTC.
    pub fn started(&self) -> &str {
        &self.entry.started
    }

    /// Notes how far the run has come.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn reached(&mut self, stage: &str, bundle_sha256: Option<&str>) -> Result<()> {
        stage.clone_into(&mut self.entry.stage);
        if let Some(sha256) = bundle_sha256 {
            self.entry.bundle_sha256 = Some(sha256.to_owned());
        }
        self.save()
    }

    /// Notes what the workers that are sealed so far could reach.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn sealed(&mut self, seals: &[SealProof]) -> Result<()> {
        self.entry.reach = super::entry::reach(&self.runs, seals);
        self.save()
    }

    /// Notes what the run directory is about to hold; to be called before it gets its name.
    ///
    /// # Errors
    /// As [`files::write_error`].
    pub fn keep(
        &mut self,
        outcome: String,
        verdict: String,
        exit: u8,
        files: BTreeMap<String, String>,
    ) -> Result<()> {
        self.entry.state = State::Finished;
        self.entry.stage = "done".into();
        self.entry.exit = Some(exit);
        self.entry.outcome = Some(outcome);
        self.entry.verdict = Some(verdict);
        self.entry.files = files;
        self.save()
    }

    /// Logs a run whose directory has its name.
    ///
    /// # Errors
    /// As [`Log::append`]; the run is kept, and the next one logs it.
    pub fn logged(&mut self) -> Result<Entry> {
        self.end()
    }

    /// Logs a run that ended in `error`. Nothing happens when its directory was kept: then only the
    /// log could not be written, and the next run does that.
    ///
    /// # Errors
    /// As [`Log::append`]; the next run logs it.
    pub fn failed(&mut self, error: &Error) -> Result<()> {
        let home = Tenant::home(self.entry.tenant.as_ref(), &self.runs);
        if self.entry.state == State::Finished && files::exists(&home.join(&self.entry.run)) {
            return Ok(());
        }
        self.entry.state = match error.exit {
            ExitCode::Interrupted => State::Interrupted,
            _ => State::Failed,
        };
        self.entry.exit = Some(error.exit.code());
        self.entry.files.clear();
        self.entry.outcome = None;
        self.entry.verdict = None;
        self.end().map(drop)
    }

    fn end(&mut self) -> Result<Entry> {
        self.save()?;
        let logged = Log::append(&self.runs, &self.key, self.entry.clone())?;
        let at = folder(&self.runs);
        append::remove(&file_of(&at, &self.entry.run))?;
        append::remove(&lock_of(&at, &self.entry.run))?;
        Ok(logged)
    }

    fn save(&self) -> Result<()> {
        let saved = Saved {
            signature: hex::encode(self.key.sign(&Saved::message(&self.entry)?)),
            entry: self.entry.clone(),
        };
        let bytes = crate::record::pretty(&saved)?;
        files::write_whole(&file_of(&folder(&self.runs), &self.entry.run), &bytes)
    }
}

/// Replaces files of a run by a review's, and logs what they are now: first written down and signed,
/// then done, then logged. `key` is the log's, the program's own. Other files than those a review may
/// change are refused.
///
/// # Errors
/// As [`Log::append`]; a bug for a file that must never change.
pub fn reviewed(runs: &Path, run_dir: &Path, key: Key, files: &[(&str, Vec<u8>)]) -> Result<()> {
    let record = crate::record::load_record(run_dir)?;
    if let Some((name, _)) = files
        .iter()
        .find(|(name, _)| crate::record::FIXED.contains(name) || name.contains('/'))
    {
        return Err(Error::bug(format!("a review may not change {name}")));
    }
    Log::prepare(runs, &key)?;
    let mut after = digests(run_dir)?;
    for (name, bytes) in files {
        after.insert((*name).to_owned(), sha256(bytes));
    }
    let now = crate::record::now();
    let entry = Entry {
        schema: SCHEMA.into(),
        index: 0,
        time: now.clone(),
        kind: Kind::Review,
        run: record.id.clone(),
        tenant: record.tenant.clone(),
        started: now,
        state: State::Finished,
        exit: Some(0),
        stage: "review".into(),
        outcome: None,
        verdict: None,
        bundle_sha256: Some(record.bundle.sha256.clone()),
        binary_sha256: crate::triage::own_hash()?,
        reach: vec![],
        files: after,
    };
    let mut pending = Pending::enter(runs, key, entry)?;
    sweep_halves(run_dir)?;
    for (name, bytes) in files {
        files::write_whole(&run_dir.join(name), bytes)?;
    }
    pending.logged().map(drop)
}

/// Removes a run directory on purpose, and logs that: first written down and signed, then done, then
/// logged. Its earlier entries, with the digests of its files, stay.
///
/// # Errors
/// As [`Log::append`], or when the directory cannot be removed.
pub fn remove(runs: &Path, run_dir: &Path, key: Key) -> Result<Entry> {
    Log::prepare(runs, &key)?;
    // A damaged run can be removed too: its place says whose it is.
    let run = run_dir
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let tenant = crate::record::homes(runs)?
        .into_iter()
        .find(|(_, home)| run_dir.parent() == Some(home))
        .ok_or_else(|| {
            Error::usage(format!(
                "{} is not one of these runs",
                files::shown(run_dir)
            ))
        })?
        .0;
    let now = crate::record::now();
    let entry = Entry {
        schema: SCHEMA.into(),
        index: 0,
        time: now.clone(),
        kind: Kind::Removed,
        run,
        tenant,
        started: now,
        state: State::Finished,
        exit: Some(0),
        stage: "remove".into(),
        outcome: None,
        verdict: None,
        bundle_sha256: None,
        binary_sha256: crate::triage::own_hash()?,
        reach: vec![],
        files: BTreeMap::new(),
    };
    let mut pending = Pending::enter(runs, key, entry)?;
    files::remove_tree(run_dir);
    if files::exists(run_dir) {
        let at = folder(runs);
        append::remove(&file_of(&at, &pending.entry.run))?;
        append::remove(&lock_of(&at, &pending.entry.run))?;
        return Err(
            Error::usage(format!("failed to remove {}", files::shown(run_dir)))
                .hint("look at its permissions, then try again"),
        );
    }
    pending.logged()
}

/// SHA-256 of bytes, lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(bytes))
}

/// SHA-256 of each regular file of a run directory, by name; names that begin with a dot are not its.
///
/// # Errors
/// The system's error.
pub fn digests(run_dir: &Path) -> Result<BTreeMap<String, String>> {
    let fail = || format!("failed to read the run {}", files::shown(run_dir));
    let mut all = BTreeMap::new();
    for (name, kind) in append::listing(run_dir).or_fail(ExitCode::InputRefused, fail())? {
        if kind == append::Kind::File && !name.starts_with('.') {
            let digest =
                files::sha256(&run_dir.join(&name)).or_fail(ExitCode::InputRefused, fail())?;
            all.insert(name, digest);
        }
    }
    Ok(all)
}

/// Names of runs that have begun and are not in the log: they run now or were killed.
pub fn names(runs: &Path) -> Vec<String> {
    files::names(&folder(runs).join(FOLDER))
        .unwrap_or_default()
        .into_iter()
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect()
}

/// Logs what killed processes left. The caller holds the guard.
fn recover(runs: &Path, key: &Key) -> Result<()> {
    let at = folder(runs);
    for name in files::names(&at.join(FOLDER)).unwrap_or_default() {
        let Some(run) = run_of(&name) else {
            continue;
        };
        let Some(_dead) = append::Lock::now(&lock_of(&at, run))? else {
            continue;
        };
        if name.ends_with(files::SUFFIX) {
            append::remove(&at.join(FOLDER).join(&name))?;
        }
        if let Some(saved) = read(&file_of(&at, run), &key.public())?
            && !is_logged(&at, &saved)?
        {
            Log::append(runs, key, settled(runs, saved)?)?;
        }
        append::remove(&file_of(&at, run))?;
        append::remove(&lock_of(&at, run))?;
    }
    Ok(())
}

/// Whose a file of the folder is: the entry, its lock, or the half of an entry that was being written.
fn run_of(name: &str) -> Option<&str> {
    let hidden = name.strip_prefix('.');
    name.strip_suffix(".json")
        .filter(|_| hidden.is_none())
        .or_else(|| hidden?.strip_suffix(".lock"))
        .or_else(|| {
            hidden?
                .strip_suffix(files::SUFFIX)?
                .split_once(".json.")
                .map(|(run, _)| run)
        })
}

/// What a killed process came to.
fn settled(runs: &Path, mut entry: Entry) -> Result<Entry> {
    let dir = Tenant::home(entry.tenant.as_ref(), runs).join(&entry.run);
    match (entry.kind, entry.state) {
        (Kind::Run, State::Finished) if !files::exists(&dir) => {
            entry.state = State::Aborted;
            entry.exit = None;
            entry.stage = "commit".into();
            entry.outcome = None;
            entry.verdict = None;
            entry.files.clear();
        }
        (Kind::Review, _) if files::exists(&dir) => {
            sweep_halves(&dir)?;
            // Each file is written whole: it is as it was or as it was to become.
            let now = digests(&dir)?;
            let fixed = |name: &str| crate::record::FIXED.contains(&name);
            for (name, digest) in now.iter().filter(|(name, _)| !fixed(name)) {
                entry.files.insert(name.clone(), digest.clone());
            }
            entry
                .files
                .retain(|name, _| fixed(name) || now.contains_key(name));
        }
        _ => {}
    }
    Ok(entry)
}

/// Removes what a killed review left half-written in a run directory. The caller holds its lock.
fn sweep_halves(run_dir: &Path) -> Result<()> {
    let files = [
        crate::review::FILE,
        crate::review::DRAFT,
        crate::attest::FILE,
    ];
    append::sweep_halves(run_dir, &files)
}

/// Whether the log has this entry already: it was killed between logging and forgetting.
fn is_logged(folder: &Path, entry: &Entry) -> Result<bool> {
    let Some(log) = Log::read(folder)? else {
        return Ok(false);
    };
    let needle = format!("\"run\":\"{}\"", entry.run);
    Ok(log
        .lines()
        .iter()
        .filter(|line| line.contains(&needle))
        .filter_map(|line| Entry::parse(line).ok())
        .any(|logged| {
            logged.run == entry.run && logged.kind == entry.kind && logged.started == entry.started
        }))
}

fn read(path: &Path, key: &PublicKey) -> Result<Option<Entry>> {
    let name = files::shown(path);
    let bytes = append::read_if_there(path, MAX_FILE)
        .or_fail(ExitCode::InputRefused, format!("failed to read {name}"))?;
    let Some(bytes) = bytes else { return Ok(None) };
    let altered = || {
        Error::refused(format!("{name} was altered: its signature does not hold"))
            .hint("it says how a killed run ended; look at it, then remove it")
    };
    let saved: Saved = serde_json::from_slice(&bytes).map_err(|_| altered())?;
    let signature = hex::decode(&saved.signature).map_err(|_| altered())?;
    if !key.verifies(&Saved::message(&saved.entry)?, &signature) {
        return Err(altered());
    }
    Ok(Some(saved.entry))
}

fn file_of(folder: &Path, run: &str) -> PathBuf {
    folder.join(FOLDER).join(format!("{run}.json"))
}

fn lock_of(folder: &Path, run: &str) -> PathBuf {
    folder.join(FOLDER).join(format!(".{run}.lock"))
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
