//! SQL without what is no statement in it: comments and the content of quoted text.

/// How a database reads what is neither a statement nor a name.
#[derive(Clone, Copy)]
pub(super) struct Dialect {
    /// Whether a backslash escapes a quotation mark in a text.
    backslash: bool,
    /// Whether `#` begins a comment, and `--` only with a blank behind it.
    hash: bool,
    /// Whether `[…]` quotes a name.
    brackets: bool,
}

/// Standard SQL, MySQL, SQL Server.
pub(super) const DIALECTS: [Dialect; 3] = [
    Dialect {
        backslash: false,
        hash: false,
        brackets: false,
    },
    Dialect {
        backslash: true,
        hash: true,
        brackets: false,
    },
    Dialect {
        backslash: false,
        hash: false,
        brackets: true,
    },
];

/// Blanks out comments and the content of quoted text, keeping statement marks inside them out of sight.
pub(super) fn without_text_and_comments(text: &str, dialect: Dialect) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    loop {
        let rest = chars.as_str();
        let Some(c) = chars.next() else {
            return out;
        };
        let next = chars.clone().next();
        match c {
            '\'' | '"' | '`' | '[' if c != '[' || dialect.brackets => {
                let close = if c == '[' { ']' } else { c };
                out.push(c);
                while let Some(inner) = chars.next() {
                    if inner == '\\' && c != '`' && dialect.backslash {
                        chars.next();
                    } else if inner == close {
                        break;
                    }
                }
                // An identifier keeps its place as one word.
                out.push('q');
                out.push(close);
            }
            '$' if !dialect.hash && dollar_tag(rest).is_some() => {
                // Between two such tags is code more often than text: it stays, without what would begin a text in it.
                let tag = dollar_tag(rest).unwrap_or_default();
                let inner = &rest[tag.len()..];
                let (inner, after) = inner.split_once(tag).unwrap_or((inner, ""));
                out.push_str(tag);
                out.extend(inner.chars().filter(|c| !matches!(c, '\'' | '"' | '`')));
                out.push_str(tag);
                chars = after.chars();
            }
            '#' if dialect.hash => skip_line(&mut chars),
            '-' if next == Some('-') => {
                let comment = !dialect.hash
                    || rest[2..].chars().next().is_none_or(char::is_whitespace)
                    || out.trim_end().is_empty()
                    || out.trim_end().ends_with(';');
                if comment {
                    skip_line(&mut chars);
                } else {
                    out.push(c);
                }
            }
            '/' if next == Some('*') => {
                chars.next();
                let inner = chars.as_str();
                // MySQL runs the content of /*! … */.
                if dialect.hash
                    && let Some(run) = inner.strip_prefix('!').or_else(|| inner.strip_prefix("M!"))
                {
                    chars = run.trim_start_matches(|c: char| c.is_ascii_digit()).chars();
                    continue;
                }
                chars = after_comment(inner, !dialect.hash).chars();
                out.push(' ');
            }
            '*' if next == Some('/') => {
                chars.next();
            }
            _ => out.push(c),
        }
    }
}

/// `$$` or `$name$` at the beginning of `text`.
fn dollar_tag(text: &str) -> Option<&str> {
    let name = text[1..].find('$')?;
    let tag = &text[..name + 2];
    let name = &tag[1..=name];
    let valid = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    valid.then_some(tag)
}

fn skip_line(chars: &mut std::str::Chars<'_>) {
    let rest = chars.as_str();
    *chars = rest.find('\n').map_or("", |at| &rest[at..]).chars();
}

/// What stands behind a comment whose opening is taken off; `nested` if comments hold comments.
fn after_comment(text: &str, nested: bool) -> &str {
    let (mut depth, mut at) = (1, 0);
    while depth > 0 {
        let rest = &text[at..];
        let close = rest.find("*/");
        match rest.find("/*").filter(|_| nested) {
            Some(open) if close.is_none_or(|close| open < close) => {
                depth += 1;
                at += open + 2;
            }
            _ => {
                let Some(close) = close else { return "" };
                depth -= 1;
                at += close + 2;
            }
        }
    }
    &text[at..]
}
