//! The archive's bytes, decompressed where needed, and counted: what came in, what came out.

use crate::abi::{Note, Status};
use crate::decode::{Decoder, Format};
use crate::header::{Block, BLOCK};
use crate::host;
use crate::raw::Raw;
use std::io::BufRead;

/// Bytes decompressed at a time; also the largest piece of a file handed to the host.
const OUT_BYTES: usize = 128 << 10;

/// Limits on the decompressed stream.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Decompressed bytes in all.
    pub bytes: u64,
    /// Decompressed bytes for each compressed one …
    pub ratio: u64,
    /// … beyond this many decompressed bytes.
    pub ratio_free_bytes: u64,
}

/// The decompressed stream.
pub struct Input {
    decoder: Decoder,
    format: Format,
    limits: StreamLimits,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    total: u64,
}

impl Input {
    /// Looks at the first bytes of `raw` and chooses the decompressor.
    ///
    /// # Errors
    /// No input at all, or damage in its first bytes.
    pub fn open(mut raw: Raw, limits: StreamLimits) -> Result<Self, Status> {
        let head = raw.peek(6);
        if head.is_empty() {
            return Err(Status::NoInput);
        }
        let format = Format::of(head);
        Ok(Self {
            decoder: Decoder::start(format, raw)?,
            format,
            limits,
            buffer: vec![0; OUT_BYTES],
            at: 0,
            filled: 0,
            total: 0,
        })
    }

    /// Whether the stream is compressed.
    pub fn is_compressed(&self) -> bool {
        self.format != Format::Plain
    }

    /// Bytes of the decompressed stream that were taken out so far.
    pub fn position(&self) -> u64 {
        self.total - (self.filled - self.at) as u64
    }

    /// Up to `max` bytes of the stream, empty only at its end. Call [`Self::consume`] for what was used.
    ///
    /// # Errors
    /// Damage, or a limit.
    pub fn peek(&mut self, max: u64) -> Result<&[u8], Status> {
        if self.at == self.filled {
            self.refill()?;
        }
        let have = self.filled - self.at;
        let length = usize::try_from(max).unwrap_or(have).min(have);
        Ok(&self.buffer[self.at..self.at + length])
    }

    /// Marks `bytes` of what [`Self::peek`] gave as used.
    pub fn consume(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.filled);
    }

    /// The next whole block; `None` exactly at the end of the stream.
    ///
    /// # Errors
    /// As [`Self::peek`]; [`Status::Truncated`] when the stream ends inside the block.
    pub fn block(&mut self) -> Result<Option<Block>, Status> {
        let mut block = [0; BLOCK];
        match self.fill(&mut block)? {
            0 => Ok(None),
            BLOCK => Ok(Some(block)),
            _ => Err(Status::Truncated),
        }
    }

    /// Fills `block` as far as the stream goes; the number of bytes.
    ///
    /// # Errors
    /// As [`Self::peek`].
    pub fn fill(&mut self, block: &mut Block) -> Result<usize, Status> {
        let mut have = 0;
        while have < BLOCK {
            let part = self.peek((BLOCK - have) as u64)?;
            let length = part.len();
            if length == 0 {
                break;
            }
            block[have..have + length].copy_from_slice(part);
            self.consume(length);
            have += length;
        }
        Ok(have)
    }

    fn refill(&mut self) -> Result<(), Status> {
        (self.at, self.filled) = (0, 0);
        loop {
            let (got, read) = self.decoder.read(&mut self.buffer)?;
            if got == 0 {
                if self.next_member()? {
                    continue;
                }
                return Ok(());
            }
            self.filled = got;
            self.total += got as u64;
            let allowed = self
                .limits
                .ratio_free_bytes
                .saturating_add(read.saturating_mul(self.limits.ratio));
            return match () {
                () if self.total > self.limits.bytes => Err(Status::TooManyBytes),
                () if self.is_compressed() && self.total > allowed => Err(Status::Ratio),
                () => Ok(()),
            };
        }
    }

    /// After one member: starts the next one, or reads to the end and tells what lies there.
    fn next_member(&mut self) -> Result<bool, Status> {
        let Some(mut raw) = std::mem::replace(&mut self.decoder, Decoder::Over).into_rest() else {
            return Ok(false);
        };
        if Format::of(raw.peek(6)) == self.format {
            self.decoder = Decoder::start(self.format, raw)?;
            return Ok(true);
        }
        let (mut count, mut any) = (0, false);
        loop {
            let rest = raw.peek(1);
            let length = rest.len();
            if length == 0 {
                break;
            }
            // Zeros are padding: tapes have whole blocks, xz streams whole words.
            any |= rest.iter().any(|byte| *byte != 0);
            count += length as u64;
            raw.consume(length);
        }
        if any {
            host::tell(Note::AfterStream, count);
        }
        Ok(false)
    }
}
