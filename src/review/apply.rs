//! A report as the person left it: what they rejected is out, what they edited is in.

use super::claims::{self, Content};
use super::fold;
use super::model::{Decision, Outcome, SignOff};
use super::{Checked, Standing};
use crate::record::Run;
use crate::report::view::{DroppedFinding, ReviewState, View};
use std::path::Path;

/// Puts what was signed of the run in `dir` into `view`; gives back a warning when there is a signature
/// that does not stand. Without a signature nothing changes.
pub fn apply(dir: &Path, run: &Run, view: &mut View) -> Option<String> {
    let Checked {
        standing,
        problems,
        sign_off,
        ..
    } = match super::check(dir, None) {
        Ok(checked) => checked,
        Err(error) => return Some(error.chain()),
    };
    match (standing, sign_off) {
        (Standing::Valid, Some(signed)) => {
            let review = match super::load(dir) {
                Ok(review) => review,
                Err(error) => return Some(error.chain()),
            };
            signed_view(view, &fold::fold(claims::of(run), &review), &signed);
            None
        }
        (Standing::Invalid, _) => Some(format!(
            "the signature does not stand, so this is shown as not signed: {}",
            problems.join("; ")
        )),
        _ => None,
    }
}

fn signed_view(view: &mut View, state: &fold::Folded, signed: &SignOff) {
    let (by, at, note) = (signed.name.clone(), signed.at.clone(), signed.note.clone());
    if signed.outcome == Outcome::Rejected {
        view.review = ReviewState::Rejected { by, at, note };
        return;
    }
    for claim in &state.claims {
        let current = claim.current();
        let out = claim
            .decided
            .as_ref()
            .filter(|decided| decided.decision == Decision::Reject);
        match &current.content {
            Content::Finding(finding) => {
                if let Some(decided) = out {
                    view.report
                        .findings
                        .retain(|known| known.rank != finding.rank);
                    view.verdict.dropped.push(DroppedFinding {
                        title: finding.title.clone(),
                        reasons: vec![format!("rejected by {by}: {}", decided.reason)],
                    });
                    continue;
                }
                let Some(check) = &current.check else {
                    continue;
                };
                for known in view
                    .report
                    .findings
                    .iter_mut()
                    .filter(|known| known.rank == finding.rank)
                {
                    *known = (**finding).clone();
                }
                for known in view
                    .verdict
                    .findings
                    .iter_mut()
                    .filter(|known| known.rank == finding.rank)
                {
                    known.ticks = crate::triage::grouped(
                        check.claims.iter().map(crate::triage::tick).collect(),
                    );
                    known.share.worded_by_model = false;
                }
            }
            Content::Missing(items) => match out {
                Some(_) => view.report.missing.clear(),
                None => view.report.missing.clone_from(items),
            },
        }
    }
    view.review = ReviewState::Signed { by, at, note };
}
