//! `narrowroom diff RUN RUN`.

use super::{RunsDir, print, print_json};
use crate::error::{ExitCode, Result};
use crate::record;
use crate::record::diff::{Change, Claim, Difference, difference};
use crate::report::escape;
use crate::report::wrap::wrap;
use clap::Args;

/// Show what differs between two runs, by claim.
#[derive(Args)]
pub struct Diff {
    /// Id of the first run, or its beginning
    a: String,
    /// Id of the second run, or its beginning
    b: String,
    /// End with exit code 5 when the results differ
    #[arg(long)]
    exit_code: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Diff {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let runs = self.runs.path();
        let load = |id: &str| record::load(&record::find(&runs, id)?);
        let found = difference(&load(&self.a)?, &load(&self.b)?);
        if self.json {
            print_json(&found)?;
        } else {
            print(&text(&found))?;
        }
        Ok(if self.exit_code && !found.same_result() {
            ExitCode::Rejected
        } else {
            ExitCode::Done
        })
    }
}

fn text(found: &Difference) -> String {
    let mut out = format!("{} → {}\n", found.a, found.b);
    for change in &found.outcome {
        changed(&mut out, change, 0);
    }
    let mut list = |mark: &str, claims: &[Claim]| {
        for claim in claims {
            head(&mut out, mark, claim);
        }
    };
    list("+ new", &found.new);
    list("- gone", &found.gone);
    for one in &found.changed {
        head(&mut out, "~ changed", &one.claim);
        for change in &one.changes {
            changed(&mut out, change, 4);
        }
    }
    for (mark, lines) in [("+ ", &found.missing_new), ("- ", &found.missing_gone)] {
        for line in lines {
            hang(&mut out, mark, line, 2);
        }
    }
    if !found.exchanges.is_empty() {
        out.push_str("exchanges with the model\n");
        for line in &found.exchanges {
            hang(&mut out, "  ", line, 2);
        }
    }
    if !found.settings.is_empty() {
        out.push_str("inputs and settings\n");
        for change in &found.settings {
            changed(&mut out, change, 2);
        }
    }
    out.push_str(match (found.same_result(), found.settings.is_empty()) {
        (true, true) => "the same result from the same inputs\n",
        (true, false) => "the same result from other inputs\n",
        (false, true) => "another result from the same inputs\n",
        (false, false) => "another result from other inputs\n",
    });
    out
}

fn head(out: &mut String, mark: &str, claim: &Claim) {
    out.push_str(&format!(
        "{mark}  {}  {}\n",
        claim.fingerprint,
        escape::terminal(&claim.cause)
    ));
    hang(out, "    ", &claim.title, 4);
}

/// Text behind a mark, wrapped to 80 columns, further lines below its beginning.
pub fn hang(out: &mut String, mark: &str, text: &str, indent: usize) {
    for (at, line) in wrap(&escape::terminal(text), 78 - indent)
        .iter()
        .enumerate()
    {
        if at == 0 {
            out.push_str(&format!("{mark}{line}\n"));
        } else {
            out.push_str(&format!("{:indent$}{line}\n", ""));
        }
    }
}

/// A changed value: on one line when it is short.
pub fn changed(out: &mut String, change: &Change, indent: usize) {
    let (a, b) = (change.a.as_deref(), change.b.as_deref());
    let word = |value: Option<&str>| escape::terminal(value.unwrap_or("(none)"));
    let line = format!(
        "{}: {} → {}",
        escape::terminal(&change.what),
        word(a),
        word(b)
    );
    if let (Some(_), Some(_)) = (a, b)
        && line.chars().count() + indent <= 79
    {
        out.push_str(&format!("{:indent$}{line}\n", ""));
        return;
    }
    out.push_str(&format!(
        "{:indent$}{}\n",
        "",
        escape::terminal(&change.what)
    ));
    for (mark, value) in [("- ", a), ("+ ", b)] {
        if let Some(value) = value {
            hang(out, &format!("{:indent$}  {mark}", ""), value, indent + 4);
        }
    }
}
