//! Zone 3: judges a report against the tree, started after the room is gone.

use super::boot::{Out, open_tree, plan, read_job};
use super::protocol::{Boot, EvidenceLines, FromWorker, ToWorker};
use crate::bundle::{Index, Tree};
use crate::error::{Context, Error, ExitCode, Result};
use crate::report::Report;
use crate::seal::{self, Zone};
use crate::secrets::Masker;
use crate::verify;

/// Lines kept above and below a citation: what a reviewer sees. Reports show fewer of them.
const CONTEXT: u64 = 10;
/// Longest line shown, in characters.
const MAX_CHARS: usize = 400;

pub fn run(boot: &Boot, out: &mut Out) -> Result<()> {
    let entered = seal::enter(&plan(Zone::Verify, boot))?;
    let sealed = seal::close(entered)?;
    let proof = sealed.prove();
    out.send(&FromWorker::Sealed(Box::new(proof.clone())))?;
    proof.demand()?;
    let dir = open_tree(&sealed)?;
    let (entries, ToWorker::Verify(job)) = read_job()? else {
        return Err(Error::bug("the verifier was given another zone's task"));
    };
    let tree = Tree::new(
        dir,
        Index {
            entries,
            skipped: vec![],
        },
    );
    let mut report = verify::parse_report(job.report.as_bytes())?;
    if let Some(facts) = &job.bundle
        && !job.strict
    {
        report.bundle = facts.clone();
    }
    let masker = super::boot::learn(&tree)?;
    let options = verify::Options {
        mode: if job.strict {
            verify::Mode::Strict
        } else {
            verify::Mode::Filter
        },
        ..verify::Options::default()
    };
    masker.mask_report(&mut report);
    let judged = verify::judge(&report, &tree, &options);
    let (mut verdict, mut passed) = (judged.verdict, judged.report);
    if let Some(facts) = &job.bundle
        && job.strict
        && !report.bundle.sha256.is_empty()
        && report.bundle.sha256 != facts.sha256
    {
        verdict.reject(
            "/bundle/sha256",
            verify::Rule::Bundle,
            "the report speaks about another bundle: the hashes differ",
        );
    }
    masker.mask_report(&mut passed);
    let lines = evidence_lines(&passed, &tree, &masker)?;
    out.send(&FromWorker::Judged(Box::new((verdict, passed, lines))))
}

fn evidence_lines(report: &Report, tree: &Tree, masker: &Masker) -> Result<Vec<EvidenceLines>> {
    let mut shown = Vec::new();
    for evidence in report
        .findings
        .iter()
        .flat_map(|finding| &finding.evidence)
        .take(60)
    {
        let Some(entry) = tree.find(&evidence.path) else {
            continue;
        };
        let first = evidence.line_start.saturating_sub(CONTEXT).max(1);
        let last = evidence
            .line_end
            .min(evidence.line_start + 20)
            .saturating_add(CONTEXT);
        let mut lines = Vec::new();
        tree.for_each_line(entry, |number, line| {
            let number = number as u64;
            if number >= first && number <= last {
                lines.push(line.to_owned());
            }
            number < last
        })
        .or_fail(ExitCode::Bug, "failed to read the lines around a citation")?;
        // Masked as one text first: a key spans lines.
        let masked = masker.mask_lines(&lines.join("\n"));
        let lines = masked
            .split('\n')
            .map(|line| line.chars().take(MAX_CHARS).collect())
            .collect();
        shown.push(EvidenceLines {
            path: entry.path.to_string(),
            first_line: first,
            lines,
            marked: (evidence.line_start, evidence.line_end),
        });
    }
    Ok(shown)
}
