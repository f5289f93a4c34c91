//! What a graph that somebody else wrote takes, gives and holds. Hostile until checked: nothing is
//! allocated by a size that the file claims.

use super::wire::{Field, fields, varint_of, varints};
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// Deepest nesting of graphs in graphs that is looked into.
const MAX_DEPTH: usize = 16;

/// An input or an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Element type, by its number in `TensorProto.DataType`.
    pub elem: u64,
    /// Dimensions; none where a name stands for it.
    pub dims: Vec<Option<u64>>,
}

/// A constant tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// Element type, by its number in `TensorProto.DataType`.
    pub elem: u64,
    /// Number of elements.
    pub elements: u64,
    /// Number of dimensions.
    pub rank: usize,
}

/// A node that takes weights in blocks, such as `MatMulNBits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The operator.
    pub operator: String,
    /// Bits of a weight.
    pub bits: u64,
    /// Weights that share a scale; 0: not told.
    pub block: u64,
    /// Names of what it takes, its weights among them.
    pub inputs: Vec<String>,
}

/// A graph, as far as it has to be known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// Its constants, of inner graphs too.
    pub constants: Vec<Constant>,
    /// Nodes that take weights in blocks.
    pub blocks: Vec<Blocks>,
    /// The operators that it uses.
    pub operators: BTreeSet<String>,
    /// Names of the files that hold its constants.
    pub files: BTreeSet<String>,
}

impl Survey {
    /// Reads a model file.
    ///
    /// # Errors
    /// Refused when it isn't one.
    pub fn of(model: &[u8]) -> Result<Self> {
        let mut survey = Self::default();
        let mut graphs = 0;
        for field in fields(model) {
            let field = field?;
            if let (7, Some(graph)) = (field.number, field.bytes) {
                survey.graph(graph, 0)?;
                graphs += 1;
            }
        }
        if graphs != 1 || survey.outputs.is_empty() {
            return Err(Error::refused("the file is no ONNX model"));
        }
        Ok(survey)
    }
    fn graph(&mut self, graph: &[u8], depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Error::refused("the graph is nested too deeply"));
        }
        for field in fields(graph) {
            let field = field?;
            match (field.number, field.bytes) {
                (1, Some(bytes)) => self.node(bytes, depth)?,
                (5, Some(bytes)) => {
                    let constant = self.tensor(bytes)?;
                    self.constants.push(constant);
                }
                (11, Some(bytes)) if depth == 0 => self.inputs.push(port(bytes)?),
                (12, Some(bytes)) if depth == 0 => self.outputs.push(port(bytes)?),
                _ => {}
            }
        }
        Ok(())
    }
    fn node(&mut self, node: &[u8], depth: usize) -> Result<()> {
        let (mut operator, mut inputs, mut numbers) = (String::new(), Vec::new(), Vec::new());
        for field in fields(node) {
            let field = field?;
            match (field.number, field.bytes) {
                (1, Some(bytes)) => inputs.push(text(bytes)?),
                (4, Some(bytes)) => operator = text(bytes)?,
                (5, Some(bytes)) => numbers.extend(self.attribute(bytes, depth)?),
                _ => {}
            }
        }
        let number = |name: &str| {
            let found = numbers.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| *value)
        };
        if let Some(bits) = number("bits") {
            self.blocks.push(Blocks {
                operator: operator.clone(),
                bits,
                block: number("block_size").unwrap_or(0),
                inputs,
            });
        }
        self.operators.insert(operator);
        Ok(())
    }
    /// Looks into an attribute; gives its name and value when that is an integer.
    fn attribute(&mut self, attribute: &[u8], depth: usize) -> Result<Option<(String, u64)>> {
        let (mut name, mut value) = (String::new(), None);
        for field in fields(attribute) {
            let field = field?;
            match (field.number, field.bytes) {
                (1, Some(bytes)) => name = text(bytes)?,
                (3, None) => value = varint_of(field.whole),
                (5 | 10, Some(tensor)) => {
                    self.tensor(tensor)?;
                }
                (6 | 11, Some(graph)) => self.graph(graph, depth + 1)?,
                _ => {}
            }
        }
        Ok(value.map(|value| (name, value)))
    }
    /// Reads what a tensor is and notes the file that holds it.
    fn tensor(&mut self, tensor: &[u8]) -> Result<Constant> {
        let mut constant = Constant {
            name: String::new(),
            elem: 0,
            elements: 1,
            rank: 0,
        };
        for field in fields(tensor) {
            let field = field?;
            match (field.number, field.bytes) {
                (1, _) => {
                    for dim in repeated(&field)? {
                        constant.elements = constant.elements.saturating_mul(dim);
                        constant.rank += 1;
                    }
                }
                (2, None) => constant.elem = varint_of(field.whole).unwrap_or(0),
                (8, Some(bytes)) => constant.name = text(bytes)?,
                (13, Some(pair)) => {
                    if let Some(file) = location(pair)? {
                        self.files.insert(file);
                    }
                }
                _ => {}
            }
        }
        Ok(constant)
    }
}

/// The numbers of a repeated field, packed or one by one.
fn repeated(field: &Field<'_>) -> Result<Vec<u64>> {
    match field.bytes {
        Some(packed) => varints(packed),
        None => varint_of(field.whole).map(|value| vec![value]),
    }
    .ok_or_else(|| Error::refused("the graph can't be read"))
}

fn text(bytes: &[u8]) -> Result<String> {
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| Error::refused("the graph can't be read"))
}

/// The file that an entry of a tensor's external data names.
fn location(pair: &[u8]) -> Result<Option<String>> {
    let (mut key, mut value) = (String::new(), String::new());
    for field in fields(pair) {
        let field = field?;
        match (field.number, field.bytes) {
            (1, Some(bytes)) => key = text(bytes)?,
            (2, Some(bytes)) => value = text(bytes)?,
            _ => {}
        }
    }
    Ok((key == "location").then_some(value))
}

fn port(info: &[u8]) -> Result<Port> {
    let mut port = Port {
        name: String::new(),
        elem: 0,
        dims: Vec::new(),
    };
    for field in fields(info) {
        let field = field?;
        match (field.number, field.bytes) {
            (1, Some(bytes)) => port.name = text(bytes)?,
            (2, Some(kind)) => {
                for field in fields(kind) {
                    let field = field?;
                    if let (1, Some(tensor)) = (field.number, field.bytes) {
                        tensor_type(tensor, &mut port)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(port)
}

fn tensor_type(tensor: &[u8], port: &mut Port) -> Result<()> {
    for field in fields(tensor) {
        let field = field?;
        match (field.number, field.bytes) {
            (1, None) => port.elem = varint_of(field.whole).unwrap_or(0),
            (2, Some(shape)) => {
                for field in fields(shape) {
                    let field = field?;
                    if let (1, Some(dim)) = (field.number, field.bytes) {
                        let mut size = None;
                        for field in fields(dim) {
                            let field = field?;
                            if field.number == 1 {
                                size = varint_of(field.whole);
                            }
                        }
                        port.dims.push(size);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::onnx::wire::Message;
    use crate::model::onnx::{Attr, Dim, Elem, Graph, Span};
    use proptest::prelude::*;

    fn small() -> Vec<u8> {
        let mut graph = Graph::new("g", "weights.bin");
        graph.input("input_ids", Elem::I64, &[Dim::Fixed(1), Dim::Free("new")]);
        graph.output(
            "logits",
            Elem::F32,
            &[Dim::Fixed(1), Dim::Free("new"), Dim::Fixed(7)],
        );
        let span = Span {
            offset: 0,
            length: 256,
        };
        graph.external("a.codes", Elem::U8, &[4, 2, 32], span);
        graph.small_f32("norm", &[1.0; 5]);
        let attrs = [("bits", 4), ("block_size", 32)];
        graph.contrib(
            "MatMulNBits",
            &["x", "a.codes", "a.scales"],
            &["y"],
            &attrs.map(|(name, value)| (name, Attr::Int(value))),
        );
        graph.finish()
    }

    #[test]
    fn inputs_outputs_weights_and_files_are_told() {
        let survey = Survey::of(&small()).unwrap();
        assert_eq!(survey.inputs[0].dims, [Some(1), None]);
        assert_eq!(
            (survey.outputs[0].elem, survey.outputs[0].dims[2]),
            (1, Some(7))
        );
        assert_eq!(
            survey.blocks,
            [Blocks {
                operator: "MatMulNBits".into(),
                bits: 4,
                block: 32,
                inputs: ["x", "a.codes", "a.scales"].map(str::to_owned).to_vec(),
            }]
        );
        assert_eq!(survey.files.iter().collect::<Vec<_>>(), ["weights.bin"]);
        assert_eq!(
            (survey.constants[1].elements, survey.constants[1].rank),
            (5, 1)
        );
        assert!(survey.operators.contains("MatMulNBits"));
    }

    #[test]
    fn dimensions_may_be_packed_and_tensors_of_inner_graphs_name_files_too() {
        let mut pair = Message::default();
        pair.text(1, "location");
        pair.text(2, "inner.bin");
        let mut tensor = Message::default();
        tensor.bytes(1, &[3, 0x80, 0x01]);
        tensor.int(2, 1);
        tensor.text(8, "t");
        tensor.message(13, &pair);
        let mut inner = Message::default();
        inner.message(5, &tensor);
        let mut attribute = Message::default();
        attribute.text(1, "then_branch");
        attribute.message(6, &inner);
        let mut node = Message::default();
        node.text(4, "If");
        node.message(5, &attribute);
        let mut output = Message::default();
        output.text(1, "y");
        let mut graph = Message::default();
        graph.message(1, &node);
        graph.message(12, &output);
        let mut model = Message::default();
        model.message(7, &graph);
        let survey = Survey::of(&model.into_bytes()).unwrap();
        assert_eq!(survey.constants[0].elements, 3 * 128);
        assert!(survey.files.contains("inner.bin"));
    }

    #[test]
    fn what_is_no_model_is_refused() {
        for bytes in [&b""[..], b"GGUF", b"\x3a\xff\xff\x01", b"hello, world"] {
            assert!(Survey::of(bytes).is_err(), "{bytes:?}");
        }
        let mut graph = Message::default();
        graph.text(2, "deep");
        for _ in 0..40 {
            let mut attribute = Message::default();
            attribute.message(6, &graph);
            let mut node = Message::default();
            node.message(5, &attribute);
            graph = Message::default();
            graph.message(1, &node);
        }
        let mut model = Message::default();
        model.message(7, &graph);
        let error = Survey::of(&model.into_bytes()).unwrap_err();
        assert!(error.message.contains("nested"), "{error}");
    }

    proptest! {
        #[test]
        fn a_damaged_graph_is_read_or_refused_and_never_worse(
            changes in proptest::collection::vec((0usize..600, any::<u8>()), 1..8),
        ) {
            let mut bytes = small();
            let length = bytes.len();
            for (at, value) in changes {
                bytes[at % length] = value;
            }
            let _ = Survey::of(&bytes);
        }
    }
}
