//! `narrowroom audit consistency` and `audit export`: the log at another time, and elsewhere.

use super::{Public, read};
use crate::audit::{self, Checkpoint, Consistency};
use crate::cli::{RunsDir, print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use clap::Args;
use std::path::{Path, PathBuf};

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
    pub(super) fn run(self) -> Result<ExitCode> {
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
    pub(super) fn run(self) -> Result<ExitCode> {
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
