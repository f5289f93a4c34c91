//! Turns a graph of ours into one that is asked as ready-made graphs are.

use super::wire::{Message, fields};
use super::{Attr, Dim, Elem, Graph};

/// The inputs of ours that are computed from the ready-made ones instead.
const OURS: [&str; 3] = ["seqlens_k", "total_sequence_length", "logits_idx"];

/// How the graph is to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// By `attention_mask` alone.
    Mask,
    /// By `attention_mask`, `position_ids` and `num_logits_to_keep`.
    Positions,
    /// As [`Asked::Mask`], and it forgets what was there before.
    Forgetful,
}

/// The same model, asked in another way.
pub fn ready_made(model: &[u8], asked: Asked) -> Vec<u8> {
    let mut first = Graph::new("first", "unused");
    first.input(
        "attention_mask",
        Elem::I64,
        &[Dim::Free("b"), Dim::Free("all")],
    );
    for (name, value) in [("r.zero", 0), ("r.one", 1)] {
        first.small_i64(name, &[value]);
        first.node("Squeeze", &[name], &[&format!("{name}.scalar")], &[]);
    }
    let to_i32 = [("to", Attr::Int(Elem::I32 as i64))];
    let flat = [("keepdims", Attr::Int(0))];
    first.node("Shape", &["attention_mask"], &["r.mask"], &[]);
    first.node("Gather", &["r.mask", "r.one.scalar"], &["r.all"], &[]);
    first.node("Cast", &["r.all"], &["total_sequence_length"], &to_i32);
    first.node("Shape", &["input_ids"], &["r.ids"], &[]);
    first.node("Gather", &["r.ids", "r.one.scalar"], &["r.new"], &[]);
    let from = match asked {
        Asked::Forgetful => {
            first.node("Squeeze", &["r.new"], &["r.count"], &[]);
            first.node("Sub", &["r.count", "r.one"], &["r.last"], &[]);
            "r.zero.scalar"
        }
        Asked::Mask => {
            first.node("ReduceSum", &["attention_mask", "r.one"], &["r.sum"], &flat);
            first.node("Sub", &["r.sum", "r.one"], &["r.last"], &[]);
            "r.zero.scalar"
        }
        Asked::Positions => {
            first.input(
                "position_ids",
                Elem::I64,
                &[Dim::Free("b"), Dim::Free("new")],
            );
            first.input("num_logits_to_keep", Elem::I64, &[]);
            first.node("ReduceMax", &["position_ids", "r.one"], &["r.last"], &flat);
            first.node("Sub", &["r.new", "num_logits_to_keep"], &["r.from"], &[]);
            "r.from"
        }
    };
    first.node("Cast", &["r.last"], &["seqlens_k"], &to_i32);
    first.node(
        "Range",
        &[from, "r.new", "r.one.scalar"],
        &["logits_idx"],
        &[],
    );
    let first = first.body.into_bytes();

    let mut made = Message::default();
    for field in fields(model).map(Result::unwrap) {
        if field.number != 7 {
            made.raw(field.whole);
            continue;
        }
        let mut graph = Message::default();
        for part in [first.as_slice(), field.bytes.unwrap()] {
            for field in fields(part).map(Result::unwrap) {
                let name = field.bytes.and_then(|bytes| {
                    let name = fields(bytes).next()?.ok()?;
                    (name.number == 1).then(|| name.bytes.unwrap_or_default().to_vec())
                });
                let replaced = field.number == 11
                    && name.is_some_and(|name| OURS.iter().any(|ours| ours.as_bytes() == name));
                // The second graph has a name of its own already.
                let named_again = field.number == 2 && part == first.as_slice();
                if !replaced && !named_again {
                    graph.raw(field.whole);
                }
            }
        }
        made.message(7, &graph);
    }
    made.into_bytes()
}
