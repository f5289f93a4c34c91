//! `narrowroom playbook list | show | lint`.

use super::{print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::playbook::{Bound, lint, load, parse};
use clap::Subcommand;

/// List, show and check playbooks.
#[derive(Subcommand)]
pub enum Playbook {
    /// List the shipped playbooks
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a playbook's text
    Show {
        /// Shipped playbook or path of one
        playbook: String,
    },
    /// Check a playbook and its catalogues
    Lint {
        /// Shipped playbook or path of one
        playbook: String,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

impl Playbook {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Playbook::List { json } => {
                let mut rows = Vec::new();
                for (id, text) in crate::playbook::SHIPPED {
                    let playbook = parse(text)?;
                    rows.push(serde_json::json!({"id": id, "version": playbook.version, "description": playbook.description, "profiles": playbook.profiles, "sha256": crate::playbook::shipped(id)?.sha256()}));
                }
                if json {
                    return print_json(&rows).map(|()| ExitCode::Done);
                }
                for row in rows {
                    print(&format!(
                        "{:<14} {:<7} {}\n",
                        row["id"].as_str().unwrap_or(""),
                        row["version"].as_str().unwrap_or(""),
                        row["description"].as_str().unwrap_or("")
                    ))?;
                }
            }
            Playbook::Show { playbook } => print(&load(&playbook)?.0.text)?,
            Playbook::Lint { playbook, json } => {
                let problems = lint(&load(&playbook)?.0)?;
                if json {
                    print_json(&problems)?;
                } else if problems.is_empty() {
                    print("no problem found\n")?;
                } else {
                    for problem in &problems {
                        print(&format!("{}: {}\n", problem.place, problem.message))?;
                    }
                }
                return Ok(if problems.is_empty() {
                    ExitCode::Done
                } else {
                    ExitCode::Usage
                });
            }
        }
        Ok(ExitCode::Done)
    }
}

/// A playbook with problems does not run.
pub fn refuse_problems(bound: &Bound) -> Result<()> {
    match lint(bound)?.first() {
        None => Ok(()),
        Some(problem) => Err(Error::usage(format!(
            "the playbook may not run: {}: {}",
            problem.place, problem.message
        ))
        .hint("see all problems with: narrowroom playbook lint FILE")),
    }
}
