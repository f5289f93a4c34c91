//! Zone 3: judges a report against the tree, started after the room is gone.

use super::boot::{Out, open_tree, plan, read_job};
use super::protocol::{Beside, Boot, EvidenceLines, FromWorker, ToWorker, VerifyJob};
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
    let (entries, job) = read_job()?;
    let mut tree = Tree::new(
        dir,
        Index {
            entries,
            skipped: vec![],
        },
    );
    match job {
        ToWorker::Verify(job) => judge(&job, &mut tree, out),
        ToWorker::Score(job) => out.send(&FromWorker::Scored(Box::new(crate::eval::score_in(
            &tree,
            &job.truth,
            job.report.as_deref(),
        )))),
        _ => Err(Error::bug("the verifier was given another zone's task")),
    }
}

fn judge(job: &VerifyJob, tree: &mut Tree, out: &mut Out) -> Result<()> {
    let policy = match &job.policy {
        Some(text) => verify::command::Policy::with_own(text)?,
        None => verify::command::Policy::default(),
    };
    let options = verify::Options {
        mode: if job.strict {
            verify::Mode::Strict
        } else {
            verify::Mode::Filter
        },
        policy,
        ..verify::Options::default()
    };
    let masker = super::boot::learn(tree, [])?;
    let tree = &*tree;
    let document = match (job.as_text, job.strict) {
        (true, _) => {
            verify::Document::Answer(Box::new(verify::text_answer(job.report.as_bytes())?))
        }
        (false, true) => verify::read_document(job.report.as_bytes())?,
        (false, false) => {
            verify::Document::Report(Box::new(verify::parse_report(job.report.as_bytes())?))
        }
    };
    let beside = beside(&job.beside, tree, masker)?;
    let (mut verdict, passed, lines) = match document {
        verify::Document::Report(report) => judge_report(*report, job, tree, &options, masker)?,
        verify::Document::Answer(mut answer) => {
            answer.mask(|text| masker.mask(text), |path| masker.mask_name(path));
            let verdict = verify::judge_answer(&answer, tree, &options);
            (verdict, nothing(), Vec::new())
        }
    };
    verdict.mask(|text| masker.mask(text));
    out.send(&FromWorker::Judged(Box::new((
        verdict, passed, lines, beside,
    ))))
}

/// What the room said beside its report: citations that hold, and every text masked once more.
fn beside(said: &Beside, tree: &Tree, masker: &Masker) -> Result<Beside> {
    let mut injections = Vec::new();
    for evidence in &said.injections {
        let Some(entry) = tree.find(&evidence.path) else {
            continue;
        };
        let (first, last) = (evidence.line_start, evidence.line_end);
        let mut lines = Vec::new();
        tree.for_each_line(entry, |number, line| {
            let number = number as u64;
            if (first..=last).contains(&number) {
                lines.push(line.to_owned());
            }
            number < last.min(first.saturating_add(20))
        })
        .or_fail(ExitCode::Bug, "failed to read a cited line")?;
        let text = lines.join("\n");
        if text.contains(&evidence.quote) || masker.mask(&text).contains(&evidence.quote) {
            let mut evidence = evidence.clone();
            evidence.quote = masker.mask(&evidence.quote);
            injections.push(evidence);
        }
    }
    Ok(Beside {
        injections,
        texts: said.texts.iter().map(|text| masker.mask(text)).collect(),
    })
}

fn judge_report(
    mut report: Report,
    job: &VerifyJob,
    tree: &Tree,
    options: &verify::Options,
    masker: &Masker,
) -> Result<(verify::Verdict, Report, Vec<EvidenceLines>)> {
    if let Some(facts) = &job.bundle
        && !job.strict
    {
        report.bundle = facts.clone();
    }
    masker.mask_report(&mut report);
    let judged = verify::judge(&report, tree, options);
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
    let lines = evidence_lines(&passed, tree, masker)?;
    Ok((verdict, passed, lines))
}

/// An answer of another tool leaves no report.
fn nothing() -> Report {
    Report {
        schema: crate::report::SCHEMA.to_owned(),
        run: String::new(),
        outcome: crate::report::Outcome::InsufficientEvidence,
        bundle: crate::report::BundleFacts::default(),
        findings: Vec::new(),
        missing: Vec::new(),
        not_examined: Vec::new(),
    }
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
