//! Measuring: labelled incidents are triaged, scored and summed up, so that a change is judged by
//! figures and a team can hold the program to its own old incidents.
//!
//! Owns: the corpus's form, the scores and their intervals, resumable runs over a corpus, the
//! comparison with an earlier evaluation, calibration of confidence, and their renderings. Touches:
//! the corpus folder and the results folder through [`crate::files`]; bundles only through the sealed
//! workers that a triage uses, plus one more of the verifier's kind that scores. Zone: 0; [`score`]
//! runs in zone 3.
//!
//! A results folder holds, for each case, `<id>.json` (the report, as a triage prints it) and
//! `cases/<id>.<repeat>.json` (`narrowroom.case/v1`: the key of all its inputs, the score, times and
//! tokens), then `eval.json` (`narrowroom.eval/v1`) and `eval.html`. Each file is whole or absent, so an
//! evaluation that was killed goes on where it was.

mod aggregate;
pub mod calibrate;
mod compare;
mod corpus;
mod html;
mod lines;
mod pack;
mod plot;
mod run;
pub mod score;
mod table;
mod truth;

pub use aggregate::{Rate, Recall, Row, Summary, summarise, wilson};
pub use compare::{Change, against};
pub use corpus::{Case, Corpus};
pub use html::page;
pub use lines::score_in;
pub use run::{CaseResult, Evaluation, Judged, Plan, Spread, Thresholds, evaluate, read};
pub use score::CaseScore;
pub use table::{all_fine, cases, changes, table};
pub use truth::{Decisive, Fault, Kind, Truth};
