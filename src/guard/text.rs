//! The report for a person: places, rules, marks, and what to do. At most 80 columns where names allow.

use super::model::{Finding, GuardReport, RemarkBy, ReviewState, SuppressedBy};
use crate::report::escape::terminal;

/// Lines of each list.
const MAX_SHOWN: usize = 50;
const WIDTH: usize = 80;

/// The report as text.
pub fn render(report: &GuardReport, colour: bool) -> String {
    let mut out = String::new();
    let (strong, plain) = if colour {
        ("\x1b[1m", "\x1b[0m")
    } else {
        ("", "")
    };
    for finding in report.findings.iter().take(MAX_SHOWN) {
        out.push_str(&format!("{strong}{}{plain}\n", place(finding)));
        let mut line = format!("  {}  {}", terminal(&finding.rule), terminal(&finding.mask));
        match finding.verified {
            Some(true) => line.push_str("  its checksum holds"),
            Some(false) => line.push_str("  its checksum does not hold"),
            None => {}
        }
        if let Some(commit) = &finding.commit {
            line.push_str(&format!("  commit {}", terminal(commit)));
        }
        out.push_str(&format!("{line}\n"));
    }
    more(
        &mut out,
        report.findings.len() as u64 + report.more_findings,
        "secrets",
    );
    for remark in report.remarks.iter().take(MAX_SHOWN) {
        let by = match remark.by {
            RemarkBy::Rule => "",
            RemarkBy::Model => " (the model)",
        };
        out.push_str(&format!(
            "{}:{}  {}{by}\n",
            terminal(&remark.path),
            remark.line,
            terminal(&remark.rule)
        ));
        wrapped(&mut out, "  ", &remark.message);
        out.push_str(&format!(
            "  | {}\n",
            cut(&terminal(&remark.quote), WIDTH - 4)
        ));
    }
    more(&mut out, report.remarks.len() as u64, "remarks");
    if !report.not_examined.is_empty() {
        out.push_str("not looked at:\n");
        for item in report.not_examined.iter().take(MAX_SHOWN) {
            wrapped(
                &mut out,
                "  ",
                &format!("{}: {} ({})", item.path, item.why, item.what),
            );
        }
        more(
            &mut out,
            report.not_examined.len() as u64 + report.counts.more_not_examined,
            "not looked at",
        );
    }
    for note in &report.notes {
        wrapped(&mut out, "note: ", note);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    wrapped(&mut out, "", &summary(report));
    if matches!(
        report.review.state,
        ReviewState::Done | ReviewState::NoModel | ReviewState::NothingToReview
    ) && !report.review.note.is_empty()
    {
        wrapped(&mut out, "", &report.review.note);
    }
    if let Some(first) = report.findings.first() {
        out.push_str(&advice(first, report));
    }
    out
}

/// The accepted findings, for a person who wants to see them.
pub fn render_suppressed(report: &GuardReport) -> String {
    let mut out = String::new();
    for item in &report.suppressed {
        let why = match item.by {
            SuppressedBy::Baseline => "by the baseline".to_owned(),
            SuppressedBy::Comment => format!(
                "by a comment: {}",
                item.reason.as_deref().unwrap_or_default()
            ),
        };
        wrapped(
            &mut out,
            "accepted ",
            &format!("{}  {}  {why}", place(&item.finding), item.finding.rule),
        );
    }
    out
}

fn place(finding: &Finding) -> String {
    format!(
        "{}:{}:{}",
        terminal(&finding.path),
        finding.line,
        finding.column
    )
}

fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn summary(report: &GuardReport) -> String {
    let counts = &report.counts;
    let found = report.findings.len() as u64 + report.more_findings;
    let mut text = match found {
        0 => "no secret found".to_owned(),
        n => format!("{} found", plural(n, "secret", "secrets")),
    };
    text.push_str(&format!(" in {}", report.source));
    if counts.commits > 0 {
        text.push_str(&format!(
            " ({})",
            plural(counts.commits, "commit", "commits")
        ));
    }
    text.push_str(&format!(
        ": {} added in {}",
        plural(counts.added_lines, "line", "lines"),
        plural(counts.searched, "file", "files")
    ));
    if counts.files == 0 {
        text.push_str("; there is no change to look at");
    }
    if !report.suppressed.is_empty() {
        text.push_str(&format!(
            "; {} accepted (list: --show-accepted)",
            plural(
                report.suppressed.len() as u64,
                "finding was",
                "findings were"
            )
        ));
    }
    if counts.ignored > 0 {
        text.push_str(&format!(
            "; {} left out by .narrowroomignore",
            plural(counts.ignored, "file", "files")
        ));
    }
    text
}

fn advice(first: &Finding, report: &GuardReport) -> String {
    let mut out = String::from("\nwhat to do:\n");
    let gone = if report.counts.commits > 0 {
        "  - Take it out of the commits too; whoever can read them has it. Revoke it\n    and issue a new one first.\n"
    } else {
        "  - Take it out and read it from the environment or a secret store. If it was\n    ever pushed or shared, revoke it and issue a new one.\n"
    };
    out.push_str(gone);
    out.push_str(&format!(
        "  - If it is no secret, say why in a comment on its line or above it:\n      narrowroom:allow {} REASON\n    or accept what is found now by its fingerprint:\n      narrowroom guard --write-baseline {}\n",
        terminal(&first.rule),
        super::BASELINE_FILE
    ));
    out
}

fn more(out: &mut String, count: u64, what: &str) {
    if let Some(hidden) = count.checked_sub(MAX_SHOWN as u64).filter(|n| *n > 0) {
        out.push_str(&format!(
            "  … and {hidden} more {what}; all of them: --json\n"
        ));
    }
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// Words in lines of at most 80 columns, the following ones indented.
fn wrapped(out: &mut String, lead: &str, text: &str) {
    let indent = " ".repeat(lead.len().max(2));
    let mut line = lead.to_owned();
    let mut empty = true;
    for word in terminal(text).split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}
