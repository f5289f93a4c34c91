//! `narrowroom classify`.

use crate::error::{Context, ExitCode, Result};
use clap::Args;

/// Classify shell commands read from standard input: one a line, or JSON lines with `command`;
/// prints JSON lines with command, class and reasons.
#[derive(Args)]
pub struct Classify {}

impl Classify {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        crate::verify::command::classify_lines(
            &mut std::io::stdin().lock(),
            &mut std::io::stdout().lock(),
        )
        .or_fail(ExitCode::Usage, "failed to read or write commands")?;
        Ok(ExitCode::Done)
    }
}
