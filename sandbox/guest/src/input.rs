//! The archive's bytes, decompressed where needed, and counted: what came in, what came out.

use crate::abi::{Note, Status};
use crate::header::{Block, BLOCK};
use crate::host;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, Read};

/// Bytes asked of the host at a time.
const RAW_BYTES: usize = 128 << 10;
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

/// The input as the host gives it.
struct Raw {
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    total: u64,
}

impl Raw {
    /// Bytes of the input that were really taken, without what is only buffered.
    fn used(&self) -> u64 {
        self.total - (self.filled - self.at) as u64
    }

    /// Looks at up to `want` bytes ahead, fewer only at the end of the input.
    fn peek(&mut self, want: usize) -> &[u8] {
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

enum Source {
    Plain(Raw),
    Gzip(Box<GzDecoder<Raw>>),
    /// All gzip members were read and their checksums held.
    Over,
}

/// The decompressed stream.
pub struct Input {
    source: Source,
    limits: StreamLimits,
    gzip: bool,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    total: u64,
}

impl Input {
    /// Looks at the first bytes and chooses the decompressor.
    ///
    /// # Errors
    /// The formats that are known and not opened, or no input at all.
    pub fn open(limits: StreamLimits) -> Result<Self, Status> {
        let mut raw = Raw {
            buffer: vec![0; RAW_BYTES],
            at: 0,
            filled: 0,
            total: 0,
        };
        let head = raw.peek(6);
        let gzip = match head {
            [] => return Err(Status::NoInput),
            _ if head.starts_with(b"\x1f\x8b") => true,
            _ if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") => {
                return Err(Status::Zip)
            }
            _ if head.starts_with(b"\xfd7zXZ\0") => return Err(Status::Xz),
            _ if head.starts_with(b"\x28\xb5\x2f\xfd") => return Err(Status::Zstd),
            _ if head.starts_with(b"BZh") => return Err(Status::Bzip2),
            _ => false,
        };
        let source = if gzip {
            Source::Gzip(Box::new(GzDecoder::new(raw)))
        } else {
            Source::Plain(raw)
        };
        Ok(Self {
            source,
            limits,
            gzip,
            buffer: vec![0; OUT_BYTES],
            at: 0,
            filled: 0,
            total: 0,
        })
    }

    /// Whether the stream is compressed with gzip.
    pub fn is_gzip(&self) -> bool {
        self.gzip
    }

    /// Whether the gzip stream came to its end and was whole.
    pub fn ended_whole(&self) -> bool {
        matches!(self.source, Source::Over)
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
        let mut have = 0;
        while have < BLOCK {
            let part = self.peek((BLOCK - have) as u64)?;
            if part.is_empty() {
                return if have == 0 {
                    Ok(None)
                } else {
                    Err(Status::Truncated)
                };
            }
            let length = part.len();
            block[have..have + length].copy_from_slice(part);
            self.consume(length);
            have += length;
        }
        Ok(Some(block))
    }

    fn refill(&mut self) -> Result<(), Status> {
        (self.at, self.filled) = (0, 0);
        loop {
            let (got, read) = match &mut self.source {
                Source::Over => return Ok(()),
                Source::Plain(raw) => (raw.read(&mut self.buffer).unwrap_or(0), raw.used()),
                Source::Gzip(gzip) => {
                    let got = gzip
                        .read(&mut self.buffer)
                        .map_err(|error| match error.kind() {
                            io::ErrorKind::UnexpectedEof => Status::Truncated,
                            _ => Status::DamagedGzip,
                        })?;
                    (got, gzip.get_ref().used())
                }
            };
            if got == 0 {
                if self.next_member() {
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
                () if self.gzip && self.total > allowed => Err(Status::Ratio),
                () => Ok(()),
            };
        }
    }

    /// After one gzip member: starts the next one, or reads to the end and tells what lies there.
    fn next_member(&mut self) -> bool {
        match std::mem::replace(&mut self.source, Source::Over) {
            Source::Gzip(gzip) => {
                let mut raw = gzip.into_inner();
                if raw.peek(2).starts_with(b"\x1f\x8b") {
                    self.source = Source::Gzip(Box::new(GzDecoder::new(raw)));
                    return true;
                }
                let (mut count, mut any) = (0, false);
                loop {
                    let rest = raw.peek(1);
                    let length = rest.len();
                    if length == 0 {
                        break;
                    }
                    // gzip itself allows zeros here: tapes have whole blocks.
                    any |= rest.iter().any(|byte| *byte != 0);
                    count += length as u64;
                    raw.consume(length);
                }
                if any {
                    host::tell(Note::AfterGzip, count);
                }
                false
            }
            _ => false,
        }
    }
}
