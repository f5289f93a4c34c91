//! One claim on the page: what is said on the left, the lines that show it on the right.

use super::super::claims::Content;
use super::super::desk::Desk;
use super::super::fold::ClaimState;
use super::super::model::{Check, Judged};
use crate::report::escape::{html as esc, html_attribute as attr, html_line};
use crate::report::html_evidence::figure;
use crate::report::view::{About, Tick, TickStatus};
use crate::report::wording as say;
use crate::report::{Command, CommandClass, Finding, Missing, Outcome};

/// The claim with what was decided about it. Hidden until the script shows one.
pub fn panel(out: &mut String, desk: &Desk, claim: &ClaimState, at: usize) {
    let hidden = if at == 0 { "" } else { " hidden" };
    out.push_str(&format!(
        "<article class=\"panel\" id=\"{id}\" data-version=\"{}\" data-shown=\"{}\" aria-labelledby=\"{id}-title\"{hidden}>\n{}",
        claim.current().number,
        super::shown_hash(desk, claim),
        fragment(desk, claim),
        id = attr(&claim.id),
    ));
    out.push_str("<div class=\"end\" aria-hidden=\"true\"></div>\n<div class=\"verdicts\">\n<p class=\"decision\"></p>\n<ul class=\"comments list\" aria-label=\"Comments\"></ul>\n</div>\n</article>\n");
}

/// Exactly what is shown of a claim; independent of what was decided about it.
pub fn fragment(desk: &Desk, claim: &ClaimState) -> String {
    let mut out = String::new();
    match &claim.current().content {
        Content::Finding(finding) => of_finding(&mut out, desk, claim, finding),
        Content::Missing(missing) => of_gaps(&mut out, desk, claim, missing),
    }
    out
}

/// The checks of the current version: of the report's own, or of the edit.
pub fn ticks(desk: &Desk, claim: &ClaimState) -> Vec<Tick> {
    crate::triage::grouped(every(desk, claim))
}

fn every(desk: &Desk, claim: &ClaimState) -> Vec<Tick> {
    let current = claim.current();
    match (&current.check, current.content.finding()) {
        (Some(check), _) => check.claims.iter().map(crate::triage::tick).collect(),
        (None, Some(finding)) => desk
            .view()
            .verdict_of(finding.rank)
            .map(|verdict| verdict.ticks.clone())
            .unwrap_or_default(),
        (None, None) => desk
            .run()
            .verdict
            .claims
            .iter()
            .filter(|claim| claim.finding.is_none())
            .map(crate::triage::tick)
            .collect(),
    }
}

fn heading(out: &mut String, claim: &ClaimState, kind: &str, title: &str) {
    out.push_str(&format!(
        "<p class=\"kind\">{kind}</p>\n<h1 id=\"{}-title\" tabindex=\"-1\">{}</h1>\n",
        attr(&claim.id),
        esc(title)
    ));
}

fn of_finding(out: &mut String, desk: &Desk, claim: &ClaimState, finding: &Finding) {
    let view = desk.view();
    out.push_str("<div class=\"pair\">\n<div class=\"claim\">\n");
    let kind = match (view.report.outcome, finding.rank) {
        (Outcome::Findings, 1) => "The likely cause",
        (Outcome::Findings, _) => "Also possible",
        _ => "What is visible",
    };
    heading(out, claim, kind, &finding.title);
    if !finding.root_cause.is_empty() && finding.root_cause != finding.title {
        out.push_str(&format!("<p>{}</p>\n", esc(&finding.root_cause)));
    }
    let words = say::confidence_full(finding.confidence);
    let meter = match finding.confidence.is_finite() {
        true => format!(
            "<meter min=\"0\" max=\"1\" value=\"{:.2}\">{words}</meter>",
            finding.confidence.clamp(0.0, 1.0)
        ),
        false => String::new(),
    };
    out.push_str(&format!(
        "<div class=\"sure\">\n<span>{meter}confidence <b>{words}</b></span>\n"
    ));
    if let Some(subject) = say::subject(finding) {
        out.push_str(&format!("<span>affects <b>{}</b></span>\n", esc(&subject)));
    }
    if let Some(verdict) = view.verdict_of(finding.rank) {
        out.push_str(&format!(
            "<span>{}</span>\n",
            esc(&say::share(&verdict.share))
        ));
    }
    out.push_str("</div>\n");
    edited(out, claim);
    let all = ticks(desk, claim);
    out.push_str("<h3>The verifier checked</h3>\n");
    tick_list(
        out,
        all.iter()
            .filter(|tick| !matches!(tick.about, About::Evidence(_) | About::Command(_))),
    );
    commands(out, finding, &all);
    out.push_str("</div>\n<div class=\"proof\">\n");
    if finding.evidence.is_empty() {
        out.push_str("<p class=\"note\">No line of the bundle is cited for this.</p>\n");
    }
    for (at, evidence) in finding.evidence.iter().enumerate() {
        out.push_str(&figure(
            evidence,
            view.context_of(evidence),
            std::iter::empty(),
        ));
        tick_list(
            out,
            all.iter().filter(|tick| tick.about == About::Evidence(at)),
        );
    }
    out.push_str("</div>\n</div>\n");
}

fn of_gaps(out: &mut String, desk: &Desk, claim: &ClaimState, missing: &[Missing]) {
    let view = desk.view();
    out.push_str("<div class=\"pair\">\n<div class=\"claim\">\n");
    let title = match view.report.outcome {
        Outcome::Findings if !view.report.findings.is_empty() => "A cause was found",
        _ => say::outcome(view),
    };
    heading(out, claim, "The outcome and its gaps", title);
    let sentence = say::outcome_sentence(view);
    if !sentence.is_empty() {
        out.push_str(&format!("<p>{}</p>\n", esc(&sentence)));
    }
    edited(out, claim);
    out.push_str("<h3>Missing: what to ask the customer for</h3>\n");
    if missing.is_empty() {
        out.push_str("<p class=\"why\">Nothing is named as missing.</p>\n");
    } else {
        out.push_str("<ul class=\"list\">\n");
        for item in missing {
            let path = item
                .path
                .as_ref()
                .map(|path| format!("<code>{}</code>", esc(path)))
                .unwrap_or_default();
            out.push_str(&format!(
                "<li><b>{}</b><span class=\"why\">{}</span>{path}</li>\n",
                esc(&item.what),
                esc(&item.why)
            ));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("<h3>The verifier checked</h3>\n");
    tick_list(out, ticks(desk, claim).iter());
    out.push_str("</div>\n<div class=\"proof\">\n<h2 class=\"section\">What was not looked at</h2>\n<ul class=\"list\">\n");
    let mut nothing = true;
    for item in &view.report.not_examined {
        nothing = false;
        out.push_str(&format!(
            "<li><b>{}</b><span class=\"why\">{}</span></li>\n",
            esc(&item.what),
            esc(&item.why)
        ));
    }
    for item in &view.skipped {
        nothing = false;
        out.push_str(&format!(
            "<li><b>{}</b><span class=\"why\">not unpacked, {}</span></li>\n",
            esc(&item.name),
            esc(&item.reason.to_string())
        ));
    }
    if nothing {
        out.push_str("<li class=\"why\">Nothing is listed as not looked at.</li>\n");
    }
    out.push_str("</ul>\n");
    if !view.verdict.dropped.is_empty() {
        out.push_str("<h2 class=\"section\">What the verifier did not let through</h2>\n<ul class=\"list\">\n");
        for dropped in &view.verdict.dropped {
            out.push_str(&format!(
                "<li><b>{}</b><span class=\"why\">{}</span></li>\n",
                esc(&dropped.title),
                esc(&dropped.reasons.join("; "))
            ));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</div>\n</div>\n");
}

/// Why there is another version than the report's, what the verifier said, and what it was before.
fn edited(out: &mut String, claim: &ClaimState) {
    let current = claim.current();
    let Some(check) = &current.check else { return };
    let (class, word) = verdict_words(check);
    out.push_str(&format!(
        "<div class=\"edited {class}\">\n<p><b>Version {}, edited by a person.</b> {word}</p>\n<p class=\"why\">Reason: {}</p>\n",
        current.number,
        esc(&current.reason)
    ));
    if let Some(before) = claim.versions.first() {
        out.push_str("<details>\n<summary>What the report said</summary>\n");
        match &before.content {
            Content::Finding(finding) => out.push_str(&format!(
                "<p><b>{}</b></p>\n<p>{}</p>\n<p class=\"why\">{}, {}</p>\n",
                esc(&finding.title),
                esc(&finding.root_cause),
                say::plural(finding.evidence.len() as u64, "citation", "citations"),
                say::plural(finding.commands.len() as u64, "command", "commands"),
            )),
            Content::Missing(items) => {
                out.push_str("<ul class=\"list\">\n");
                for item in items {
                    out.push_str(&format!("<li>{}</li>\n", esc(&item.what)));
                }
                out.push_str("</ul>\n");
            }
        }
        out.push_str("</details>\n");
    }
    out.push_str("</div>\n");
}

/// What the verifier said of an edit: a class for the style, a sentence for the reader.
pub fn verdict_words(check: &Check) -> (&'static str, String) {
    match check.judged {
        Judged::Verified => ("good", "The verifier let it through.".to_owned()),
        Judged::Failed => (
            "bad",
            "The verifier refused it: see below, then edit again or undo.".to_owned(),
        ),
        Judged::NotVerified => (
            "warn",
            format!(
                "It is not verified, {}; approval stays closed. Start the review with --bundle FILE, or undo.",
                esc(&check.why)
            ),
        ),
    }
}

fn commands(out: &mut String, finding: &Finding, all: &[Tick]) {
    if finding.commands.is_empty() {
        return;
    }
    out.push_str("<h3>Run next</h3>\n<ol class=\"commands\">\n");
    for (at, command) in finding.commands.iter().enumerate() {
        out.push_str(&format!(
            "<li><pre>{}</pre><p><span class=\"class {}\">{}</span> <span class=\"why\">{}</span></p>\n",
            html_line(&command.command),
            class_style(command),
            say::class(command.class),
            esc(&command.why)
        ));
        tick_list(
            out,
            all.iter().filter(|tick| tick.about == About::Command(at)),
        );
        out.push_str("</li>\n");
    }
    out.push_str("</ol>\n");
}

fn class_style(command: &Command) -> &'static str {
    match command.class {
        Some(CommandClass::ReadOnly) => "good",
        Some(CommandClass::Destructive) => "bad",
        _ => "",
    }
}

/// Checks with rule and reason, all of them in words.
fn tick_list<'a>(out: &mut String, ticks: impl Iterator<Item = &'a Tick>) {
    let mut any = false;
    for tick in ticks {
        if !any {
            out.push_str("<ul class=\"ticks\">\n");
            any = true;
        }
        let class = match tick.status {
            TickStatus::Ok => "ok",
            TickStatus::Flagged => "flagged",
            TickStatus::Dropped => "dropped",
            TickStatus::Rejected => "rejected",
        };
        // That it holds is told by its mark; the word is for those who hear the page.
        let word = match tick.status {
            TickStatus::Ok => format!(
                "<span class=\"hear\">{}: </span>",
                say::tick_word(tick.status)
            ),
            status => format!("{}: ", say::tick_word(status)),
        };
        out.push_str(&format!(
            "<li class=\"{class}\"><span aria-hidden=\"true\">{}</span><span><b class=\"rule\">{}</b> {}: <span class=\"why\">{word}{}</span></span></li>\n",
            say::tick(tick.status),
            esc(&tick.rule),
            esc(&tick.what),
            esc(&tick.reason),
        ));
    }
    if any {
        out.push_str("</ul>\n");
    }
}
