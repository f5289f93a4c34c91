//! From the record of a run to what the renderers show.

use crate::record::Run;
use crate::report::view::{
    About, DroppedFinding, EvidenceContext, FindingVerdict, MaskedSecrets, ModelFacts, OutputFile,
    PlaybookFacts, ReviewState, RunFacts, SealFacts, Share, StageTime, Tick, TickStatus,
    VerdictFacts, View, WeakerLayer,
};
use crate::verify::{ClaimVerdict, Rule, Status};
use std::collections::{BTreeMap, BTreeSet};

/// Lines above and below a citation in a report; the record keeps more for the reviewer.
const REPORT_LINES: u64 = 4;

/// The view of `run` for its reports.
pub fn view(run: &Run) -> View {
    let mut view = review_view(run);
    for context in &mut view.contexts {
        *context = context.around(REPORT_LINES);
    }
    view
}

/// The view of `run` with every line that was kept around a citation.
pub fn review_view(run: &Run) -> View {
    let record = &run.record;
    View {
        report: run.report.clone(),
        verdict: verdict(run),
        run: RunFacts {
            id: record.id.clone(),
            started: record.started.clone(),
            bundle_name: record.bundle.name.clone(),
            bundle_sha256: record.bundle.sha256.clone(),
            bundle_bytes: record.bundle.bytes,
            bundle_files: record.bundle.files,
            profile: record.bundle.profile.clone(),
            playbook: PlaybookFacts {
                id: record.playbook.id.clone(),
                version: record.playbook.version.clone(),
                sha256: record.playbook.sha256.clone(),
            },
            model: record.model.as_ref().map(|model| ModelFacts {
                name: model.name.clone(),
                quantisation: format!("{}, runs as {}", model.quantisation, model.run_quantisation),
                sha256: model.sha256.clone(),
                context_requested: u64::from(model.context_requested),
                context_effective: u64::from(model.context_effective),
                prompt_tokens: model.prefill_tokens,
                output_tokens: model.decode_tokens,
                prefill_per_second: model.prefill_rate,
                decode_per_second: model.decode_rate,
            }),
            stages: record
                .timings
                .iter()
                .map(|(stage, millis)| StageTime {
                    stage: stage.clone(),
                    millis: *millis,
                })
                .collect(),
        },
        seal: seal(run),
        contexts: record
            .contexts
            .iter()
            .map(|lines| EvidenceContext {
                path: lines.path.clone(),
                first_line: lines.first_line,
                lines: lines.lines.clone(),
                marked_first: lines.marked.0,
                marked_last: lines.marked.1,
            })
            .collect(),
        injections: record.injections.clone(),
        masked: record
            .secrets_masked
            .iter()
            .map(|(kind, count)| MaskedSecrets {
                kind: kind.clone(),
                count: *count,
            })
            .collect(),
        skipped: record.skipped.clone(),
        review: ReviewState::Pending,
        files: vec![],
    }
}

/// The files beside `report.html`, as links.
pub fn files_beside() -> Vec<OutputFile> {
    [
        ("the report as data", "report.json"),
        ("the verifier's verdict, claim by claim", "verdict.json"),
        (
            "exact prompts and raw output of every step, masked",
            "transcript.jsonl",
        ),
        (
            "what was run on what, with the proof of the seal",
            "record.json",
        ),
    ]
    .map(|(what, path)| OutputFile {
        what: what.into(),
        path: path.into(),
    })
    .to_vec()
}

fn seal(run: &Run) -> SealFacts {
    let seals = &run.record.seals;
    let layers = seals
        .iter()
        .map(|proof| proof.layers.iter().filter(|layer| layer.enforced).count())
        .min()
        .unwrap_or(0);
    let probes: usize = seals.iter().map(|proof| proof.probes.len()).sum();
    let held: usize = seals
        .iter()
        .map(|proof| proof.probes.iter().filter(|probe| probe.held).count())
        .sum();
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let mut weaker: BTreeMap<String, String> = BTreeMap::new();
    for layer in seals
        .iter()
        .flat_map(|proof| &proof.layers)
        .filter(|layer| !layer.enforced)
    {
        weaker
            .entry(layer.layer.to_string())
            .or_insert_with(|| layer.detail.clone());
    }
    SealFacts {
        layers: number(layers),
        probes: number(probes),
        probes_denied: number(held),
        weaker: weaker
            .into_iter()
            .map(|(layer, consequence)| WeakerLayer { layer, consequence })
            .collect(),
    }
}

fn verdict(run: &Run) -> VerdictFacts {
    let verdict = &run.verdict;
    let mut findings: BTreeMap<u32, FindingVerdict> = BTreeMap::new();
    for finding in &run.report.findings {
        let origin = run
            .record
            .origins
            .iter()
            .find(|origin| origin.cause == finding.cause && origin.title == finding.title);
        let share = origin.map_or_else(Share::default, |origin| Share {
            detectors: vec![origin.detector.clone()],
            signals: Some(origin.signals),
            model: origin.model,
            worded_by_model: origin.worded_by_model,
        });
        findings.insert(
            finding.rank,
            FindingVerdict {
                rank: finding.rank,
                ticks: vec![],
                share,
            },
        );
    }
    // The verdict speaks of the draft's ranks; what was taken out closed the rest up.
    let out: BTreeSet<u32> = verdict
        .claims
        .iter()
        .filter(|claim| claim.rule == Rule::Finding && claim.status == Status::Dropped)
        .filter_map(|claim| claim.finding)
        .collect();
    let new_rank = |rank: u32| {
        (!out.contains(&rank)).then(|| rank - u32::try_from(out.range(..rank).count()).unwrap_or(0))
    };
    let mut dropped: BTreeMap<u32, DroppedFinding> = BTreeMap::new();
    for claim in &verdict.claims {
        let Some(rank) = claim.finding else { continue };
        match new_rank(rank).and_then(|rank| findings.get_mut(&rank)) {
            Some(finding) => finding.ticks.push(tick(claim)),
            None if matches!(claim.status, Status::Dropped | Status::Rejected) => dropped
                .entry(rank)
                .or_insert_with(|| {
                    let title = run
                        .record
                        .origins
                        .get((rank as usize).saturating_sub(1))
                        .map_or_else(
                            || format!("candidate {rank} of the draft"),
                            |origin| origin.title.clone(),
                        );
                    DroppedFinding {
                        title,
                        reasons: vec![],
                    }
                })
                .reasons
                .push(claim.reason.clone()),
            None => {}
        }
    }
    for finding in findings.values_mut() {
        finding.ticks = grouped(std::mem::take(&mut finding.ticks));
    }
    VerdictFacts {
        findings: findings.into_values().collect(),
        dropped: dropped.into_values().collect(),
        checked: verdict.claims.len() as u64,
        failed: verdict
            .claims
            .iter()
            .filter(|claim| claim.status != Status::Ok)
            .count() as u64,
        rejected: verdict.is_rejected(),
    }
}

/// What a rule asked of several words of one part, with the same result, as one check with all the
/// answers.
pub fn grouped(ticks: Vec<Tick>) -> Vec<Tick> {
    let mut all: Vec<Tick> = Vec::new();
    for tick in ticks {
        let known = all.iter_mut().find(|known| {
            known.rule == tick.rule && known.status == tick.status && known.about == tick.about
        });
        match known {
            None => all.push(tick),
            Some(known) if known.reason.split("; ").any(|one| one == tick.reason) => {}
            Some(known) => {
                known.reason.push_str("; ");
                known.reason.push_str(&tick.reason);
            }
        }
    }
    all
}

/// A claim of a verdict as a check of a finding.
pub fn tick(claim: &ClaimVerdict) -> Tick {
    let part = |name: &str| {
        claim
            .place
            .split_once(&format!("/{name}/"))
            .and_then(|(_, rest)| rest.split('/').next()?.parse().ok())
    };
    let about = part("evidence")
        .map(About::Evidence)
        .or_else(|| part("commands").map(About::Command))
        .unwrap_or(About::Claim);
    Tick {
        about,
        rule: claim.rule.to_string(),
        what: claim.rule.about().holds.to_owned(),
        status: match claim.status {
            Status::Ok => TickStatus::Ok,
            Status::Flagged => TickStatus::Flagged,
            Status::Dropped => TickStatus::Dropped,
            Status::Rejected => TickStatus::Rejected,
        },
        reason: claim.reason.clone(),
    }
}
