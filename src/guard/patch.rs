//! Reading a patch as a stream: what a file's new side holds, line by line, and what was added.
//!
//! Reads the text form of `git diff`, `git log -p` and `git format-patch`, combined diffs of merges
//! (`@@@`) and plain `diff -u`. A hunk ends where its header's counts say, so no line of content can
//! pass for a header. Memory is bounded: a line of any length is handed on in pieces.

mod header;
mod pieces;

pub use header::{Header, SUBMODULE};

use header::hunk_header;
use pieces::Pieces;
use std::io::{self, Read};

/// What kind of line a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In the new file, and before the change already.
    Context,
    /// In the new file because of this change.
    Added,
    /// Only in the old file.
    Removed,
}

/// Receives what a patch says, in its order.
pub trait Sink {
    /// A commit begins (only of [`Form::Log`]); its id in hex.
    fn commit(&mut self, id: &str);
    /// A part of the commit's message, as a line of text.
    fn message(&mut self, bytes: &[u8], starts: bool, ends: bool);
    /// A file's header is complete; its hunks follow, if it has any.
    fn begin(&mut self, header: &Header);
    /// A hunk begins; the number of its first line in the new file.
    fn hunk(&mut self, first_line: u64);
    /// A piece of a line without its line break; `starts` and `ends` say where in the line it stands.
    fn line(&mut self, kind: Kind, bytes: &[u8], starts: bool, ends: bool);
    /// Nothing more of this file follows.
    fn end(&mut self, header: &Header);
}

/// What the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A patch of anybody's.
    Patch,
    /// Our own `git log -p`: before each commit a NUL, its id, a NUL, its message, a NUL.
    Log,
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Files with a header.
    pub files: u64,
    /// Lines that belong to no file: a mail's text, another tool's words.
    pub stray: u64,
    /// Hunks that ended before their header said.
    pub broken: u64,
}

struct Hunk {
    /// Lines still to come, of each old side.
    old: Vec<u64>,
    /// Lines still to come, of the new side.
    new: u64,
}

impl Hunk {
    fn done(&self) -> bool {
        self.new == 0 && self.old.iter().all(|left| *left == 0)
    }
    /// What a line with these signs is; `None` when no hunk can hold it here.
    fn take(&mut self, signs: &[u8]) -> Option<Kind> {
        if signs.contains(&b'-') {
            for (left, sign) in self.old.iter_mut().zip(signs) {
                if *sign == b'-' {
                    *left = left.checked_sub(1)?;
                }
            }
            return Some(Kind::Removed);
        }
        self.new = self.new.checked_sub(1)?;
        for (left, sign) in self.old.iter_mut().zip(signs) {
            if *sign == b' ' {
                *left = left.checked_sub(1)?;
            }
        }
        // In a merge, a line that one of the parents had is not new.
        Some(if signs.iter().all(|sign| *sign == b'+') {
            Kind::Added
        } else {
            Kind::Context
        })
    }
}

struct Reader<'s, S> {
    sink: &'s mut S,
    form: Form,
    seen: Seen,
    header: Option<Header>,
    begun: bool,
    hunk: Option<Hunk>,
    line: Option<Kind>,
    in_message: bool,
}

/// Reads `from` to its end.
///
/// # Errors
/// Those of the stream.
pub fn read(from: impl Read, form: Form, sink: &mut impl Sink) -> io::Result<Seen> {
    let mut reader = Reader {
        sink,
        form,
        seen: Seen::default(),
        header: None,
        begun: false,
        hunk: None,
        line: None,
        in_message: false,
    };
    let mut pieces = Pieces::new(from);
    let mut piece = Vec::new();
    while let Some((starts, ends)) = pieces.next(&mut piece)? {
        reader.piece(&piece, starts, ends);
    }
    reader.finish_file();
    Ok(reader.seen)
}

impl<S: Sink> Reader<'_, S> {
    fn piece(&mut self, bytes: &[u8], starts: bool, ends: bool) {
        if self.in_message {
            return self.message(bytes, starts, ends);
        }
        if !starts {
            if let Some(kind) = self.line {
                self.sink.line(kind, bytes, false, ends);
            }
            return;
        }
        self.line = None;
        if self.hunk.is_some() && self.content(bytes, ends) {
            return;
        }
        self.outside(bytes, ends);
    }

    /// A line inside a hunk; `false` when it cannot be one.
    fn content(&mut self, bytes: &[u8], ends: bool) -> bool {
        let Some(hunk) = &mut self.hunk else {
            return false;
        };
        if bytes.first() == Some(&b'\\') {
            return true; // "\ No newline at end of file"
        }
        let parents = hunk.old.len();
        let blank = [b' '; 1];
        // Git can be told to leave out the blank before an empty line.
        let (signs, text): (&[u8], &[u8]) = match bytes {
            b"" | b"\r" if parents == 1 => (&blank, bytes),
            _ => bytes.split_at_checked(parents).unwrap_or_default(),
        };
        let kind = if !signs.is_empty() && signs.iter().all(|s| matches!(s, b' ' | b'+' | b'-')) {
            hunk.take(signs)
        } else {
            None
        };
        let Some(kind) = kind else {
            self.seen.broken += 1;
            self.hunk = None;
            return false;
        };
        if hunk.done() {
            self.hunk = None;
        }
        self.line = Some(kind);
        self.sink.line(kind, text, true, ends);
        true
    }

    fn outside(&mut self, bytes: &[u8], ends: bool) {
        if self.form == Form::Log && bytes.first() == Some(&0) {
            self.finish_file();
            let rest = &bytes[1..];
            let end = rest.iter().position(|b| *b == 0).unwrap_or(rest.len());
            self.sink.commit(&String::from_utf8_lossy(&rest[..end]));
            self.in_message = true;
            self.message(rest.get(end + 1..).unwrap_or_default(), true, ends);
            return;
        }
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if let Some(header) = Header::start(bytes) {
            self.finish_file();
            self.open(header);
            return;
        }
        if bytes.starts_with(b"@@ ") || bytes.starts_with(b"@@@") {
            if let (Some(header), Some((old, start, new))) = (&self.header, hunk_header(bytes)) {
                if !self.begun {
                    self.begun = true;
                    self.sink.begin(header);
                }
                let hunk = Hunk { old, new };
                self.sink.hunk(start);
                if !hunk.done() {
                    self.hunk = Some(hunk);
                }
            } else {
                self.seen.broken += 1;
            }
            return;
        }
        // A plain `diff -u` has no line of its own that begins a file.
        if bytes.starts_with(b"--- ") && (self.header.is_none() || self.begun) {
            self.finish_file();
            self.open(Header::default());
        }
        let understood = match &mut self.header {
            Some(header) if !self.begun => header.read(bytes),
            _ => false,
        };
        if !understood && !bytes.is_empty() && !bytes.starts_with(b"\\") {
            self.seen.stray += 1;
        }
    }

    fn message(&mut self, bytes: &[u8], starts: bool, ends: bool) {
        match bytes.iter().position(|byte| *byte == 0) {
            Some(end) => {
                self.sink.message(&bytes[..end], starts, true);
                self.in_message = false;
            }
            None => self.sink.message(bytes, starts, ends),
        }
    }

    fn open(&mut self, header: Header) {
        self.seen.files += 1;
        self.header = Some(header);
        self.begun = false;
    }

    fn finish_file(&mut self) {
        if self.hunk.take().is_some() {
            self.seen.broken += 1;
        }
        if let Some(header) = self.header.take() {
            if header.path.is_empty() {
                // "--- " in running text: no file after all.
                self.seen.files -= 1;
                self.seen.stray += 1;
                return;
            }
            if !self.begun {
                self.sink.begin(&header);
            }
            self.sink.end(&header);
        }
    }
}

#[cfg(test)]
mod tests;
