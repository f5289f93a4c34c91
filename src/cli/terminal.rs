//! What goes to the person's terminal: errors with a hint, and progress on one line that is
//! overwritten. Progress is shown only when standard error is a terminal.

use crate::error::Error;
use crate::report::wrap::{width, wrap};
use crate::report::{Outcome, Report, escape};
use crate::room::protocol::Progress;
use crate::triage::Watch;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Whether colour belongs on standard output.
pub fn colour() -> bool {
    std::io::stdout().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A line made safe and short enough to read.
pub fn shortened(line: &str) -> String {
    escape::terminal(line).chars().take(300).collect()
}

/// Prints an error with its causes and its hint.
pub fn error(error: &Error) {
    // Nobody may be reading: that is no reason to end in another way.
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "error: {}", escape::terminal(&error.chain()));
    if let Some(hint) = &error.hint {
        let _ = writeln!(out, " hint: {}", escape::terminal(hint));
    }
}

/// One line that says what is going on.
pub struct Line {
    live: bool,
    shown: bool,
    last: Instant,
    started: Instant,
    limit: u64,
    stage: String,
    /// Rows of the preliminary answer above the line.
    rows: usize,
}

impl Line {
    /// `limit`: seconds the run may take; `quiet`: show nothing.
    pub fn new(limit: u64, quiet: bool) -> Self {
        let live = !quiet && std::io::stderr().is_terminal();
        let now = Instant::now();
        Self {
            live,
            shown: false,
            last: now.checked_sub(Duration::from_secs(1)).unwrap_or(now),
            started: now,
            limit,
            stage: String::new(),
            rows: 0,
        }
    }
    fn show(&mut self, text: &str, always: bool) {
        if !self.live || (!always && self.last.elapsed() < Duration::from_millis(100)) {
            return;
        }
        let seconds = self.started.elapsed().as_secs();
        let text: String = format!(
            "{} · {seconds} s of {} s",
            escape::terminal(text),
            self.limit
        )
        .chars()
        .take(79)
        .collect();
        let _ = write!(std::io::stderr(), "\r\x1b[K{text}");
        let _ = std::io::stderr().flush();
        self.shown = true;
        self.last = Instant::now();
    }
    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
            let _ = std::io::stderr().flush();
            self.shown = false;
        }
    }
    /// Takes the preliminary answer away too, for the final one to stand in its place.
    pub fn replace(&mut self) {
        self.clear();
        if self.rows > 0 {
            let _ = write!(std::io::stderr(), "\r\x1b[{}A\x1b[J", self.rows);
            let _ = std::io::stderr().flush();
            self.rows = 0;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Watch for Line {
    fn progress(&mut self, progress: &Progress) {
        match progress {
            Progress::Stage(stage) => {
                self.stage.clone_from(stage);
                self.show(&format!("{stage} …"), true);
            }
            Progress::Unpack { files, bytes } => self.show(
                &format!("unpacking: {files} files, {} MB", bytes / 1_000_000),
                false,
            ),
            Progress::Tokens { step, tokens, rate } => self.show(
                &format!("model: {step}, {tokens} tokens, {rate:.0} tokens/s"),
                false,
            ),
        }
    }
    fn looks(&self) -> bool {
        self.live && std::io::stdout().is_terminal()
    }
    fn provisional(&mut self, report: &Report) {
        if !self.looks() || self.rows > 0 {
            return;
        }
        self.clear();
        let (columns, height) = size();
        let lines = preliminary(report, columns, height.saturating_sub(3));
        self.rows = lines.len();
        let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
        let _ = std::io::stderr().flush();
    }
}

/// Columns and rows of the terminal, kept sensible.
fn size() -> (usize, usize) {
    rustix::termios::tcgetwinsize(std::io::stderr()).map_or((80, 24), |size| {
        let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
        (
            if columns == 0 {
                80
            } else {
                columns.clamp(20, 80)
            },
            if rows == 0 { 24 } else { rows },
        )
    })
}

/// The signals' answer in a few lines: what the final report will take the place of.
fn preliminary(report: &Report, columns: usize, most: usize) -> Vec<String> {
    let room = columns.saturating_sub(1);
    let mut lines = Vec::new();
    let mut add = |lead: &str, text: &str, rows: usize| {
        let own = wrap(
            &escape::terminal(text),
            room.saturating_sub(width(lead)).max(10),
        );
        for (at, line) in own.iter().take(rows).enumerate() {
            let lead = if at == 0 {
                lead.to_owned()
            } else {
                " ".repeat(width(lead))
            };
            let row: String = format!("{lead}{line}").chars().take(room).collect();
            lines.push(row.trim_end().to_owned());
        }
    };
    add(
        "",
        "Signals' answer, verified, not yet checked by the model",
        1,
    );
    match (report.findings.first(), report.outcome) {
        (Some(first), Outcome::Findings) => {
            add("  ", &first.title, 3);
            add("  ", &format!("confidence {:.2}", first.confidence), 1);
        }
        (Some(first), _) => {
            add("  ", "Insufficient evidence. What is visible:", 1);
            add("  ", &first.title, 3);
        }
        (None, Outcome::Healthy) => add("  ", "Nothing wrong was found in what was examined.", 1),
        (None, _) => add("  ", "Insufficient evidence.", 1),
    }
    if let Some(first) = report.findings.first() {
        if let Some(evidence) = first.evidence.first() {
            add(
                "  ",
                &format!("{}:{}", evidence.path, evidence.line_start),
                2,
            );
            add("    ", &evidence.quote, 2);
        }
        if let Some(command) = first.commands.first() {
            add("  next  ", &command.command, 2);
        }
    }
    for other in report.findings.iter().skip(1).take(2) {
        add("  also  ", &other.title, 1);
    }
    if let Some(missing) = report.missing.first() {
        add("  lacks ", &missing.what, 1);
    }
    lines.truncate(most.max(2));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preliminary_answer_fits_the_terminal_and_says_what_it_is() {
        let mut report = crate::report::samples::findings().report;
        report.findings[0].title = "\u{1b}[31m".to_owned() + &"long words ".repeat(60);
        for (columns, rows) in [(80, 20), (30, 4), (20, 2)] {
            let lines = preliminary(&report, columns, rows);
            assert!(
                lines.len() <= rows && lines[0].starts_with("Signals' answer"),
                "{lines:?}"
            );
            assert!(
                lines
                    .iter()
                    .all(|line| width(line) < columns && !line.contains('\u{1b}')),
                "{lines:?}"
            );
        }
    }
}
