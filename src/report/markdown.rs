//! The report as Markdown, for a ticket or a pull request.
//!
//! Text of the bundle stands in code spans and code blocks, or in running text whose words cannot
//! become a link, a mention, HTML, a table or a heading in any common dialect. No tables are used.

use super::escape::{markdown as esc, markdown_block, markdown_code};
use super::model::{Evidence, Finding, Outcome};
use super::view::{About, ReviewState, TickStatus, View};
use super::wording as say;

/// Renders `view` as CommonMark.
pub fn render(view: &View) -> String {
    let mut page = Page::default();
    page.head(view);
    page.answer(view);
    page.commands(view);
    page.rest(view);
    page.made(view);
    page.out
}

#[derive(Default)]
struct Page {
    out: String,
}

impl Page {
    fn heading(&mut self, level: usize, text: &str) {
        self.gap();
        self.out
            .push_str(&format!("{} {text}\n\n", "#".repeat(level)));
    }

    fn gap(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.gap();
        self.out.push_str(text);
        self.out.push_str("\n\n");
    }

    fn item(&mut self, text: &str) {
        self.out.push_str(&format!("- {text}\n"));
    }

    fn head(&mut self, view: &View) {
        let run = &view.run;
        self.heading(1, &format!("Triage of {}", markdown_code(&run.bundle_name)));
        self.paragraph(&format!(
            "Run {}, {} layout, {}, {}, sha256 {}",
            markdown_code(&run.id),
            esc(&run.profile),
            say::plural(run.bundle_files, "file", "files"),
            say::size(run.bundle_bytes),
            markdown_code(&run.bundle_sha256),
        ));
        if say::is_weaker(&view.seal) {
            self.paragraph(&format!(
                "**{}.** {}",
                say::WEAKER_SEAL,
                say::weaker_seal_sentence(&view.seal)
            ));
            for layer in &view.seal.weaker {
                self.item(&format!(
                    "{}: {}",
                    markdown_code(&layer.layer),
                    esc(&layer.consequence)
                ));
            }
        }
        if view.verdict.rejected {
            self.paragraph("**THE VERIFIER REJECTED THIS REPORT.** Do not act on it.");
        }
        let strong = if matches!(view.review, ReviewState::Signed { .. }) {
            ""
        } else {
            "**"
        };
        self.paragraph(&format!(
            "{strong}Review:{strong} {}",
            esc(&say::review(&view.review))
        ));
        if let ReviewState::Signed { note, .. } | ReviewState::Rejected { note, .. } = &view.review
            && !note.is_empty()
        {
            self.paragraph(&format!("Note: {}", esc(note)));
        }
    }

    fn answer(&mut self, view: &View) {
        self.heading(2, say::outcome(view));
        let sentence = say::outcome_sentence(view);
        if !sentence.is_empty() {
            self.paragraph(&sentence);
        }
        let several = view.report.findings.len() > 1;
        for finding in &view.report.findings {
            self.finding(view, finding, several);
        }
    }

    fn finding(&mut self, view: &View, finding: &Finding, numbered: bool) {
        let number = if numbered {
            format!("{}: ", finding.rank)
        } else {
            String::new()
        };
        self.heading(3, &format!("{number}{}", esc(&finding.title)));
        if !finding.root_cause.is_empty() && finding.root_cause != finding.title {
            self.paragraph(&esc(&finding.root_cause));
        }
        if view.report.outcome == Outcome::Findings {
            let share = view
                .verdict_of(finding.rank)
                .map(|verdict| format!(": {}", say::share(&verdict.share)));
            self.item(&format!(
                "Confidence: {}{}",
                say::confidence_full(finding.confidence),
                share.unwrap_or_default()
            ));
        }
        if let Some(subject) = say::subject(finding) {
            self.item(&format!("Subject: {}", markdown_code(&subject)));
        }
        self.item(&format!("Cause: {}", markdown_code(&finding.cause)));
        self.ticks(view, finding);
        for evidence in &finding.evidence {
            self.evidence(evidence);
        }
    }

    fn ticks(&mut self, view: &View, finding: &Finding) {
        let Some(verdict) = view.verdict_of(finding.rank) else {
            self.item("Verifier: said nothing about this finding.");
            return;
        };
        let holds = verdict
            .ticks
            .iter()
            .filter(|tick| tick.status == TickStatus::Ok)
            .count();
        self.item(&format!(
            "Verifier: {holds} of {} hold",
            say::plural(verdict.ticks.len() as u64, "check", "checks")
        ));
        for tick in verdict
            .ticks
            .iter()
            .filter(|tick| tick.status != TickStatus::Ok)
        {
            let about = match tick.about {
                About::Claim => String::new(),
                About::Evidence(at) => format!("evidence {}: ", at + 1),
                About::Command(at) => format!("command {}: ", at + 1),
            };
            let reason = if tick.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", esc(&tick.reason))
            };
            self.item(&format!(
                "{about}{} ({}){reason}",
                esc(&tick.what),
                say::tick_word(tick.status)
            ));
        }
    }

    fn evidence(&mut self, evidence: &Evidence) {
        let lines = match evidence.line_end > evidence.line_start {
            true => format!("lines {} to {}", evidence.line_start, evidence.line_end),
            false => format!("line {}", evidence.line_start),
        };
        self.paragraph(&format!("{} {lines}", markdown_code(&evidence.path)));
        self.out.push_str(&markdown_block(&evidence.quote));
        self.out.push('\n');
    }

    fn commands(&mut self, view: &View) {
        let mut seen = std::collections::BTreeSet::new();
        let all = view
            .report
            .findings
            .iter()
            .flat_map(|finding| &finding.commands);
        let all: Vec<_> = all
            .filter(|command| seen.insert(&command.command))
            .collect();
        if all.is_empty() {
            return;
        }
        self.heading(2, "Run next");
        for command in all {
            let why = if command.why.is_empty() {
                String::new()
            } else {
                format!(". {}", esc(&command.why))
            };
            self.item(&format!(
                "{} ({}){why}",
                markdown_code(&command.command),
                say::class(command.class)
            ));
        }
    }

    fn rest(&mut self, view: &View) {
        if !view.report.missing.is_empty() {
            self.heading(2, "Missing");
            for missing in &view.report.missing {
                let path = missing
                    .path
                    .as_ref()
                    .map(|path| format!(" (expected at {})", markdown_code(path)))
                    .unwrap_or_default();
                self.pair(&esc(&missing.what), &esc(&missing.why), &path);
            }
        }
        if !view.report.not_examined.is_empty() || !view.skipped.is_empty() {
            self.heading(2, "Not looked at");
            for item in &view.report.not_examined {
                self.pair(&esc(&item.what), &esc(&item.why), "");
            }
            for item in &view.skipped {
                self.pair(
                    &markdown_code(&item.name),
                    &format!("not unpacked, {}", esc(&item.reason)),
                    "",
                );
            }
        }
        if !view.injections.is_empty() {
            self.heading(2, "Text that speaks to a language model");
            self.paragraph(&say::injections(view));
            for evidence in &view.injections {
                self.evidence(evidence);
            }
        }
    }

    fn pair(&mut self, what: &str, why: &str, tail: &str) {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        self.item(&format!("{what}{why}{tail}"));
    }

    fn made(&mut self, view: &View) {
        self.heading(2, "How this was made");
        self.item(&format!("Seal: {}", say::seal(&view.seal)));
        self.item(&format!("Verifier: {}", say::verifier(view)));
        for dropped in &view.verdict.dropped {
            let reasons: Vec<String> = dropped.reasons.iter().map(|reason| esc(reason)).collect();
            self.item(&format!(
                "Dropped: {} ({})",
                esc(&dropped.title),
                reasons.join("; ")
            ));
        }
        self.item(&format!("Model: {}", esc(&say::model(&view.run))));
        let playbook = &view.run.playbook;
        if !playbook.id.is_empty() {
            let (id, sha256) = (markdown_code(&playbook.id), markdown_code(&playbook.sha256));
            self.item(&format!(
                "Playbook: {id} {}, sha256 {sha256}",
                esc(&playbook.version)
            ));
        }
        if let Some(masked) = say::masked(view) {
            self.item(&format!("Secrets: {}", esc(&masked)));
        }
        let stages: Vec<String> = view
            .run
            .stages
            .iter()
            .map(|stage| format!("{} {}", esc(&stage.stage), say::duration(stage.millis)))
            .collect();
        if !stages.is_empty() {
            self.item(&format!("Time: {}", stages.join(", ")));
        }
        for file in &view.files {
            self.item(&format!(
                "File: {} {}",
                markdown_code(&file.path),
                esc(&file.what)
            ));
        }
    }
}
