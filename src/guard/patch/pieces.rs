//! Lines of any length, in pieces of bounded size.

use std::io::{self, BufRead, BufReader, Read};

/// Longest piece, in bytes.
pub const MAX_PIECE_BYTES: usize = 64 << 10;

/// A stream cut at line breaks, and inside lines that are longer than a piece.
pub struct Pieces<R: Read> {
    from: BufReader<R>,
    starts: bool,
}

impl<R: Read> Pieces<R> {
    pub fn new(from: R) -> Self {
        Self {
            from: BufReader::with_capacity(256 << 10, from),
            starts: true,
        }
    }

    /// Fills `piece` without its line break: whether it begins and whether it ends a line. `None` at
    /// the end of the stream.
    pub fn next(&mut self, piece: &mut Vec<u8>) -> io::Result<Option<(bool, bool)>> {
        piece.clear();
        let starts = self.starts;
        let read = (&mut self.from)
            .take(MAX_PIECE_BYTES as u64)
            .read_until(b'\n', piece)?;
        if read == 0 {
            // A line that was cut exactly at the end of the stream still ends.
            self.starts = true;
            return Ok((!starts).then_some((false, true)));
        }
        let ends = piece.last() == Some(&b'\n');
        if ends {
            piece.pop();
        }
        self.starts = ends;
        Ok(Some((starts, ends)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_and_long_ones_in_pieces() {
        let long = vec![b'x'; MAX_PIECE_BYTES + 10];
        let text = [b"a\n\n".as_slice(), &long, b"\nlast"].concat();
        let mut pieces = Pieces::new(text.as_slice());
        let mut piece = Vec::new();
        let mut seen = Vec::new();
        while let Some((starts, ends)) = pieces.next(&mut piece).unwrap() {
            seen.push((piece.len(), starts, ends));
        }
        assert_eq!(
            seen,
            [
                (1, true, true),
                (0, true, true),
                (MAX_PIECE_BYTES, true, false),
                (10, false, true),
                (4, true, false),
                (0, false, true)
            ]
        );
    }
}
