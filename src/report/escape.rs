//! Making text of a bundle harmless for the place where it is shown: one function per place.
//!
//! Control characters, escape sequences, bidirectional and invisible characters are shown as
//! `\u{1b}`, never sent. A backslash of the text that would look like such an escape is doubled, so
//! what is read is unambiguous. JSON is escaped by `serde_json` and needs nothing from here.
//!
//! | place | function | newlines |
//! |---|---|---|
//! | terminal, one line | [`terminal`] | shown as `\u{a}` |
//! | HTML text | [`html`], [`html_line`] | kept; shown as `\u{a}` by the second |
//! | HTML attribute value | [`html_attribute`] | shown as `\u{a}` |
//! | Markdown running text | [`markdown`] | become one space |
//! | Markdown code span | [`markdown_code`] | shown as `\u{a}` |
//! | Markdown code block | [`markdown_block`] | kept |

use crate::bundle::path::is_invisible;
use unicode_width::UnicodeWidthChar;

/// Most combining marks kept on one character; more are shown as escapes (stacked marks overprint
/// the lines around them).
const MAX_COMBINING: usize = 2;

/// A character as it may be shown.
#[derive(Clone, Copy)]
enum Shown {
    /// Harmless: sent as it is.
    Plain(char),
    /// Shown by its number.
    Escaped(char),
    /// A backslash that must not look like the start of an escape.
    Backslash,
}

/// Walks `text` and says of each character how it may be shown. Newlines and tabs are `Plain`.
fn shown(text: &str) -> impl Iterator<Item = Shown> + '_ {
    let mut combining = 0;
    text.char_indices().map(move |(at, c)| {
        if c == '\n' || c == '\t' {
            combining = 0;
            return Shown::Plain(c);
        }
        if c == '\\' {
            combining = 0;
            let escape_like = text[at + 1..].starts_with("u{");
            return if escape_like {
                Shown::Backslash
            } else {
                Shown::Plain(c)
            };
        }
        if is_hidden(c) {
            return Shown::Escaped(c);
        }
        if c.width() == Some(0) {
            combining += 1;
            return if combining > MAX_COMBINING {
                Shown::Escaped(c)
            } else {
                Shown::Plain(c)
            };
        }
        combining = 0;
        Shown::Plain(c)
    })
}

/// Characters that are never sent: they move the cursor, hide, reorder or break lines unseen.
pub fn is_hidden(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || is_invisible(c)
        || matches!(c,
            '\u{2028}' | '\u{2029}' | '\u{2800}' | '\u{FFFE}' | '\u{FFFF}'
            | '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFF}')
}

fn push_escape(out: &mut String, c: char) {
    out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
}

/// One line for a terminal: newlines become `\u{a}`, tabs four spaces.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in shown(text) {
        match piece {
            Shown::Plain('\n') => push_escape(&mut out, '\n'),
            Shown::Plain('\t') => out.push_str("    "),
            Shown::Plain(c) => out.push(c),
            Shown::Escaped(c) => push_escape(&mut out, c),
            Shown::Backslash => out.push_str("\\\\"),
        }
    }
    out
}

fn push_html(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => out.push(c),
    }
}

/// Text between HTML tags. Escapes are wrapped in `<span class="esc">`, so a reader can tell them
/// from the same characters written out in the bundle.
pub fn html(text: &str) -> String {
    html_text(text, true)
}

/// Text between HTML tags that must stay on one line, such as a command: a newline is shown as `\u{a}`.
pub fn html_line(text: &str) -> String {
    html_text(text, false)
}

fn html_text(text: &str, keep_newlines: bool) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for piece in shown(text) {
        match piece {
            Shown::Plain(c) if c != '\n' || keep_newlines => push_html(&mut out, c),
            Shown::Plain(c) | Shown::Escaped(c) => {
                out.push_str("<span class=\"esc\">");
                push_escape(&mut out, c);
                out.push_str("</span>");
            }
            Shown::Backslash => out.push_str("\\\\"),
        }
    }
    out
}

/// A value between the double quotes of an HTML attribute.
pub fn html_attribute(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in shown(text) {
        match piece {
            Shown::Plain('\n') => push_escape(&mut out, '\n'),
            Shown::Plain(c) => push_html(&mut out, c),
            Shown::Escaped(c) => push_escape(&mut out, c),
            Shown::Backslash => out.push_str("\\\\"),
        }
    }
    out
}

/// Running Markdown text. Words that a renderer could turn into a link, a mention, a reference,
/// emphasis, a table or HTML become code spans; the rest stays readable as it is.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        if is_plain_word(word) {
            push_plain_word(&mut out, word);
        } else {
            // Punctuation of the sentence stays outside of the span.
            let core = word.trim_end_matches([',', '.', ';', ':']);
            let core = if core.is_empty() { word } else { core };
            out.push_str(&markdown_code(core));
            out.push_str(&word[core.len()..]);
        }
    }
    out
}

/// Whether no Markdown dialect gives the word a meaning of its own.
fn is_plain_word(word: &str) -> bool {
    let safe = |c: char| {
        (c.is_alphanumeric() && !is_hidden(c))
            || matches!(
                c,
                ',' | '.' | ';' | ':' | '/' | '(' | ')' | '%' | '?' | '-' | '=' | '+' | '\'' | '"'
            )
    };
    if !word.chars().all(safe) || word.contains("//") || word.contains("--") {
        return false;
    }
    // "host.name", ":emoji:" and the like: a mark between two letters or at the front.
    let chars: Vec<char> = word.chars().collect();
    let dotted = chars
        .windows(3)
        .any(|w| w[1] == '.' && w[0].is_alphanumeric() && w[2].is_alphabetic());
    !dotted && !word.starts_with(':')
}

/// A leading sign or a "1." would start a list at the start of a line.
fn push_plain_word(out: &mut String, word: &str) {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    match word.as_bytes().get(digits) {
        Some(b'-' | b'+' | b'=') if digits == 0 => {
            out.push('\\');
            out.push_str(word);
        }
        Some(b'.' | b')') if digits > 0 && word.len() == digits + 1 => {
            out.push_str(&word[..digits]);
            out.push('\\');
            out.push_str(&word[digits..]);
        }
        _ => out.push_str(word),
    }
}

/// Longest run of backticks in `text`.
fn longest_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A Markdown code span, its fence longer than any run of backticks inside. Not for table cells: a
/// `|` would still split one.
pub fn markdown_code(text: &str) -> String {
    let body = terminal(text);
    let fence = "`".repeat(longest_backticks(&body) + 1);
    let pad = body.is_empty() || body.starts_with(['`', ' ']) || body.ends_with(['`', ' ']);
    let pad = if pad { " " } else { "" };
    format!("{fence}{pad}{body}{pad}{fence}")
}

/// A fenced Markdown code block, its fence longer than any run of backticks inside.
pub fn markdown_block(text: &str) -> String {
    let body: Vec<String> = text
        .split('\n')
        .map(|line| terminal(line.strip_suffix('\r').unwrap_or(line)))
        .collect();
    let body = body.join("\n");
    let fence = "`".repeat(longest_backticks(&body).max(2) + 1);
    format!("{fence}text\n{body}\n{fence}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_terminal_gets_no_sequence_and_no_ambiguity() {
        assert_eq!(terminal("a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(
            terminal("\u{202e}gpj.exe\u{2066}"),
            "\\u{202e}gpj.exe\\u{2066}"
        );
        assert_eq!(terminal("one\ntwo\ttabs\r"), "one\\u{a}two    tabs\\u{d}");
        assert_eq!(terminal("C:\\users \\u{1b}"), "C:\\users \\\\u{1b}");
        assert_eq!(
            terminal("\u{9b}31m \u{85} \u{2028}"),
            "\\u{9b}31m \\u{85} \\u{2028}"
        );
        assert_eq!(terminal("日本 é e\u{301}"), "日本 é e\u{301}");
        assert_eq!(
            terminal("e\u{301}\u{301}\u{301}"),
            "e\u{301}\u{301}\\u{301}"
        );
    }

    #[test]
    fn html_cannot_leave_its_place() {
        assert_eq!(
            html("<a href='x'>&\"</a>"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;"
        );
        assert_eq!(html("\0"), "<span class=\"esc\">\\u{0}</span>");
        assert_eq!(
            html_attribute("\" onload=\u{202e}\n"),
            "&quot; onload=\\u{202e}\\u{a}"
        );
    }

    #[test]
    fn markdown_keeps_plain_words_and_fences_the_rest() {
        assert_eq!(
            markdown("pod shop/cart is OOM-killed (exit 137)."),
            "pod shop/cart is OOM-killed (exit 137)."
        );
        assert_eq!(
            markdown("ask @all at https://x.example, or *now*"),
            "ask `@all` at `https://x.example`, or `*now*`"
        );
        assert_eq!(markdown("- item"), "\\- item");
        assert_eq!(markdown("1. item"), "1\\. item");
        assert_eq!(markdown("# a\n## b | c"), "`#` a `##` b `|` c");
        assert_eq!(markdown_code("a``b`"), "``` a``b` ```");
        assert_eq!(
            markdown_block("x\n````\ny"),
            "`````text\nx\n````\ny\n`````\n"
        );
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(text in "\\PC*|[\\x00-\\x1f\\x7f-\\x9f<>&\"'`\u{200b}-\u{202f}\u{2060}-\u{206f}\\\\u{}a\u{301}]*") {
            for out in [terminal(&text), html(&text), html_line(&text), html_attribute(&text), markdown(&text), markdown_code(&text), markdown_block(&text)] {
                prop_assert!(!out.chars().any(is_hidden), "{out:?}");
            }
            prop_assert!(!terminal(&text).contains(['\n', '\t']));
            prop_assert!(!markdown(&text).contains('\n'));
            let bare = html(&text).replace("<span class=\"esc\">", "").replace("</span>", "");
            prop_assert!(!bare.contains(['<', '>', '"', '\'']));
            prop_assert!(!html_attribute(&text).contains(['<', '>', '"', '\'', '\n']));
        }
    }
}
