//! What the terminal says, as styled lines before they are broken: escaped, and the same for the
//! same claim, so that its hash names exactly what was shown.

use super::super::claims::Content;
use super::super::desk::Desk;
use super::super::fold::ClaimState;
use super::super::model::Judged;
use super::super::page;
use crate::report::escape::terminal as esc;
use crate::report::view::{About, EvidenceContext, Tick, TickStatus};
use crate::report::wording as say;
use crate::report::{Evidence, Finding, Outcome};

/// Most characters shown of a line around a citation.
const MAX_CONTEXT_CHARS: usize = 140;

/// How a piece of text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Plain,
    Strong,
    Soft,
    Good,
    Warn,
    Bad,
    Mark,
}

/// A line: pieces of text, and how far what is broken off is set in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub pieces: Vec<(Ink, String)>,
    pub indent: usize,
}

impl Line {
    /// Its text without style.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// Lines under way.
#[derive(Default)]
struct Page(Vec<Line>);

impl Page {
    fn add(&mut self, ink: Ink, text: impl Into<String>) {
        self.pieces(vec![(ink, text.into())], 0);
    }
    fn pieces(&mut self, pieces: Vec<(Ink, String)>, indent: usize) {
        self.0.push(Line { pieces, indent });
    }
    fn blank(&mut self) {
        self.add(Ink::Plain, "");
    }
    fn ticks<'a>(&mut self, ticks: impl Iterator<Item = &'a Tick>) {
        for tick in ticks {
            let ink = match tick.status {
                TickStatus::Ok => Ink::Good,
                TickStatus::Flagged => Ink::Warn,
                _ => Ink::Bad,
            };
            let word = match tick.status {
                TickStatus::Ok => String::new(),
                status => format!("{}: ", say::tick_word(status)),
            };
            self.pieces(
                vec![
                    (ink, format!("{} ", say::tick(tick.status))),
                    (Ink::Strong, format!("{} ", esc(&tick.rule))),
                    (Ink::Plain, format!("{}: ", esc(&tick.what))),
                    (Ink::Soft, format!("{word}{}", esc(&tick.reason))),
                ],
                2,
            );
        }
    }
}

/// The left side.
pub fn claim(desk: &Desk, claim: &ClaimState) -> Vec<Line> {
    let mut page = Page::default();
    let view = desk.view();
    let ticks = page::ticks(desk, claim);
    let current = claim.current();
    match &current.content {
        Content::Finding(finding) => {
            let kind = match (view.report.outcome, finding.rank) {
                (Outcome::Findings, 1) => "The likely cause",
                (Outcome::Findings, _) => "Also possible",
                _ => "What is visible",
            };
            page.add(Ink::Soft, kind);
            page.add(Ink::Strong, esc(&finding.title));
            if !finding.root_cause.is_empty() && finding.root_cause != finding.title {
                page.blank();
                page.add(Ink::Plain, esc(&finding.root_cause));
            }
            facts(&mut page, desk, finding);
            edited(&mut page, claim);
            page.blank();
            page.add(Ink::Soft, "The verifier checked");
            page.ticks(
                ticks
                    .iter()
                    .filter(|tick| !matches!(tick.about, About::Evidence(_) | About::Command(_))),
            );
            if !finding.commands.is_empty() {
                page.blank();
                page.add(Ink::Soft, "Run next");
            }
            for (at, command) in finding.commands.iter().enumerate() {
                page.pieces(
                    vec![(Ink::Strong, format!("$ {}", esc(&command.command)))],
                    2,
                );
                page.pieces(
                    vec![(
                        Ink::Soft,
                        format!("  {}: {}", say::class(command.class), esc(&command.why)),
                    )],
                    2,
                );
                page.ticks(ticks.iter().filter(|tick| tick.about == About::Command(at)));
            }
        }
        Content::Missing(items) => {
            page.add(Ink::Soft, "The outcome and its gaps");
            let title = match view.report.outcome {
                Outcome::Findings if !view.report.findings.is_empty() => "A cause was found",
                _ => say::outcome(view),
            };
            page.add(Ink::Strong, title);
            let sentence = say::outcome_sentence(view);
            if !sentence.is_empty() {
                page.blank();
                page.add(Ink::Plain, esc(&sentence));
            }
            edited(&mut page, claim);
            page.blank();
            page.add(Ink::Soft, "Missing: what to ask the customer for");
            if items.is_empty() {
                page.add(Ink::Plain, "Nothing is named as missing.");
            }
            for item in items {
                page.pieces(vec![(Ink::Plain, format!("- {}", esc(&item.what)))], 2);
                if !item.why.is_empty() {
                    page.pieces(vec![(Ink::Soft, format!("  {}", esc(&item.why)))], 2);
                }
            }
            page.blank();
            page.add(Ink::Soft, "The verifier checked");
            page.ticks(ticks.iter());
        }
    }
    page.0
}

fn facts(page: &mut Page, desk: &Desk, finding: &Finding) {
    page.blank();
    page.pieces(
        vec![
            (Ink::Soft, "confidence ".into()),
            (Ink::Strong, say::confidence_full(finding.confidence)),
        ],
        2,
    );
    if let Some(subject) = say::subject(finding) {
        page.pieces(
            vec![(Ink::Soft, "affects ".into()), (Ink::Strong, esc(&subject))],
            2,
        );
    }
    if let Some(verdict) = desk.view().verdict_of(finding.rank) {
        page.add(Ink::Soft, esc(&say::share(&verdict.share)));
    }
}

fn edited(page: &mut Page, claim: &ClaimState) {
    let current = claim.current();
    let Some(check) = &current.check else { return };
    let (ink, words) = match check.judged {
        Judged::Verified => (Ink::Good, "The verifier let it through.".to_owned()),
        Judged::Failed => (
            Ink::Bad,
            "The verifier refused it: see below, then edit again or undo.".to_owned(),
        ),
        Judged::NotVerified => (
            Ink::Warn,
            format!(
                "It is not verified, {}; approval stays closed. Start with --bundle FILE, or undo.",
                esc(&check.why)
            ),
        ),
    };
    page.blank();
    page.add(ink, format!("Version {}, edited. {words}", current.number));
    page.add(Ink::Soft, format!("Reason: {}", esc(&current.reason)));
}

/// The right side.
pub fn evidence(desk: &Desk, claim: &ClaimState) -> Vec<Line> {
    let mut page = Page::default();
    let view = desk.view();
    let ticks = page::ticks(desk, claim);
    match &claim.current().content {
        Content::Finding(finding) => {
            if finding.evidence.is_empty() {
                page.add(Ink::Warn, "No line of the bundle is cited for this.");
            }
            for (at, evidence) in finding.evidence.iter().enumerate() {
                if at > 0 {
                    page.blank();
                }
                quoted(&mut page, evidence, view.context_of(evidence));
                page.ticks(
                    ticks
                        .iter()
                        .filter(|tick| tick.about == About::Evidence(at)),
                );
            }
        }
        Content::Missing(_) => {
            page.add(Ink::Strong, "What was not looked at");
            for (what, why) in view
                .report
                .not_examined
                .iter()
                .map(|item| (item.what.as_str(), item.why.clone()))
                .chain(
                    view.skipped
                        .iter()
                        .map(|item| (item.name.as_str(), format!("not unpacked, {}", item.reason))),
                )
            {
                page.pieces(
                    vec![
                        (Ink::Plain, format!("- {} ", esc(what))),
                        (Ink::Soft, esc(&why)),
                    ],
                    2,
                );
            }
            if view.report.not_examined.is_empty() && view.skipped.is_empty() {
                page.add(Ink::Plain, "Nothing is listed as not looked at.");
            }
            if !view.verdict.dropped.is_empty() {
                page.blank();
                page.add(Ink::Strong, "What the verifier did not let through");
            }
            for dropped in &view.verdict.dropped {
                page.pieces(
                    vec![
                        (Ink::Plain, format!("- {} ", esc(&dropped.title))),
                        (Ink::Soft, esc(&dropped.reasons.join("; "))),
                    ],
                    2,
                );
            }
        }
    }
    page.0
}

fn quoted(page: &mut Page, evidence: &Evidence, context: Option<&EvidenceContext>) {
    page.add(
        Ink::Strong,
        format!("{}:{}", esc(&evidence.path), evidence.line_start),
    );
    let Some(context) = context else {
        for line in evidence.quote.split('\n') {
            page.pieces(vec![(Ink::Mark, esc(line))], 0);
        }
        return;
    };
    let quotes: Vec<&str> = evidence.quote.split('\n').map(str::trim).collect();
    for (line, number) in context.lines.iter().zip(context.first_line..) {
        let hit = (context.marked_first..=context.marked_last).contains(&number);
        let sign = if hit { '>' } else { ' ' };
        let mut pieces = vec![(Ink::Soft, format!("{number:>5}{sign} "))];
        match hit {
            false => pieces.push((Ink::Soft, esc(&beginning(line)))),
            true => {
                let nth = usize::try_from(number - context.marked_first).unwrap_or(usize::MAX);
                let quote = quotes
                    .get(if quotes.len() == 1 { 0 } else { nth })
                    .copied()
                    .unwrap_or("");
                match line.find(quote).filter(|_| !quote.is_empty()) {
                    Some(at) => pieces.extend([
                        (Ink::Plain, esc(&line[..at])),
                        (Ink::Mark, esc(quote)),
                        (Ink::Plain, esc(&line[at + quote.len()..])),
                    ]),
                    None => pieces.push((Ink::Mark, esc(line))),
                }
            }
        }
        page.pieces(pieces, 7);
    }
}

/// A line around a citation: long ones would fill the screen without showing anything.
fn beginning(line: &str) -> String {
    let mut kept: String = line.chars().take(MAX_CONTEXT_CHARS).collect();
    if kept.len() < line.len() {
        kept.push('…');
    }
    kept
}

/// The seal, the run and the exact prompts, over the whole width.
pub fn more(desk: &Desk) -> Vec<Line> {
    let view = desk.view();
    let mut page = Page::default();
    page.add(Ink::Strong, "The seal");
    page.add(Ink::Plain, esc(&say::seal(&view.seal)));
    for weaker in &view.seal.weaker {
        page.add(
            Ink::Bad,
            format!(
                "NOT ENFORCED {}: {}",
                esc(&weaker.layer),
                esc(&weaker.consequence)
            ),
        );
    }
    for proof in &desk.run().record.seals {
        let layers: Vec<String> = proof
            .layers
            .iter()
            .filter(|layer| layer.enforced)
            .map(|layer| layer.layer.to_string())
            .collect();
        page.pieces(
            vec![
                (Ink::Strong, format!("{}: ", esc(&proof.zone.to_string()))),
                (
                    Ink::Soft,
                    format!("{}; {} probes", esc(&layers.join(", ")), proof.probes.len()),
                ),
            ],
            2,
        );
    }
    for doubt in desk.doubts() {
        page.add(
            Ink::Bad,
            format!("Nobody vouches for the files of this run: {}", esc(doubt)),
        );
    }
    page.blank();
    page.add(Ink::Strong, "The run");
    for text in [say::verifier(view), say::model(&view.run)] {
        page.add(Ink::Plain, esc(&text));
    }
    if let Some(masked) = say::masked(view) {
        page.add(Ink::Plain, esc(&masked));
    }
    page.add(
        Ink::Soft,
        format!("bundle sha256 {}", esc(&view.run.bundle_sha256)),
    );
    for evidence in &view.injections {
        page.blank();
        page.add(
            Ink::Warn,
            "Text that speaks to a language model; followed by nobody:",
        );
        quoted(&mut page, evidence, view.context_of(evidence));
    }
    page.blank();
    page.add(Ink::Strong, "Prompts and raw output");
    if desk.run().transcript.is_empty() {
        page.add(Ink::Plain, "No model was asked in this run.");
    }
    for exchange in &desk.run().transcript {
        page.blank();
        page.add(
            Ink::Strong,
            format!(
                "{} {}: {}",
                esc(&exchange.step),
                exchange.attempt,
                esc(&exchange.result)
            ),
        );
        for (name, text) in [("prompt", &exchange.prompt), ("output", &exchange.output)] {
            page.add(Ink::Soft, name);
            for line in text.split('\n') {
                page.add(Ink::Plain, esc(line));
            }
        }
    }
    page.0
}
