//! Runs the mutants that cargo-mutants lists, in minutes instead of hours.
//!
//! cargo-mutants builds the crate once for each mutant. Here the source is written once with all of them, each behind a
//! condition that an environment variable switches on (`switch.rs`, `switched.rs`), and built once. A first run of each
//! test alone tells which mutants it reaches; then each mutant runs with just the tests that reach it (`run.rs`).
//!
//! Mutants that do not compile are found by the compiler's errors and left out, as are those outside of functions.

mod run;
mod switch;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A change of the source that a test should notice.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// Position in cargo-mutants' list, from 1.
    pub id: usize,
    /// Its name there: place and change.
    pub name: String,
    /// File, below the crate.
    pub file: String,
    /// What kind of change it is, in cargo-mutants' words.
    pub genre: String,
    /// What stands there instead.
    pub replacement: String,
    /// Line and column of its first character, from 1.
    pub start: (usize, usize),
    /// Line and column behind its last.
    pub end: (usize, usize),
    /// First line of the function that it is in.
    pub function: u64,
}

fn mutants(list: &Path) -> Result<Vec<Mutant>, Box<dyn Error>> {
    let list: serde_json::Value = serde_json::from_slice(&std::fs::read(list)?)?;
    let list = list.as_array().ok_or("the list is no list")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &serde_json::Value| value.as_u64().unwrap_or(0);
    let place = |value: &serde_json::Value| {
        (
            number(&value["line"]) as usize,
            number(&value["column"]) as usize,
        )
    };
    let made = list.iter().enumerate().map(|(at, mutant)| Mutant {
        id: at + 1,
        name: text(&mutant["name"]),
        file: text(&mutant["file"]),
        genre: text(&mutant["genre"]),
        replacement: text(&mutant["replacement"]),
        start: place(&mutant["span"]["start"]),
        end: place(&mutant["span"]["end"]),
        function: number(&mutant["function"]["span"]["start"]["line"]),
    });
    Ok(made.collect())
}

fn work() -> Result<bool, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, list, to, prefixes @ ..] = arguments.as_slice() else {
        return Err("narrowroom-mutants CRATE LIST WORK [PREFIX…]: a crate, its mutants as `cargo mutants --list --json` \
             prints them, a folder to work in, and beginnings of the files whose mutants are wanted"
            .into());
    };
    let wanted = |mutant: &Mutant| {
        mutant.function > 0
            && (prefixes.is_empty()
                || prefixes
                    .iter()
                    .any(|prefix| mutant.file.starts_with(prefix)))
    };
    let mut mutants = mutants(Path::new(list))?;
    mutants.retain(wanted);
    let work = run::Work {
        from: PathBuf::from(from),
        to: PathBuf::from(to),
    };
    let (binary, left_out) = run::build(&work, &mut mutants)?;
    let outcomes = run::run(&work, &binary, &mutants)?;
    let count = |wanted: run::Outcome| {
        outcomes
            .iter()
            .filter(|(_, found)| *found == wanted)
            .count()
    };
    for (mutant, outcome) in &outcomes {
        if matches!(outcome, run::Outcome::Missed | run::Outcome::Unreached) {
            println!("{outcome:?} {}", mutant.name);
        }
    }
    println!(
        "{} mutants: {} caught, {} ran too long, {} missed, {} reached by no test; {left_out} do not compile",
        outcomes.len(),
        count(run::Outcome::Caught),
        count(run::Outcome::Endless),
        count(run::Outcome::Missed),
        count(run::Outcome::Unreached),
    );
    Ok(!outcomes.is_empty())
}

fn main() -> ExitCode {
    match work() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("no mutant ran");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}
