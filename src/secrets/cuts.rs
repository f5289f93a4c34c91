//! What is left of a known value where a text was cut: titles end in `…`, quotes are as long as a limit allows, and
//! a cut does not know that it goes through a password.

use std::ops::Range;

/// How far from a cut a piece is looked for, in bytes.
const REACH: usize = 2048;
/// The mark of a cut in our own texts.
const CUT: char = '…';

/// The spellings of the known values, sorted so that a beginning or an end of one is found by halving.
#[derive(Default)]
pub(super) struct Cuts {
    /// Spelling and its number, sorted.
    forward: Vec<(Vec<u8>, usize)>,
    /// The same with the bytes in reverse.
    backward: Vec<(Vec<u8>, usize)>,
}

impl Cuts {
    pub(super) fn of<'a>(spellings: impl Iterator<Item = &'a str>) -> Self {
        let mut cuts = Self::default();
        for (nth, spelling) in spellings.enumerate() {
            let bytes = spelling.as_bytes();
            cuts.forward.push((bytes.to_vec(), nth));
            let reversed = bytes.iter().rev().copied().collect();
            cuts.backward.push((reversed, nth));
        }
        cuts.forward.sort_unstable();
        cuts.backward.sort_unstable();
        cuts
    }

    /// The pieces in `text`, each with the number of its spelling: a beginning before a cut, an end after one, or
    /// all that stands between two. Both ends of the text count as cuts.
    pub(super) fn find(&self, text: &str) -> Vec<(Range<usize>, usize)> {
        let mut found = Vec::new();
        if self.forward.is_empty() {
            return found;
        }
        let mut from = 0;
        let ends = text
            .match_indices(CUT)
            .map(|(at, _)| (at, true))
            .chain([(text.len(), false)]);
        let mut marked_before = false;
        for (to, marked) in ends {
            let part = &text[from..to];
            let hits = [
                self.before_cut(part, marked),
                self.after_cut(part, marked_before),
                self.between(part),
            ];
            found.extend(
                hits.into_iter()
                    .flatten()
                    .map(|(range, nth)| (from + range.start..from + range.end, nth)),
            );
            from = to + CUT.len_utf8();
            marked_before = marked;
        }
        found
    }

    /// The longest end of `part` with which a spelling begins.
    fn before_cut(&self, part: &str, marked: bool) -> Option<(Range<usize>, usize)> {
        let first = part.len().saturating_sub(REACH);
        part.char_indices()
            .filter(|(at, _)| *at >= first)
            .take_while(|(at, _)| telling(&part[*at..], marked))
            .filter(|(at, _)| !follows_word(&part[..*at]))
            .find_map(|(at, _)| {
                let nth = longer_with(&self.forward, &part.as_bytes()[at..])?;
                Some((at..part.len(), nth))
            })
    }

    /// The longest beginning of `part` with which a spelling ends.
    fn after_cut(&self, part: &str, marked: bool) -> Option<(Range<usize>, usize)> {
        let reversed: Vec<u8> = part.bytes().take(REACH).rev().collect();
        part.char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .take_while(|end| *end <= reversed.len())
            .filter(|end| telling(&part[..*end], marked) && !leads_word(&part[*end..]))
            .filter_map(|end| {
                let nth = longer_with(&self.backward, &reversed[reversed.len() - end..])?;
                Some((0..end, nth))
            })
            .last()
    }

    /// All of `part` when it comes from the middle of a spelling.
    fn between(&self, part: &str) -> Option<(Range<usize>, usize)> {
        let own = part.len() >= 16
            && !part.contains(char::is_whitespace)
            && part.bytes().any(|byte| byte.is_ascii_digit())
            && part.bytes().any(|byte| byte.is_ascii_alphabetic());
        if !own {
            return None;
        }
        let (_, nth) = self.forward.iter().find(|(spelling, _)| {
            std::str::from_utf8(spelling)
                .is_ok_and(|whole| whole.len() > part.len() && whole.contains(part))
        })?;
        Some((0..part.len(), *nth))
    }
}

/// The number of a spelling that begins with `start` and goes on.
fn longer_with(sorted: &[(Vec<u8>, usize)], start: &[u8]) -> Option<usize> {
    let at = sorted.partition_point(|(spelling, _)| spelling.as_slice() <= start);
    let (spelling, nth) = sorted.get(at)?;
    spelling.starts_with(start).then_some(*nth)
}

/// Whether a piece says enough of its value to be hidden. Where a text merely ends, it may be a word of its own.
fn telling(piece: &str, marked: bool) -> bool {
    let least = if marked {
        4
    } else if piece
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    {
        12
    } else {
        6
    };
    piece.len() >= least
}

fn follows_word(before: &str) -> bool {
    before
        .chars()
        .next_back()
        .is_some_and(char::is_alphanumeric)
}

fn leads_word(after: &str) -> bool {
    after.chars().next().is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [&str; 4] = [
        "Zq8vTr5mB2nLp9YcHd7FsGj4",
        "correct-horse-battery",
        "tisch wolke9 lampe berg7 see",
        "4711-0815-2342-9001-5577",
    ];

    fn pieces(text: &str) -> Vec<&str> {
        let found = Cuts::of(VALUES.into_iter()).find(text);
        found.into_iter().map(|(range, _)| &text[range]).collect()
    }

    #[test]
    fn the_beginning_before_a_cut_and_the_end_after_one() {
        for (text, piece) in [
            ("login Zq8v…", "Zq8v"),
            ("login Zq8vTr", "Zq8vTr"),
            ("login correct-hors", "correct-hors"),
            ("…sGj4 x", "sGj4"),
            ("7FsGj4, and on", "7FsGj4"),
            ("orse-battery at", "orse-battery"),
        ] {
            assert_eq!(pieces(text), [piece], "{text}");
        }
        for text in [
            "login Zq8…",
            "login Zq8vT",
            "login correct-hor",
            "login xZq8vTr5",
            "…Gj4 x",
            "…sGj4x y",
            "FsGj4, and on",
            "7FsGj4x and on",
            "rse-battery at",
            "Zq8vTr5mB2nLp9YcHd7FsGj4",
            "",
        ] {
            assert!(pieces(text).is_empty(), "{text}: {:?}", pieces(text));
        }
    }

    #[test]
    fn the_middle_between_two_cuts_is_long_and_distinct() {
        for (text, piece) in [
            ("…vTr5mB2nLp9YcHd7…", "vTr5mB2nLp9YcHd7"),
            ("vTr5mB2nLp9YcHd7", "vTr5mB2nLp9YcHd7"),
        ] {
            assert_eq!(pieces(text), [piece], "{text}");
        }
        for text in [
            "…vTr5mB2nLp9YcHd…",
            "…orrect-horse-batter…",
            "…isch wolke9 lampe berg7 se…",
            "…711-0815-2342-9001-557…",
            "…vTr5mB2nLp9YcHd8…",
            "… vTr5mB2nLp9YcHd7 …",
        ] {
            assert!(pieces(text).is_empty(), "{text}: {:?}", pieces(text));
        }
    }
}
