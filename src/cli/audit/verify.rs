//! `narrowroom audit verify`.

use super::{Public, key, read};
use crate::audit::{self, Proof, Verification};
use crate::cli::{RunsDir, print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use crate::record::word;
use crate::report::escape;
use crate::report::wrap::wrap;
use clap::Args;
use std::path::{Path, PathBuf};

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
    pub(super) fn run(self) -> Result<ExitCode> {
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
