//! The archive's bytes as the host gives them, buffered and counted.

use crate::host;
use std::io::{self, BufRead, Read};

/// Bytes asked of the host at a time.
const RAW_BYTES: usize = 128 << 10;

/// The input as the host gives it.
pub struct Raw {
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    total: u64,
}

impl Raw {
    /// The input from its first byte.
    pub fn new() -> Self {
        Self {
            buffer: vec![0; RAW_BYTES],
            at: 0,
            filled: 0,
            total: 0,
        }
    }

    /// Bytes of the input that were really taken, without what is only buffered.
    pub fn used(&self) -> u64 {
        self.total - (self.filled - self.at) as u64
    }

    /// Looks at up to `want` bytes ahead, fewer only at the end of the input.
    pub fn peek(&mut self, want: usize) -> &[u8] {
        while self.filled - self.at < want {
            self.buffer.copy_within(self.at..self.filled, 0);
            (self.filled, self.at) = (self.filled - self.at, 0);
            let got = host::read_input(&mut self.buffer[self.filled..]);
            if got == 0 {
                break;
            }
            self.filled += got;
            self.total += got as u64;
        }
        &self.buffer[self.at..self.filled]
    }
}

impl Read for Raw {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.peek(1);
        let length = from.len().min(to.len());
        to[..length].copy_from_slice(&from[..length]);
        self.at += length;
        Ok(length)
    }
}

impl BufRead for Raw {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.peek(1))
    }
    fn consume(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.filled);
    }
}
