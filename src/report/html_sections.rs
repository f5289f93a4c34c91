//! The parts of the HTML report below the first finding: commands, other causes, gaps, how it was made.

use super::escape::{html as esc, html_attribute, html_line};
use super::html::Page;
use super::html_evidence::{figure, ticks_list};
use super::model::{Command, CommandClass, Outcome};
use super::view::{About, OutputFile, ReviewState, View};
use super::wording as say;
use std::collections::BTreeSet;

impl Page {
    pub(super) fn commands(&mut self, view: &View) {
        let mut seen = BTreeSet::new();
        let all = view.report.findings.iter().flat_map(|finding| {
            finding
                .commands
                .iter()
                .enumerate()
                .map(move |(at, command)| (finding.rank, at, command))
        });
        let all: Vec<(u32, usize, &Command)> = all
            .filter(|(_, _, command)| seen.insert(&command.command))
            .collect();
        if all.is_empty() {
            return;
        }
        self.open_section("commands", "Run next");
        self.add("<ol class=\"run\">\n");
        for (rank, at, command) in all {
            let class = match command.class {
                Some(CommandClass::ReadOnly) => " good",
                Some(CommandClass::Destructive) => " bad",
                _ => "",
            };
            let ticks = view
                .verdict_of(rank)
                .into_iter()
                .flat_map(|verdict| verdict.about(About::Command(at)));
            let doubts =
                ticks_list(ticks.filter(|tick| tick.status != super::view::TickStatus::Ok));
            self.add(format!(
                "<li><pre>{}</pre><div><span class=\"class{class}\">{}</span> <span class=\"why\">{}</span>{doubts}</div></li>\n",
                html_line(&command.command),
                say::class(command.class),
                esc(&command.why),
            ));
        }
        self.add("</ol>\n</section>\n");
    }

    pub(super) fn others(&mut self, view: &View) {
        if view.report.findings.len() < 2 {
            return;
        }
        self.open_section("others", "Also possible");
        for finding in view.report.findings.iter().skip(1) {
            self.add(format!("<details>\n<summary><h3>{}</h3> <span class=\"why\">confidence {}</span></summary>\n", esc(&finding.title), say::confidence_full(finding.confidence)));
            if !finding.root_cause.is_empty() && finding.root_cause != finding.title {
                self.add(format!("<p>{}</p>\n", esc(&finding.root_cause)));
            }
            self.pair(view, finding, false);
            self.add("</details>\n");
        }
        self.add("</section>\n");
    }

    pub(super) fn gaps(&mut self, view: &View) {
        let report = &view.report;
        let unseen = !report.not_examined.is_empty() || !view.skipped.is_empty();
        if report.missing.is_empty() && !unseen {
            return;
        }
        let one = if report.missing.is_empty() || !unseen {
            " one"
        } else {
            ""
        };
        self.add(format!(
            "<section class=\"columns{one}\" aria-label=\"Gaps\">\n"
        ));
        if !report.missing.is_empty() {
            self.open_section("missing", "Missing");
            self.add("<ul class=\"list\">\n");
            for missing in &report.missing {
                let path = missing
                    .path
                    .as_ref()
                    .map(|path| format!("<code>{}</code>", esc(path)))
                    .unwrap_or_default();
                self.add(list_item(&missing.what, &missing.why, &path));
            }
            self.add("</ul>\n</section>\n");
        }
        if unseen {
            self.open_section("unseen", "Not looked at");
            self.add("<ul class=\"list\">\n");
            for item in &report.not_examined {
                self.add(list_item(&item.what, &item.why, ""));
            }
            for item in &view.skipped {
                self.add(list_item(
                    &item.name,
                    &format!("not unpacked, {}", item.reason),
                    "",
                ));
            }
            self.add("</ul>\n</section>\n");
        }
        self.add("</section>\n");
    }

    pub(super) fn injections(&mut self, view: &View) {
        if view.injections.is_empty() {
            return;
        }
        self.open_section("injections", "Text that speaks to a language model");
        self.add("<p>These lines of the bundle were treated as data and followed by nobody. Someone may have placed them on purpose.</p>\n");
        for evidence in &view.injections {
            self.add(figure(
                evidence,
                view.context_of(evidence),
                std::iter::empty(),
            ));
        }
        self.add("</section>\n");
    }

    pub(super) fn made(&mut self, view: &View) {
        let run = &view.run;
        self.open_section("made", "How this was made");
        self.add("<dl class=\"facts\">\n");
        self.fact("Seal", &esc(&say::seal(&view.seal)));
        let dropped: String = view
            .verdict
            .dropped
            .iter()
            .map(|dropped| {
                format!(
                    "<br>Dropped: {} <span class=\"why\">({})</span>",
                    esc(&dropped.title),
                    esc(&dropped.reasons.join("; "))
                )
            })
            .collect();
        self.fact(
            "Verifier",
            &format!("{}{dropped}", esc(&say::verifier(view))),
        );
        self.fact("Model", &esc(&say::model(run)));
        if let Some(model) = run.model.as_ref().filter(|model| !model.sha256.is_empty()) {
            self.fact(
                "Weights",
                &format!("sha256 <code>{}</code>", esc(&model.sha256)),
            );
        }
        if !run.playbook.id.is_empty() {
            self.fact(
                "Playbook",
                &format!(
                    "{} {}, sha256 <code>{}</code>",
                    esc(&run.playbook.id),
                    esc(&run.playbook.version),
                    esc(&run.playbook.sha256)
                ),
            );
        }
        self.fact(
            "Bundle",
            &format!("sha256 <code>{}</code>", esc(&run.bundle_sha256)),
        );
        if let Some(masked) = say::masked(view) {
            self.fact("Secrets", &esc(&masked));
        }
        if !run.stages.is_empty() {
            let stages: Vec<String> = run
                .stages
                .iter()
                .map(|stage| format!("{} {}", esc(&stage.stage), say::duration(stage.millis)))
                .collect();
            self.fact("Time", &stages.join(", "));
        }
        if !run.started.is_empty() {
            self.fact("Started", &esc(&run.started));
        }
        self.add("</dl>\n");
        self.files(&view.files);
        self.add("</section>\n");
    }

    fn fact(&mut self, name: &str, value: &str) {
        self.add(format!("<dt>{name}</dt><dd>{value}</dd>\n"));
    }

    fn files(&mut self, files: &[OutputFile]) {
        if files.is_empty() {
            return;
        }
        self.add("<details>\n<summary><h3>Prompts, raw output and the record</h3></summary>\n<dl class=\"facts\">\n");
        for file in files {
            let name = esc(&file.path);
            let name = match is_plain_link(&file.path) {
                true => format!("<a href=\"{}\">{name}</a>", html_attribute(&file.path)),
                false => format!("<code>{name}</code>"),
            };
            self.add(format!("<dt>{name}</dt><dd>{}</dd>\n", esc(&file.what)));
        }
        self.add("</dl>\n</details>\n");
    }

    pub(super) fn todo(&mut self, view: &View) {
        self.open_section("todo", "What a person must still do");
        match &view.review {
            ReviewState::Pending => {
                let run: String = view
                    .run
                    .id
                    .chars()
                    .filter(char::is_ascii_alphanumeric)
                    .take(12)
                    .collect();
                let consent = view
                    .report
                    .findings
                    .iter()
                    .flat_map(|f| &f.commands)
                    .any(|command| command.class != Some(CommandClass::ReadOnly));
                let consent = if consent {
                    "<li>Decide about each command that is not read-only.</li>\n"
                } else {
                    ""
                };
                let check = match view.report.outcome {
                    Outcome::Findings => {
                        "Read the marked lines and judge whether they show the cause."
                    }
                    Outcome::InsufficientEvidence => {
                        "Ask for what is missing, then run the triage again."
                    }
                    Outcome::Healthy => {
                        "Compare with what the customer sees: a fault may have left no trace here."
                    }
                };
                self.add(format!("<ol class=\"todo\">\n<li>{check}</li>\n{consent}<li>Sign or reject it with your own name; the run is <code>{run}</code>, its record names every input</li>\n</ol>\n"));
            }
            ReviewState::Signed { note, .. } | ReviewState::Rejected { note, .. } => {
                let note = if note.is_empty() {
                    String::new()
                } else {
                    format!("<p>{}</p>\n", esc(note))
                };
                self.add(format!(
                    "<p>{}</p>\n{note}",
                    esc(&say::review(&view.review))
                ));
            }
        }
        self.add("</section>\n");
    }

    pub(super) fn footer(&mut self, view: &View) {
        self.add(format!("<footer>narrowroom.report/v1, run <span class=\"mono\">{}</span>. This file holds no script and loads nothing.</footer>\n", esc(&view.run.id)));
    }
}

fn list_item(what: &str, why: &str, tail: &str) -> String {
    let why = if why.is_empty() {
        String::new()
    } else {
        format!("<span class=\"why\">{}</span>", esc(why))
    };
    format!("<li><b>{}</b>{why}{tail}</li>\n", esc(what))
}

/// A relative path of plain characters; nothing that a browser could read as a scheme or a host.
fn is_plain_link(path: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    !path.is_empty()
        && path.chars().all(plain)
        && !path.starts_with('/')
        && !path.split('/').any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_paths_become_links() {
        assert!(is_plain_link("transcript.jsonl"));
        for bad in [
            "/etc/passwd",
            "//host/x",
            "javascript:alert(1)",
            "http://x",
            "a/../../b",
            "",
            "a b",
        ] {
            assert!(!is_plain_link(bad), "{bad}");
        }
    }
}
