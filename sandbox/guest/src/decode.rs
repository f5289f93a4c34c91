//! The decompressors behind one face: gzip, bzip2, xz and zstd, each with any number of members.

use crate::abi::Status;
use crate::raw::Raw;
use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, FrameHeaderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io::{self, ErrorKind, Read};

/// Largest window of xz, in KiB: `xz -9` needs 64 MiB, and the guest has 256 MiB.
const XZ_WINDOW_KIB: u32 = 128 << 10;

/// How the input is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Plain,
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

impl Format {
    /// Tells the format from the first six bytes.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            // The second is a frame to be skipped, with which some writers begin.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// A decompressor at work on one member.
pub enum Decoder {
    Plain(Raw),
    Gzip(Box<GzDecoder<Raw>>),
    Bzip2(Box<BzDecoder<Raw>>),
    Xz(Box<XzReader<Raw>>),
    Zstd(Box<StreamingDecoder<Raw, FrameDecoder>>),
    /// All members were read and their checksums held.
    Over,
}

impl Decoder {
    /// Starts on the member that `raw` is at.
    ///
    /// # Errors
    /// Damage in its first bytes, or a window that is too large.
    pub fn start(format: Format, mut raw: Raw) -> Result<Self, Status> {
        Ok(match format {
            Format::Plain => Self::Plain(raw),
            Format::Gzip => Self::Gzip(Box::new(GzDecoder::new(raw))),
            Format::Bzip2 => Self::Bzip2(Box::new(BzDecoder::new(raw))),
            Format::Xz => Self::Xz(Box::new(XzReader::new_mem_limit(raw, false, XZ_WINDOW_KIB))),
            Format::Zstd => {
                skip_frames(&mut raw)?;
                if raw.peek(1).is_empty() {
                    return Ok(Self::Over);
                }
                let frame = StreamingDecoder::new(raw).map_err(|error| zstd_status(&error))?;
                Self::Zstd(Box::new(frame))
            }
        })
    }

    /// Decompresses into `to`; the number of bytes, 0 at the member's end, and how many bytes of
    /// the input were used so far.
    ///
    /// # Errors
    /// The stream is cut or damaged.
    pub fn read(&mut self, to: &mut [u8]) -> Result<(usize, u64), Status> {
        Ok(match self {
            Self::Over => (0, 0),
            Self::Plain(raw) => (raw.read(to).unwrap_or(0), raw.used()),
            Self::Gzip(gzip) => (gzip.read(to).map_err(status)?, gzip.get_ref().used()),
            Self::Bzip2(bzip2) => (bzip2.read(to).map_err(status)?, bzip2.get_ref().used()),
            Self::Xz(xz) => (xz.read(to).map_err(status)?, xz.inner().used()),
            Self::Zstd(zstd) => {
                let got = zstd.read(to).map_err(status)?;
                let sums = (
                    zstd.decoder.get_checksum_from_data(),
                    zstd.decoder.get_calculated_checksum(),
                );
                if got == 0 && matches!(sums, (Some(stored), Some(found)) if stored != found) {
                    return Err(Status::Damaged);
                }
                (got, zstd.get_ref().used())
            }
        })
    }

    /// Gives back the input behind the member that has ended; `None` for input that has no members.
    pub fn into_rest(self) -> Option<Raw> {
        match self {
            Self::Over | Self::Plain(_) => None,
            Self::Gzip(gzip) => Some(gzip.into_inner()),
            Self::Bzip2(bzip2) => Some(bzip2.into_inner()),
            Self::Xz(xz) => Some(xz.into_inner()),
            Self::Zstd(zstd) => Some(zstd.into_inner()),
        }
    }
}

/// Passes over the frames that hold no content (RFC 8878, 3.1.2).
fn skip_frames(raw: &mut Raw) -> Result<(), Status> {
    while let [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d, ..] = *raw.peek(8) {
        let mut left = u64::from(u32::from_le_bytes([a, b, c, d])) + 8;
        while left > 0 {
            let have = raw.peek(1).len();
            if have == 0 {
                return Err(Status::Truncated);
            }
            let part = usize::try_from(left).unwrap_or(have).min(have);
            io::BufRead::consume(raw, part);
            left -= part as u64;
        }
    }
    Ok(())
}

fn status(error: io::Error) -> Status {
    match error.kind() {
        ErrorKind::UnexpectedEof => Status::Truncated,
        ErrorKind::OutOfMemory => Status::Window,
        _ => Status::Damaged,
    }
}

fn zstd_status(error: &FrameDecoderError) -> Status {
    match error {
        FrameDecoderError::WindowSizeTooBig { .. }
        | FrameDecoderError::FrameHeaderError(
            FrameHeaderError::WindowTooBig { .. } | FrameHeaderError::WindowTooSmall { .. },
        ) => Status::Window,
        FrameDecoderError::ReadFrameHeaderError(
            ReadFrameHeaderError::MagicNumberReadError(_)
            | ReadFrameHeaderError::FrameDescriptorReadError(_)
            | ReadFrameHeaderError::WindowDescriptorReadError(_)
            | ReadFrameHeaderError::DictionaryIdReadError(_)
            | ReadFrameHeaderError::FrameContentSizeReadError(_),
        ) => Status::Truncated,
        _ => Status::Damaged,
    }
}
