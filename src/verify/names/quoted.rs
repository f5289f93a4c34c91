//! Quotations, and code spans that are commands.

use super::vocabulary::is_terms;
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
    text.chars().all(|c| c.is_ascii_lowercase())
        || is_terms(text)
        || text.starts_with('-')
            && text[1..].starts_with(|c: char| c == '-' || c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_is_a_command_is_taken_out_and_other_code_stays() {
        for (text, left) in [
            ("run `df -h /var` and see", "run  ,  and see"),
            ("the pod `web-5f` and `df -h`", "the pod `web-5f` and  , "),
            ("no code", "no code"),
            ("an `open one", "an `open one"),
            ("a `b` c `d", "a `b` c `d"),
        ] {
            assert_eq!(without_commands(text), left, "{text}");
        }
    }

    #[test]
    fn what_is_quoted_is_copied_unless_it_is_a_word_or_a_term() {
        for (text, quoted) in [
            ("it says \"no space left\" twice", vec!["no space left"]),
            (
                "it says “no space left”, `web-5f` and \"Disk X\"",
                vec!["Disk X", "web-5f", "no space left"],
            ),
            ("a \" web-5f \" b", vec!["web-5f"]),
            ("the \"pending\" pods", vec![]),
            ("the \"CrashLoopBackOff\" pods", vec![]),
            ("the \"restartPolicy: Always\" of it", vec![]),
            ("the \"--force\" and \"-f\" flags", vec![]),
            ("the \"-x y\" flag", vec![]),
            ("a \"-5 MB\" entry", vec!["-5 MB"]),
            ("\"A1\" is too short and \"A1b\" is not", vec!["A1b"]),
            ("\"ÄÖ\" is too short and \"ÄÖÜ\" is not", vec!["ÄÖÜ"]),
            ("\"two\nlines\" are none", vec![]),
            ("an \"open One", vec![]),
            ("\"  \"", vec![]),
        ] {
            assert_eq!(quoted_texts(text), quoted, "{text}");
        }
    }
}
