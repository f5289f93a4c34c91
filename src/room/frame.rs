//! Frames between the coordinator and a sealed worker: a length, then one JSON value.
//!
//! The length is a little-endian `u32` of bytes and is checked before anything is allocated, so a
//! worker that was taken over can neither exhaust the coordinator nor make it parse at will: the
//! only types it can send are those of [`super::protocol`].

use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, Read, Write};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest frame accepted, in bytes.
pub const MAX_FRAME_BYTES: u32 = 16 << 20;

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the stream ended inside a frame")]
    Cut,
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME_BYTES}")]
    TooLong(u32),
    #[error("more bytes than such a worker may send")]
    TooMuch,
    #[error("a frame does not hold what the protocol says")]
    Malformed(#[source] serde_json::Error),
    #[error("the stream failed")]
    Io(#[from] io::Error),
}

/// Writes one value as a frame and flushes.
///
/// # Errors
/// The stream's error; `InvalidData` when the value is over [`MAX_FRAME_BYTES`].
pub fn write<T: Serialize>(to: &mut impl Write, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let length = u32::try_from(bytes.len())
        .ok()
        .filter(|length| *length <= MAX_FRAME_BYTES)
        .ok_or(io::ErrorKind::InvalidData)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&bytes)?;
    to.flush()
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(bytes).map_err(FrameError::Malformed)
}

fn check(length: [u8; 4]) -> Result<usize, FrameError> {
    let length = u32::from_le_bytes(length);
    if length > MAX_FRAME_BYTES {
        Err(FrameError::TooLong(length))
    } else {
        Ok(length as usize)
    }
}

/// Reads one frame; `None` at the end of the stream.
///
/// # Errors
/// Any [`FrameError`].
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    match from.read(&mut length[..1])? {
        0 => return Ok(None),
        _ => from.read_exact(&mut length[1..]).map_err(cut)?,
    }
    let mut bytes = vec![0; check(length)?];
    from.read_exact(&mut bytes).map_err(cut)?;
    decode(&bytes).map(Some)
}

/// [`read`] for the coordinator's event loop. `bytes_left` is what may still come in all; it is
/// checked before anything is allocated and goes down with each frame.
///
/// # Errors
/// Any [`FrameError`].
pub async fn read_async<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    bytes_left: &mut u64,
) -> Result<Option<T>, FrameError> {
    let mut length = [0; 4];
    if from.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut length[1..]).await.map_err(cut)?;
    let length = check(length)?;
    *bytes_left = bytes_left
        .checked_sub(length as u64)
        .ok_or(FrameError::TooMuch)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await.map_err(cut)?;
    decode(&bytes).map(Some)
}

fn cut(error: io::Error) -> FrameError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        FrameError::Cut
    } else {
        FrameError::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn round_trip_and_end() {
        let mut bytes = Vec::new();
        write(&mut bytes, &vec![1, 2, 3]).unwrap();
        let mut from = bytes.as_slice();
        assert_eq!(read::<Vec<u8>>(&mut from).unwrap(), Some(vec![1, 2, 3]));
        assert_eq!(read::<Vec<u8>>(&mut from).unwrap(), None);
    }

    #[test]
    fn a_lying_length_is_refused_before_it_is_allocated() {
        assert!(matches!(
            read::<u8>(&mut [0xff_u8, 0xff, 0xff, 0xff, 1].as_slice()),
            Err(FrameError::TooLong(_))
        ));
        assert!(matches!(
            read::<u8>(&mut [9_u8, 0, 0, 0, 1].as_slice()),
            Err(FrameError::Cut)
        ));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = read::<super::super::protocol::FromWorker>(&mut bytes.as_slice());
        }
    }
}
