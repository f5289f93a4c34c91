//! The verifier: judges every path, line, quote, name, command and sentence of a report against the bundle.
//!
//! Owns: reading reports ([`parse_report`]) and other tools' answers ([`read_document`], `narrowroom.answer/v1`), the
//! judgement ([`judge()`], [`judge_answer`]) with its [`Verdict`], `narrowroom.verdict/v1`, its rules ([`Rule`]), and the
//! classes of commands ([`command`]). Touches: the unpacked tree, read-only, through [`crate::bundle::Tree`]. No
//! network, no processes, no terminal. Zone: 3, started after the room is gone.
//!
//! It guesses nothing and trusts nothing: not the report's own classes, not what a playbook or a decoder should have
//! ensured. The same bytes and the same tree give the same verdict.

mod advice;
mod answer;
pub mod command;
mod judge;
mod look;
mod lookup;
mod names;
mod parse;
mod prose;
mod quote;
mod rules;
mod values;
mod verdict;
mod wording;

pub use answer::{
    ANSWER_SCHEMA, Advised, Answer, Citation, Document, Oddity, ReadAnswer, read_document,
    text_answer,
};
pub use judge::{Judged, Mode, Options, judge, judge_answer};
pub use parse::{MAX_REPORT_BYTES, parse_report};
pub use rules::{About, Rule};
pub use verdict::{ClaimVerdict, Counts, Matched, Status, VERDICT_SCHEMA, Verdict, VerdictOutcome};
pub use wording::check_wording;
