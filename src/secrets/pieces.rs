//! The part of a text that a keyword calls for: its line, several lines, or a piece of a very long line.

use std::collections::BTreeMap;
use std::ops::Range;

/// Lines longer than this, in bytes, are looked at in pieces around each keyword.
const MAX_LINE_BYTES: usize = 8 << 10;
/// How far before and after a block a piece reaches, in bytes.
const PIECE_BEFORE: usize = 512;
const PIECE_AFTER: usize = 4 << 10;
/// Length of a block of a very long line, in bytes.
const BLOCK_BYTES: usize = 2 << 10;

/// The parts of a text that keywords call for.
pub(super) struct Pieces<'t> {
    text: &'t str,
    /// By the number of lines asked for the last piece out of the middle of a very long line, and its block. All keywords
    /// of a block have the same one, and looking for the ends of such a line again for each would take long.
    last: BTreeMap<usize, (usize, Range<usize>)>,
}

impl<'t> Pieces<'t> {
    /// The parts of `text`.
    pub fn new(text: &'t str) -> Self {
        Self {
            text,
            last: BTreeMap::new(),
        }
    }

    /// The line of `at`, or several around it, or a piece of a very long line; on character boundaries.
    pub fn around(&mut self, at: Range<usize>, lines: usize) -> Range<usize> {
        let (text, bytes) = (self.text, self.text.as_bytes());
        // In a very long line the keywords of one block share a piece, so that each is searched once.
        let block = at.start / BLOCK_BYTES * BLOCK_BYTES;
        if let Some((of, piece)) = self.last.get(&lines)
            && *of == block
            && piece.end >= at.end
        {
            return piece.clone();
        }
        let low = at.start.saturating_sub(MAX_LINE_BYTES);
        let high = (at.end + MAX_LINE_BYTES).min(bytes.len());
        let (mut start, mut left, mut cut) = (at.start, 1, false);
        loop {
            let Some(found) = bytes[low..start].iter().rposition(|byte| *byte == b'\n') else {
                cut = low > 0;
                start = if cut {
                    block.saturating_sub(PIECE_BEFORE)
                } else {
                    0
                };
                break;
            };
            start = low + found;
            if left >= lines.div_ceil(2) {
                start += 1;
                break;
            }
            left += 1;
        }
        let (mut end, mut right) = (at.end, 1);
        loop {
            let Some(found) = bytes[end.min(high)..high]
                .iter()
                .position(|byte| *byte == b'\n')
            else {
                end = if high == bytes.len() {
                    high
                } else {
                    (block + BLOCK_BYTES + PIECE_AFTER).clamp(at.end, high)
                };
                break;
            };
            cut = false;
            end += found;
            if right >= lines {
                break;
            }
            right += 1;
            end += 1;
        }
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        if cut {
            self.last.insert(lines, (block, start..end));
        }
        start..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keywords_of_one_block_share_their_piece() {
        let text = format!("a\n{}\nb", "password=".repeat(20_000));
        let mut pieces = Pieces::new(&text);
        let mut distinct = HashSet::new();
        for at in (0..20_000).map(|at| 2 + at * 9) {
            let piece = pieces.around(at..at + 8, 1);
            assert!(piece.start <= at && piece.end >= at + 8);
            assert!(piece.start <= at.saturating_sub(PIECE_BEFORE).max(2));
            assert!(piece.end >= (at + PIECE_AFTER).min(text.len() - 2));
            assert!(piece.len() < 2 * MAX_LINE_BYTES);
            distinct.insert((piece.start, piece.end));
        }
        assert!(distinct.len() < 5_000, "{}", distinct.len());
    }

    #[test]
    fn lines_asked_for_go_on_below_the_keyword_and_half_as_far_above() {
        let text = "one\ntwo\nthree\nfour\nfive\nsix";
        let at = text.find("three").expect("a line");
        for (lines, expected) in [
            (1, "three"),
            (2, "three\nfour"),
            (3, "two\nthree\nfour\nfive"),
            (4, "two\nthree\nfour\nfive\nsix"),
            (5, text),
        ] {
            let piece = Pieces::new(text).around(at..at + 5, lines);
            assert_eq!(&text[piece], expected, "{lines}");
        }
    }

    #[test]
    fn the_beginning_of_a_very_long_line_belongs_to_its_first_pieces() {
        let text = "x".repeat(4 * MAX_LINE_BYTES);
        let mut pieces = Pieces::new(&text);
        for (at, start) in [
            (3 * BLOCK_BYTES, 0),
            (MAX_LINE_BYTES, 0),
            (
                MAX_LINE_BYTES + BLOCK_BYTES,
                MAX_LINE_BYTES + BLOCK_BYTES - PIECE_BEFORE,
            ),
        ] {
            assert_eq!(pieces.around(at..at + 4, 1).start, start, "{at}");
        }
    }

    #[test]
    fn pieces_are_cut_between_characters_and_never_too_short() {
        for letters in ["é", "–", "🔑"] {
            for blanks in 0..4 {
                let text = format!("{}{}", " ".repeat(blanks), letters.repeat(8_000));
                let mut pieces = Pieces::new(&text);
                let places = text.char_indices().filter(|(at, _)| *at > MAX_LINE_BYTES);
                for (at, letter) in places {
                    let piece = pieces.around(at..at + letter.len_utf8(), 1);
                    assert!(piece.start <= at - PIECE_BEFORE, "{at}");
                    assert!(piece.end >= (at + PIECE_AFTER).min(text.len()), "{at}");
                    assert!(text.get(piece).is_some(), "{at}");
                }
            }
        }
    }
}
