//! `narrowroom verify REPORT --bundle BUNDLE`.

use super::{RunsDir, block_on, print, print_json, terminal};
use crate::error::{Context, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::report::escape;
use crate::seal::Layer;
use crate::triage::Request;
use crate::verify::{Status, Verdict};
use clap::Args;
use std::path::PathBuf;

/// Check a report, ours or another tool's, against a bundle.
#[derive(Args)]
pub struct Verify {
    /// The report: JSON of the form narrowroom.report/v1
    report: PathBuf,
    /// The bundle it speaks about
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
    /// Go on although this layer of the seal cannot be enforced
    #[arg(long, value_name = "LAYER")]
    allow_weaker_seal: Vec<Layer>,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    limits: Limits,
}

impl Verify {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let report = files::read_text(&self.report).or_fail(
            ExitCode::InputRefused,
            format!("failed to read the report {}", files::shown(&self.report)),
        )?;
        let request = Request {
            bundle: self.bundle,
            playbook: None,
            playbook_given: None,
            model: None,
            ticket: None,
            runs: self.runs.path(),
            tenant: None,
            key: None,
            seed: 0,
            threads: 1,
            limits: self.limits,
            allow_weaker: self.allow_weaker_seal,
        };
        let mut line = terminal::Line::new(request.limits.max_seconds, self.json);
        let (verdict, _) = block_on(crate::triage::verify(report, &request, &mut line))?;
        line.clear();
        if self.json {
            print_json(&verdict)?
        } else {
            print(&text(&verdict))?
        }
        Ok(if verdict.is_rejected() {
            ExitCode::Rejected
        } else {
            ExitCode::Done
        })
    }
}

/// The verdict for a person: what failed first, then the count of what held.
pub fn text(verdict: &Verdict) -> String {
    let mut out = String::new();
    let held = verdict
        .claims
        .iter()
        .filter(|claim| claim.status == Status::Ok)
        .count();
    for claim in verdict
        .claims
        .iter()
        .filter(|claim| claim.status != Status::Ok)
    {
        let word = match claim.status {
            Status::Flagged => "flagged ",
            Status::Dropped => "dropped ",
            _ => "REJECTED",
        };
        out.push_str(&format!(
            "{word}  {}  {}\n          {}\n",
            claim.place,
            claim.rule,
            escape::terminal(&claim.reason)
        ));
    }
    let end = if verdict.is_rejected() {
        "rejected"
    } else {
        "accepted"
    };
    out.push_str(&format!(
        "{end}: {held} of {} claims hold\n",
        verdict.claims.len()
    ));
    out
}
