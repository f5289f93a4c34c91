//! Lines that go on behind a backslash, put together as the program that reads them does.

use std::ops::Range;

/// Most lines of one joined line.
const MAX_LINES: usize = 64;
/// Longest joined line, in bytes.
const MAX_BYTES: usize = 16 << 10;

/// A joined line and where its parts come from.
pub(super) struct Joined {
    pub text: String,
    /// Where each part begins, in the joined line and in the text.
    parts: Vec<(usize, usize)>,
}

impl Joined {
    /// The place in the text of a range of the joined line, and whether it spans a joint.
    pub fn place(&self, range: &Range<usize>) -> (Range<usize>, bool) {
        let first = self.parts.partition_point(|part| part.0 <= range.start) - 1;
        // The last byte, not the one behind it, which may be the first of the next part.
        let last = self.parts.partition_point(|part| part.0 < range.end.max(1)) - 1;
        let at = |part: usize, offset: usize| self.parts[part].1 + offset - self.parts[part].0;
        (
            at(first, range.start)..at(last.max(first), range.end),
            first != last,
        )
    }
}

/// The line of `text` that goes on behind the backslash at `found`, put together, and where the text goes on.
pub(super) fn at(text: &str, found: usize) -> (Option<Joined>, usize) {
    join(text, text[..found].rfind('\n').map_or(0, |at| at + 1))
}

/// The joined line that begins at `start`, and where the text goes on.
fn join(text: &str, start: usize) -> (Option<Joined>, usize) {
    let mut joined = Joined {
        text: String::new(),
        parts: Vec::new(),
    };
    let mut at = start;
    for line in text[start..].split_inclusive('\n').take(MAX_LINES) {
        let body = line.trim_end_matches(['\n', '\r']);
        let (body, goes_on) = match body.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (body, false),
        };
        let lead = match at == start {
            true => 0,
            false => body.len() - body.trim_start().len(),
        };
        joined.parts.push((joined.text.len(), at + lead));
        joined.text.push_str(&body[lead..]);
        at += line.len();
        if joined.text.len() > MAX_BYTES {
            return (None, at);
        }
        if !goes_on {
            break;
        }
    }
    (Some(joined), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Joined> {
        let (mut out, mut upto) = (Vec::new(), 0);
        for (found, _) in text.match_indices("\\\n") {
            if found >= upto {
                let (joined, end) = at(text, found);
                out.extend(joined);
                upto = end;
            }
        }
        out
    }

    #[test]
    fn parts_are_joined_and_found_again() {
        let text = "a\nx --password \\\n    tisch442 \\\n  --y\nkey=abc\\\ndef\nz\n";
        let joined = lines(text);
        assert_eq!(joined.len(), 2);
        assert_eq!(joined[0].text, "x --password tisch442 --y");
        let at = joined[0].text.find("tisch442").expect("it");
        let (place, spans) = joined[0].place(&(at..at + 8));
        assert_eq!((&text[place], spans), ("tisch442", false));
        assert_eq!(joined[1].text, "key=abcdef");
        let (place, spans) = joined[1].place(&(4..10));
        assert_eq!((&text[place], spans), ("abc\\\ndef", true));
        let (place, spans) = joined[1].place(&(4..7));
        assert_eq!((&text[place], spans), ("abc", false));
    }

    #[test]
    fn a_backslash_at_the_end_and_endless_lines_are_no_obstacle() {
        assert_eq!(lines("a\\\n")[0].text, "a");
        assert_eq!(lines("\\").len(), 0);
        assert!(lines(&"x\\\n".repeat(10_000)).len() < 200);
        for (length, count) in [(MAX_BYTES, 1), (MAX_BYTES + 1, 0)] {
            let text = format!("{}\\\n", "x".repeat(length));
            assert_eq!(lines(&text).len(), count, "{length}");
        }
    }
}
