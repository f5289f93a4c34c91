//! `narrowroom rerun RUN`.

use super::diff::{changed, hang};
use super::triage::{choose_model, ticket};
use super::{RunsDir, block_on, print, print_json, terminal};
use crate::error::{ExitCode, Result};
use crate::record;
use crate::record::rerun::{Given, Repeated, compare, request};
use clap::Args;
use std::path::PathBuf;

/// Repeat a run with the same inputs and compare.
#[derive(Args)]
pub struct Rerun {
    /// Id of the run, or its beginning
    run: String,
    /// Where the bundle lies now [default: where it lay]
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// The ticket of the first run, when it had one: the record keeps its hash only
    #[arg(long, value_name = "TEXT|FILE")]
    ticket: Option<String>,
    /// The command policy of the first run, when it had one
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Sign with this Ed25519 key [default: one that the program makes and keeps]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Rerun {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let runs = self.runs.path();
        let dir = record::find(&runs, &self.run)?;
        let first = record::load(&dir)?;
        let model = if first.record.settings.use_model {
            Some(choose_model(first.record.model_sha256.as_deref())?)
        } else {
            None
        };
        let given = Given {
            bundle: self.bundle,
            ticket: self.ticket.as_deref().map(ticket).transpose()?,
            model,
            runs,
            key: self.key,
            policy: super::classify::read_policy_text(self.policy.as_deref())?,
        };
        let request = request(&first.record, given)?;
        let mut line = terminal::Line::new(request.limits.max_seconds, self.quiet || self.json);
        let second = block_on(crate::triage::run(&request, &mut line))?;
        line.clear();
        let found = compare((&dir, &first), (&second.dir, &second.run))?;
        if self.json {
            print_json(&found)?;
        } else {
            print(&text(&found))?;
        }
        Ok(if found.same_result {
            ExitCode::Done
        } else {
            ExitCode::Rejected
        })
    }
}

fn text(found: &Repeated) -> String {
    let mut out = String::new();
    if found.identical {
        out.push_str(&format!(
            "identical: report and verdict of {} are those of {}, byte for byte\n",
            found.second, found.first
        ));
    } else if found.same_result {
        out.push_str(&format!(
            "the same result from other inputs: {} says what {} says\n",
            found.second, found.first
        ));
    } else {
        out.push_str(&format!(
            "DIFFERENT: {} from {}\n",
            found.second, found.first
        ));
        if let Some(change) = &found.first_difference {
            out.push_str("first difference\n");
            changed(&mut out, change, 2);
        }
    }
    if let Some(exchange) = &found.first_exchange {
        hang(&mut out, "model: ", exchange, 7);
    }
    if !found.reasons.is_empty() {
        out.push_str("inputs that differ\n");
        for reason in &found.reasons {
            changed(&mut out, reason, 2);
        }
    } else if !found.same_result {
        out.push_str("no input differs: please report it, this should not be\n");
    }
    if !found.identical {
        out.push_str(&format!(
            "claim by claim: narrowroom diff {} {}\n",
            found.first, found.second
        ));
    }
    out
}
