//! How far a batch is, for a person.

use crate::batch::{Progressed, Watcher};
use crate::cli::terminal;
use std::cell::Cell;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// One line that says how far the batch is, on a terminal; elsewhere only what is worth keeping.
pub struct Line {
    live: bool,
    quiet: bool,
    last: Cell<Option<Instant>>,
}

impl Line {
    /// `quiet`: say nothing.
    pub fn new(quiet: bool) -> Self {
        Self {
            live: !quiet && std::io::stderr().is_terminal(),
            quiet,
            last: Cell::new(None),
        }
    }

    fn clear(&self) {
        if self.live && self.last.get().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
            let _ = std::io::stderr().flush();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Watcher for Line {
    fn moved(&self, now: &Progressed) {
        if !self.live {
            return;
        }
        let mut text = format!(
            "{} of {} finished · {} running",
            now.finished, now.all, now.running
        );
        if now.failed + now.open > 0 {
            text.push_str(&format!(" · {} failed", now.failed + now.open));
        }
        if let Some(left) = now.left.filter(|_| now.finished < now.all) {
            text.push_str(&format!(" · about {} left", rough(left)));
        }
        let _ = write!(
            std::io::stderr(),
            "\r\x1b[K{}",
            text.chars().take(79).collect::<String>()
        );
        let _ = std::io::stderr().flush();
        self.last.set(Some(Instant::now()));
    }

    fn said(&self, line: &str) {
        if self.quiet {
            return;
        }
        self.clear();
        eprintln!("{}", terminal::shortened(line));
    }
}

/// A time to come, no more exact than it is known.
fn rough(left: Duration) -> String {
    match left.as_secs() {
        seconds @ 0..=89 => format!("{} s", seconds.max(1)),
        seconds @ 90..=5_399 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h {:02} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}
