//! `narrowroom packet RUN`.

use super::{RunsDir, print};
use crate::error::{ExitCode, Result};
use crate::{files, record};
use clap::Args;
use std::path::PathBuf;

/// Write a masked packet of a run for a person to read, approve and take elsewhere; nothing is sent.
#[derive(Args)]
pub struct Packet {
    /// Id of the run, or its beginning
    run: String,
    /// Write it here instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write pseudonyms for addresses, e-mails and names of hosts, as `show --pseudonyms` does
    #[arg(long)]
    pseudonyms: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Packet {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let mut run = record::load(&record::find(&self.runs.path(), &self.run)?)?;
        if self.pseudonyms {
            run = run.with(&mut run.pseudonyms()?)?;
        }
        let text = crate::escalate::packet(&crate::triage::view(&run), &run);
        match &self.out {
            Some(path) => files::write_whole(path, text.as_bytes())?,
            None => print(&text)?,
        }
        Ok(ExitCode::Done)
    }
}
