//! What goes to the person's terminal: errors with a hint, and progress on one line that is
//! overwritten. Progress is shown only when standard error is a terminal.

use crate::error::Error;
use crate::report::{Report, escape};
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
    provisional: bool,
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
            provisional: false,
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
    fn provisional(&mut self, report: &Report) {
        if !self.live || self.provisional {
            return;
        }
        self.provisional = true;
        self.clear();
        let text = match report.findings.first() {
            Some(first) => format!(
                "signals, not yet checked: {}",
                escape::terminal(&first.title)
            ),
            None => "signals, not yet checked: no fault stands out".to_owned(),
        };
        eprintln!("{}", text.chars().take(200).collect::<String>());
    }
}
