//! Text that is not UTF-8: Windows writes logs as UTF-16 with a byte order mark.

use super::index::utf16_of;
use std::io::{self, Read};

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// A file's bytes, or for UTF-16 with a byte order mark the same text as UTF-8. What is invalid becomes
/// U+FFFD. Holds one chunk in memory.
pub(super) struct Decoded<R> {
    inner: R,
    /// Whether the low byte comes first; `None` for bytes that are passed on as they are.
    utf16: Option<bool>,
    /// Read ahead and not decoded yet: the start of a file, or half a character.
    rest: Vec<u8>,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Decoded<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// What the reader says.
    pub(super) fn new(mut inner: R) -> io::Result<Self> {
        let mut head = Vec::with_capacity(4);
        inner.by_ref().take(4).read_to_end(&mut head)?;
        let utf16 = utf16_of(&head);
        let (rest, ready) = match utf16 {
            Some(_) => (head.split_off(2), Vec::new()),
            None => (Vec::new(), head),
        };
        Ok(Self {
            inner,
            utf16,
            rest,
            ready,
            at: 0,
        })
    }

    fn decode(&mut self, low_first: bool) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        let known = self.rest.len();
        self.inner
            .by_ref()
            .take(CHUNK as u64)
            .read_to_end(&mut self.rest)?;
        let last = self.rest.len() - known < CHUNK;
        let mut units: Vec<u16> = self
            .rest
            .chunks_exact(2)
            .map(|pair| match low_first {
                true => u16::from_le_bytes([pair[0], pair[1]]),
                false => u16::from_be_bytes([pair[0], pair[1]]),
            })
            .collect();
        // The first half of a pair waits for the second.
        if !last
            && units
                .last()
                .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            units.pop();
        }
        self.rest.drain(..units.len() * 2);
        if last {
            self.rest.clear();
        }
        let text: String = char::decode_utf16(units)
            .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.ready = text.into_bytes();
        Ok(())
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.ready.len() {
            match self.utf16 {
                None => return self.inner.read(out),
                Some(low_first) => self.decode(low_first)?,
            }
        }
        let ready = &self.ready[self.at..];
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::index::kind_of;
    use crate::bundle::{BundlePath, FileKind};

    fn read(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Decoded::new(bytes).unwrap().read_to_end(&mut out).unwrap();
        out
    }

    fn utf16(text: &str, low_first: bool) -> Vec<u8> {
        std::iter::once(0xfeff_u16)
            .chain(text.encode_utf16())
            .flat_map(|unit| match low_first {
                true => unit.to_le_bytes(),
                false => unit.to_be_bytes(),
            })
            .collect()
    }

    #[test]
    fn utf16_with_a_byte_order_mark_reads_as_utf8() {
        // Pairs that lie across the border of a chunk at each offset.
        for pad in 0..3 {
            let text = "x".repeat(pad) + &"zwölf \u{1f600}\r\n".repeat(9_000);
            for low_first in [true, false] {
                assert_eq!(read(&utf16(&text, low_first)), text.as_bytes());
            }
        }
        assert_eq!(read(b"\xff\xfe"), b"");
        assert_eq!(
            read(b"\xff\xfea\0b"),
            b"a",
            "half a unit at the end is left out"
        );
        assert_eq!(read(b"\xff\xfe\0\xd8"), "\u{fffd}".as_bytes());
    }

    #[test]
    fn everything_else_is_passed_on() {
        for bytes in [
            &b""[..],
            b"a",
            b"abc",
            b"abcdef\xff",
            b"\xff\xfe\0\0x",
            b"\xef\xbb\xbfx",
        ] {
            assert_eq!(read(bytes), bytes);
        }
    }

    #[test]
    fn it_is_a_log_and_no_binary_file() {
        let log = BundlePath::parse("var/log/app.log").unwrap();
        assert_eq!(kind_of(&log, &utf16("eins", true)), FileKind::Log);
        let other = BundlePath::parse("core").unwrap();
        assert_eq!(kind_of(&other, b"\xff\xfe\0\0x"), FileKind::Binary);
        assert_eq!(kind_of(&other, b"x\0y\0"), FileKind::Binary);
    }
}
