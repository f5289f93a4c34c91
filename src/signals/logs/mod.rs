//! Logs of any program: taking lines apart, mining templates, and the general path that finds the line
//! which explains a fault without a detector of its own.
//!
//! Owns: the log library ([`parse_line`], [`Line`], [`Level`], [`mask`], [`Templates`], [`is_log`],
//! [`daemon_of`]) and the cause `unexplained-error-in-log`. Touches: the unpacked tree, read-only. Zone: 2.
//! Reads each log once; memory is bounded by the template table.

mod general;
mod line;
mod noise;
mod owner;
mod structured;
mod template;
mod time;

pub use general::{CAUSE, DETECTOR};
pub use line::{Level, Line, parse_line};
pub use noise::exception;
pub use owner::{daemon_of, is_history, is_log};
pub use template::{Stat, Templates, mask};
pub use time::{Millis, leading};

use super::{Partial, Signal};
use crate::bundle::{FileKind, Tree};
use crate::report::NotExamined;

/// Unexplained errors of the logs, and which logs could not be read.
pub fn detect(tree: &Tree, ticket: Option<&str>) -> Partial {
    let mut partial = general::detect(tree, ticket);
    let packed = tree
        .files()
        .filter(|entry| {
            entry.kind == FileKind::Archive
                && (tree.rel(entry).contains("var/log/") || tree.rel(entry).contains(".log"))
        })
        .count();
    if packed > 0 {
        partial.not_examined.push(NotExamined {
            what: format!("{packed} compressed or archived logs"),
            why: "rotated logs are not opened; what they hold is older than the plain ones".into(),
        });
    }
    partial
}

/// From here a cause explains what else its program logs.
const DECISIVE: f64 = 0.75;
/// Most that an error beside it is worth.
const BESIDE: f64 = 0.45;

/// Removes from `general` what `specific` signals already cite: the same line needs no second finding.
pub fn drop_explained(general: &mut Vec<Signal>, specific: &[Signal]) {
    general.retain(|signal| {
        signal.detector != DETECTOR
            || !specific
                .iter()
                .filter(|other| other.detector != DETECTOR)
                .any(|other| {
                    other.evidence.iter().any(|theirs| {
                        signal.evidence.iter().any(|ours| {
                            ours.path == theirs.path
                                && ours.line_start.abs_diff(theirs.line_start) <= 1
                        })
                    })
                })
    });
    // What a program says beside a decisive fault in its own log is mostly a consequence of that.
    for signal in general
        .iter_mut()
        .filter(|signal| signal.detector == DETECTOR)
    {
        let beside = specific.iter().any(|other| {
            other.detector != DETECTOR
                && other.role == super::Role::Cause
                && other.strength >= DECISIVE
                && other.evidence.iter().any(|theirs| {
                    daemon_of(&theirs.path, "*") != "*"
                        && signal.evidence.iter().any(|ours| ours.path == theirs.path)
                })
        });
        if beside {
            signal.strength = signal.strength.min(BESIDE);
        }
    }
}

/// A time as text, `2024-01-02 10:00:00`; without the year where the log had none.
pub fn clock_text(at: Millis) -> String {
    let days = at.div_euclid(86_400_000);
    let seconds = at.rem_euclid(86_400_000) / 1000;
    let clock = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    if days < 3650 {
        return format!("{}.{:03} s after boot", at / 1000, at.rem_euclid(1000));
    }
    // Howard Hinnant's civil-from-days.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * of_year + 2) / 153;
    let (day, month) = (
        of_year - (153 * m + 2) / 5 + 1,
        if m < 10 { m + 3 } else { m - 9 },
    );
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    if year == 2000 {
        format!("{month:02}-{day:02} {clock}")
    } else {
        format!("{year}-{month:02}-{day:02} {clock}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_as_they_were_written() {
        for text in ["2024-02-29 10:00:01", "1999-12-31 23:59:59"] {
            assert_eq!(
                leading(text).map(|(at, _)| clock_text(at)).as_deref(),
                Some(text)
            );
        }
        assert_eq!(
            leading("Feb  4 11:01:24 h k: x")
                .map(|(at, _)| clock_text(at))
                .as_deref(),
            Some("02-04 11:01:24")
        );
    }
}
