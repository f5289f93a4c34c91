//! Secrets: finding them and hiding them before text leaves the room.
//!
//! Owns: the rules (the `.toml` files beside this one), [`Scanner`] that finds secrets in text, and [`Masker`] that learns the
//! secret values of a whole bundle and replaces every occurrence, by value, anywhere, with a mark like
//! `‹secret:github-token:1›`. The same value has the same mark. Touches: the unpacked tree, read-only, through
//! [`crate::bundle::Tree`]. No network, no processes, no terminal. Zone: 2 and 3, and zone 0 for `guard`.
//!
//! Nothing here prints a value: the types that hold one have their own `Debug`.

mod above;
mod assign;
#[cfg(test)]
mod cases;
mod check;
mod cuts;
mod dummy;
mod headed;
mod join;
mod keys;
mod learn;
mod manifest;
mod mask;
mod nested;
mod personal;
mod pieces;
mod rules;
mod scan;
mod table;
mod values;

pub use learn::{LearnLimits, Learned};
pub use mask::{Masker, beginning};
pub use personal::Pseudonyms;
pub use scan::{Hit, Scanner};

/// What every mark begins with.
pub const MARK_OPEN: &str = "‹secret:";
/// What every mark ends with.
pub const MARK_CLOSE: char = '›';

/// The first mark in `text`, of a secret or a pseudonym: its byte range. Only what is written as marks are
/// counts: what else stands between such brackets is text, and may itself hold a secret.
pub fn find_mark(text: &str) -> Option<std::ops::Range<usize>> {
    text.match_indices('‹').find_map(|(start, open)| {
        let inside = &text[start + open.len()..];
        let inside = &inside[..inside.find(MARK_CLOSE).filter(|end| *end <= 80)?];
        let (kind, number) = inside.rsplit_once(':')?;
        let counted = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let secret = kind.strip_prefix("secret:").is_some_and(|rule| {
            rule.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        });
        let end = start + open.len() + inside.len() + MARK_CLOSE.len_utf8();
        (secret && (counted || number == "more") || counted && personal::KINDS.contains(&kind))
            .then_some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::find_mark;

    #[test]
    fn only_marks_as_they_are_written_count() {
        let marks = [
            "‹secret:github-token:1›",
            "‹secret:jwt:more›",
            "‹address:12›",
            "‹e-mail:3›",
        ];
        for mark in marks {
            let text = format!("a ‹b› {mark} c");
            assert_eq!(&text[find_mark(&text).unwrap()], mark);
        }
        for other in [
            "‹secret:hunter2›",
            "‹secret:Hunter:2x›",
            "‹address:hunter2›",
            "‹pod:1›",
            "‹secret:a:1",
        ] {
            assert_eq!(find_mark(other), None, "{other}");
        }
    }
}
