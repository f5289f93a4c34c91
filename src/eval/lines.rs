//! The lines of an unpacked bundle for the scorer, streamed.

use super::score::{CaseScore, Lines, Range, score};
use super::truth::Truth;
use crate::bundle::{Entry, FileKind, Tree};
use std::io::{BufRead, BufReader};

/// Most bytes of cited lines that are kept.
const MAX_TEXT: usize = 16 << 20;
/// Most bytes that are read of one file, decompressed.
const MAX_READ: u64 = 8 << 30;

struct InTree<'a>(&'a Tree);

impl InTree<'_> {
    /// Only files that are really there: a link is not a second copy.
    fn entry(&self, path: &str) -> Option<&Entry> {
        let index = self.0.index();
        index
            .get(path)
            .or_else(|| index.get(&format!("{}{path}", self.0.top())))
            .filter(|entry| entry.kind != FileKind::Link)
    }
}

impl Lines for InTree<'_> {
    fn range(&self, path: &str, first: u64, last: u64) -> Option<Range> {
        let entry = self.entry(path)?;
        Some(read(self.0, entry, first, last).unwrap_or(Range::Beyond))
    }
}

fn read(tree: &Tree, entry: &Entry, first: u64, last: u64) -> std::io::Result<Range> {
    let mut plain = BufReader::new(tree.open(entry)?);
    let head = plain.fill_buf()?;
    if head.starts_with(b"\x1f\x8b") {
        lines(
            BufReader::new(flate2::bufread::MultiGzDecoder::new(plain)),
            first,
            last,
        )
    } else {
        lines(plain, first, last)
    }
}

fn lines(from: impl BufRead, first: u64, last: u64) -> std::io::Result<Range> {
    let mut from = from.take(MAX_READ);
    let mut text = Vec::new();
    for number in 1..=last {
        let before = text.len();
        let read = from.read_until(b'\n', &mut text)?;
        if read == 0 {
            return Ok(Range::Beyond);
        }
        if number < first || text.len() > MAX_TEXT {
            text.truncate(before);
        }
    }
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    Ok(Range::Text(String::from_utf8_lossy(&text).into_owned()))
}

/// The score of a report's bytes over an unpacked bundle.
pub fn score_in(tree: &Tree, truth: &Truth, report: Option<&str>) -> CaseScore {
    let parsed = report.and_then(|text| serde_json::from_str(text).ok());
    score(truth, parsed.as_ref(), &InTree(tree))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one_and_the_end_is_known() {
        let text = |first, last| lines(&b"a\nb\n\nd"[..], first, last).unwrap();
        assert_eq!(text(2, 4), Range::Text("b\n\nd".into()));
        assert_eq!(text(3, 3), Range::Text(String::new()));
        assert_eq!(text(5, 5), Range::Beyond);
        assert_eq!(lines(&b""[..], 1, 1).unwrap(), Range::Beyond);
    }
}
