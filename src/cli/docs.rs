//! `narrowroom schema | completions | man`: documents made from the definitions themselves.

use super::{Cli, print, print_json};
use crate::error::{Context, ExitCode, Result};
use clap::{Args, CommandFactory, ValueEnum};

/// Which schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    Report,
    Verdict,
    Record,
    Review,
    Playbook,
    Catalogue,
    Audit,
    /// Another tool's answer, as `verify` reads it
    Adapter,
    /// The manifest of a batch
    Batch,
    /// A line of a merged batch, after its head
    Merged,
    Guard,
}

/// Print a JSON Schema.
#[derive(Args)]
pub struct Schema {
    /// Of what
    kind: Kind,
}

impl Schema {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let schema = match self.kind {
            Kind::Report => schemars::schema_for!(crate::report::Report),
            Kind::Verdict => schemars::schema_for!(crate::verify::Verdict),
            Kind::Record => schemars::schema_for!(crate::record::Record),
            Kind::Review => schemars::schema_for!(crate::review::Review),
            Kind::Playbook => schemars::schema_for!(crate::playbook::Playbook),
            Kind::Audit => schemars::schema_for!(crate::audit::Entry),
            Kind::Adapter => schemars::schema_for!(crate::verify::Answer),
            Kind::Catalogue => schemars::schema_for!(crate::playbook::Catalogue),
            Kind::Batch => schemars::schema_for!(crate::batch::Manifest),
            Kind::Merged => schemars::schema_for!(crate::batch::MergedItem),
            Kind::Guard => schemars::schema_for!(crate::guard::GuardReport),
        };
        print_json(&schema).map(|()| ExitCode::Done)
    }
}

/// Print shell completions.
#[derive(Args)]
pub struct Completions {
    /// For which shell
    shell: clap_complete::Shell,
}

impl Completions {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "narrowroom", &mut text);
        print(&String::from_utf8_lossy(&text)).map(|()| ExitCode::Done)
    }
}

/// Print the manual page.
#[derive(Args)]
pub struct Man {}

impl Man {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let mut text = Vec::new();
        clap_mangen::Man::new(Cli::command())
            .render(&mut text)
            .or_fail(ExitCode::Bug, "failed to write the manual page")?;
        print(&String::from_utf8_lossy(&text)).map(|()| ExitCode::Done)
    }
}
