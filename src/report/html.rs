//! The report as one HTML file: no script, nothing loaded, a strict content security policy.
//!
//! Read at two in the morning: the answer first, each claim beside the lines that show it, then what
//! to run, what is missing, and how the report was made. Dark and light follow the reader's system;
//! it works from 390 pixels upwards and on paper.

use super::escape::{html as esc, html_attribute};
use super::html_evidence::{figure, ticks_list};
use super::model::{Finding, Outcome};
use super::view::{About, ReviewState, View};
use super::wording as say;
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("report.css");

/// Renders `view` as a whole HTML document.
pub fn render(view: &View) -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let title = html_attribute(&format!("{}: {}", say::outcome(view), view.run.bundle_name));
    let head = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<div class=\"page\">\n"
    );
    let mut page = Page { out: head };
    page.top(view);
    page.out.push_str("<main>\n");
    page.alarms(view);
    page.answer(view);
    page.first_finding(view);
    page.commands(view);
    page.others(view);
    page.gaps(view);
    page.injections(view);
    page.made(view);
    page.todo(view);
    page.out.push_str("</main>\n");
    page.footer(view);
    page.out.push_str("</div>\n</body>\n</html>\n");
    page.out
}

/// The document so far.
pub(super) struct Page {
    out: String,
}

impl Page {
    pub(super) fn add(&mut self, text: impl AsRef<str>) {
        self.out.push_str(text.as_ref());
    }

    pub(super) fn open_section(&mut self, id: &str, heading: &str) {
        self.add(format!(
            "<section aria-labelledby=\"{id}\">\n<h2 class=\"section\" id=\"{id}\">{heading}</h2>\n"
        ));
    }

    fn top(&mut self, view: &View) {
        let run = &view.run;
        let (state, word) = match &view.review {
            ReviewState::Pending => ("", "not signed"),
            ReviewState::Signed { .. } => (" good", "signed"),
            ReviewState::Rejected { .. } => (" bad", "rejected"),
        };
        let profile = if run.profile.is_empty() {
            "unknown"
        } else {
            &run.profile
        };
        self.add(format!(
            "<header class=\"top\">\n<strong>{}</strong>\n<span>{} layout, {}, {}</span>\n<span>run <span class=\"mono\">{}</span></span>\n<span class=\"end state{state}\">{word}</span>\n</header>\n",
            esc(&run.bundle_name),
            esc(profile),
            say::plural(run.bundle_files, "file", "files"),
            say::size(run.bundle_bytes),
            esc(&run.id),
        ));
    }

    fn alarm(&mut self, id: &str, heading: &str, body: &str) {
        self.add(format!("<section class=\"alarm\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n{body}</section>\n"));
    }

    fn alarms(&mut self, view: &View) {
        if say::is_weaker(&view.seal) {
            let layers: String = view
                .seal
                .weaker
                .iter()
                .map(|layer| {
                    format!(
                        "<li><b>{}</b>: {}</li>\n",
                        esc(&layer.layer),
                        esc(&layer.consequence)
                    )
                })
                .collect();
            let list = if layers.is_empty() {
                layers
            } else {
                format!("<ul>\n{layers}</ul>\n")
            };
            self.alarm(
                "alarm-seal",
                say::WEAKER_SEAL,
                &format!("<p>{}</p>\n{list}", say::weaker_seal_sentence(&view.seal)),
            );
        }
        if view.verdict.rejected {
            self.alarm(
                "alarm-verdict",
                "THE VERIFIER REJECTED THIS REPORT",
                "<p>Do not act on it.</p>\n",
            );
        }
        if let ReviewState::Rejected { note, .. } = &view.review {
            let note = if note.is_empty() {
                String::new()
            } else {
                format!("<p>{}</p>\n", esc(note))
            };
            self.alarm(
                "alarm-review",
                "A PERSON REJECTED THIS REPORT",
                &format!("<p>{}</p>\n{note}", esc(&say::review(&view.review))),
            );
        }
    }

    fn answer(&mut self, view: &View) {
        let first = view
            .report
            .findings
            .first()
            .filter(|_| view.report.outcome == Outcome::Findings);
        self.add("<div class=\"answer\">\n");
        match first {
            Some(finding) => {
                self.add(format!(
                    "<p class=\"kind\">{}</p>\n<h1>{}</h1>\n",
                    say::outcome(view),
                    esc(&finding.title)
                ));
                if !finding.root_cause.is_empty() && finding.root_cause != finding.title {
                    self.add(format!(
                        "<p class=\"lead\">{}</p>\n",
                        esc(&finding.root_cause)
                    ));
                }
                self.sure(view, finding);
            }
            None => self.add(format!(
                "<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
                say::outcome(view),
                esc(&say::outcome_sentence(view))
            )),
        }
        if !view.injections.is_empty() {
            self.add(format!(
                "<p class=\"notice\"><a href=\"#injections\">{}</a></p>\n",
                say::injections(view)
            ));
        }
        self.add("</div>\n");
    }

    /// Confidence, subject and origin in one row.
    fn sure(&mut self, view: &View, finding: &Finding) {
        let share = view
            .verdict_of(finding.rank)
            .map(|verdict| format!("<span>{}</span>\n", esc(&say::share(&verdict.share))))
            .unwrap_or_default();
        let subject = say::subject(finding)
            .map(|subject| format!("<span>affects <b>{}</b></span>\n", esc(&subject)))
            .unwrap_or_default();
        let words = say::confidence_full(finding.confidence);
        let meter = match finding.confidence.is_finite() {
            true => format!(
                "<meter min=\"0\" max=\"1\" value=\"{:.2}\">{words}</meter>",
                finding.confidence.clamp(0.0, 1.0)
            ),
            false => String::new(),
        };
        self.add(format!("<div class=\"sure\">\n<span>{meter}confidence <b>{words}</b></span>\n{subject}{share}</div>\n"));
    }

    fn first_finding(&mut self, view: &View) {
        let Some(finding) = view.report.findings.first() else {
            return;
        };
        let is_cause = view.report.outcome == Outcome::Findings;
        self.open_section(
            "evidence",
            if is_cause {
                "Evidence"
            } else {
                "What is visible"
            },
        );
        self.pair(view, finding, !is_cause);
        self.add("</section>\n");
    }

    /// The claim on the left, its evidence on the right.
    pub(super) fn pair(&mut self, view: &View, finding: &Finding, with_words: bool) {
        self.add("<div class=\"pair\">\n<div class=\"claim\">\n");
        if with_words {
            self.add(format!("<p><b>{}</b></p>\n", esc(&finding.title)));
            if !finding.root_cause.is_empty() && finding.root_cause != finding.title {
                self.add(format!("<p>{}</p>\n", esc(&finding.root_cause)));
            }
        }
        match view.verdict_of(finding.rank) {
            None => {
                self.add("<p class=\"note\">The verifier said nothing about this finding.</p>\n")
            }
            Some(verdict) => {
                self.add("<h3>The verifier checked</h3>\n");
                self.add(ticks_list(verdict.about(About::Claim)));
                if !verdict.share.detectors.is_empty() {
                    let names: Vec<String> = verdict
                        .share
                        .detectors
                        .iter()
                        .map(|name| format!("<code>{}</code>", esc(name)))
                        .collect();
                    self.add(format!(
                        "<p class=\"why\">Cause <code>{}</code>, found by {}</p>\n",
                        esc(&finding.cause),
                        names.join(", ")
                    ));
                }
            }
        }
        self.add("</div>\n<div>\n");
        if finding.evidence.is_empty() {
            self.add("<p class=\"note\">No line of the bundle is cited for this.</p>\n");
        }
        for (at, evidence) in finding.evidence.iter().enumerate() {
            let ticks = view
                .verdict_of(finding.rank)
                .into_iter()
                .flat_map(|verdict| verdict.about(About::Evidence(at)));
            self.add(figure(evidence, view.context_of(evidence), ticks));
        }
        self.add("</div>\n</div>\n");
    }
}
