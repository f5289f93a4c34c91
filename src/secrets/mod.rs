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
mod dummy;
mod headed;
mod join;
mod keys;
mod learn;
mod manifest;
mod mask;
mod nested;
mod pieces;
mod rules;
mod scan;
mod table;
mod values;

pub use learn::{LearnLimits, Learned};
pub use mask::Masker;
pub use scan::{Hit, Scanner};

/// What every mark begins with.
pub const MARK_OPEN: &str = "‹secret:";
/// What every mark ends with.
pub const MARK_CLOSE: char = '›';

/// The first mark in `text`: its byte range.
pub fn find_mark(text: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find(MARK_OPEN)?;
    let rest = &text[start + MARK_OPEN.len()..];
    let end = rest.find(MARK_CLOSE).filter(|end| *end <= 64)?;
    Some(start..start + MARK_OPEN.len() + end + MARK_CLOSE.len_utf8())
}
