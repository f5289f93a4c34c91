//! `narrowroom batch plan | run | status | merge`.

mod line;
mod merge;
mod plan;
mod run;

use crate::error::{ExitCode, Result};
use clap::Subcommand;
use merge::{Merge, Status};
use plan::Plan;
use run::Run;

/// Triage many bundles: plan once, run anywhere, resume after any crash, merge.
#[derive(Subcommand)]
pub enum Batch {
    /// Write the manifest: which bundles, whose, in how many shards, with which settings
    Plan(Plan),
    /// Work through a manifest, or one shard of it; finished bundles are left alone
    Run(Run),
    /// Show how far a batch is
    Status(Status),
    /// Merge the results into one file; refuses gaps and duplicates
    Merge(Merge),
}

impl Batch {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::Plan(args) => args.run(),
            Self::Run(args) => args.run(),
            Self::Status(args) => args.run(),
            Self::Merge(args) => args.run(),
        }
    }
}
