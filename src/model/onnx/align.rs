//! Moves the tensors of a model's data file to page boundaries.
//!
//! ONNX Runtime saves prepared weights back to back. Their inner layout was aligned to the address they
//! were made at, and at another alignment they are silently misread. Only the external data entries
//! (`TensorProto.external_data`) of the graph's initializers change; all else is copied as it is.

use super::wire::{Field, Message, fields};
use crate::error::{Error, Result};
use std::ops::Range;

/// Boundary in bytes; at least the alignment of any allocator.
const BOUNDARY: u64 = 4096;

/// How the entries that ONNX Runtime adds for prepared buffers begin.
const PREPARED: &str = "prepacked_";

/// A run of bytes to copy: where it was and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Bytes of the old file.
    pub from: Range<u64>,
    /// First byte in the new file.
    pub to: u64,
}

/// A model whose data file is to be written anew.
#[derive(Debug)]
pub struct Aligned {
    /// The new model file.
    pub model: Vec<u8>,
    /// What to copy to the new data file, in ascending order of `to`.
    pub moves: Vec<Move>,
    /// Length of the new data file in bytes.
    pub length: u64,
}

/// The model with every span of its data file on a page boundary.
///
/// # Errors
/// Refused when the model can't be read.
pub fn align(model: &[u8]) -> Result<Aligned> {
    let mut moves = Moves::default();
    let mut out = Message::default();
    for field in fields(model) {
        match field? {
            Field {
                number: 7,
                bytes: Some(graph),
                ..
            } => {
                let mut new = Message::default();
                for field in fields(graph) {
                    match field? {
                        Field {
                            number: 5,
                            bytes: Some(tensor),
                            ..
                        } => new.message(5, &moves.tensor(tensor)?),
                        other => new.raw(other.whole),
                    }
                }
                out.message(7, &new);
            }
            other => out.raw(other.whole),
        }
    }
    Ok(Aligned {
        model: out.into_bytes(),
        length: moves.end,
        moves: moves.list,
    })
}

#[derive(Default)]
struct Moves {
    list: Vec<Move>,
    end: u64,
}

impl Moves {
    fn place(&mut self, offset: &str, length: &str) -> Result<u64> {
        let number = |text: &str| text.parse::<u64>().map_err(|_| damaged());
        let (offset, length) = (number(offset)?, number(length)?);
        let to = self.end.next_multiple_of(BOUNDARY);
        self.end = to.checked_add(length).ok_or_else(damaged)?;
        let end = offset.checked_add(length).ok_or_else(damaged)?;
        self.list.push(Move {
            from: offset..end,
            to,
        });
        Ok(to)
    }

    fn tensor(&mut self, tensor: &[u8]) -> Result<Message> {
        let mut out = Message::default();
        let mut entries = Vec::new();
        for field in fields(tensor) {
            match field? {
                Field {
                    number: 13,
                    bytes: Some(pair),
                    ..
                } => entries.push(entry(pair)?),
                other => out.raw(other.whole),
            }
        }
        let find = |entries: &[(String, String)], key: &str| {
            entries
                .iter()
                .find(|entry| entry.0 == key)
                .map(|entry| entry.1.clone())
        };
        let moved = match (find(&entries, "offset"), find(&entries, "length")) {
            (Some(offset), Some(length)) => Some(self.place(&offset, &length)?),
            _ => None,
        };
        for (key, value) in entries {
            let value = match (key.as_str(), moved) {
                ("offset", Some(to)) => to.to_string(),
                (key, _) if key.starts_with(PREPARED) => self.prepacked(&value)?,
                _ => value,
            };
            let mut pair = Message::default();
            pair.text(1, &key);
            pair.text(2, &value);
            out.message(13, &pair);
        }
        Ok(out)
    }

    /// `name|offset;length;checksum|…`, one group a buffer.
    fn prepacked(&mut self, value: &str) -> Result<String> {
        let mut groups = value.split('|');
        let mut out = groups.next().unwrap_or_default().to_owned();
        for group in groups {
            let mut parts: Vec<String> = group.split(';').map(str::to_owned).collect();
            if let [offset, length, ..] = parts.as_mut_slice() {
                *offset = self.place(offset, length)?.to_string();
            }
            out.push('|');
            out.push_str(&parts.join(";"));
        }
        Ok(out)
    }
}

fn entry(pair: &[u8]) -> Result<(String, String)> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in fields(pair) {
        let field = field?;
        let text = || {
            field
                .bytes
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .map(str::to_owned)
                .ok_or_else(damaged)
        };
        match field.number {
            1 => key = text()?,
            2 => value = text()?,
            _ => {}
        }
    }
    Ok((key, value))
}

fn damaged() -> Error {
    Error::refused("the prepared model can't be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::onnx::{Elem, Graph, Span};

    #[test]
    fn spans_move_to_page_boundaries_and_the_rest_stays() {
        let mut graph = Graph::new("g", "w");
        graph.small_f32("inline", &[1.0, 2.0]);
        graph.external(
            "a",
            Elem::U8,
            &[3],
            Span {
                offset: 5,
                length: 3,
            },
        );
        graph.external(
            "b",
            Elem::U8,
            &[7],
            Span {
                offset: 8,
                length: 7,
            },
        );
        graph.node("Add", &["a", "b"], &["c"], &[]);
        let Aligned {
            model,
            moves,
            length,
        } = align(&graph.finish()).unwrap();
        assert_eq!(length, 4096 + 7);
        assert_eq!(
            moves,
            [
                Move { from: 5..8, to: 0 },
                Move {
                    from: 8..15,
                    to: 4096
                }
            ]
        );
        let mut wanted = Graph::new("g", "w");
        wanted.small_f32("inline", &[1.0, 2.0]);
        wanted.external(
            "a",
            Elem::U8,
            &[3],
            Span {
                offset: 0,
                length: 3,
            },
        );
        wanted.external(
            "b",
            Elem::U8,
            &[7],
            Span {
                offset: 4096,
                length: 7,
            },
        );
        wanted.node("Add", &["a", "b"], &["c"], &[]);
        // The reader keeps fields in order; only external entries go to the end of their tensor.
        assert_eq!(align(&wanted.finish()).unwrap().model, model);
    }

    #[test]
    fn prepared_buffers_move_too() {
        let mut moves = Moves::default();
        assert_eq!(
            moves.prepacked("Op+1|10;20;0|30;5;7").unwrap(),
            "Op+1|0;20;0|4096;5;7"
        );
        assert_eq!(
            moves.list,
            [
                Move {
                    from: 10..30,
                    to: 0
                },
                Move {
                    from: 30..35,
                    to: 4096
                }
            ]
        );
        assert!(moves.prepacked("Op|x;1;0").is_err());
    }

    #[test]
    fn damaged_models_are_refused() {
        assert!(align(&[0x3a, 0xff, 0xff, 0x01]).is_err());
        assert!(align(&[0x3b]).is_err());
    }
}
