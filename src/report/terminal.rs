//! The report for a terminal: 80 columns, readable without colour, the answer first.

use super::escape::terminal as esc;
use super::model::{Command, CommandClass, Evidence, Finding, Outcome};
use super::view::{About, OutputFile, ReviewState, TickStatus, View};
use super::wording as say;
use super::wrap::{COLUMNS, width, wrap, wrap_command, wrap_verbatim};
use std::collections::BTreeSet;

/// Most entries of a list that are shown before the rest is only counted.
const MAX_LISTED: usize = 8;

/// Renders `view` for a terminal of [`COLUMNS`] columns. Only SGR sequences are used, and only when
/// `colour` is true; no text of the bundle reaches the terminal unescaped.
pub fn render(view: &View, colour: bool) -> String {
    let mut page = Page {
        out: String::new(),
        colour,
    };
    page.head(view);
    page.alarms(view);
    page.answer(view);
    page.commands(view);
    page.others(view);
    page.missing(view);
    page.not_looked_at(view);
    page.made(view);
    page.files(&view.files);
    page.out
}

/// Styles, by what they mean.
#[derive(Clone, Copy)]
enum Style {
    Heading,
    Strong,
    Faint,
    Good,
    Warn,
    Alarm,
}

struct Page {
    out: String,
    colour: bool,
}

impl Page {
    fn paint(&self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Heading => "1;36",
            Style::Strong => "1",
            Style::Faint => "2",
            Style::Good => "32",
            Style::Warn => "33",
            Style::Alarm => "1;31",
        };
        match self.colour && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        let text = self.paint(Style::Heading, text);
        self.out.push_str(&text);
        self.blank();
    }

    /// Wrapped text; `first` before the first line, spaces of the same width before the others.
    fn text(&mut self, first: &str, text: &str, style: Option<Style>) {
        let indent = width(first);
        let lines = wrap(&esc(text), COLUMNS - indent);
        self.lines(first, lines, style);
    }

    fn lines(&mut self, first: &str, lines: Vec<String>, style: Option<Style>) {
        let indent = " ".repeat(width(first));
        for (at, line) in lines.iter().enumerate() {
            let line = style.map_or_else(|| line.clone(), |style| self.paint(style, line));
            let lead = if at == 0 { first } else { &indent };
            let row = format!("{lead}{line}");
            self.out.push_str(row.trim_end());
            self.out.push('\n');
        }
    }

    fn head(&mut self, view: &View) {
        let run = &view.run;
        self.text(
            "",
            &format!("{}, run {}", run.bundle_name, run.id),
            Some(Style::Strong),
        );
        let layout = if run.profile.is_empty() {
            "unknown"
        } else {
            &run.profile
        };
        let facts = format!(
            "{layout} layout, {}, {}, sha256 {}",
            say::plural(run.bundle_files, "file", "files"),
            say::size(run.bundle_bytes),
            say::short_hash(&run.bundle_sha256)
        );
        self.text("", &facts, Some(Style::Faint));
    }

    /// What nobody may overlook, before the answer.
    fn alarms(&mut self, view: &View) {
        if say::is_weaker(&view.seal) {
            self.blank();
            self.text("!! ", say::WEAKER_SEAL, Some(Style::Alarm));
            self.text(
                "!! ",
                &say::weaker_seal_sentence(&view.seal),
                Some(Style::Alarm),
            );
            for layer in &view.seal.weaker {
                self.text(
                    "!!   - ",
                    &format!("{}: {}", layer.layer, layer.consequence),
                    Some(Style::Alarm),
                );
            }
        }
        if view.verdict.rejected {
            self.blank();
            self.text(
                "!! ",
                "THE VERIFIER REJECTED THIS REPORT. Do not act on it.",
                Some(Style::Alarm),
            );
        }
        if let ReviewState::Rejected { note, .. } = &view.review {
            self.blank();
            self.text("!! ", &say::review(&view.review), Some(Style::Alarm));
            if !note.is_empty() {
                self.text("!! ", note, Some(Style::Alarm));
            }
        }
    }

    fn answer(&mut self, view: &View) {
        let first = view.report.findings.first();
        let lead = match (first, view.report.outcome) {
            (Some(finding), Outcome::Findings) => format!(
                "{}, confidence {}",
                say::outcome(view),
                say::confidence_full(finding.confidence)
            ),
            _ => say::outcome(view).to_owned(),
        };
        self.heading(&lead);
        let sentence = say::outcome_sentence(view);
        if !sentence.is_empty() {
            self.text("  ", &sentence, None);
        }
        if let Some(finding) = first {
            if view.report.outcome == Outcome::InsufficientEvidence {
                self.blank();
                self.text("  ", "What is visible:", None);
            }
            self.finding(view, finding);
        }
    }

    fn finding(&mut self, view: &View, finding: &Finding) {
        self.text("  ", &finding.title, Some(Style::Strong));
        if finding.root_cause != finding.title && !finding.root_cause.is_empty() {
            self.blank();
            self.text("  ", &finding.root_cause, None);
        }
        self.doubts(view, finding, About::Claim, "  ");
        for (at, evidence) in finding.evidence.iter().enumerate() {
            self.blank();
            self.evidence(evidence, "  ");
            self.doubts(view, finding, About::Evidence(at), "    ");
        }
        if finding.evidence.is_empty() {
            self.text(
                "  ",
                "No line of the bundle is cited for this.",
                Some(Style::Warn),
            );
        }
    }

    fn evidence(&mut self, evidence: &Evidence, indent: &str) {
        let place = match evidence.line_end > evidence.line_start {
            true => format!(
                "{}:{}-{}",
                evidence.path, evidence.line_start, evidence.line_end
            ),
            false => format!("{}:{}", evidence.path, evidence.line_start),
        };
        self.text(indent, &place, Some(Style::Faint));
        for line in evidence
            .quote
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
        {
            let lead = format!("{indent}  | ");
            for piece in wrap_verbatim(esc(line).trim_start(), COLUMNS - width(&lead)) {
                self.lines(&lead, vec![piece], None);
            }
        }
    }

    /// Checks that did not simply hold.
    fn doubts(&mut self, view: &View, finding: &Finding, about: About, indent: &str) {
        let Some(verdict) = view.verdict_of(finding.rank) else {
            if about == About::Claim {
                self.text(
                    &format!("{indent}! "),
                    "The verifier said nothing about this finding.",
                    Some(Style::Warn),
                );
            }
            return;
        };
        for tick in verdict
            .about(about)
            .filter(|tick| tick.status != TickStatus::Ok)
        {
            let reason = if tick.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", tick.reason)
            };
            let text = format!("{} ({}){reason}", tick.what, say::tick_word(tick.status));
            self.text(
                &format!("{indent}{} ", say::tick(tick.status)),
                &text,
                Some(Style::Warn),
            );
        }
    }

    fn commands(&mut self, view: &View) {
        let mut seen = BTreeSet::new();
        let all: Vec<&Command> = view
            .report
            .findings
            .iter()
            .flat_map(|finding| &finding.commands)
            .filter(|command| seen.insert(&command.command))
            .collect();
        if all.is_empty() {
            return;
        }
        self.heading("Run next");
        for command in all {
            let lines = wrap_command(&esc(&command.command), COLUMNS - 4);
            self.lines("  $ ", lines, Some(Style::Strong));
            let style = match command.class {
                Some(CommandClass::ReadOnly) => Style::Good,
                Some(CommandClass::Destructive) => Style::Alarm,
                _ => Style::Warn,
            };
            let class = say::class(command.class);
            let why = if command.why.is_empty() {
                String::new()
            } else {
                format!(". {}", command.why)
            };
            let mut lines = wrap(&format!("{class}{}", esc(&why)), COLUMNS - 4);
            if let Some(first) = lines.first_mut().filter(|line| line.starts_with(class)) {
                *first = format!("{}{}", self.paint(style, class), &first[class.len()..]);
            }
            self.lines("    ", lines, None);
        }
    }

    fn others(&mut self, view: &View) {
        if view.report.findings.len() < 2 {
            return;
        }
        self.heading("Also possible");
        for finding in view.report.findings.iter().skip(1) {
            let confidence = format!("Confidence {}", say::confidence_full(finding.confidence));
            self.text(
                &format!("  {}. ", finding.rank),
                &format!("{}. {confidence}", finding.title.trim_end_matches('.')),
                None,
            );
            if let Some(evidence) = finding.evidence.first() {
                self.evidence(evidence, "     ");
            }
        }
    }

    fn missing(&mut self, view: &View) {
        if view.report.missing.is_empty() {
            return;
        }
        self.heading("Missing");
        for missing in &view.report.missing {
            self.item(&missing.what, &missing.why);
            if let Some(path) = &missing.path {
                self.text("    ", &format!("expected at {path}"), Some(Style::Faint));
            }
        }
    }

    fn not_looked_at(&mut self, view: &View) {
        let (not_examined, skipped) = (&view.report.not_examined, &view.skipped);
        if not_examined.is_empty() && skipped.is_empty() {
            return;
        }
        self.heading("Not looked at");
        for item in not_examined.iter().take(MAX_LISTED) {
            self.item(&item.what, &item.why);
        }
        self.rest(not_examined.len());
        for item in skipped.iter().take(MAX_LISTED) {
            self.item(&item.name, &format!("not unpacked, {}", item.reason));
        }
        self.rest(skipped.len());
    }

    fn item(&mut self, what: &str, why: &str) {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        self.text("  - ", &format!("{what}{why}"), None);
    }

    fn rest(&mut self, all: usize) {
        if all > MAX_LISTED {
            self.text(
                "  - ",
                &format!("and {} more, listed in the report file", all - MAX_LISTED),
                Some(Style::Faint),
            );
        }
    }

    fn made(&mut self, view: &View) {
        self.heading("How this was made");
        let run = &view.run;
        self.fact("seal", &say::seal(&view.seal));
        self.fact("verifier", &say::verifier(view));
        for dropped in view.verdict.dropped.iter().take(MAX_LISTED) {
            self.text(
                "            - ",
                &format!("{}: {}", dropped.title, dropped.reasons.join("; ")),
                Some(Style::Faint),
            );
        }
        self.fact("model", &say::model(run));
        if let Some(verdict) = view
            .report
            .findings
            .first()
            .and_then(|finding| view.verdict_of(finding.rank))
        {
            self.fact("origin", &say::share(&verdict.share));
        }
        let playbook = &run.playbook;
        if !playbook.id.is_empty() {
            self.fact(
                "playbook",
                &format!(
                    "{} {}, sha256 {}",
                    playbook.id,
                    playbook.version,
                    say::short_hash(&playbook.sha256)
                ),
            );
        }
        if !run.stages.is_empty() {
            let stages: Vec<String> = run
                .stages
                .iter()
                .map(|stage| format!("{} {}", stage.stage, say::duration(stage.millis)))
                .collect();
            self.fact("time", &stages.join(", "));
        }
        if let Some(masked) = say::masked(view) {
            self.fact("secrets", &masked);
        }
        if !view.injections.is_empty() {
            let text = say::injections(view);
            self.fact("injection", &text);
            for evidence in view.injections.iter().take(MAX_LISTED) {
                self.evidence(evidence, "            ");
            }
            self.rest(view.injections.len());
        }
        self.fact("review", &say::review(&view.review));
    }

    fn fact(&mut self, name: &str, text: &str) {
        self.text(&format!("  {name:<9} "), text, None);
    }

    fn files(&mut self, files: &[OutputFile]) {
        if files.is_empty() {
            return;
        }
        self.heading("Files");
        for file in files {
            self.text("  ", &file.path, None);
            self.text("    ", &file.what, Some(Style::Faint));
        }
    }
}
