//! Writes ONNX models, just the messages and fields that an imported model needs, and reads what others wrote.
//!
//! ONNX is a protobuf format (<https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>, field numbers
//! from there). Large tensors live in a second file, referenced by offset and length.

mod align;
mod running;
mod survey;
#[cfg(test)]
pub mod testing;
mod wire;

pub use align::{Aligned, Move, align};
pub use running::{Running, running};
pub use survey::{Port, Survey};

use wire::Message;

/// Opset of the standard operators.
const OPSET: i64 = 21;
/// ONNX intermediate representation version.
const IR_VERSION: i64 = 10;
/// Domain of ONNX Runtime's contributed operators.
const CONTRIB: &str = "com.microsoft";

/// Element types, by their number in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elem {
    /// 32-bit float.
    F32 = 1,
    /// Unsigned byte.
    U8 = 2,
    /// 32-bit integer.
    I32 = 6,
    /// 64-bit integer.
    I64 = 7,
}

/// A dimension of a graph input or output.
#[derive(Debug, Clone, Copy)]
pub enum Dim {
    /// Known when the graph is written.
    Fixed(i64),
    /// Named, known when the graph runs.
    Free(&'static str),
}

/// An attribute of a node.
#[derive(Debug, Clone, Copy)]
pub enum Attr {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f32),
}

/// Where in the data file a tensor's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
}

/// A graph under construction.
#[derive(Debug)]
pub struct Graph {
    body: Message,
    data_file: String,
    nodes: usize,
}

impl Graph {
    /// An empty graph whose large tensors are in `data_file`, a name beside the model file.
    pub fn new(name: &str, data_file: &str) -> Self {
        let mut body = Message::default();
        body.text(2, name);
        Self {
            body,
            data_file: data_file.to_owned(),
            nodes: 0,
        }
    }
    /// Adds a graph input.
    pub fn input(&mut self, name: &str, elem: Elem, dims: &[Dim]) {
        self.body.message(11, &value_info(name, elem, dims));
    }
    /// Adds a graph output.
    pub fn output(&mut self, name: &str, elem: Elem, dims: &[Dim]) {
        self.body.message(12, &value_info(name, elem, dims));
    }
    /// Adds a constant f32 tensor stored inside the model file.
    pub fn small_f32(&mut self, name: &str, values: &[f32]) {
        let mut tensor = tensor(name, Elem::F32, &[values.len() as i64]);
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        tensor.bytes(9, &bytes);
        self.body.message(5, &tensor);
    }
    /// Adds a constant i64 tensor stored inside the model file.
    pub fn small_i64(&mut self, name: &str, values: &[i64]) {
        let mut tensor = tensor(name, Elem::I64, &[values.len() as i64]);
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        tensor.bytes(9, &bytes);
        self.body.message(5, &tensor);
    }
    /// Adds a constant tensor stored in the data file.
    pub fn external(&mut self, name: &str, elem: Elem, dims: &[i64], span: Span) {
        let mut tensor = tensor(name, elem, dims);
        for (key, value) in [
            ("location", self.data_file.clone()),
            ("offset", span.offset.to_string()),
            ("length", span.length.to_string()),
        ] {
            let mut pair = Message::default();
            pair.text(1, key);
            pair.text(2, &value);
            tensor.message(13, &pair);
        }
        tensor.int(14, 1);
        self.body.message(5, &tensor);
    }
    /// Adds a standard operator.
    pub fn node(&mut self, op: &str, inputs: &[&str], outputs: &[&str], attrs: &[(&str, Attr)]) {
        self.push_node(op, "", inputs, outputs, attrs);
    }
    /// Adds an operator of the `com.microsoft` domain. An empty input name leaves that input out.
    pub fn contrib(&mut self, op: &str, inputs: &[&str], outputs: &[&str], attrs: &[(&str, Attr)]) {
        self.push_node(op, CONTRIB, inputs, outputs, attrs);
    }
    fn push_node(
        &mut self,
        op: &str,
        domain: &str,
        inputs: &[&str],
        outputs: &[&str],
        attrs: &[(&str, Attr)],
    ) {
        let mut node = Message::default();
        inputs.iter().for_each(|name| node.text(1, name));
        outputs.iter().for_each(|name| node.text(2, name));
        node.text(3, &format!("{op}_{}", self.nodes));
        node.text(4, op);
        for (name, attr) in attrs {
            let mut message = Message::default();
            message.text(1, name);
            match attr {
                Attr::Float(value) => {
                    message.float(2, *value);
                    message.int(20, 1);
                }
                Attr::Int(value) => {
                    message.int(3, *value);
                    message.int(20, 2);
                }
            }
            node.message(5, &message);
        }
        node.text(7, domain);
        self.body.message(1, &node);
        self.nodes += 1;
    }
    /// The whole model file.
    pub fn finish(self) -> Vec<u8> {
        let mut model = Message::default();
        model.int(1, IR_VERSION);
        model.text(2, env!("CARGO_PKG_NAME"));
        model.text(3, env!("CARGO_PKG_VERSION"));
        model.message(7, &self.body);
        for (domain, version) in [("", OPSET), (CONTRIB, 1)] {
            let mut opset = Message::default();
            opset.text(1, domain);
            opset.int(2, version);
            model.message(8, &opset);
        }
        model.into_bytes()
    }
}

fn tensor(name: &str, elem: Elem, dims: &[i64]) -> Message {
    let mut tensor = Message::default();
    dims.iter().for_each(|dim| tensor.int(1, *dim));
    tensor.int(2, elem as i64);
    tensor.text(8, name);
    tensor
}

fn value_info(name: &str, elem: Elem, dims: &[Dim]) -> Message {
    let mut shape = Message::default();
    for dim in dims {
        let mut message = Message::default();
        match dim {
            Dim::Fixed(size) => message.int(1, *size),
            Dim::Free(name) => message.text(2, name),
        }
        shape.message(1, &message);
    }
    let mut tensor = Message::default();
    tensor.int(1, elem as i64);
    tensor.message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &tensor);
    let mut info = Message::default();
    info.text(1, name);
    info.message(2, &kind);
    info
}
