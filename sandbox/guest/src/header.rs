//! One 512-byte tar header, read strictly.
//!
//! A reader that guesses is how two programs come to see different files in one archive, so a
//! number is either exactly what POSIX (ustar) or GNU (base 256) say, or the header is refused.
//! Format: IEEE Std 1003.1, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".

use crate::abi::Status;

/// Bytes of a header and of every padding unit.
pub const BLOCK: usize = 512;

/// A header block.
pub type Block = [u8; BLOCK];

/// What the parser needs of a header; owner, times and permission bits are not looked at.
#[derive(Debug)]
pub struct Header {
    /// The type flag.
    pub kind: u8,
    /// Bytes of content that follow.
    pub size: u64,
    /// The name, with the ustar prefix joined to it.
    pub name: Vec<u8>,
    /// The link target.
    pub link: Vec<u8>,
}

/// Whether a block is all zero, which marks the end of an archive.
pub fn is_zero(block: &Block) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// Whether the checksum holds, as unsigned bytes or, as historic writers had it, signed ones.
pub fn checksum_holds(block: &Block) -> bool {
    let Some(stored) = octal(&block[148..156]) else {
        return false;
    };
    let (mut unsigned, mut signed) = (0u64, 0i64);
    for (at, byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) {
            b' '
        } else {
            *byte
        };
        unsigned += u64::from(byte);
        signed += i64::from(byte as i8);
    }
    stored == unsigned || i64::try_from(stored) == Ok(signed)
}

/// Reads a block whose checksum was found right.
///
/// # Errors
/// [`Status::HeaderNumber`] when the size is not a number.
pub fn parse(block: &Block) -> Result<Header, Status> {
    let size = number(&block[124..136]).ok_or(Status::HeaderNumber)?;
    let mut name = Vec::with_capacity(256);
    // GNU writes "ustar  " and uses the prefix's bytes for other things.
    if &block[257..263] == b"ustar\0" && block[345] != 0 {
        name.extend_from_slice(text(&block[345..500]));
        name.push(b'/');
    }
    name.extend_from_slice(text(&block[..100]));
    Ok(Header {
        kind: block[156],
        size,
        name,
        link: text(&block[157..257]).to_vec(),
    })
}

/// Whether the sparse map of an old GNU sparse header goes on in another block.
pub fn sparse_map_continues(block: &Block, is_header: bool) -> bool {
    block[if is_header { 482 } else { 504 }] != 0
}

fn text(field: &[u8]) -> &[u8] {
    &field[..field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len())]
}

fn number(field: &[u8]) -> Option<u64> {
    match field[0] {
        // Base 256: the marker byte, then a big-endian number of which 63 bits may be used.
        0x80 => {
            let (top, low) = field[1..].split_at(field.len() - 9);
            let value = u64::from_be_bytes(low.try_into().ok()?);
            (top.iter().all(|byte| *byte == 0) && i64::try_from(value).is_ok()).then_some(value)
        }
        // 0xff begins a negative number; no other marker exists.
        first if first >= 0x80 => None,
        _ => octal(field),
    }
}

/// Leading blanks, octal digits, then blanks or NULs to the end; an empty field is zero.
fn octal(field: &[u8]) -> Option<u64> {
    let start = field
        .iter()
        .position(|byte| *byte != b' ')
        .unwrap_or(field.len());
    let field = &field[start..];
    let digits = field
        .iter()
        .position(|byte| !(b'0'..=b'7').contains(byte))
        .unwrap_or(field.len());
    if !field[digits..].iter().all(|byte| matches!(byte, 0 | b' ')) {
        return None;
    }
    Some(
        field[..digits]
            .iter()
            .fold(0, |value, digit| value * 8 + u64::from(digit - b'0')),
    )
}
