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
    /// Nothing behind a sign of source code: the value is the next line if it stands in quotes.
    NextQuoted,
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
        "" | ">" if !colon => Some(Opening::NextQuoted),
        "=" => Some(Opening::NextQuoted),
        "\"\"\"" => Some(Opening::Quotes("\"\"\"")),
        "'''" => Some(Opening::Quotes("'''")),
        _ => (colon && opens_block(rest)).then_some(Opening::Block),
    }
}

/// `|`, `>-`, `|2+` and their like (YAML 1.2.2, section 8.1.1).
fn opens_block(head: &str) -> bool {
    head.strip_prefix(['|', '>']).is_some_and(|marks| {
        marks.len() <= 2
            && marks
                .bytes()
                .all(|b| matches!(b, b'1'..=b'9' | b'+' | b'-'))
    })
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
    let most = match opening {
        Opening::Block => MAX_LINES,
        _ => 1,
    };
    for part in text[below..].split_inclusive('\n').take(most) {
        let value = part.trim();
        if !value.is_empty() && indentation(part) <= indent {
            return;
        }
        let holds_more = value.contains(": ")
            || value.ends_with(':')
            || value.starts_with("# ")
            || value.starts_with("- ")
            || value.contains(" = ");
        if !value.is_empty() && !holds_more {
            let bare = value.trim_end_matches(',');
            let bare = bare
                .strip_suffix("\";")
                .or_else(|| bare.strip_suffix("';"))
                .unwrap_or(bare)
                .trim_matches(['"', '\'']);
            let told = match opening {
                Opening::Block => true,
                Opening::NextQuoted => value.starts_with(['"', '\'']),
                _ => {
                    bare.len() < value.len()
                        || !value.contains(['=', ' ', '('])
                            && (is_chosen(bare) || looks_random(bare))
                }
            };
            if told {
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
            ("password: >2-\n    kl4vier-tisch\n", "kl4vier-tisch"),
            ("password: |\n\n  kl4vier-tisch\n", "kl4vier-tisch"),
            ("password: |-\n  #kl4vier-tisch\n", "#kl4vier-tisch"),
            ("password: |-\n  -kl4vier-tisch\n", "-kl4vier-tisch"),
            ("password:\n  \"kl4vier tisch\"\n", "kl4vier tisch"),
            ("password = \"\"\"\nkl4vier;tisch\"\"\"\n", "kl4vier;tisch"),
            ("password = '''\nkl4vier;tisch'''\n", "kl4vier;tisch"),
            ("  db_password:\n    kl4vier-tisch\n", "kl4vier-tisch"),
            (
                "a:\n      \"password\":\n        \"kl4vier-tisch\",\n",
                "kl4vier-tisch",
            ),
            ("const password =\n  \"kl4vier-tisch\";\n", "kl4vier-tisch"),
            ("password :=\n  'kl4vier-tisch'\n", "kl4vier-tisch"),
            ("if password ==\n  'kl4vier-tisch'\n", "kl4vier-tisch"),
            ("  password =>\n    'kl4vier-tisch',\n", "kl4vier-tisch"),
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
    fn of_a_block_and_of_a_long_string_every_line_and_below_a_key_the_first() {
        let lines = "  kl4vier-tisch\n  wolke883y\n";
        for (head, expected) in [
            ("password: |\n", &["kl4vier-tisch", "wolke883y"][..]),
            ("password = \"\"\"\n", &["kl4vier-tisch", "wolke883y"]),
            ("password:\n", &["kl4vier-tisch"]),
        ] {
            let text = format!("{head}{lines}");
            assert_eq!(values(&text, "password"), expected, "{text}");
        }
        let text = "password = \"\"\"\nkl4vier-tisch\nwolke883y\"\"\"\nuser = 'ada442'\n";
        assert_eq!(values(text, "password"), ["kl4vier-tisch", "wolke883y"]);
    }

    #[test]
    fn mappings_lists_and_empty_values_are_none() {
        for text in [
            "password:\n  required: true\n",
            "password:\n  - a1b2c3d4\n",
            "password:\nuser: a1b2c3\n",
            "password:\nkl4vier-tisch\n",
            "db:\n  password:\n  kl4vier-tisch\n",
            "password: |\nkl4vier-tisch\n",
            "password: |\n  user: x\n",
            "password: |\n  kl4vier:\n",
            "password: |\n  # kl4vier-tisch\n",
            "password: |\n  kl4vier = tisch442\n",
            "password:\n",
            "passwordFile: |\n  a1b2c3d4\n",
            "password:\n  secretKeyRef\n",
            "password =\n  kl4vier-tisch\n",
            "password = |\n  kl4vier-tisch\n",
            "password: |x\n  kl4vier-tisch\n",
            "password: |-2+\n  kl4vier-tisch\n",
            "password: kl4vier-tisch\n  wolke883y\n",
            "  db_password:\n    \"db_password\"\n",
        ] {
            assert!(values(text, "password").is_empty(), "{text}");
        }
    }

    #[test]
    fn the_line_of_a_key_ends_soon_behind_it() {
        for (filler, follows) in [(MAX_REST - 2, true), (MAX_REST - 1, false)] {
            let text = format!("a: password{}:\n", "_".repeat(filler));
            assert_eq!(may_follow(&text, &(3..11)), follows, "{filler}");
        }
        assert!(!may_follow("password: kl4vier\n", &(0..8)));
    }
}
