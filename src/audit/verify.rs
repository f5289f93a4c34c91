//! Verification of a log and of the run directories it speaks about: every leaf, every signature,
//! every file, byte for byte.

use super::entry::{Entry, Kind, State};
use super::log::{CHECKPOINTS, ENTRIES, INFO, Log, folder};
use super::note::{Checkpoint, split};
use super::pending;
use super::tree::Tree;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, append};
use crate::keys::PublicKey;
use crate::tenant::{TENANTS, Tenant};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Most findings that are listed.
const MAX_FINDINGS: usize = 200;
/// How often a log that grows while it is compared is compared again.
const TRIES: usize = 5;

/// Something that is not as the log says, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// File, entry or checkpoint.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// What a verification came to.
#[derive(Debug, Clone, Serialize)]
pub struct Verification {
    /// Name of the log.
    pub origin: String,
    /// The key it was verified with, hex.
    pub public_key: String,
    /// Why that key.
    pub key_from: String,
    /// Entries in the log.
    pub entries: u64,
    /// Checkpoints whose signature and root were checked.
    pub checkpoints: u64,
    /// Root over all entries, hex.
    pub root: String,
    /// Run directories that were compared.
    pub runs: u64,
    /// Files of run directories that were hashed.
    pub files: u64,
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// What a person should know though it is no damage.
    pub notes: Vec<String>,
}

impl Verification {
    /// Whether everything holds.
    pub fn holds(&self) -> bool {
        self.findings.is_empty()
    }

    fn find(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(Finding {
                place: place.into(),
                what: what.into(),
            });
        }
    }
}

/// Verifies the log of `runs` and every run directory. `public`: the key it must be signed with, and
/// where that was taken from; `older`: signed checkpoints kept elsewhere.
///
/// # Errors
/// When there is no log, or it cannot be read at all.
pub fn verify(
    runs: &Path,
    public: Option<(PublicKey, String)>,
    older: &[(String, String)],
) -> Result<Option<Verification>> {
    for _ in 0..TRIES {
        let Some(log) = Log::read(&folder(runs))? else {
            return Ok(None);
        };
        let done = everything(runs, &log, public.clone(), older)?;
        let now = Log::read(&folder(runs))?;
        let grew = now.is_some_and(|now| now.entries_text() != log.entries_text());
        // A run that ended meanwhile is in the log now and looked foreign before.
        if done.holds() || !grew {
            return Ok(Some(done));
        }
    }
    Err(
        Error::limit("the log grows too fast to be compared with the run directories")
            .hint("verify it while nothing runs, or verify a copy"),
    )
}

fn everything(
    runs: &Path,
    log: &Log,
    public: Option<(PublicKey, String)>,
    older: &[(String, String)],
) -> Result<Verification> {
    let (mut done, entries) = log_itself(log, public, older)?;
    if log.unfinished {
        done.notes.push(
            "an append was cut short by a kill; the next run carries it to its end".to_owned(),
        );
    }
    for run in pending::names(runs) {
        done.notes
            .push(format!("run {run} has begun and is not in the log yet: it runs now, or was killed and the next run logs it"));
    }
    directories(runs, &entries, &mut done)?;
    Ok(done)
}

/// The log alone: leaves, order, checkpoints, older checkpoints.
pub(super) fn log_itself(
    log: &Log,
    public: Option<(PublicKey, String)>,
    older: &[(String, String)],
) -> Result<(Verification, Vec<Entry>)> {
    let mut done = Verification {
        origin: log.info.origin.clone(),
        public_key: String::new(),
        key_from: String::new(),
        entries: 0,
        checkpoints: 0,
        root: String::new(),
        runs: 0,
        files: 0,
        findings: vec![],
        notes: vec![],
    };
    let (key, from) = match public {
        Some((key, from)) => {
            if key.hex() != log.info.public_key {
                done.find(
                    INFO,
                    format!(
                        "wrong key: the log names {}, {from} is {}",
                        log.info.public_key,
                        key.hex()
                    ),
                );
            }
            (key, from)
        }
        None => {
            done.notes.push("the key is the log's own word: compare it with the one you were given, or pass that with --public".into());
            (log.info.key()?, format!("{INFO} of the log itself"))
        }
    };
    done.public_key = key.hex();
    done.key_from = from;

    let (entries, tree_sizes) = leaves(log, &mut done);
    checkpoints(log, &key, &tree_sizes, &mut done);
    for (name, note) in older {
        match Checkpoint::open(note, &key) {
            Err(error) => done.find(name, error.chain()),
            Ok(old) if old.origin != log.info.origin => {
                done.find(name, "it is a checkpoint of another log");
            }
            Ok(old) => match usize::try_from(old.size).ok().and_then(|n| tree_sizes.get(n)) {
                None => done.find(
                    ENTRIES,
                    format!(
                        "the log was cut: {name} covers {} entries, there are {}",
                        old.size, done.entries
                    ),
                ),
                Some(root) if *root != old.root => done.find(
                    ENTRIES,
                    format!(
                        "an entry before number {} is not what {name} covers: history was rewritten",
                        old.size
                    ),
                ),
                Some(_) => done.notes.push(format!(
                    "the log continues {name} ({} entries)",
                    old.size
                )),
            },
        }
    }
    Ok((done, entries))
}

/// Reads each leaf; gives the readable entries and the root of every size.
fn leaves(log: &Log, done: &mut Verification) -> (Vec<Entry>, Vec<[u8; 32]>) {
    let mut tree = Tree::default();
    let mut roots = vec![tree.root()];
    let mut entries: Vec<Entry> = Vec::new();
    if !log.entries_text().is_empty() && !log.entries_text().ends_with('\n') {
        done.find(ENTRIES, "the last line has no end: bytes are missing");
    }
    for (at, line) in log.lines().into_iter().enumerate() {
        let place = format!("{ENTRIES} line {} (entry {at})", at + 1);
        match Entry::parse(line) {
            Err(error) => done.find(&place, error.chain()),
            Ok(entry) => {
                if entry.index != at as u64 {
                    done.find(
                        &place,
                        format!(
                            "it is entry {} by its own word: an entry is missing, added or moved",
                            entry.index
                        ),
                    );
                }
                if let Some(before) = entries.last()
                    && before.time > entry.time
                {
                    done.notes.push(format!(
                        "the clock went back at entry {at}: {} after {}",
                        entry.time, before.time
                    ));
                }
                entries.push(entry);
            }
        }
        tree.push(line);
        roots.push(tree.root());
    }
    done.entries = tree.len();
    done.root = hex::encode(tree.root());
    (entries, roots)
}

fn checkpoints(log: &Log, key: &PublicKey, roots: &[[u8; 32]], done: &mut Verification) {
    let notes = match split(log.checkpoints_text()) {
        Ok(notes) => notes,
        Err(error) => return done.find(CHECKPOINTS, error.chain()),
    };
    let (mut expected, mut good, mut broken) = (1, 0, false);
    for (at, note) in notes.iter().enumerate() {
        let place = format!("{CHECKPOINTS} number {}", at + 1);
        let head = match Checkpoint::open(note, key) {
            Ok(head) => head,
            Err(error) => {
                done.find(place, error.chain());
                expected += 1;
                continue;
            }
        };
        done.checkpoints += 1;
        if head.origin != log.info.origin {
            done.find(&place, format!("it is of another log: {}", head.origin));
        }
        if head.size != expected {
            done.find(
                &place,
                format!(
                    "it covers {} entries, {expected} were expected: a checkpoint is missing, added or moved",
                    head.size
                ),
            );
        }
        expected = head.size + 1;
        match usize::try_from(head.size).ok().and_then(|n| roots.get(n)) {
            None => done.find(
                ENTRIES,
                format!(
                    "the log was cut: a checkpoint covers {} entries, there are {}",
                    head.size, done.entries
                ),
            ),
            Some(root) if *root == head.root => good = head.size,
            // Every later root differs too: only the first one tells the place.
            Some(_) if broken => {}
            Some(_) => {
                broken = true;
                done.find(
                    format!("{ENTRIES} line {} (entry {good})", good + 1),
                    format!(
                        "it is not what was signed: the checkpoint of {good} entries holds, the one of {} does not; this entry was altered, added, removed or moved",
                        head.size
                    ),
                );
            }
        }
    }
    let covered = notes
        .last()
        .and_then(|note| Checkpoint::open(note, key).ok())
        .map_or(0, |head| head.size);
    if covered < done.entries {
        done.find(
            format!("{ENTRIES} line {} (entry {covered})", covered + 1),
            format!(
                "{} entries at the end are covered by no checkpoint: they were added without the key",
                done.entries - covered
            ),
        );
    }
}

/// What the log says a run directory holds.
struct Expected<'a> {
    tenant: Option<&'a Tenant>,
    files: &'a BTreeMap<String, String>,
    removed: bool,
}

fn directories(runs: &Path, entries: &[Entry], done: &mut Verification) -> Result<()> {
    let mut expected: BTreeMap<&str, Expected<'_>> = BTreeMap::new();
    for entry in entries {
        match (entry.kind, entry.state) {
            (Kind::Removed, _) => {
                if let Some(known) = expected.get_mut(entry.run.as_str()) {
                    known.removed = true;
                }
            }
            (_, State::Finished) => {
                expected.insert(
                    &entry.run,
                    Expected {
                        tenant: entry.tenant.as_ref(),
                        files: &entry.files,
                        removed: false,
                    },
                );
            }
            _ => {}
        }
    }
    for (run, expected) in &expected {
        let dir = Tenant::home(expected.tenant, runs).join(run);
        let place = relative(runs, &dir);
        match (files::exists(&dir), expected.removed) {
            (false, true) => {}
            (false, false) => done.find(place, "the run directory is gone and no entry removes it"),
            (true, true) => done.find(place, "the log says that this run was removed"),
            (true, false) => one_directory(&dir, &place, expected.files, done)?,
        }
    }
    unlogged(runs, &expected, done)
}

fn relative(runs: &Path, path: &Path) -> String {
    files::shown(path.strip_prefix(runs).unwrap_or(path))
}

fn one_directory(
    dir: &Path,
    place: &str,
    expected: &BTreeMap<String, String>,
    done: &mut Verification,
) -> Result<()> {
    done.runs += 1;
    let fail = || format!("failed to read {}", files::shown(dir));
    let found = append::listing(dir).or_fail(ExitCode::InputRefused, fail())?;
    let mut seen = BTreeSet::new();
    for (name, kind) in found {
        let place = format!("{place}/{}", crate::report::escape::terminal(&name));
        let Some(digest) = expected.get(&name) else {
            match beside(&name) {
                Some(what) => done.notes.push(format!("{place}: {what}")),
                None => done.find(place, "a file that the log does not know"),
            }
            continue;
        };
        seen.insert(name.clone());
        if kind != append::Kind::File {
            done.find(place, "it is not a regular file");
            continue;
        }
        done.files += 1;
        match files::sha256(&dir.join(&name)) {
            Ok(now) if now == *digest => {}
            Ok(now) => done.find(
                place,
                format!(
                    "altered: sha256 {}…, the log says {}…",
                    short(&now),
                    short(digest)
                ),
            ),
            Err(error) => done.find(place, format!("it cannot be read: {error}")),
        }
    }
    for name in expected.keys().filter(|name| !seen.contains(*name)) {
        done.find(
            format!("{place}/{}", crate::report::escape::terminal(name)),
            "the file is missing",
        );
    }
    Ok(())
}

/// What may lie in a run directory without being part of the run: a review on its way. The log says
/// nothing about it, and nothing of it counts before it is signed.
fn beside(name: &str) -> Option<&'static str> {
    if name == crate::review::DRAFT {
        return Some("a review has begun and is not signed");
    }
    let half = name.strip_prefix('.')?.strip_suffix(files::SUFFIX)?;
    // A name of `write_whole`: the file, and the process that was writing it.
    let (file, pid) = half.rsplit_once('.')?;
    let known = [
        crate::review::FILE,
        crate::review::DRAFT,
        crate::attest::FILE,
    ];
    (known.contains(&file) && pid.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some("a review was killed while it wrote; the next review sweeps this")
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Run directories that the log does not know.
fn unlogged(
    runs: &Path,
    expected: &BTreeMap<&str, Expected<'_>>,
    done: &mut Verification,
) -> Result<()> {
    let pending: BTreeSet<String> = pending::names(runs).into_iter().collect();
    let mut homes = vec![(None, runs.to_owned())];
    for name in files::names(&runs.join(TENANTS)).unwrap_or_default() {
        match name.parse::<Tenant>() {
            Ok(tenant) => homes.push((Some(tenant.clone()), Tenant::home(Some(&tenant), runs))),
            Err(_) => done.find(
                format!("{TENANTS}/{}", crate::report::escape::terminal(&name)),
                "it is no tenant's folder",
            ),
        }
    }
    for (tenant, home) in homes {
        let fail = format!("failed to read {}", files::shown(&home));
        for name in files::names(&home).or_fail(ExitCode::InputRefused, fail)? {
            let dir = home.join(&name);
            let known = expected
                .get(name.as_str())
                .is_some_and(|one| one.tenant == tenant.as_ref());
            if known
                || name.starts_with('.')
                || pending.contains(&name)
                || !files::exists(&dir.join(crate::record::RECORD))
            {
                continue;
            }
            done.find(
                relative(runs, &dir),
                "a run directory that the log does not know",
            );
        }
    }
    Ok(())
}
