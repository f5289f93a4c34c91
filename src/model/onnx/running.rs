//! What a graph's weights run as: which products run how, and how many bytes they take.

use super::survey::{Constant, Survey};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

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

/// Number of `TensorProto.DataType` and bits of an element, of the types that weights have.
const WEIGHTS: [(u64, u32); 8] = [
    (1, 32),
    (2, 8),
    (3, 8),
    (10, 16),
    (11, 64),
    (16, 16),
    (21, 4),
    (22, 4),
];

/// What a graph's weights run as, the largest first.
///
/// # Errors
/// Refused when the graph can't be read.
pub fn running(model: &[u8]) -> Result<Vec<Running>> {
    let survey = Survey::of(model)?;
    let constants: BTreeMap<&str, &Constant> = survey
        .constants
        .iter()
        .map(|constant| (constant.name.as_str(), constant))
        .collect();
    let mut groups: BTreeMap<(&str, u32, u32), (u64, u64)> = BTreeMap::new();
    let mut quantised = BTreeSet::new();
    for node in &survey.blocks {
        let bits = u32::try_from(node.bits).unwrap_or(0).clamp(1, 64);
        quantised.extend(node.inputs.iter().map(String::as_str));
        // The codes are the first constant. Below 8 bits there are several to a byte.
        let codes = node
            .inputs
            .iter()
            .find_map(|input| constants.get(input.as_str()));
        let weights = codes.map_or(0, |codes| match codes.elem {
            21 | 22 => codes.elements,
            _ => codes.elements.saturating_mul(8) / u64::from(bits),
        });
        let block = u32::try_from(node.block).unwrap_or(0);
        let group = groups.entry((&node.operator, bits, block)).or_default();
        group.0 += 1;
        group.1 = group.1.saturating_add(weights);
    }
    for constant in constants.values() {
        let bits = WEIGHTS.iter().find(|(elem, _)| *elem == constant.elem);
        let Some((_, bits)) = bits else { continue };
        if quantised.contains(constant.name.as_str()) || constant.name.starts_with("rotary.") {
            continue;
        }
        let what = match constant.rank {
            0 | 1 => "norms, biases",
            _ => "matrix",
        };
        let group = groups.entry((what, *bits, 0)).or_default();
        group.0 += 1;
        group.1 = group.1.saturating_add(constant.elements);
    }
    let mut list: Vec<Running> = groups
        .into_iter()
        .map(|((operator, bits, block), (tensors, weights))| Running {
            bytes: (weights / 8)
                .saturating_mul(u64::from(bits))
                .saturating_add(weights % 8 * u64::from(bits) / 8)
                .saturating_add(
                    weights
                        .checked_div(u64::from(block))
                        .unwrap_or(0)
                        .saturating_mul(4),
                ),
            operator: operator.to_owned(),
            bits,
            block,
            tensors,
            weights,
        })
        .collect();
    list.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.operator.cmp(&b.operator)));
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::onnx::{Attr, Elem, Graph, Span};

    #[test]
    fn a_graph_tells_what_its_weights_run_as() {
        let mut graph = Graph::new("g", "w");
        graph.output("y", Elem::F32, &[]);
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
