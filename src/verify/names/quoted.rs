//! Quotations, and code spans that are commands.

use super::vocabulary::{DEFINED, TERMS, is_terms};
use crate::verify::advice::looks_like_command;

/// The text with code spans that are commands blanked out: what they name is asked of the command.
pub(super) fn without_commands(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('`') {
        let Some(close) = rest[open + 1..].find('`').map(|close| open + 1 + close) else {
            break;
        };
        let code = &rest[open + 1..close];
        out.push_str(&rest[..open]);
        if looks_like_command(code.trim()) {
            out.push_str(" , ");
        } else {
            out.push_str(&rest[open..=close]);
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out
}

/// Texts in quotation marks and backticks that look like something copied, not like irony.
pub(in crate::verify) fn quoted_texts(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for (open, close) in [('"', '"'), ('`', '`'), ('“', '”')] {
        let mut rest = text;
        while let Some(start) = rest.find(open) {
            let inner = &rest[start + open.len_utf8()..];
            let Some(end) = inner.find(close) else { break };
            let quoted = inner[..end].trim();
            if quoted.chars().count() >= 3
                && !quoted.is_empty()
                && !quoted.contains('\n')
                && !is_plain_word(quoted)
            {
                out.push(quoted);
            }
            rest = &inner[end + close.len_utf8()..];
        }
    }
    out
}

/// Words, terms of the field and flags of programs quote nothing of a bundle.
fn is_plain_word(text: &str) -> bool {
    let word = format!(" {} ", text.to_ascii_lowercase());
    text.chars().all(|c| c.is_ascii_lowercase())
        || DEFINED.contains(&word)
        || TERMS.contains(&word)
        || is_terms(text)
        || text.starts_with('-')
            && text[1..].starts_with(|c: char| c == '-' || c.is_ascii_alphabetic())
}
