//! SentencePiece-style vocabularies: text is joined from single characters, the pair with the best score
//! first, as llama.cpp does for the tokenizer that GGUF calls `llama`.
//!
//! A space is written U+2581; bytes that no token covers have tokens of their own, `<0x00>` to `<0xFF>`.

use crate::error::{Error, Result};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};

/// What a vocabulary writes for a space.
pub(super) const SPACE: char = '\u{2581}';

/// The tokens that text is joined to.
pub(super) struct Pieces {
    ids: HashMap<String, (u32, f32)>,
    bytes: [u32; 256],
    /// Runs of white space that are one token whatever the scores say, the longest first.
    runs: Vec<(String, u32)>,
}

/// Two neighbours that would make a token.
struct Pair {
    score: f32,
    left: usize,
    right: usize,
    /// Length of both together when the pair was seen; another one means that it's outdated.
    length: usize,
}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score
            .total_cmp(&other.score)
            .then(other.left.cmp(&self.left))
    }
}
impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Pair {}

/// A stretch of the text that is a token so far, in a list of neighbours.
#[derive(Clone, Copy)]
struct Symbol {
    start: usize,
    length: usize,
    before: usize,
    after: usize,
}

/// No neighbour.
const NONE: usize = usize::MAX;

impl Pieces {
    /// Of the letters, ids and scores of normal tokens, the tokens of bytes, and runs of white space. A
    /// token of the score minus infinity is never joined.
    ///
    /// # Errors
    /// Refused when a byte has no token: some texts would have no ids.
    pub(super) fn new(
        normal: impl Iterator<Item = (String, u32, f32)>,
        bytes: &HashMap<u8, u32>,
        mut runs: Vec<(String, u32)>,
    ) -> Result<Self> {
        let mut table = [0; 256];
        for (byte, id) in table.iter_mut().enumerate() {
            *id = *bytes.get(&(byte as u8)).ok_or_else(|| {
                Error::refused(format!(
                    "the vocabulary has no token for the byte {byte:#04x}"
                ))
            })?;
        }
        runs.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then(a.0.cmp(&b.0)));
        let mut ids = HashMap::new();
        for (text, id, score) in normal {
            // The first of two tokens of the same letters is the one that text becomes.
            ids.entry(text).or_insert((id, score));
        }
        Ok(Self {
            ids,
            bytes: table,
            runs,
        })
    }

    /// Ids of a text. `leading`: as at the beginning of a text of a vocabulary that puts a space there.
    pub(super) fn encode(&self, text: &str, leading: bool) -> Vec<u32> {
        if text.is_empty() {
            return Vec::new();
        }
        let mut escaped = String::with_capacity(text.len() + 3);
        if leading {
            escaped.push(SPACE);
        }
        escaped.extend(text.chars().map(|c| if c == ' ' { SPACE } else { c }));
        let mut out = Vec::new();
        let mut rest = escaped.as_str();
        // Runs that are tokens of their own come first and part the text.
        while !rest.is_empty() {
            let found = self
                .runs
                .iter()
                .filter_map(|(run, id)| rest.find(run.as_str()).map(|at| (at, run.len(), *id)))
                .min_by_key(|(at, length, _)| (*at, std::cmp::Reverse(*length)));
            match found {
                Some((at, length, id)) => {
                    self.join(&rest[..at], &mut out);
                    out.push(id);
                    rest = &rest[at + length..];
                }
                None => {
                    self.join(rest, &mut out);
                    rest = "";
                }
            }
        }
        out
    }

    /// Joins the characters of a text, best pair first.
    fn join(&self, text: &str, out: &mut Vec<u32>) {
        let mut symbols: Vec<Symbol> = Vec::with_capacity(text.len());
        for (start, c) in text.char_indices() {
            let at = symbols.len();
            symbols.push(Symbol {
                start,
                length: c.len_utf8(),
                before: if at == 0 { NONE } else { at - 1 },
                after: at + 1,
            });
        }
        if let Some(last) = symbols.last_mut() {
            last.after = NONE;
        }
        let mut heap = BinaryHeap::new();
        for right in 1..symbols.len() {
            self.consider(text, &symbols, right - 1, right, &mut heap);
        }
        while let Some(pair) = heap.pop() {
            let (left, right) = (symbols[pair.left], symbols[pair.right]);
            if left.length == 0 || right.length == 0 || left.length + right.length != pair.length {
                continue;
            }
            symbols[pair.left].length = pair.length;
            symbols[pair.left].after = right.after;
            symbols[pair.right].length = 0;
            if right.after != NONE {
                symbols[right.after].before = pair.left;
                self.consider(text, &symbols, pair.left, right.after, &mut heap);
            }
            if left.before != NONE {
                self.consider(text, &symbols, left.before, pair.left, &mut heap);
            }
        }
        for symbol in symbols.iter().filter(|symbol| symbol.length > 0) {
            let piece = &text[symbol.start..symbol.start + symbol.length];
            match self.ids.get(piece) {
                Some((id, _)) => out.push(*id),
                None => out.extend(piece.bytes().map(|byte| self.bytes[usize::from(byte)])),
            }
        }
    }

    fn consider(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: usize,
        right: usize,
        heap: &mut BinaryHeap<Pair>,
    ) {
        let start = symbols[left].start;
        let length = symbols[left].length + symbols[right].length;
        if let Some((_, score)) = self.ids.get(&text[start..start + length])
            && *score > f32::NEG_INFINITY
        {
            heap.push(Pair {
                score: *score,
                left,
                right,
                length,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces() -> Pieces {
        let words = [
            "\u{2581}",
            "t",
            "h",
            "e",
            "r",
            "o",
            "\u{2581}t",
            "he",
            "\u{2581}the",
            "er",
            "or",
            "rr",
        ];
        let normal = words
            .iter()
            .enumerate()
            .map(|(at, word)| ((*word).to_owned(), 300 + at as u32, -(at as f32)));
        let bytes = (0..=255u8).map(|byte| (byte, u32::from(byte))).collect();
        Pieces::new(normal, &bytes, vec![("\n\n".to_owned(), 290)]).unwrap()
    }

    #[test]
    fn the_best_pair_is_joined_first_and_the_leftmost_of_equals() {
        let pieces = pieces();
        // ▁t (-6) before he (-7): then ▁t and he make ▁the.
        assert_eq!(pieces.encode("the", true), [308]);
        assert_eq!(pieces.encode("the", false), [301, 307]);
        // er (-9) before or (-10) and rr (-11).
        assert_eq!(pieces.encode("error", false), [309, 304, 310]);
        assert_eq!(pieces.encode("", true), Vec::<u32>::new());
    }

    #[test]
    fn what_no_token_covers_becomes_bytes_and_runs_stay_whole() {
        let pieces = pieces();
        assert_eq!(pieces.encode("é", false), [0xc3, 0xa9]);
        assert_eq!(
            pieces.encode("t\n\n\nh", false),
            [301, 290, u32::from(b'\n'), 302]
        );
    }

    #[test]
    fn a_vocabulary_without_all_bytes_is_refused() {
        let none = std::iter::empty();
        assert!(Pieces::new(none, &HashMap::new(), vec![]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_covered(text in "\\PC{0,60}") {
            let pieces = pieces();
            let mut back = Vec::new();
            for id in pieces.encode(&text, false) {
                match id {
                    0..=255 => back.push(id as u8),
                    290 => back.extend(b"\n\n"),
                    id => {
                        let word = pieces.ids.iter().find(|(_, known)| known.0 == id).unwrap().0;
                        back.extend(word.replace(SPACE, " ").bytes());
                    }
                }
            }
            prop_assert_eq!(String::from_utf8(back).unwrap(), text.replace(SPACE, " "));
        }
    }
}
