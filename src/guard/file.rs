//! The new side of one file, put together from a stream and cut into segments that can be searched.
//!
//! Context is kept around what was added, so that a manifest or a key is seen whole; context far from
//! anything added is dropped. A segment holds at most [`SEGMENT_BYTES`] and overlaps the one before.

use super::scan::Scan;

/// Largest segment searched at once, in bytes.
pub const SEGMENT_BYTES: usize = 4 << 20;
/// Context kept before and after what was added, and overlap of segments, in bytes.
pub const KEEP_BYTES: usize = 32 << 10;
/// Largest UTF-16 file, in bytes; it must be whole to be decoded.
const MAX_UTF16_BYTES: usize = 16 << 20;
/// A NUL among the first bytes makes a file binary, as in Git, unless all else is text whose words NULs end.
const HEAD_BYTES: u64 = 8000;
/// Removed text kept for comparing, in bytes.
const MAX_REMOVED_BYTES: usize = 256 << 10;
const LFS: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// Which lines are new.
#[derive(Debug, Clone, Default)]
pub struct Added {
    /// First and last line of each run, in order.
    runs: Vec<(u64, u64)>,
}

impl Added {
    fn push(&mut self, line: u64) {
        match self.runs.last_mut() {
            Some((_, last)) if *last + 1 >= line => *last = line.max(*last),
            _ => self.runs.push((line, line)),
        }
    }
    fn drop_before(&mut self, line: u64) {
        let gone = self.runs.partition_point(|(_, last)| *last < line);
        self.runs.drain(..gone);
    }
    /// The first new line from `first` to `last`.
    pub fn within(&self, first: u64, last: u64) -> Option<u64> {
        let at = self.runs.partition_point(|(_, end)| *end < first);
        let (start, _) = self.runs.get(at)?;
        (*start <= last).then(|| (*start).max(first))
    }
}

/// Some of a file's new side.
#[derive(Debug, Default)]
pub struct Segment {
    /// The bytes; lines end in `\n`.
    pub bytes: Vec<u8>,
    /// Line of the first byte.
    pub line: u64,
    /// Characters of that line that stand before the first byte.
    pub column: u64,
    /// Which of its lines are new.
    pub added: Added,
}

impl Segment {
    /// Drops about `count` bytes at the front, up to a line break if one is near.
    fn cut_front(&mut self, count: usize) {
        let near = self.bytes[count..].iter().take(4096);
        let mut cut = match near.clone().position(|byte| *byte == b'\n') {
            Some(at) => count + at + 1,
            None => count,
        };
        while self.bytes.get(cut).is_some_and(|byte| byte & 0xC0 == 0x80) {
            cut += 1;
        }
        let gone = &self.bytes[..cut];
        let characters = |bytes: &[u8]| bytes.iter().filter(|b| **b & 0xC0 != 0x80).count() as u64;
        match gone.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => {
                self.line += gone.iter().filter(|byte| **byte == b'\n').count() as u64;
                self.column = characters(&gone[last + 1..]);
            }
            None => self.column += characters(gone),
        }
        self.bytes.drain(..cut);
        self.added.drop_before(self.line);
    }
}

/// What the content turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Utf16 { little: bool },
    Binary,
}

/// One file while it comes in.
pub struct FileText {
    /// As it may be shown.
    pub path: String,
    /// The commit that changes it.
    pub commit: Option<String>,
    /// What was removed, for comparing; cut to a limit.
    pub removed: Vec<u8>,
    /// Lines up to this one were given to the rules that look at single lines.
    pub lines_done: u64,
    /// Whether anything was added.
    pub any_added: bool,
    kind: Kind,
    seen: u64,
    nuls: [u64; 2],
    /// Bytes that text has none of, other than those.
    controls: u64,
    next_line: u64,
    from_start: bool,
    added_end: Option<usize>,
    cut: bool,
    replaced: bool,
    counted: (u64, u64),
    segment: Segment,
}

impl FileText {
    /// An empty one.
    pub fn new(path: String, commit: Option<String>) -> Self {
        Self {
            path,
            commit,
            removed: Vec::new(),
            lines_done: 0,
            any_added: false,
            kind: Kind::Text,
            seen: 0,
            nuls: [0; 2],
            controls: 0,
            next_line: 1,
            from_start: false,
            added_end: None,
            cut: false,
            replaced: false,
            counted: (0, 0),
            segment: Segment::default(),
        }
    }

    /// A hunk begins at this line: what came before is not next to it.
    pub fn hunk(&mut self, first_line: u64, scan: &mut Scan) {
        if self.seen > 0 && self.segment.line + self.lines_held() == first_line {
            self.next_line = first_line;
            return;
        }
        self.flush(scan);
        self.from_start |= self.seen == 0 && first_line <= 1;
        self.next_line = first_line.max(1);
        self.segment = Segment {
            line: self.next_line,
            ..Segment::default()
        };
        self.added_end = None;
    }

    fn lines_held(&self) -> u64 {
        self.next_line - self.segment.line
    }

    /// A line that is gone.
    pub fn remove(&mut self, bytes: &[u8], ends: bool) {
        let room = MAX_REMOVED_BYTES.saturating_sub(self.removed.len());
        self.removed
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        if ends && room > bytes.len() {
            self.removed.push(b'\n');
        }
    }

    /// A piece of a line of the new side.
    pub fn push(&mut self, added: bool, bytes: &[u8], starts: bool, ends: bool, scan: &mut Scan) {
        if starts {
            if added {
                self.any_added = true;
                self.segment.added.push(self.next_line);
                self.counted.0 += 1;
            }
            self.next_line += 1;
        }
        if added {
            self.counted.1 += bytes.len() as u64 + u64::from(ends);
        }
        if self.kind == Kind::Binary || self.cut {
            return;
        }
        self.look(bytes);
        if self.kind == Kind::Binary {
            self.segment = Segment::default();
            return;
        }
        self.seen += bytes.len() as u64 + u64::from(ends);
        self.segment.bytes.extend_from_slice(bytes);
        if ends {
            self.segment.bytes.push(b'\n');
        }
        if added {
            self.added_end = Some(self.segment.bytes.len());
        }
        self.trim(scan);
    }

    /// Tells text from UTF-16 and from other binary content by the first bytes.
    fn look(&mut self, bytes: &[u8]) {
        if self.seen >= HEAD_BYTES || matches!(self.kind, Kind::Utf16 { .. }) {
            return;
        }
        if self.seen == 0 && self.from_start {
            match bytes {
                [0xFF, 0xFE, ..] => return self.kind = Kind::Utf16 { little: true },
                [0xFE, 0xFF, ..] => return self.kind = Kind::Utf16 { little: false },
                _ => {}
            }
        }
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == 0 {
                self.nuls[(self.seen as usize + at) & 1] += 1;
            }
        }
        let control = |byte: &&u8| matches!(byte, 1..=8 | 14..=26 | 28..=31 | 127);
        self.controls += bytes.iter().filter(control).count() as u64;
        if self.nuls == [0, 0] {
            return;
        }
        // Latin text in UTF-16 without a mark: every second byte is 0, the others are not.
        let half = (self.seen + bytes.len() as u64) / 2;
        let mostly = |count: u64| count * 10 >= half * 8;
        self.kind = match self.nuls {
            [0, odd] if self.from_start && mostly(odd) => Kind::Utf16 { little: true },
            [even, 0] if self.from_start && mostly(even) => Kind::Utf16 { little: false },
            // Words that NULs end, as in the environment of a process.
            [even, odd]
                if self.controls == 0 && (even + odd) * 4 <= self.seen + bytes.len() as u64 =>
            {
                Kind::Text
            }
            _ => Kind::Binary,
        };
    }

    fn trim(&mut self, scan: &mut Scan) {
        let held = self.segment.bytes.len();
        if matches!(self.kind, Kind::Utf16 { .. }) {
            self.cut |= held > MAX_UTF16_BYTES;
            return;
        }
        match self.added_end {
            None if held > 2 * KEEP_BYTES => self.segment.cut_front(held - KEEP_BYTES),
            Some(end) if held - end > 2 * KEEP_BYTES => {
                self.search(end + KEEP_BYTES, scan);
                self.segment.cut_front(held - KEEP_BYTES);
                self.added_end = None;
            }
            Some(_) if held >= SEGMENT_BYTES => {
                self.search(held, scan);
                self.segment.cut_front(held - KEEP_BYTES);
                // What is new in the overlap has been seen, but a secret may just have begun there.
                self.added_end = Some(self.segment.bytes.len());
            }
            _ => {}
        }
    }

    fn search(&mut self, upto: usize, scan: &mut Scan) {
        let mut upto = upto.min(self.segment.bytes.len());
        while self
            .segment
            .bytes
            .get(upto)
            .is_some_and(|byte| byte & 0xC0 == 0x80)
        {
            upto += 1;
        }
        let segment = std::mem::take(&mut self.segment);
        match String::from_utf8_lossy(&segment.bytes[..upto]) {
            std::borrow::Cow::Borrowed(text) => scan.segment(self, &segment, text),
            std::borrow::Cow::Owned(text) => {
                self.replaced = true;
                scan.segment(self, &segment, &text);
            }
        }
        self.segment = segment;
    }

    fn flush(&mut self, scan: &mut Scan) {
        if let Some(end) = self.added_end
            && self.kind == Kind::Text
            && !self.segment.bytes.is_empty()
        {
            self.search(end + KEEP_BYTES, scan);
        }
    }

    /// The file is complete: searches what is left and says what could not be looked at.
    pub fn finish(mut self, scan: &mut Scan) {
        match self.kind {
            Kind::Binary => {
                if self.any_added {
                    scan.not_examined(
                        &self.path,
                        "binary",
                        "binary content is not searched; look at what it is before you publish it",
                    );
                }
                return;
            }
            Kind::Utf16 { little } => self.decode(little, scan),
            Kind::Text
                if self.from_start && self.seen < 1024 && self.segment.bytes.starts_with(LFS) =>
            {
                scan.not_examined(
                    &self.path,
                    "lfs-pointer",
                    "it is a Git LFS pointer; the content it stands for is not in this change",
                );
                return;
            }
            Kind::Text => self.flush(scan),
        }
        if self.replaced {
            scan.not_examined(
                &self.path,
                "part",
                "it is not valid UTF-8; the bytes that are not were searched as U+FFFD",
            );
        }
        if self.cut {
            scan.not_examined(
                &self.path,
                "part",
                "it is UTF-16 and larger than 16 MiB; only its beginning was searched",
            );
        }
        if self.any_added {
            scan.counts.searched += 1;
            scan.counts.added_lines += self.counted.0;
            scan.counts.added_bytes += self.counted.1;
        }
    }

    /// UTF-16 becomes UTF-8; the lines are the same ones.
    fn decode(&mut self, little: bool, scan: &mut Scan) {
        let unit = |two: &[u8]| {
            let two = [two[0], two[1]];
            if little {
                u16::from_le_bytes(two)
            } else {
                u16::from_be_bytes(two)
            }
        };
        let segment = std::mem::take(&mut self.segment);
        let units = segment.bytes.chunks_exact(2).map(unit);
        let mut text = String::with_capacity(segment.bytes.len() / 2);
        for c in char::decode_utf16(units) {
            text.push(c.unwrap_or_else(|_| {
                self.replaced = true;
                char::REPLACEMENT_CHARACTER
            }));
        }
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(&text);
        scan.segment(self, &segment, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_new_lines() {
        let mut added = Added::default();
        for line in [3, 4, 5, 9] {
            added.push(line);
        }
        assert_eq!(added.within(1, 2), None);
        assert_eq!(added.within(1, 4), Some(3));
        assert_eq!(added.within(4, 4), Some(4));
        assert_eq!(added.within(6, 8), None);
        assert_eq!(added.within(6, 20), Some(9));
        added.drop_before(5);
        assert_eq!(added.within(1, 4), Some(3));
        added.drop_before(6);
        assert_eq!(added.within(1, 8), None);
    }

    #[test]
    fn cutting_keeps_count_of_lines_and_columns() {
        let mut segment = Segment {
            bytes: b"a\nb\ncdef".to_vec(),
            line: 10,
            ..Segment::default()
        };
        segment.cut_front(1);
        assert_eq!(
            (segment.bytes.as_slice(), segment.line, segment.column),
            (b"b\ncdef".as_slice(), 11, 0)
        );
        segment.cut_front(4);
        assert_eq!(
            (segment.bytes.as_slice(), segment.line, segment.column),
            (b"ef".as_slice(), 12, 2)
        );
        let mut wide = Segment {
            bytes: "ääää".as_bytes().to_vec(),
            line: 1,
            ..Segment::default()
        };
        wide.cut_front(3);
        assert_eq!((wide.bytes.len(), wide.column), (4, 2));
    }
}
