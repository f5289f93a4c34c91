//! The program: parses the command line and ends with a documented exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(narrowroom::cli::main())
}
