//! Where the person writes: reasons, edits, comments, the hypothesis, the sign-off.

use super::super::claims::Content;
use super::super::desk::{Desk, MAX_WORDS};
use crate::report::escape::{html as esc, html_attribute as attr};

/// The form before the findings, when the reviewer writes what they believe first.
pub fn hypothesis(out: &mut String) {
    out.push_str(&format!(
        "<form class=\"first\" id=\"hypothesis\">\n<h1>What do you believe is the cause?</h1>\n\
         <p class=\"why\">Write it before you see the findings. Both are kept, and at the sign-off you say whether they agree.</p>\n\
         <label for=\"hypothesis-text\">Your hypothesis</label>\n\
         <textarea id=\"hypothesis-text\" rows=\"5\" maxlength=\"{MAX_WORDS}\" required></textarea>\n\
         <p class=\"buttons\"><button type=\"submit\" class=\"tool main\">Show the findings</button></p>\n</form>\n"
    ));
}

pub fn all(out: &mut String, desk: &Desk) {
    dialog(
        out,
        "reject",
        "Reject this claim",
        &format!(
            "<label for=\"reject-reason\">Why? (needed)</label>\n<textarea id=\"reject-reason\" rows=\"3\" maxlength=\"{MAX_WORDS}\"></textarea>\n"
        ),
        "<button type=\"submit\" class=\"tool bad\">Reject</button>\n",
    );
    dialog(
        out,
        "comment",
        "Comment on this claim",
        &format!(
            "<label for=\"comment-text\">Comment</label>\n<textarea id=\"comment-text\" rows=\"3\" maxlength=\"{MAX_WORDS}\"></textarea>\n"
        ),
        "<button type=\"submit\" class=\"tool main\">Keep the comment</button>\n",
    );
    for claim in &desk.state().claims {
        edit(
            out,
            &claim.id,
            &claim.current().content,
            desk.opening().bundle.is_some(),
        );
    }
    help(out);
    sign(out, desk);
    out.push_str(
        "<dialog id=\"dialog-signed\" aria-labelledby=\"signed-title\">\n<div class=\"box\">\n<h2 id=\"signed-title\" tabindex=\"-1\">Signed</h2>\n<p id=\"signed-words\"></p>\n<dl class=\"facts\" id=\"signed-facts\"></dl>\n<div id=\"reply\" hidden>\n<h3>Draft of the reply to the customer</h3>\n<p class=\"why\">Nothing was sent. Copy it, read it, change it as you like.</p>\n<pre class=\"raw\" id=\"reply-text\" tabindex=\"0\"></pre>\n<p class=\"buttons\"><button type=\"button\" class=\"tool\" id=\"reply-copy\">Copy</button></p>\n</div>\n<p class=\"why\">The review has ended and this page is no longer served. You can close the window.</p>\n</div>\n</dialog>\n",
    );
}

fn dialog(out: &mut String, id: &str, title: &str, body: &str, button: &str) {
    out.push_str(&format!(
        "<dialog id=\"dialog-{id}\" aria-labelledby=\"{id}-title\">\n<form class=\"box\" data-form=\"{id}\">\n<h2 id=\"{id}-title\">{title}</h2>\n{body}<p class=\"wrong\" role=\"alert\" hidden></p>\n<p class=\"buttons\">{button}<button type=\"button\" class=\"tool\" data-close>Cancel</button></p>\n</form>\n</dialog>\n"
    ));
}

fn edit(out: &mut String, id: &str, content: &Content, bundle: bool) {
    let name = attr(id);
    let mut body = String::new();
    match content {
        Content::Finding(finding) => {
            body.push_str(&format!(
                "<label for=\"{name}-e-title\">Title</label>\n<input id=\"{name}-e-title\" data-field=\"title\" maxlength=\"2000\" value=\"{}\">\n\
                 <label for=\"{name}-e-cause\">Statement</label>\n<textarea id=\"{name}-e-cause\" data-field=\"root_cause\" rows=\"3\" maxlength=\"2000\">{}</textarea>\n",
                attr(&finding.title),
                plain(&finding.root_cause)
            ));
            body.push_str("<fieldset>\n<legend>Evidence that stays</legend>\n");
            for (at, evidence) in finding.evidence.iter().enumerate() {
                body.push_str(&format!(
                    "<label class=\"check\"><input type=\"checkbox\" data-evidence=\"{at}\" checked> <code>{}:{}</code></label>\n",
                    esc(&evidence.path),
                    evidence.line_start
                ));
            }
            body.push_str("</fieldset>\n<fieldset>\n<legend>Commands <span class=\"why\">(an empty one is left out)</span></legend>\n");
            let rows = finding
                .commands
                .iter()
                .map(|command| (command.command.as_str(), command.why.as_str()))
                .chain([("", "")]);
            for (at, (command, why)) in rows.enumerate() {
                let n = at + 1;
                body.push_str(&format!(
                    "<div class=\"two\" data-row><input data-part=\"command\" aria-label=\"Command {n}\" class=\"mono\" maxlength=\"2000\" value=\"{}\"><input data-part=\"why\" aria-label=\"Purpose of command {n}\" maxlength=\"2000\" value=\"{}\"></div>\n",
                    attr(command),
                    attr(why)
                ));
            }
            body.push_str("</fieldset>\n");
        }
        Content::Missing(items) => {
            body.push_str("<fieldset>\n<legend>What to ask for, and why <span class=\"why\">(an empty one is left out)</span></legend>\n");
            let rows = items
                .iter()
                .map(|item| (item.what.as_str(), item.why.as_str()))
                .chain([("", "")]);
            for (at, (what, why)) in rows.enumerate() {
                let n = at + 1;
                body.push_str(&format!(
                    "<div class=\"two\" data-row><input data-part=\"what\" aria-label=\"Item {n}\" maxlength=\"2000\" value=\"{}\"><input data-part=\"why\" aria-label=\"Why item {n} is asked for\" maxlength=\"2000\" value=\"{}\"></div>\n",
                    attr(what),
                    attr(why)
                ));
            }
            body.push_str("</fieldset>\n");
        }
    }
    let after = match bundle {
        true => {
            "The new version goes through the verifier in a sealed process of its own; that takes a moment."
        }
        false => {
            "The bundle is not at hand: the new version is kept as not verified, and approval stays closed until the review is started with --bundle FILE."
        }
    };
    body.push_str(&format!(
        "<label for=\"{name}-e-reason\">Why? (needed)</label>\n<textarea id=\"{name}-e-reason\" data-field=\"reason\" rows=\"2\" maxlength=\"{MAX_WORDS}\"></textarea>\n<p class=\"why\">{after}</p>\n"
    ));
    dialog(
        out,
        &format!("edit-{name}"),
        "Edit this claim",
        &body,
        "<button type=\"submit\" class=\"tool main\">Make a new version</button>\n",
    );
}

fn help(out: &mut String) {
    const KEYS: [(&str, &str); 9] = [
        ("j  n  →", "next claim"),
        ("k  p  ←", "previous claim"),
        ("a", "accept: the lines show it"),
        ("r", "reject, with a reason"),
        ("e", "edit, with a reason: a new version, verified again"),
        ("c", "comment"),
        ("u", "undo the last decision, edit or comment"),
        ("s", "sign: approve or reject the report"),
        ("?", "this help"),
    ];
    let rows: String = KEYS
        .iter()
        .map(|(key, what)| format!("<dt><kbd>{key}</kbd></dt><dd>{what}</dd>\n"))
        .collect();
    dialog(
        out,
        "help",
        "How to review",
        &format!(
            "<p>Read each claim and the marked lines beside it to the end, then decide. Approval opens when every claim was seen and decided. A rejected claim does not go to the customer. Everything you do is kept, and an undone decision stays in the history.</p>\n<dl class=\"keys\">\n{rows}</dl>\n<label class=\"check\"><input type=\"checkbox\" id=\"keys-on\" checked> Single keys act as above</label>\n"
        ),
        "",
    );
}

fn sign(out: &mut String, desk: &Desk) {
    let agreement = match &desk.state().hypothesis {
        None => String::new(),
        Some(text) => format!(
            "<fieldset id=\"agreement\">\n<legend>You believed before: <q>{}</q><br>Does the report agree?</legend>\n\
             <label class=\"check\"><input type=\"radio\" name=\"agreement\" value=\"yes\"> Yes</label>\n\
             <label class=\"check\"><input type=\"radio\" name=\"agreement\" value=\"partly\"> In part</label>\n\
             <label class=\"check\"><input type=\"radio\" name=\"agreement\" value=\"no\"> No</label>\n</fieldset>\n",
            esc(text)
        ),
    };
    let body = format!(
        "<ul class=\"list\" id=\"sign-claims\" aria-label=\"What was decided\"></ul>\n<div id=\"closed\" class=\"edited warn\" hidden><p><b>Approval is not open:</b></p><ul id=\"closed-why\"></ul></div>\n{agreement}\
         <label for=\"sign-name\">Your name</label>\n<input id=\"sign-name\" autocomplete=\"name\" maxlength=\"120\" value=\"{}\">\n\
         <label for=\"sign-note\">Note <span class=\"why\">(the reason, when you reject)</span></label>\n<textarea id=\"sign-note\" rows=\"2\" maxlength=\"{MAX_WORDS}\"></textarea>\n\
         <p class=\"why\">You sign the files of the run and exactly what was shown here, with your key. Nothing is sent anywhere.</p>\n",
        attr(desk.opening().name.as_deref().unwrap_or(""))
    );
    dialog(
        out,
        "sign",
        "Sign",
        &body,
        "<button type=\"submit\" class=\"tool good\" value=\"approve\">Approve and sign</button>\n<button type=\"submit\" class=\"tool bad\" value=\"reject-report\">Reject the report</button>\n",
    );
}

/// Text of a textarea: it cannot hold markup, so what is hidden is written out in plain.
fn plain(text: &str) -> String {
    attr(text)
}
