//! The judgement of a whole report or answer.

mod absent;
mod answer;
mod citation;
mod finding;
mod hidden;
mod known;
mod ledger;
mod outcome;
mod sentence;
mod targets;

pub use answer::judge_answer;

use super::command::Policy;
use super::prose::Echoes;
use super::verdict::{Rule, Status, VERDICT_SCHEMA, Verdict, VerdictOutcome};
use crate::bundle::Tree;
use crate::report::{Outcome, Report};
use known::{Known, Wanted};
use ledger::{Ledger, Spot};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Most lines one citation may span.
pub const MAX_CITED_LINES: u64 = 200;
/// A citation of more lines than this is flagged: it does not point anywhere.
const BROAD_LINES: u64 = 60;

/// The namespace of an object that names none; outputs of one namespace do not repeat it.
const DEFAULT_NAMESPACE: &str = "default";

/// What happens to a claim that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A foreign report: one failed claim rejects it.
    Strict,
    /// Our own: what fails is taken out, what stands is kept.
    Filter,
}

/// How to judge.
#[derive(Debug, Clone)]
pub struct Options {
    /// See [`Mode`].
    pub mode: Mode,
    /// Most bytes of the bundle that the search for names reads.
    pub max_scan_bytes: u64,
    /// Texts of the prompts that were used, to recognise echoes.
    pub prompts: Vec<String>,
    /// Which commands may be recommended.
    pub policy: Policy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Strict,
            max_scan_bytes: 4 << 30,
            prompts: Vec::new(),
            policy: Policy::default(),
        }
    }
}

/// What was judged and what is left.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Claim by claim.
    pub verdict: Verdict,
    /// The report with what passed: in [`Mode::Filter`] without what failed, ranks closed up; commands carry their class.
    pub report: Report,
}

/// Judges every path, line, quote, name, command and sentence of `report` against `tree`.
pub fn judge(report: &Report, tree: &Tree, options: &Options) -> Judged {
    let known = Wanted::of(report).look(tree, options.max_scan_bytes);
    let mut judge = Judge::new(tree, options, known);
    judge.instructions();
    judge.ranks(report);
    judge.outcome(report);
    let mut kept = Vec::new();
    for (at, finding) in report.findings.iter().enumerate() {
        match (judge.finding(at, finding), options.mode) {
            (_, Mode::Strict) => kept.push(finding.clone()),
            (Some(left), Mode::Filter) => kept.push(left),
            (None, Mode::Filter) => {
                let spot = Spot {
                    finding: Some(finding.rank),
                    ..Spot::new(format!("/findings/{at}"))
                };
                judge.ledger.note(
                    &spot,
                    Rule::Finding,
                    Status::Dropped,
                    "the finding is taken out",
                );
            }
        }
    }
    let mut out = report.clone();
    for (at, missing) in report.missing.iter().enumerate() {
        let spot = Spot::new(format!("/missing/{at}"));
        let what = judge.sentence(&spot.at("what"), &missing.what);
        let why = judge.sentence(&spot.at("why"), &missing.why);
        if !(what && why) && options.mode == Mode::Filter {
            out.missing.retain(|kept| kept != missing);
        }
    }
    for (at, part) in report.not_examined.iter().enumerate() {
        let why = judge.sentence(&Spot::new(format!("/not_examined/{at}/why")), &part.why);
        if !why && options.mode == Mode::Filter {
            out.not_examined.retain(|kept| kept != part);
        }
    }
    // Commands of what is kept get their class even when nothing is filtered.
    for command in kept.iter_mut().flat_map(|finding| &mut finding.commands) {
        command.class = Some(options.policy.classify(&command.command).class);
    }
    let emptied = !report.findings.is_empty() && kept.is_empty();
    out.findings = kept;
    if options.mode == Mode::Filter {
        for (at, finding) in out.findings.iter_mut().enumerate() {
            finding.rank = u32::try_from(at + 1).unwrap_or(u32::MAX);
        }
        if out.findings.is_empty() && out.outcome == Outcome::Findings {
            out.outcome = Outcome::InsufficientEvidence;
        }
    }
    Judged {
        verdict: judge.verdict(options.mode, emptied),
        report: out,
    }
}

/// The judgement in progress.
struct Judge<'a> {
    tree: &'a Tree,
    ledger: Ledger,
    echoes: Echoes,
    policy: Policy,
    known: Rc<Known>,
    /// Cited lines of files that are too large to be held whole, and the number of lines of each.
    files: BTreeMap<String, (u64, BTreeMap<u64, String>)>,
}

impl<'a> Judge<'a> {
    fn new(tree: &'a Tree, options: &Options, known: Known) -> Self {
        Self {
            tree,
            ledger: Ledger::default(),
            echoes: Echoes::new(&options.prompts),
            policy: options.policy.clone(),
            known: Rc::new(known),
            files: BTreeMap::new(),
        }
    }

    /// What follows from all claims; `emptied`: nothing is left of what was found.
    fn verdict(self, mode: Mode, emptied: bool) -> Verdict {
        let counts = self.ledger.counts();
        let failed = self.ledger.rejected_since(0);
        let outcome = match mode {
            Mode::Strict if failed => VerdictOutcome::Rejected,
            Mode::Filter if emptied => VerdictOutcome::Rejected,
            Mode::Filter if failed => VerdictOutcome::AcceptedWithChanges,
            _ => VerdictOutcome::Accepted,
        };
        Verdict {
            schema: VERDICT_SCHEMA.to_owned(),
            mode,
            outcome,
            counts,
            policy: self.policy.sha256().map(str::to_owned),
            claims: self.ledger.claims,
        }
    }
}

#[cfg(test)]
mod each_rule;
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
mod tests;
