//! The reply to the customer: drafted from what a person accepted and signed, and from nothing else.
//!
//! Plain words: no confidence numbers, no names of this program, its rules or its causes. Commands
//! are only those that read. It is printed; nothing is ever sent.

use super::check::{Checked, Standing};
use super::claims::{self, Content};
use super::desk::Opening;
use super::fold::{self, Folded};
use super::model::{Outcome as Signed, Review, SignOff};
use crate::error::{Error, ExitCode, Result};
use crate::record::Run;
use crate::report::escape;
use crate::report::wrap::wrap;
use crate::report::{CommandClass, Evidence, Finding, Missing, Outcome};
use crate::secrets::find_mark;
use serde::Serialize;
use std::path::Path;

/// Columns of the plain text.
const COLUMNS: usize = 76;
/// Most lines quoted for one cause.
const MAX_QUOTES: usize = 3;
/// Most characters of one quoted line.
const MAX_QUOTE_CHARS: usize = 300;

/// A reply, in parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reply {
    /// Id of the run; not part of the text.
    pub run: String,
    /// Name of the bundle's file as the customer sent it.
    pub about: String,
    /// What the report came to.
    pub outcome: Outcome,
    /// What was found, the likeliest first.
    pub causes: Vec<Cause>,
    /// Commands that would tell more, each once.
    pub commands: Vec<Ask>,
    /// What is asked for.
    pub ask_for: Vec<Ask>,
    /// The person who signed.
    pub from: String,
}

/// One cause, in the customer's words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cause {
    /// How sure we are, as the beginning of a sentence.
    pub sure: &'static str,
    /// One line.
    pub title: String,
    /// One or two sentences.
    pub statement: String,
    /// The lines that show it.
    pub lines: Vec<Line>,
}

/// A line of the customer's own files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// File and line.
    pub place: String,
    /// What stands there.
    pub text: String,
}

/// Something the customer is asked to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ask {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// The reply of the signed run in `dir`.
///
/// # Errors
/// When nobody approved and signed it, or something changed since.
pub fn load(dir: &Path) -> Result<Reply> {
    let Checked {
        standing,
        problems,
        sign_off,
        ..
    } = super::check(dir, None)?;
    let run = crate::record::load(dir)?;
    match (standing, sign_off) {
        (Standing::Valid, Some(signed)) if signed.outcome == Signed::Approved => {
            let review = super::load(dir)?;
            let state = fold::fold(claims::of(&run), &review);
            Ok(draft(&run, &state, &signed))
        }
        (Standing::Valid, Some(signed)) => Err(Error::new(
            ExitCode::Rejected,
            format!(
                "there is no reply: {} rejected this report",
                escape::terminal(&signed.name)
            ),
        )),
        (Standing::Invalid, _) => Err(Error::refused(format!(
            "there is no reply: {}",
            problems.join("; ")
        ))
        .hint("see: narrowroom review --check RUN")),
        _ => Err(
            Error::usage("there is no reply: nobody has approved and signed this run")
                .hint("review it first: narrowroom review RUN"),
        ),
    }
}

/// The reply of a review that was just signed; `None` when it was not approved.
pub(super) fn of(run: &Run, state: &Folded, _: &Opening) -> Option<Reply> {
    let signed = state
        .signed
        .as_ref()
        .filter(|signed| signed.outcome == Signed::Approved)?;
    Some(draft(run, state, signed))
}

/// Whether the review lets a reply out.
pub fn is_open(review: &Review) -> bool {
    fold::in_force(review).is_some_and(|signed| signed.outcome == Signed::Approved)
}

fn draft(run: &Run, state: &Folded, signed: &SignOff) -> Reply {
    // Accepted, in the version that was signed, and let through by the verifier.
    let accepted = state
        .claims
        .iter()
        .filter(|claim| claim.is_accepted() && claim.is_verified());
    let (mut causes, mut commands, mut ask_for) = (vec![], vec![], vec![]);
    for claim in accepted {
        match &claim.current().content {
            Content::Finding(finding) => {
                causes.push(cause(finding, run.report.outcome, causes.len()));
                for command in &finding.commands {
                    let ask = Ask {
                        what: unmarked(&command.command),
                        why: unmarked(&command.why),
                    };
                    if command.class == Some(CommandClass::ReadOnly) && !commands.contains(&ask) {
                        commands.push(ask);
                    }
                }
            }
            Content::Missing(items) => ask_for.extend(items.iter().map(asked)),
        }
    }
    Reply {
        run: run.record.id.clone(),
        about: run.record.bundle.name.clone(),
        outcome: run.report.outcome,
        causes,
        commands,
        ask_for,
        from: signed.name.clone(),
    }
}

fn cause(finding: &Finding, outcome: Outcome, before: usize) -> Cause {
    let sure = match (before, finding.confidence) {
        (0, _) if outcome != Outcome::Findings => "This is what we can see so far",
        (0, c) if c >= 0.85 => "We are confident that this is the cause",
        (0, c) if c >= 0.60 => "This is very likely the cause",
        (0, c) if c >= 0.35 => "This may be the cause",
        (0, _) => "This is what we can see so far; it may not be the cause",
        _ => "We also noticed",
    };
    Cause {
        sure,
        title: unmarked(&finding.title),
        statement: match finding.root_cause == finding.title {
            true => String::new(),
            false => unmarked(&finding.root_cause),
        },
        lines: finding.evidence.iter().take(MAX_QUOTES).map(line).collect(),
    }
}

fn line(evidence: &Evidence) -> Line {
    let text = unmarked(evidence.quote.trim());
    let mut kept: String = text.chars().take(MAX_QUOTE_CHARS).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    Line {
        place: format!("{}, line {}", evidence.path, evidence.line_start),
        text: kept,
    }
}

fn asked(missing: &Missing) -> Ask {
    Ask {
        what: unmarked(&missing.what),
        why: unmarked(&missing.why),
    }
}

/// The marks of masked secrets in the customer's words.
fn unmarked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(range) = find_mark(rest) {
        out.push_str(&rest[..range.start]);
        out.push_str("[hidden]");
        rest = &rest[range.end..];
    }
    out.push_str(rest);
    out
}

impl Cause {
    /// Title and statement; the statement alone when it begins as the title does and says more.
    fn words(&self) -> String {
        let begins = |text: &str| {
            let words: Vec<String> = text
                .split_whitespace()
                .take(2)
                .map(str::to_lowercase)
                .collect();
            words
        };
        if self.statement.is_empty() {
            return stop(&self.title);
        }
        match begins(&self.title) == begins(&self.statement) {
            true => stop(&self.statement),
            false => format!("{} {}", stop(&self.title), stop(&self.statement)),
        }
    }
}

impl Reply {
    fn opening(&self) -> String {
        let sent = match self.about.is_empty() {
            true => "the files you sent".to_owned(),
            false => format!("the files you sent ({})", self.about),
        };
        let read = format!("Thank you for your patience. We have read {sent}");
        match (self.outcome, self.causes.is_empty()) {
            (Outcome::Findings, false) => format!("{read}, and found the following."),
            (Outcome::Healthy, true) => format!(
                "{read}, and found no fault in them. A fault that left no trace there would not be seen."
            ),
            _ => format!("{read}. They do not show the cause yet."),
        }
    }

    fn closing(&self) -> &'static str {
        match (self.commands.is_empty(), self.ask_for.is_empty()) {
            (true, true) if self.causes.is_empty() => {
                "Please tell us what you see, since when, and what changed before that."
            }
            (true, true) => "Please tell us whether this helps, or what you see instead.",
            _ => {
                "With that we can take the next step. Please remove passwords and keys from what you send."
            }
        }
    }

    /// Plain text of at most 76 columns, commands and quoted lines aside.
    pub fn text(&self) -> String {
        let mut out = String::from("Hello,\n\n");
        paragraph(&mut out, "", &self.opening());
        for cause in &self.causes {
            out.push('\n');
            paragraph(&mut out, "", &format!("{}: {}", cause.sure, cause.words()));
            if !cause.lines.is_empty() {
                out.push_str("\nYou can see it here:\n");
            }
            for line in &cause.lines {
                out.push_str(&format!("  {}\n", escape::terminal(&line.place)));
                for text in line.text.lines() {
                    out.push_str(&format!("    > {}\n", escape::terminal(text.trim())));
                }
            }
        }
        if !self.commands.is_empty() {
            out.push_str("\nPlease run these and send us what they print. They only read; they change\nnothing:\n");
            for ask in &self.commands {
                out.push_str(&format!("\n    {}\n", escape::terminal(&ask.what)));
                if !ask.why.is_empty() {
                    paragraph(&mut out, "  ", &stop(&ask.why));
                }
            }
        }
        if !self.ask_for.is_empty() {
            out.push_str("\nPlease also send us:\n");
            for ask in &self.ask_for {
                let text = match ask.why.is_empty() {
                    true => stop(&ask.what),
                    false => format!("{}: {}", ask.what, stop(&ask.why)),
                };
                let mut lines = wrap(&escape::terminal(&text), COLUMNS - 4).into_iter();
                if let Some(first) = lines.next() {
                    out.push_str(&format!("  - {first}\n"));
                }
                for line in lines {
                    out.push_str(&format!("    {line}\n"));
                }
            }
        }
        out.push('\n');
        paragraph(&mut out, "", self.closing());
        out.push_str(&format!(
            "\nKind regards\n{}\n",
            escape::terminal(&self.from)
        ));
        out
    }

    /// Markdown.
    pub fn markdown(&self) -> String {
        use escape::{markdown as md, markdown_block, markdown_code};
        let mut out = String::from("Hello,\n\n");
        out.push_str(&format!("{}\n", md(&self.opening())));
        for cause in &self.causes {
            out.push_str(&format!("\n**{}:** {}\n", cause.sure, md(&cause.words())));
            if !cause.lines.is_empty() {
                out.push_str("\nYou can see it here:\n");
            }
            for line in &cause.lines {
                out.push_str(&format!(
                    "\n{}\n\n{}",
                    markdown_code(&line.place),
                    markdown_block(&line.text)
                ));
            }
        }
        if !self.commands.is_empty() {
            out.push_str("\nPlease run these and send us what they print. They only read; they change nothing:\n");
            for ask in &self.commands {
                out.push_str(&format!("\n{}", markdown_block(&ask.what)));
                if !ask.why.is_empty() {
                    out.push_str(&format!("\n{}\n", md(&stop(&ask.why))));
                }
            }
        }
        if !self.ask_for.is_empty() {
            out.push_str("\nPlease also send us:\n\n");
            for ask in &self.ask_for {
                let text = match ask.why.is_empty() {
                    true => md(&stop(&ask.what)),
                    false => format!("{}: {}", md(&ask.what), md(&stop(&ask.why))),
                };
                out.push_str(&format!("- {text}\n"));
            }
        }
        out.push_str(&format!(
            "\n{}\n\nKind regards  \n{}\n",
            md(self.closing()),
            md(&self.from)
        ));
        out
    }
}

/// Ends a sentence with a full stop where it has no end.
fn stop(text: &str) -> String {
    let text = text.trim();
    match text.ends_with(['.', '!', '?', ':', '…']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

fn paragraph(out: &mut String, indent: &str, text: &str) {
    for line in wrap(&escape::terminal(text), COLUMNS - indent.len()) {
        out.push_str(indent);
        out.push_str(&line);
        out.push('\n');
    }
}
