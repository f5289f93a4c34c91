//! What became better and what worse since an earlier evaluation, case by case.

use super::run::{CaseResult, Evaluation};
use super::truth::Kind;
use serde::Serialize;
use std::collections::BTreeMap;

/// One case that was answered otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Name of the case.
    pub id: String,
    /// How it was answered then.
    pub before: String,
    /// How it is answered now.
    pub now: String,
    /// Positive: better, negative: worse, zero: other words of the same worth.
    pub worth: i32,
}

/// The answer in words, and its worth.
pub(super) fn answer(case: &CaseResult) -> (String, i32) {
    let score = &case.row.score;
    if let Some(failure) = &case.failure {
        return (format!("failed: {failure}"), -1);
    }
    if !score.valid {
        return ("no valid report".into(), -1);
    }
    match case.row.kind {
        Kind::Positive => match score.hit_rank {
            Some(rank) => {
                let grounded = if score.grounded { ", grounded" } else { "" };
                (
                    format!("right at {rank}{grounded}"),
                    20 - i32::try_from(rank.min(9)).unwrap_or(9) * 2 + i32::from(score.grounded),
                )
            }
            None => ("not found".into(), 0),
        },
        Kind::Negative if score.ok => ("no alarm".into(), 1),
        Kind::Negative => ("false alarm".into(), 0),
        Kind::Abstain => match (score.ok, score.missing_ok) {
            (true, true) => ("abstained, names what is missing".into(), 2),
            (true, false) => ("abstained".into(), 1),
            (false, _) => ("claimed to know".into(), 0),
        },
        Kind::Multi => (
            format!("{} of {} faults", score.found, score.faults),
            i32::try_from(score.found.min(100)).unwrap_or(100),
        ),
    }
}

/// Cases of both evaluations (first repeat) that are answered otherwise, the worse ones first.
pub fn against(before: &Evaluation, now: &Evaluation) -> Vec<Change> {
    let first = |evaluation: &Evaluation| -> BTreeMap<String, CaseResult> {
        evaluation
            .cases
            .iter()
            .filter(|case| case.repeat == 0)
            .map(|case| (case.row.id.clone(), case.clone()))
            .collect()
    };
    let (before, now) = (first(before), first(now));
    let mut changes: Vec<Change> = now
        .iter()
        .filter_map(|(id, case)| {
            let ((was, then), (is, worth)) = (answer(before.get(id)?), answer(case));
            let told = |case: &CaseResult, answer: String| match &case.row.score.first_cause {
                Some(cause) => format!("{answer} ({cause})"),
                None => answer,
            };
            let (was, is) = (told(before.get(id)?, was), told(case, is));
            (was != is).then(|| Change {
                id: id.clone(),
                before: was,
                now: is,
                worth: worth - then,
            })
        })
        .collect();
    changes.sort_by(|a, b| a.worth.cmp(&b.worth).then_with(|| a.id.cmp(&b.id)));
    changes
}
