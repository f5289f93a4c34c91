//! Reads back what a graph of ours holds: which products run how, and how many bytes they take.

use super::wire::{fields, varint_of};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Weights of a graph that run the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The operator, such as `MatMulNBits`.
    pub operator: String,
    /// Bits of a weight.
    pub bits: u32,
    /// Weights that share a scale; 0: each stands for itself.
    pub block: u32,
    /// Tensors.
    pub tensors: u64,
    /// Weights in them.
    pub weights: u64,
    /// Bytes, scales included.
    pub bytes: u64,
}

/// What a graph's weights run as, the largest first.
///
/// # Errors
/// Refused when the graph can't be read.
pub fn running(model: &[u8]) -> Result<Vec<Running>> {
    let (mut sizes, mut nodes) = (BTreeMap::new(), Vec::new());
    for field in fields(model) {
        let field = field?;
        if let (7, Some(graph)) = (field.number, field.bytes) {
            for field in fields(graph) {
                let field = field?;
                match (field.number, field.bytes) {
                    (1, Some(bytes)) => nodes.push(node(bytes)?),
                    (5, Some(bytes)) => {
                        let (name, elements) = initializer(bytes)?;
                        sizes.insert(name, elements);
                    }
                    _ => {}
                }
            }
        }
    }
    let mut groups: BTreeMap<(String, u32, u32), (u64, u64)> = BTreeMap::new();
    let mut quantised = std::collections::BTreeSet::new();
    for node in &nodes {
        let Some(bits) = node.number("bits") else {
            continue;
        };
        let block = node.number("block_size").unwrap_or(0);
        // Codes are bytes, several to a byte below 8 bits.
        let codes = node
            .inputs
            .iter()
            .filter(|input| input.ends_with(".codes"))
            .filter_map(|input| sizes.get(input))
            .sum::<u64>();
        quantised.extend(node.inputs.iter().cloned());
        let group = groups
            .entry((node.operator.clone(), bits, block))
            .or_default();
        group.0 += 1;
        group.1 += codes.saturating_mul(8) / u64::from(bits.max(1));
    }
    let plain = sizes
        .iter()
        .filter(|(name, _)| !quantised.contains(*name) && !name.starts_with("rotary."));
    for (_, elements) in plain {
        let group = groups.entry(("norms, biases".into(), 32, 0)).or_default();
        group.0 += 1;
        group.1 += elements;
    }
    let mut list: Vec<Running> = groups
        .into_iter()
        .map(|((operator, bits, block), (tensors, weights))| Running {
            bytes: weights * u64::from(bits) / 8
                + weights.checked_div(u64::from(block)).unwrap_or(0) * 4,
            operator,
            bits,
            block,
            tensors,
            weights,
        })
        .collect();
    list.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.operator.cmp(&b.operator)));
    Ok(list)
}

struct Node {
    operator: String,
    inputs: Vec<String>,
    numbers: Vec<(String, i64)>,
}

impl Node {
    fn number(&self, name: &str) -> Option<u32> {
        let found = self.numbers.iter().find(|(known, _)| known == name)?;
        u32::try_from(found.1).ok()
    }
}

fn text(bytes: Option<&[u8]>) -> Result<String> {
    bytes
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .map(str::to_owned)
        .ok_or_else(|| Error::refused("the graph can't be read"))
}

fn node(bytes: &[u8]) -> Result<Node> {
    let mut made = Node {
        operator: String::new(),
        inputs: Vec::new(),
        numbers: Vec::new(),
    };
    for field in fields(bytes) {
        let field = field?;
        match (field.number, field.bytes) {
            (1, bytes @ Some(_)) => made.inputs.push(text(bytes)?),
            (4, bytes @ Some(_)) => made.operator = text(bytes)?,
            (5, Some(attribute)) => {
                let (mut name, mut value) = (String::new(), None);
                for field in fields(attribute) {
                    let field = field?;
                    match field.number {
                        1 => name = text(field.bytes)?,
                        3 => value = varint_of(field.whole),
                        _ => {}
                    }
                }
                if let Some(value) = value {
                    made.numbers.push((name, value as i64));
                }
            }
            _ => {}
        }
    }
    Ok(made)
}

/// Name and number of elements of a constant tensor.
fn initializer(bytes: &[u8]) -> Result<(String, u64)> {
    let (mut name, mut elements) = (String::new(), 1u64);
    for field in fields(bytes) {
        let field = field?;
        match field.number {
            1 => {
                let dim = varint_of(field.whole)
                    .ok_or_else(|| Error::refused("the graph can't be read"))?;
                elements = elements.saturating_mul(dim);
            }
            8 => name = text(field.bytes)?,
            _ => {}
        }
    }
    Ok((name, elements))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::onnx::{Attr, Elem, Graph, Span};

    #[test]
    fn a_graph_tells_what_its_weights_run_as() {
        let mut graph = Graph::new("g", "w");
        let span = |length| Span { offset: 0, length };
        graph.external("a.codes", Elem::U8, &[4, 2, 32], span(256));
        graph.external("a.scales", Elem::F32, &[4, 2], span(32));
        graph.small_f32("norm.weight", &[1.0; 5]);
        let attrs = [("bits", 4), ("block_size", 64)];
        graph.contrib(
            "MatMulNBits",
            &["x", "a.codes", "a.scales"],
            &["y"],
            &attrs.map(|(name, value)| (name, Attr::Int(value))),
        );
        let found = running(&graph.finish()).unwrap();
        let product = &found[0];
        assert_eq!(
            (product.operator.as_str(), product.bits, product.block),
            ("MatMulNBits", 4, 64)
        );
        assert_eq!(
            (product.tensors, product.weights, product.bytes),
            (1, 512, 256 + 8 * 4)
        );
        assert_eq!((found[1].weights, found[1].bytes), (5, 20));
        assert!(running(&[0x3a, 0xff, 0xff, 0x01]).is_err());
    }
}
