//! PAX extended headers, read strictly: every record is `length key=value\n`, the length is exact,
//! and the records fill the header exactly. IEEE Std 1003.1, pax, "pax Header Block".

use crate::abi::Status;

/// What an extended header changes about the entry after it.
#[derive(Debug, Default)]
pub struct Overrides {
    /// `path`, or the name of a PAX sparse file.
    pub name: Option<Vec<u8>>,
    /// `linkpath`.
    pub link: Option<Vec<u8>>,
    /// `size`.
    pub size: Option<u64>,
    /// A `GNU.sparse.` or star sparse record was there.
    pub sparse: bool,
}

/// Reads all records of one header; among equal keys the last wins, as POSIX says.
///
/// # Errors
/// [`Status::ExtendedHeader`] when anything is malformed.
pub fn parse(mut bytes: &[u8]) -> Result<Overrides, Status> {
    let mut found = Overrides::default();
    while !bytes.is_empty() {
        let (key, value, rest) = record(bytes).ok_or(Status::ExtendedHeader)?;
        bytes = rest;
        match key {
            b"path" => found.name = (!value.is_empty()).then(|| value.to_vec()),
            b"linkpath" => found.link = (!value.is_empty()).then(|| value.to_vec()),
            b"size" => found.size = Some(decimal(value).ok_or(Status::ExtendedHeader)?),
            b"GNU.sparse.name" => (found.name, found.sparse) = (Some(value.to_vec()), true),
            b"SCHILY.realsize" => found.sparse = true,
            _ if key.starts_with(b"GNU.sparse.") => found.sparse = true,
            _ => {}
        }
    }
    Ok(found)
}

fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    // No header is long enough for a length of more than 10 digits.
    let space = bytes.iter().take(11).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    let body = bytes.get(space + 1..length)?;
    let (newline, body) = body.split_last()?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    (*newline == b'\n' && equals > 0)
        .then(|| (&body[..equals], &body[equals + 1..], &bytes[length..]))
}

/// Digits only: no sign, no blank. At most 63 bits.
fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = text.iter().try_fold(0u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    i64::try_from(value).is_ok().then_some(value)
}
