//! `narrowroom verify REPORT --bundle BUNDLE`.

use super::classify::read_policy_text;
use super::{RunsDir, block_on, print, print_json, terminal};
use crate::error::{Context, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::report::escape;
use crate::seal::Layer;
use crate::triage::{Request, Unverified};
use crate::verify::{About, Rule, Status, Verdict};
use clap::Args;
use std::path::PathBuf;

/// Check a report, ours or another tool's answer, against a bundle.
#[derive(Args)]
pub struct Verify {
    /// JSON: a report (narrowroom.report/v1) or another tool's answer (narrowroom.answer/v1, see `schema adapter`)
    #[arg(required_unless_present = "rules")]
    report: Option<PathBuf>,
    /// The bundle it speaks about
    #[arg(long, value_name = "FILE", required_unless_present = "rules")]
    bundle: Option<PathBuf>,
    /// Take the file as plain text or Markdown, whatever it holds
    #[arg(long)]
    text: bool,
    /// An organisation's own command policy beside the shipped one (see classify --print-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Print the rules instead
    #[arg(long, conflicts_with_all = ["report", "bundle", "text", "policy"])]
    rules: bool,
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
        let (Some(report), Some(bundle)) = (self.report, self.bundle) else {
            let rules: Vec<About> = Rule::ALL.iter().map(|rule| rule.about()).collect();
            if self.json {
                print_json(&rules)?;
            } else {
                print(&table(&rules))?;
            }
            return Ok(ExitCode::Done);
        };
        let text = files::read_text(&report).or_fail(
            ExitCode::InputRefused,
            format!("failed to read the report {}", files::shown(&report)),
        )?;
        let request = Request {
            bundle,
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
            policy: read_policy_text(self.policy.as_deref())?,
        };
        let document = Unverified {
            text,
            is_prose: self.text,
        };
        let mut line = terminal::Line::new(request.limits.max_seconds, self.json);
        let (verdict, _) = block_on(crate::triage::verify(document, &request, &mut line))?;
        line.clear();
        if self.json {
            print_json(&verdict)?
        } else {
            print(&self::text(&verdict))?
        }
        Ok(if verdict.is_rejected() {
            ExitCode::Rejected
        } else {
            ExitCode::Done
        })
    }
}

/// The rules for a person.
fn table(rules: &[About]) -> String {
    let mut out = String::new();
    for rule in rules {
        out.push_str(&format!("{:<12}{}\n", rule.id, rule.asks));
        out.push_str(&format!("{:<12}{}\n", "", rule.failure));
    }
    out.push_str(
        "\nIn a report of ours what is rejected is taken out; in a foreign one it rejects all.\n",
    );
    out
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
        let place = match claim.place.as_str() {
            "" => "the bundle",
            place => place,
        };
        out.push_str(&format!(
            "{word}  {}  {}\n          {}\n",
            escape::terminal(place),
            claim.rule,
            escape::terminal(&claim.reason)
        ));
        if let Some(excerpt) = &claim.excerpt {
            out.push_str(&format!("          | {}\n", escape::terminal(excerpt)));
        }
        if let Some(matched) = claim
            .matched
            .as_ref()
            .filter(|matched| matched.line_start > 0)
        {
            out.push_str(&format!(
                "          > {}:{}\n",
                escape::terminal(&matched.path),
                matched.line_start
            ));
        }
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
