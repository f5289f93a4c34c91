//! The bounds-checked cursor below the GGUF reader.

use super::Value;
use crate::error::{Error, Result};

/// Longest text value, in bytes: chat templates reach some ten thousand.
const MAX_TEXT: u64 = 16 << 20;

/// A position in a byte slice; every read is checked against its end.
pub(super) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }
    pub(super) fn position(&self) -> usize {
        self.at
    }
    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self
            .at
            .checked_add(count)
            .filter(|end| *end <= self.data.len());
        let end = end.ok_or_else(|| {
            Error::refused(format!(
                "the file ends at byte {} in the middle of its header",
                self.data.len()
            ))
        })?;
        let taken = &self.data[self.at..end];
        self.at = end;
        Ok(taken)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }
    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }
    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
    /// A length-prefixed UTF-8 text of at most `most` bytes.
    pub(super) fn text(&mut self, most: u64) -> Result<String> {
        let length = self.u64()?;
        if length > most {
            return Err(Error::refused(format!(
                "a text of {length} bytes is longer than {most}"
            )));
        }
        let bytes = self.take(length as usize)?;
        Ok(std::str::from_utf8(bytes)
            .map_err(|_| Error::refused("a text is not UTF-8"))?
            .to_owned())
    }
    /// A metadata value of the given type code.
    pub(super) fn value(&mut self, kind: u32) -> Result<Value> {
        Ok(match kind {
            8 => Value::Text(self.text(MAX_TEXT)?),
            9 => self.array_value()?,
            6 | 12 => Value::Float(self.float(kind)?),
            7 => Value::Bool(self.integer(kind)? != 0),
            10 => Value::Uint(self.u64()?),
            0 | 2 | 4 => Value::Uint(self.integer(kind)? as u64),
            _ => Value::Int(self.integer(kind)?),
        })
    }
    fn array_value(&mut self) -> Result<Value> {
        let kind = self.u32()?;
        let count = self.u64()?;
        let smallest = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            9 => return Err(Error::refused("an array of arrays in the metadata")),
            other => {
                return Err(Error::refused(format!(
                    "metadata type {other} is not known"
                )));
            }
        };
        let left = (self.data.len() - self.at) as u64;
        if count > left / smallest {
            return Err(Error::refused(format!(
                "an array of {count} elements is longer than the rest of the file"
            )));
        }
        let count = count as usize;
        Ok(match kind {
            8 => {
                let mut texts = Vec::with_capacity(count.min(1 << 18));
                for _ in 0..count {
                    texts.push(self.text(MAX_TEXT)?);
                }
                Value::Texts(texts)
            }
            6 | 12 => Value::Floats(
                (0..count)
                    .map(|_| self.float(kind))
                    .collect::<Result<_>>()?,
            ),
            _ => Value::Ints(
                (0..count)
                    .map(|_| self.integer(kind))
                    .collect::<Result<_>>()?,
            ),
        })
    }
    fn float(&mut self, kind: u32) -> Result<f64> {
        Ok(if kind == 6 {
            f64::from(f32::from_le_bytes(self.array()?))
        } else {
            f64::from_le_bytes(self.array()?)
        })
    }
    fn integer(&mut self, kind: u32) -> Result<i64> {
        Ok(match kind {
            0 | 7 => i64::from(self.array::<1>()?[0]),
            1 => i64::from(i8::from_le_bytes(self.array()?)),
            2 => i64::from(u16::from_le_bytes(self.array()?)),
            3 => i64::from(i16::from_le_bytes(self.array()?)),
            4 => i64::from(self.u32()?),
            5 => i64::from(i32::from_le_bytes(self.array()?)),
            10 => i64::try_from(self.u64()?)
                .map_err(|_| Error::refused("an integer in an array is too large"))?,
            11 => i64::from_le_bytes(self.array()?),
            other => {
                return Err(Error::refused(format!(
                    "metadata type {other} is not known"
                )));
            }
        })
    }
}
