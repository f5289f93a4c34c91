//! Values below their key: YAML block scalars, values on the next line, strings of several lines.

use super::assign::keeps;
use super::keys::{Key, judge_key};
use super::values::{is_chosen, looks_random};
use std::ops::Range;

/// Most lines of a block.
const MAX_LINES: usize = 64;
/// Longest rest of a line that is looked at behind a keyword, in bytes.
const MAX_REST: usize = 96;

/// How the value begins behind the separator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    /// Nothing: the value is the next line.
    Next,
    /// `|` or `>` of YAML.
    Block,
    /// `"""` or `'''`.
    Quotes(&'static str),
}

/// How a value opens behind the keyword at `at`, when nothing of it stands on the line.
fn opening(text: &str, at: &Range<usize>) -> Option<Opening> {
    let bytes = text.as_bytes();
    let window = &bytes[at.end..bytes.len().min(at.end + MAX_REST)];
    let end = window.iter().position(|byte| *byte == b'\n')?;
    let rest = std::str::from_utf8(&window[..end]).ok()?;
    let rest =
        rest.trim_start_matches(|c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
    let rest = rest.trim_start_matches(['"', '\'', ']', '`']).trim_start();
    let colon = rest.starts_with(':');
    let rest = rest.strip_prefix([':', '='])?.trim();
    match rest {
        "" if colon => Some(Opening::Next),
        "|" | ">" | "|-" | ">-" | "|+" | ">+" | "|2" | "|2-" if colon => Some(Opening::Block),
        "\"\"\"" => Some(Opening::Quotes("\"\"\"")),
        "'''" => Some(Opening::Quotes("'''")),
        _ => None,
    }
}

/// Whether the value of the key at `at` stands on the lines below.
pub(super) fn may_follow(text: &str, at: &Range<usize>) -> bool {
    opening(text, at).is_some()
}

/// Values below the key that the keyword at `at` is in; `report` is called with the byte range of each line.
pub(super) fn find(
    text: &str,
    at: &Range<usize>,
    mut report: impl FnMut(&'static str, Range<usize>),
) {
    let Some(opening) = opening(text, at) else {
        return;
    };
    let line = text[..at.start].rfind('\n').map_or(0, |found| found + 1);
    let below = at.end + text[at.end..].find('\n').map_or(0, |found| found + 1);
    let head = &text[line..at.end];
    let indent = indentation(head);
    let tail: usize = text[at.end..]
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
        .map(char::len_utf8)
        .sum();
    let start = head
        .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')))
        .map_or(line, |found| {
            line + found + head[found..].chars().next().map_or(1, char::len_utf8)
        });
    let key = &text[start..at.end + tail];
    if judge_key(key) == Key::Other {
        return;
    }
    let mut from = below;
    if let Opening::Quotes(mark) = opening {
        for part in text[below..].split_inclusive('\n').take(4) {
            let (value, closed) = match part.find(mark) {
                Some(end) => (&part[..end], true),
                None => (part, false),
            };
            tell(text, from, value.trim(), key, None, &mut report);
            from += part.len();
            if closed {
                return;
            }
        }
        return;
    }
    let most = if opening == Opening::Next {
        1
    } else {
        MAX_LINES
    };
    for part in text[below..].split_inclusive('\n').take(most) {
        let value = part.trim();
        if !value.is_empty() && indentation(part) <= indent {
            return;
        }
        let holds_more = value.contains(": ")
            || value.ends_with(':')
            || value.starts_with(['#', '{', '[', '-'])
            || value.contains(" = ");
        if !value.is_empty() && !holds_more {
            let bare = value.trim_end_matches(',').trim_matches(['"', '\'']);
            let quoted = bare.len() < value.len() || opening == Opening::Block;
            if quoted
                || (!value.contains(['=', ' ', '(']) && (is_chosen(bare) || looks_random(bare)))
            {
                tell(text, from, bare, key, None, &mut report);
            }
        }
        from += part.len();
    }
}

/// Reports `value`, which stands on the line that begins at `from`, if the key makes it a secret.
fn tell(
    text: &str,
    from: usize,
    value: &str,
    key: &str,
    rest: Option<&str>,
    report: &mut impl FnMut(&'static str, Range<usize>),
) {
    if let Some(name) = keeps(key, value, rest)
        && let Some(at) = text[from..].find(value)
    {
        report(name, from + at..from + at + value.len());
    }
}

/// Blanks before the first word; the dash of a list is one.
fn indentation(line: &str) -> usize {
    line.bytes()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'-'))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str, key: &str) -> Vec<String> {
        let at = text.find(key).expect("the key");
        let mut out = Vec::new();
        find(text, &(at..at + key.len()), |_, range| {
            out.push(text[range].to_owned())
        });
        out
    }

    #[test]
    fn values_below_their_key() {
        for (text, value) in [
            (
                "db:\n  password: >-\n    kl4vier-tisch\n  host: x\n",
                "kl4vier-tisch",
            ),
            (
                "api_token: |\n  0f1e2d3c4b5a69788796\nnext: 1\n",
                "0f1e2d3c4b5a69788796",
            ),
            ("password:\n  \"kl4vier tisch\"\n", "kl4vier tisch"),
            ("password = \"\"\"\nkl4vier;tisch\"\"\"\n", "kl4vier;tisch"),
            ("  db_password:\n    kl4vier-tisch\n", "kl4vier-tisch"),
        ] {
            let key = if text.contains("token") {
                "token"
            } else {
                "password"
            };
            assert_eq!(values(text, key), [value], "{text}");
        }
    }

    #[test]
    fn mappings_lists_and_empty_values_are_none() {
        for text in [
            "password:\n  required: true\n",
            "password:\n  - a1b2c3d4\n",
            "password:\nuser: a1b2c3\n",
            "password: |\n  user: x\n",
            "password:\n",
            "passwordFile: |\n  a1b2c3d4\n",
            "password:\n  secretKeyRef\n",
        ] {
            assert!(values(text, "password").is_empty(), "{text}");
        }
    }
}
