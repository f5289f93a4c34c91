//! The protobuf wire format (<https://protobuf.dev/programming-guides/encoding/>).

use crate::error::{Error, Result};

/// A message under construction. Fields may be written in any order; repeated ones repeat.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
    fn tag(&mut self, field: u32, wire: u32) {
        self.varint(u64::from(field << 3 | wire));
    }
    /// An integer of any signed type that isn't zigzag-coded.
    pub(super) fn int(&mut self, field: u32, value: i64) {
        self.tag(field, 0);
        self.varint(value as u64);
    }
    pub(super) fn float(&mut self, field: u32, value: f32) {
        self.tag(field, 5);
        self.0.extend(value.to_le_bytes());
    }
    pub(super) fn bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }
    pub(super) fn text(&mut self, field: u32, value: &str) {
        self.bytes(field, value.as_bytes());
    }
    pub(super) fn message(&mut self, field: u32, value: &Self) {
        self.bytes(field, &value.0);
    }
    /// A field as it was read, tag included.
    pub(super) fn raw(&mut self, field: &[u8]) {
        self.0.extend_from_slice(field);
    }
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A field that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u64,
    /// The content of a length-delimited field.
    pub(super) bytes: Option<&'a [u8]>,
    /// The whole field, tag included.
    pub(super) whole: &'a [u8],
}

/// The fields of a message in order; ends after the first error.
pub(super) fn fields(mut rest: &[u8]) -> impl Iterator<Item = Result<Field<'_>>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(rest);
        rest = match &field {
            Some((_, after)) => after,
            None => &[],
        };
        Some(
            field
                .map(|(field, _)| field)
                .ok_or_else(|| Error::refused("a protobuf message is damaged")),
        )
    })
}

/// The first field and what follows it.
fn field(data: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let (tag, after) = varint(data)?;
    let skip = |count: usize, from: &[u8]| {
        data.len()
            .checked_sub(from.len())?
            .checked_add(count)
            .filter(|end| *end <= data.len())
    };
    let (end, bytes) = match tag & 7 {
        0 => (skip(0, varint(after)?.1)?, None),
        1 => (skip(8, after)?, None),
        5 => (skip(4, after)?, None),
        2 => {
            let (length, content) = varint(after)?;
            let length = usize::try_from(length).ok()?;
            (skip(length, content)?, content.get(..length))
        }
        _ => return None,
    };
    let whole = data.get(..end)?;
    Some((
        Field {
            number: tag >> 3,
            bytes,
            whole,
        },
        data.get(end..)?,
    ))
}

/// The number in a whole field that holds one.
pub(super) fn varint_of(whole: &[u8]) -> Option<u64> {
    let (_, after) = varint(whole)?;
    varint(after).map(|(value, _)| value)
}

/// The numbers of a packed field.
pub(super) fn varints(mut packed: &[u8]) -> Option<Vec<u64>> {
    let mut values = Vec::new();
    while !packed.is_empty() {
        let (value, rest) = varint(packed)?;
        values.push(value);
        packed = rest;
    }
    Some(values)
}

fn varint(data: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in data.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &data[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_match_the_published_examples() {
        let mut message = Message::default();
        message.int(1, 150);
        message.text(2, "testing");
        assert_eq!(
            message.0,
            [
                0x08, 0x96, 0x01, 0x12, 0x07, b't', b'e', b's', b't', b'i', b'n', b'g'
            ]
        );
        let mut negative = Message::default();
        negative.int(1, -2);
        assert_eq!(
            negative.0,
            [
                0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01
            ]
        );
        let mut float = Message::default();
        float.float(3, 1.0);
        assert_eq!(float.0, [0x1d, 0, 0, 0x80, 0x3f]);
    }
}
