//! Reading pieces of a zip at their offsets, and the content of one file.

use crate::abi::Status;
use crate::host;
use flate2::bufread::DeflateDecoder;
use flate2::Crc;
use std::io::{self, BufRead, Read};

/// Bytes read at a time.
const WINDOW_BYTES: usize = 128 << 10;

/// The little-endian number at `at`; 0 beyond the end.
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

/// As [`u16_at`].
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

/// As [`u16_at`].
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// A piece of the archive, taken apart from its beginning.
pub struct Part {
    bytes: Vec<u8>,
    at: usize,
}

impl Part {
    /// Reads `length` bytes at `offset`.
    ///
    /// # Errors
    /// [`Status::Truncated`] when they are not there.
    pub fn read(offset: u64, length: usize) -> Result<Self, Status> {
        let mut bytes = vec![0; length];
        let mut have = 0;
        while have < length {
            match host::read_input_at(&mut bytes[have..], offset.saturating_add(have as u64)) {
                0 => return Err(Status::Truncated),
                got => have += got,
            }
        }
        Ok(Self { bytes, at: 0 })
    }

    /// A piece that was read before.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            at: 0,
        }
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`Status::Ambiguous`] when the piece is shorter.
    pub fn take(&mut self, length: usize) -> Result<&[u8], Status> {
        let part = self
            .bytes
            .get(self.at..self.at + length)
            .ok_or(Status::Ambiguous)?;
        self.at += length;
        Ok(part)
    }

    /// The next two bytes as a number.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn u16(&mut self) -> Result<u16, Status> {
        Ok(u16_at(self.take(2)?, 0))
    }

    /// The next four bytes as a number.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn u32(&mut self) -> Result<u32, Status> {
        Ok(u32_at(self.take(4)?, 0))
    }

    /// The next eight bytes as a number.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn u64(&mut self) -> Result<u64, Status> {
        Ok(u64_at(self.take(8)?, 0))
    }

    /// What was not taken.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }
}

/// The packed bytes of one file, and nothing beyond them.
pub struct Window {
    offset: u64,
    left: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl Window {
    /// `length` bytes at `offset`.
    pub fn new(offset: u64, length: u64) -> Self {
        Self {
            offset,
            left: length,
            buffer: Vec::new(),
            at: 0,
        }
    }

    fn is_over(&self) -> bool {
        self.left == 0 && self.at == self.buffer.len()
    }
}

impl BufRead for Window {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() && self.left > 0 {
            let want =
                usize::try_from(self.left).map_or(WINDOW_BYTES, |left| left.min(WINDOW_BYTES));
            self.buffer.resize(want, 0);
            let got = host::read_input_at(&mut self.buffer, self.offset);
            self.buffer.truncate(got);
            self.at = 0;
            self.offset += got as u64;
            self.left -= got as u64;
            if got == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(&self.buffer[self.at..])
    }
    fn consume(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.buffer.len());
    }
}

impl Read for Window {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let length = from.len().min(to.len());
        to[..length].copy_from_slice(&from[..length]);
        self.consume(length);
        Ok(length)
    }
}

enum Packed {
    Stored(Window),
    Deflated(Box<DeflateDecoder<Window>>),
}

/// The content of one file, checked against its size and checksum.
pub struct Content {
    packed: Packed,
    buffer: Vec<u8>,
    left: u64,
    crc: Crc,
    expected: u32,
    /// Whether the host wants it.
    pub wanted: bool,
}

impl Content {
    /// The file of `size` bytes in `window`; `None` for a method that is not known here.
    pub fn open(window: Window, method: u16, size: u64, expected: u32) -> Option<Self> {
        let packed = match method {
            0 => Packed::Stored(window),
            8 => Packed::Deflated(Box::new(DeflateDecoder::new(window))),
            _ => return None,
        };
        Some(Self {
            packed,
            buffer: vec![0; WINDOW_BYTES],
            left: size,
            crc: Crc::new(),
            expected,
            wanted: true,
        })
    }

    /// More of the content; `None` at its end.
    ///
    /// # Errors
    /// [`Status::Damaged`] when size, checksum or packed length are not what the archive says.
    pub fn next(&mut self) -> Result<Option<&[u8]>, Status> {
        let read = match &mut self.packed {
            Packed::Stored(window) => window.read(&mut self.buffer),
            Packed::Deflated(deflate) => deflate.read(&mut self.buffer),
        };
        let got = read.map_err(|_| Status::Damaged)?;
        if got == 0 {
            let over = match &mut self.packed {
                Packed::Stored(window) => window.is_over(),
                Packed::Deflated(deflate) => deflate.get_ref().is_over(),
            };
            let whole = self.left == 0 && self.crc.sum() == self.expected && over;
            return if whole {
                Ok(None)
            } else {
                Err(Status::Damaged)
            };
        }
        self.left = self.left.checked_sub(got as u64).ok_or(Status::Damaged)?;
        self.crc.update(&self.buffer[..got]);
        Ok(Some(&self.buffer[..got]))
    }
}
