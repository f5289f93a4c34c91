//! `narrowroom audit …`: the log over all runs.

use super::{RunsDir, print, print_json};
use crate::audit::{self, Checkpoint, Consistency, Proof, Verification};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::keys::{self, Key, PublicKey};
use crate::record::word;
use crate::report::escape;
use crate::report::wrap::wrap;
use crate::tenant::Tenant;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// The append-only log over all runs, failed and refused ones too.
#[derive(Subcommand)]
pub enum Audit {
    /// List what ran, on whose data, and how it ended
    List(List),
    /// Check the log and every file of every run, byte for byte
    Verify(Verify),
    /// Prove that a run is in the log, or that a tenant's runs could reach no other's data
    Prove(Prove),
    /// Prove that the log only grew between two checkpoints
    Consistency(Grown),
    /// Copy the log out, to be verified on another machine
    Export(Export),
    /// Show the public key that signs, or make a key
    Key(ShowKey),
}

impl Audit {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::List(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Prove(args) => args.run(),
            Self::Consistency(args) => args.run(),
            Self::Export(args) => args.run(),
            Self::Key(args) => args.run(),
        }
    }
}

/// The key that a log or an envelope must be signed with.
#[derive(Args, Clone)]
pub struct Public {
    /// The public key it must be signed with: 64 hex digits or a PEM file [default: this machine's own]
    #[arg(long, value_name = "KEY|FILE")]
    public: Option<String>,
}

impl Public {
    /// The key and where it is from: the given one, or this machine's own if there is one.
    ///
    /// # Errors
    /// A usage error when it is no key.
    pub fn get(&self) -> Result<Option<(PublicKey, String)>> {
        if let Some(text) = &self.public {
            return key(text).map(|key| Some((key, "the key given with --public".into())));
        }
        let own = keys::kept_at(keys::PROGRAM);
        if !files::exists(&own) {
            return Ok(None);
        }
        Ok(Some((
            Key::load(&own)?.public(),
            "this machine's own key".into(),
        )))
    }

    /// As [`Self::get`], but one must be there.
    ///
    /// # Errors
    /// A usage error when there is none.
    pub fn demand(&self) -> Result<PublicKey> {
        self.get()?.map(|(key, _)| key).ok_or_else(|| {
            Error::usage("there is no key to verify with")
                .hint("give the public key with --public KEY|FILE")
        })
    }
}

/// A public key: 64 hex digits, or the name of a PEM file.
///
/// # Errors
/// A usage error when it is neither.
pub fn key(text: &str) -> Result<PublicKey> {
    let path = Path::new(text);
    if files::exists(path) {
        let inside = files::read_text(path).or_fail(
            ExitCode::Usage,
            format!("failed to read the key {}", files::shown(path)),
        )?;
        return PublicKey::parse(&inside);
    }
    PublicKey::parse(text)
}

fn read(path: &Path, what: &str) -> Result<String> {
    files::read_text(path).or_fail(
        ExitCode::InputRefused,
        format!("failed to read the {what} {}", files::shown(path)),
    )
}

/// List what ran.
#[derive(Args)]
pub struct List {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl List {
    fn run(self) -> Result<ExitCode> {
        let mut entries = audit::demand(&self.runs.path())?.entries()?;
        if let Some(tenant) = &self.tenant {
            entries.retain(|entry| entry.tenant.as_ref() == Some(tenant));
        }
        if self.json {
            return print_json(&entries).map(|()| ExitCode::Done);
        }
        let mut out = format!(
            "{:>5} {:<20} {:<10} {:<11} {:>4}  {}\n",
            "ENTRY", "TIME", "RUN", "STATE", "EXIT", "WHAT"
        );
        for entry in &entries {
            let what = match (entry.kind, &entry.outcome) {
                (audit::Kind::Run, Some(outcome)) => outcome.clone(),
                (audit::Kind::Run, None) => format!("stopped at {}", entry.stage),
                (kind, _) => word(&kind),
            };
            let tenant = entry
                .tenant
                .as_ref()
                .map(|tenant| format!(" ({tenant})"))
                .unwrap_or_default();
            let exit = entry.exit.map_or("-".to_owned(), |exit| exit.to_string());
            out.push_str(&format!(
                "{:>5} {:<20} {:<10} {:<11} {:>4}  {}\n",
                entry.index,
                escape::terminal(&entry.time),
                escape::terminal(&entry.run),
                word(&entry.state),
                exit,
                escape::terminal(&format!("{what}{tenant}"))
            ));
        }
        print(&out).map(|()| ExitCode::Done)
    }
}

/// Check the log and every run.
#[derive(Args)]
pub struct Verify {
    /// Check an exported log instead of this machine's
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Check a proof made with `audit prove RUN --json` instead
    #[arg(long, value_name = "FILE", conflicts_with = "export")]
    proof: Option<PathBuf>,
    /// Demand that the log continues this older checkpoint, kept elsewhere
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    since: Vec<PathBuf>,
    #[command(flatten)]
    public: Public,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Verify {
    fn run(self) -> Result<ExitCode> {
        if let Some(path) = &self.proof {
            return self.one(path);
        }
        let older = self
            .since
            .iter()
            .map(|path| Ok((files::shown(path), read(path, "checkpoint")?)))
            .collect::<Result<Vec<_>>>()?;
        let done = match &self.export {
            // Another machine's log: this machine's key says nothing about it.
            Some(dir) => {
                let public = self.public.public.as_deref().map(key).transpose()?;
                let public = public.map(|key| (key, "the key given with --public".into()));
                audit::verify_export(dir, public, &older)?
            }
            None => {
                let runs = self.runs.path();
                let none = || {
                    Error::usage(format!("there is no audit log in {}", files::shown(&runs)))
                        .hint("it begins with the first run: narrowroom triage BUNDLE")
                };
                audit::verify(&runs, self.public.get()?, &older)?.ok_or_else(none)?
            }
        };
        if self.json {
            print_json(&done)?;
        } else {
            print(&text(&done))?;
        }
        Ok(if done.holds() {
            ExitCode::Done
        } else {
            ExitCode::Rejected
        })
    }

    fn one(&self, path: &Path) -> Result<ExitCode> {
        let text = read(path, "proof")?;
        // `audit prove` gives a list: a run may have several entries.
        let proofs: Vec<Proof> = match serde_json::from_str::<Vec<serde_json::Value>>(&text) {
            Ok(list) => list
                .iter()
                .map(|one| Proof::parse(&one.to_string()))
                .collect::<Result<_>>()?,
            Err(_) => vec![Proof::parse(&text)?],
        };
        let key = self.public.demand()?;
        let mut entries = Vec::new();
        for proof in &proofs {
            match audit::check_proof(proof, &key) {
                Ok((entry, head)) => {
                    if !self.json {
                        print(&format!(
                            "proved: run {} is entry {} of {} in {}\n        {} {}, exit {}, key {}\n",
                            escape::terminal(&entry.run),
                            entry.index,
                            head.size,
                            escape::terminal(&head.origin),
                            escape::terminal(&entry.time),
                            word(&entry.state),
                            entry.exit.map_or("-".to_owned(), |exit| exit.to_string()),
                            &key.hex()[..16],
                        ))?;
                    }
                    entries.push(entry);
                }
                Err(error) => {
                    let mut rejected = Error::new(ExitCode::Rejected, error.message.clone());
                    rejected.hint.clone_from(&error.hint);
                    return Err(rejected);
                }
            }
        }
        if self.json {
            print_json(&entries)?;
        }
        Ok(ExitCode::Done)
    }
}

fn text(done: &Verification) -> String {
    let mut out = String::new();
    for finding in &done.findings {
        out.push_str(&format!("WRONG  {}\n", escape::terminal(&finding.place)));
        for line in wrap(&escape::terminal(&finding.what), 72) {
            out.push_str(&format!("       {line}\n"));
        }
    }
    for note in &done.notes {
        for (at, line) in wrap(&escape::terminal(note), 72).iter().enumerate() {
            out.push_str(&format!(
                "{} {line}\n",
                if at == 0 { "note: " } else { "      " }
            ));
        }
    }
    out.push_str(&format!(
        "log    {}\nkey    {}\n       ({})\nroot   {}\n",
        escape::terminal(&done.origin),
        done.public_key,
        escape::terminal(&done.key_from),
        done.root
    ));
    out.push_str(&format!(
        "{}: {} entries, {} checkpoints, {} run directories, {} files\n",
        if done.holds() {
            "holds"
        } else {
            "DOES NOT HOLD"
        },
        done.entries,
        done.checkpoints,
        done.runs,
        done.files
    ));
    out
}

/// Prove something from the log.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("of").required(true).args(["run", "tenant"])))]
pub struct Prove {
    /// Id of a run, or its beginning: prove that it is in the log
    run: Option<String>,
    /// List what each run of this tenant could reach, and show that it was no other's data
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
    #[command(flatten)]
    public: Public,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Prove {
    fn run(self) -> Result<ExitCode> {
        let runs = self.runs.path();
        if let Some(tenant) = &self.tenant {
            return apart(&runs, tenant, self.public.get()?, self.json);
        }
        let proofs = audit::prove_inclusion(&runs, self.run.as_deref().unwrap_or_default())?;
        if self.json {
            return print_json(&proofs).map(|()| ExitCode::Done);
        }
        for proof in &proofs {
            let entry = audit::Entry::parse(&proof.entry)?;
            print(&format!(
                "run {} is entry {}: {} {}\nleaf\n{}\nhashes, from the leaf up\n{}\ncheckpoint\n{}\n",
                escape::terminal(&entry.run),
                proof.index,
                escape::terminal(&entry.time),
                word(&entry.state),
                escape::terminal(&proof.entry),
                proof.hashes.join("\n"),
                proof
                    .checkpoint
                    .split('\n')
                    .map(escape::terminal)
                    .collect::<Vec<_>>()
                    .join("\n"),
            ))?;
        }
        Ok(ExitCode::Done)
    }
}

fn apart(
    runs: &Path,
    tenant: &Tenant,
    public: Option<(PublicKey, String)>,
    json: bool,
) -> Result<ExitCode> {
    let shown = audit::isolation(runs, tenant, public)?;
    let exit = if shown.holds() {
        ExitCode::Done
    } else {
        ExitCode::Rejected
    };
    if json {
        return print_json(&shown).map(|()| exit);
    }
    let mut out = String::new();
    for run in &shown.runs {
        out.push_str(&format!(
            "run {}  entry {}  {}\n",
            escape::terminal(&run.run),
            run.index,
            word(&run.state)
        ));
        if let Some(sha256) = &run.bundle_sha256 {
            out.push_str(&format!("  read     bundle {sha256}\n"));
        }
        for (root, meaning) in run.reach.iter().zip(&run.meaning) {
            out.push_str(&format!(
                "  {:<8} {} {} as {}\n",
                escape::terminal(&root.zone),
                if root.write { "wrote" } else { "could read" },
                escape::terminal(&root.host),
                escape::terminal(&root.inside)
            ));
            out.push_str(&format!("           {}\n", escape::terminal(meaning)));
        }
        if run.reach.is_empty() {
            out.push_str("  no worker was sealed: nothing was read\n");
        }
        for problem in &run.problems {
            for (at, line) in wrap(&escape::terminal(problem), 68).iter().enumerate() {
                let mark = if at == 0 {
                    "  NOT SHOWN "
                } else {
                    "            "
                };
                out.push_str(&format!("{mark}{line}\n"));
            }
        }
    }
    if shown.runs.is_empty() {
        return Err(
            Error::usage(format!("the audit log has no run of {tenant}"))
                .hint("list them with: narrowroom audit list"),
        );
    }
    let others = if shown.others.is_empty() {
        "anybody else, of whom the log has no run".to_owned()
    } else {
        shown.others.join(", ")
    };
    let verdict = if !shown.holds() {
        "NOT SHOWN: a run of"
    } else {
        "shown: no run of"
    };
    out.push_str("Nothing is kept from one run to the next: each worker has its own memory, and\nonly the unpacker writes, into its own scratch. `narrowroom audit verify` checks\nthat the log says what was signed.\n");
    let sentence = format!(
        "{verdict} {tenant} could reach data of {} ({} in the log)",
        escape::terminal(&others),
        shown.runs.len()
    );
    out.push_str(&wrap(&sentence, 80).join("\n"));
    out.push('\n');
    print(&out).map(|()| exit)
}

/// Prove growth.
#[derive(Args)]
pub struct Grown {
    /// The older state: a number of entries, or a checkpoint file kept elsewhere
    old: String,
    /// The newer state [default: now]
    new: Option<String>,
    #[command(flatten)]
    public: Public,
    /// Print the proof as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Grown {
    fn run(self) -> Result<ExitCode> {
        let log = audit::demand(&self.runs.path())?;
        let public = self.public.get()?.map(|(key, _)| key);
        let key = public.map_or_else(|| log.info.key(), Ok)?;
        let lines = log.lines();
        let now = lines.len().to_string();
        let heads = log.notes()?;
        let head = |text: &str| -> Result<Checkpoint> {
            let note = match text.parse::<u64>() {
                Ok(size) => usize::try_from(size)
                    .ok()
                    .and_then(|size| size.checked_sub(1))
                    .and_then(|at| heads.get(at))
                    .map(|note| (*note).to_owned())
                    .ok_or_else(|| {
                        Error::usage(format!("the log has no checkpoint of {size} entries"))
                            .hint(format!("it has {now}"))
                    })?,
                Err(_) => read(Path::new(text), "checkpoint")?,
            };
            Checkpoint::open(&note, &key)
        };
        let (old, new) = (head(&self.old)?, head(self.new.as_deref().unwrap_or(&now))?);
        let cut = |size: u64| {
            Error::new(
                ExitCode::Rejected,
                format!("the log was cut: a checkpoint covers {size} entries, there are {now}"),
            )
        };
        if let Some(size) = [old.size, new.size]
            .into_iter()
            .find(|n| *n > lines.len() as u64)
        {
            return Err(cut(size));
        }
        let proof: Consistency = audit::consistency(&lines, old.size, new.size)?;
        audit::check_consistency(&proof, &old, &new)
            .map_err(|error| Error::new(ExitCode::Rejected, error.message))?;
        if self.json {
            return print_json(&proof).map(|()| ExitCode::Done);
        }
        print(&format!(
            "consistent: the log of {} entries continues the log of {}\nold  {}\nnew  {}\n{}{}",
            proof.new_size,
            proof.old_size,
            proof.old_root,
            proof.new_root,
            proof.hashes.join("\n"),
            if proof.hashes.is_empty() { "" } else { "\n" }
        ))
        .map(|()| ExitCode::Done)
    }
}

/// Copy the log out.
#[derive(Args)]
pub struct Export {
    /// A directory that is not there yet
    out: PathBuf,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Export {
    fn run(self) -> Result<ExitCode> {
        let done = audit::export(&self.runs.path(), &self.out)?;
        if self.json {
            return print_json(&done).map(|()| ExitCode::Done);
        }
        print(&format!(
            "{} entries in {}\npublic key {}\nverify there: narrowroom audit verify --export {} --public KEY\n",
            done.entries,
            files::shown(&self.out),
            done.public_key,
            files::shown(&self.out)
        ))
        .map(|()| ExitCode::Done)
    }
}

/// Show or make a key.
#[derive(Args)]
pub struct ShowKey {
    /// Of this private key [default: the program's own]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Make a new private key in this file and show its public half
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    new: Option<PathBuf>,
    /// Print the public key as PEM
    #[arg(long, conflicts_with = "json")]
    pem: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl ShowKey {
    fn run(self) -> Result<ExitCode> {
        let (path, key) = match (&self.new, &self.key) {
            (Some(path), _) => {
                if files::exists(path) {
                    return Err(
                        Error::usage(format!("{} is there already", files::shown(path)))
                            .hint("name a new file: a key is never overwritten"),
                    );
                }
                (path.clone(), Key::load_or_create(Some(path))?)
            }
            (None, Some(path)) => (path.clone(), Key::load(path)?),
            (None, None) => (keys::kept_at(keys::PROGRAM), Key::load_or_create(None)?),
        };
        if self.pem {
            return print(&key.public().pem()?).map(|()| ExitCode::Done);
        }
        if self.json {
            let shown =
                serde_json::json!({"public_key": key.public_hex(), "id": key.id(), "file": path});
            return print_json(&shown).map(|()| ExitCode::Done);
        }
        print(&format!(
            "public key {}\nid         {}\nprivate in {}\n",
            key.public_hex(),
            key.id(),
            files::shown(&path)
        ))
        .map(|()| ExitCode::Done)
    }
}
