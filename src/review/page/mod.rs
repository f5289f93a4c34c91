//! The page: one HTML document with its style and its script in it, nothing else loaded.
//!
//! The server writes every word, escaped; the script moves between the parts that are there, sends
//! what the person does, and puts answers in as text. It makes no markup.

mod claim;
pub use claim::ticks;
mod dialogs;
mod more;
pub mod state;

use super::desk::Desk;
use super::fold::ClaimState;
use crate::report::escape::{html as esc, html_attribute as attr};
use crate::report::wording as say;
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

const STYLE: &str = concat!(
    include_str!("../../report/report.css"),
    include_str!("review.css")
);
const SCRIPT: &str = include_str!("review.js");

fn source_hash(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
}

/// The value of the `Content-Security-Policy` header: this style and this script, requests to this
/// origin, no markup made by scripts, no frame around it.
pub fn content_security_policy() -> String {
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        source_hash(SCRIPT),
        source_hash(STYLE)
    )
}

/// Hash of exactly the markup that shows a claim.
pub fn shown_hash(desk: &Desk, claim: &ClaimState) -> String {
    hex::encode(Sha256::digest(claim::fragment(desk, claim)))
}

/// The whole document. `sitting` is the id that acts sent from it must carry.
pub fn render(desk: &Desk, sitting: &str) -> String {
    let run = &desk.view().run;
    let title = attr(&format!("Review: {}", run.bundle_name));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"sitting\" content=\"{}\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body class=\"review\">\n\
         <a class=\"skip\" href=\"#main\">Go to the claim</a>\n",
        attr(sitting)
    );
    let hidden = desk.state().is_hidden();
    head(&mut out, desk, hidden);
    out.push_str("<main id=\"main\" class=\"page\" tabindex=\"-1\">\n<noscript><p class=\"alarm\">This page needs its own script to take your decisions. Without one, use: narrowroom review --terminal</p></noscript>\n");
    if hidden {
        dialogs::hypothesis(&mut out);
    } else {
        alarms(&mut out, desk);
        for (at, known) in desk.state().claims.iter().enumerate() {
            claim::panel(&mut out, desk, known, at);
        }
        more::sections(&mut out, desk);
    }
    out.push_str("</main>\n");
    if !hidden {
        toolbar(&mut out);
        dialogs::all(&mut out, desk);
    }
    out.push_str(
        "<p id=\"said\" class=\"said\" role=\"status\" aria-live=\"polite\" hidden></p>\n",
    );
    out.push_str(&format!("<script>{SCRIPT}</script>\n</body>\n</html>\n"));
    out
}

fn head(out: &mut String, desk: &Desk, hidden: bool) {
    let run = &desk.view().run;
    let profile = match run.profile.as_str() {
        "" => "unknown",
        profile => profile,
    };
    out.push_str(&format!(
        "<header class=\"bar\">\n<div class=\"page\">\n<div class=\"top\">\n<strong>{}</strong>\n<span>{} layout, {}, {}</span>\n<span>run <span class=\"mono\">{}</span></span>\n<span class=\"end state\" id=\"standing\"></span>\n</div>\n",
        esc(&run.bundle_name),
        esc(profile),
        say::plural(run.bundle_files, "file", "files"),
        say::size(run.bundle_bytes),
        esc(&run.id),
    ));
    if !hidden {
        out.push_str("<nav aria-label=\"Claims\">\n<ol class=\"steps\">\n");
        for (at, known) in desk.state().claims.iter().enumerate() {
            let name = match known.current().content.finding() {
                Some(_) => format!("{}", at + 1),
                None => "Gaps".to_owned(),
            };
            out.push_str(&format!(
                "<li><button type=\"button\" class=\"step\" data-go=\"{}\"><b>{name}</b> <span class=\"hear\">{}, </span><span class=\"word\">{}</span></button></li>\n",
                attr(&known.id),
                esc(known.current().content.title()),
                known.word()
            ));
        }
        out.push_str("</ol>\n</nav>\n");
    }
    out.push_str("</div>\n</header>\n");
}

fn alarms(out: &mut String, desk: &Desk) {
    let view = desk.view();
    let mut alarm = |id: &str, heading: &str, body: String| {
        out.push_str(&format!("<section class=\"alarm\" aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n{body}</section>\n"));
    };
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
        alarm(
            "alarm-seal",
            say::WEAKER_SEAL,
            format!(
                "<p>{}</p>\n<ul>\n{layers}</ul>\n",
                say::weaker_seal_sentence(&view.seal)
            ),
        );
    }
    let doubts: String = desk
        .doubts()
        .map(|doubt| format!("<li>{}</li>\n", esc(doubt)))
        .collect();
    if !doubts.is_empty() {
        alarm(
            "alarm-doubts",
            "NOBODY VOUCHES FOR THE FILES OF THIS RUN",
            format!("<p>Its attestation does not hold here:</p>\n<ul>\n{doubts}</ul>\n"),
        );
    }
    if view.verdict.rejected {
        alarm(
            "alarm-verdict",
            "THE VERIFIER REJECTED THIS REPORT",
            "<p>It can be rejected and signed as that, not approved.</p>\n".to_owned(),
        );
    }
}

/// Every act as a button, with its key.
fn toolbar(out: &mut String) {
    const GROUPS: [&[(&str, &str, &str, &str)]; 3] = [
        &[("previous", "Previous", "k", ""), ("next", "Next", "j", "")],
        &[
            ("accept", "Accept", "a", "good"),
            ("reject", "Reject", "r", "bad"),
            ("edit", "Edit", "e", ""),
            ("comment", "Comment", "c", ""),
            ("undo", "Undo", "u", ""),
        ],
        &[("help", "Help", "?", ""), ("sign", "Sign", "s", "main")],
    ];
    out.push_str(
        "<div class=\"tools\" role=\"toolbar\" aria-label=\"Review\">\n<div class=\"page\">\n",
    );
    for group in GROUPS {
        out.push_str("<div class=\"group\">\n");
        for (act, label, key, class) in group {
            out.push_str(&format!("<button type=\"button\" class=\"tool {class}\" data-do=\"{act}\" aria-keyshortcuts=\"{key}\">{label} <kbd aria-hidden=\"true\">{key}</kbd></button>\n"));
        }
        out.push_str("</div>\n");
    }
    out.push_str("</div>\n</div>\n");
}
