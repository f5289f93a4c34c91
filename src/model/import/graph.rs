//! Writes the transformer as an ONNX graph of fused operators, streaming the weights to the data file.
//!
//! Inputs: `input_ids` i64[1,S]; `seqlens_k` i32[1], the last position (total - 1);
//! `total_sequence_length` i32; `logits_idx` i64[M], which of the S positions need logits;
//! `past_key_values.{i}.{key,value}` f32[1, kv heads, slots, head dim]. Outputs: `logits` f32[1,M,V] and
//! `present.{i}.{key,value}`, bound by the engine to the same buffers as the past.

use super::arch::{Activation, Rotary, Shape};
use super::quant;
use crate::error::{Context, Error, ExitCode, Result};
use crate::model::gguf::{Gguf, TensorInfo};
use crate::model::onnx::{Attr, Dim, Elem, Graph, Span};
use std::io::Write;
use std::ops::Range;

/// Alignment of each tensor in the data file, in bytes: a page, so that it can be mapped.
const ALIGNMENT: u64 = 4096;
/// Rows quantised at a time.
const ROWS_AT_ONCE: usize = 1024;
/// Block of the embedding table.
const EMBEDDING_BLOCK: usize = 32;

/// Writes the model; weights go to `data`, the graph is returned. `progress` hears rows done and all rows.
///
/// # Errors
/// Refused when a tensor is missing or has another shape than the metadata says; fails when `data` can't be written.
pub fn write<B: AsRef<[u8]> + Sync, W: Write>(
    gguf: &Gguf<B>,
    shape: &Shape,
    data_name: &str,
    data: W,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Vec<u8>> {
    let total = gguf
        .tensors
        .values()
        .filter(|tensor| tensor.dims.len() > 1)
        .map(|tensor| tensor.data_size() as u64)
        .sum();
    let mut writer = Writer {
        gguf,
        shape,
        graph: Graph::new(&shape.architecture, data_name),
        data,
        offset: 0,
        done: 0,
        total,
        progress,
    };
    writer.inputs_and_outputs();
    writer.rotary_tables()?;
    writer.embedding()?;
    let mut state = State {
        residual: "embedded".to_owned(),
        update: None,
    };
    for layer in 0..shape.layers {
        state = writer.block(layer, state)?;
    }
    writer.head(&state)?;
    writer
        .data
        .flush()
        .or_fail(ExitCode::InputRefused, "write the weights")?;
    Ok(writer.graph.finish())
}

/// Rows of a tensor of the file that go into a product.
struct Part {
    name: String,
    from: usize,
    rows: usize,
    /// Rows that the whole tensor must have.
    of: usize,
}

impl Part {
    fn whole(name: String, rows: usize) -> Self {
        Self {
            name,
            from: 0,
            rows,
            of: rows,
        }
    }
}

/// The residual stream between two blocks: its value, and what is still to be added to it.
struct State {
    residual: String,
    update: Option<String>,
}

struct Writer<'a, B, W> {
    gguf: &'a Gguf<B>,
    shape: &'a Shape,
    graph: Graph,
    data: W,
    offset: u64,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl<B: AsRef<[u8]> + Sync, W: Write> Writer<'_, B, W> {
    fn inputs_and_outputs(&mut self) {
        let (kv_heads, head_dim) = (self.shape.kv_heads as i64, self.shape.head_dim as i64);
        let graph = &mut self.graph;
        graph.input(
            "input_ids",
            Elem::I64,
            &[Dim::Fixed(1), Dim::Free("sequence")],
        );
        graph.input("seqlens_k", Elem::I32, &[Dim::Fixed(1)]);
        graph.input("total_sequence_length", Elem::I32, &[]);
        graph.input("logits_idx", Elem::I64, &[Dim::Free("wanted")]);
        graph.output(
            "logits",
            Elem::F32,
            &[
                Dim::Fixed(1),
                Dim::Free("wanted"),
                Dim::Fixed(self.shape.vocab as i64),
            ],
        );
        let cache = [
            Dim::Fixed(1),
            Dim::Fixed(kv_heads),
            Dim::Free("slots"),
            Dim::Fixed(head_dim),
        ];
        for layer in 0..self.shape.layers {
            for part in ["key", "value"] {
                graph.input(
                    &format!("past_key_values.{layer}.{part}"),
                    Elem::F32,
                    &cache,
                );
                graph.output(&format!("present.{layer}.{part}"), Elem::F32, &cache);
            }
        }
    }

    /// Appends bytes to the data file at the next page.
    fn append(&mut self, bytes: &[u8]) -> Result<Span> {
        let start = self.offset.next_multiple_of(ALIGNMENT);
        let padding = vec![0u8; (start - self.offset) as usize];
        self.data
            .write_all(&padding)
            .and_then(|()| self.data.write_all(bytes))
            .or_fail(ExitCode::InputRefused, "write the weights")?;
        self.offset = start + bytes.len() as u64;
        Ok(Span {
            offset: start,
            length: bytes.len() as u64,
        })
    }
    fn append_f32(&mut self, name: &str, dims: &[i64], values: &[f32]) -> Result<()> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let span = self.append(&bytes)?;
        self.graph.external(name, Elem::F32, dims, span);
        Ok(())
    }

    fn rotary_tables(&mut self) -> Result<()> {
        let (positions, half) = (self.shape.trained_context, self.shape.rotated / 2);
        let dims = [positions as i64, half as i64];
        let window = self.shape.window_rope.as_ref();
        let tables = [
            ("rotary", Some(&self.shape.rope)),
            ("rotary.window", window),
        ];
        for (name, rope) in tables {
            if let Some(rope) = rope {
                let (cos, sin) = rope.tables(positions, half);
                self.append_f32(&format!("{name}.cos"), &dims, &cos)?;
                self.append_f32(&format!("{name}.sin"), &dims, &sin)?;
            }
        }
        Ok(())
    }

    /// A tensor of the file that must have exactly this shape.
    fn expect(&self, name: &str, rows: usize, columns: usize) -> Result<TensorInfo> {
        let tensor = self.gguf.tensor(name)?;
        if (tensor.rows(), tensor.columns()) != (rows, columns) {
            return Err(Error::refused(format!(
                "tensor {name:?} is {} by {}, not {rows} by {columns}",
                tensor.rows(),
                tensor.columns()
            )));
        }
        Ok(tensor.clone())
    }

    /// Writes tensors stacked by rows as codes and scales; returns nothing but the names it defines.
    fn weights(
        &mut self,
        name: &str,
        parts: &[(TensorInfo, Range<usize>)],
        block: usize,
        code_dims: &[i64],
        scale_dims: &[i64],
    ) -> Result<()> {
        let start = self.offset.next_multiple_of(ALIGNMENT);
        let padding = vec![0u8; (start - self.offset) as usize];
        self.data
            .write_all(&padding)
            .or_fail(ExitCode::InputRefused, "write the weights")?;
        let mut scales = Vec::new();
        let mut length = 0u64;
        for (tensor, wanted) in parts {
            let per_row = tensor.data_size() as u64 / tensor.rows().max(1) as u64;
            for from in wanted.clone().step_by(ROWS_AT_ONCE) {
                let rows = from..(from + ROWS_AT_ONCE).min(wanted.end);
                self.done += per_row * rows.len() as u64;
                let (codes, part) = quant::quantise_rows(self.gguf, tensor, rows, block)?;
                self.data
                    .write_all(&codes)
                    .or_fail(ExitCode::InputRefused, "write the weights")
                    .map_err(|error| error.hint("is the disk full?"))?;
                length += codes.len() as u64;
                scales.extend(part);
                (self.progress)(self.done.min(self.total), self.total);
            }
        }
        self.offset = start + length;
        self.graph.external(
            &format!("{name}.codes"),
            Elem::U8,
            code_dims,
            Span {
                offset: start,
                length,
            },
        );
        self.append_f32(&format!("{name}.scales"), scale_dims, &scales)
    }

    /// `output = input · weightsᵀ + bias`, with the parts stacked along the output.
    fn product(
        &mut self,
        name: &str,
        input: &str,
        output: &str,
        parts: &[Part],
        columns: usize,
        bias: Option<&str>,
    ) -> Result<()> {
        let tensors: Vec<(TensorInfo, Range<usize>)> = parts
            .iter()
            .map(|part| {
                let tensor = self.expect(&part.name, part.of, columns)?;
                Ok((tensor, part.from..part.from + part.rows))
            })
            .collect::<Result<_>>()?;
        let rows: usize = parts.iter().map(|part| part.rows).sum();
        let block = quant::block_for(columns)?;
        let blocks = (columns / block) as i64;
        self.weights(
            name,
            &tensors,
            block,
            &[rows as i64, blocks, block as i64],
            &[rows as i64, blocks],
        )?;
        let (codes, scales) = (format!("{name}.codes"), format!("{name}.scales"));
        let mut inputs = vec![input, &codes, &scales];
        inputs.extend(bias.map(|bias| ["", "", bias]).into_iter().flatten());
        let attrs = [
            ("K", columns as i64),
            ("N", rows as i64),
            ("bits", 8),
            ("block_size", block as i64),
            ("accuracy_level", 4),
        ];
        self.graph.contrib(
            "MatMulNBits",
            &inputs,
            &[output],
            &attrs.map(|(name, value)| (name, Attr::Int(value))),
        );
        Ok(())
    }

    fn embedding(&mut self) -> Result<()> {
        let (vocab, hidden) = (self.shape.vocab, self.shape.hidden);
        if !hidden.is_multiple_of(EMBEDDING_BLOCK) {
            return Err(Error::refused(format!(
                "a width of {hidden} is not a multiple of {EMBEDDING_BLOCK}"
            )));
        }
        let tensor = self.expect("token_embd.weight", vocab, hidden)?;
        let (vocab, hidden, block) = (vocab as i64, hidden as i64, EMBEDDING_BLOCK as i64);
        self.weights(
            "embedding",
            &[(tensor, 0..vocab as usize)],
            EMBEDDING_BLOCK,
            &[vocab, hidden],
            &[vocab, hidden / block],
        )?;
        let attrs = [
            ("bits", 8),
            ("block_size", block),
            ("gather_axis", 0),
            ("quantize_axis", 1),
        ];
        let scale = self.shape.embedding_scale;
        let output = if scale == 1.0 {
            "embedded"
        } else {
            "embedding.out"
        };
        if scale != 1.0 {
            self.graph.small_f32("embedding.scale", &[scale]);
        }
        self.graph.contrib(
            "GatherBlockQuantized",
            &["embedding.codes", "input_ids", "embedding.scales"],
            &[output],
            &attrs.map(|(name, value)| (name, Attr::Int(value))),
        );
        if scale != 1.0 {
            self.graph
                .node("Mul", &[output, "embedding.scale"], &["embedded"], &[]);
        }
        Ok(())
    }

    /// Normalises the last dimension, of `width` elements, by a weight of the file.
    fn norm_of(&mut self, name: &str, weight: &str, input: &str, width: usize) -> Result<String> {
        self.expect(weight, 1, width)?;
        let values = self.gguf.read_all(weight)?;
        let (constant, output) = (format!("{name}.weight"), format!("{name}.out"));
        self.graph.small_f32(&constant, &values);
        let attrs = [
            ("epsilon", Attr::Float(self.shape.norm_epsilon)),
            ("axis", Attr::Int(-1)),
            ("stash_type", Attr::Int(1)),
        ];
        self.graph.node(
            "SimplifiedLayerNormalization",
            &[input, &constant],
            &[&output],
            &attrs,
        );
        Ok(output)
    }

    /// Normalises each head of `input`, which holds `heads` of them side by side.
    fn head_norm(&mut self, name: &str, weight: &str, input: &str, heads: usize) -> Result<String> {
        let dim = self.shape.head_dim;
        let own = |part: &str| format!("{name}.{part}");
        self.graph
            .small_i64(&own("apart"), &[0, 0, heads as i64, dim as i64]);
        self.graph
            .small_i64(&own("together"), &[0, 0, (heads * dim) as i64]);
        self.graph
            .node("Reshape", &[input, &own("apart")], &[&own("split")], &[]);
        let normed = self.norm_of(&own("norm"), weight, &own("split"), dim)?;
        let output = own("joined");
        self.graph
            .node("Reshape", &[&normed, &own("together")], &[&output], &[]);
        Ok(output)
    }

    /// Adds the pending update to the residual and normalises; returns the normalised value and the new state.
    fn norm(&mut self, name: &str, weight: &str, state: State) -> Result<(String, String)> {
        let update = match state.update {
            None => {
                let width = self.shape.hidden;
                let output = self.norm_of(name, weight, &state.residual, width)?;
                return Ok((output, state.residual));
            }
            Some(update) => update,
        };
        self.expect(weight, 1, self.shape.hidden)?;
        let values = self.gguf.read_all(weight)?;
        let constant = format!("{name}.weight");
        self.graph.small_f32(&constant, &values);
        let epsilon = ("epsilon", Attr::Float(self.shape.norm_epsilon));
        let output = format!("{name}.out");
        let residual = format!("{name}.residual");
        self.graph.contrib(
            "SkipSimplifiedLayerNormalization",
            &[&state.residual, &update, &constant],
            &[&output, "", "", &residual],
            &[epsilon],
        );
        Ok((output, residual))
    }

    fn attention_bias(&mut self, layer: usize) -> Result<Option<String>> {
        let mut values = Vec::new();
        for (part, width) in [
            ("q", self.shape.query_width()),
            ("k", self.shape.kv_width()),
            ("v", self.shape.kv_width()),
        ] {
            let name = format!("blk.{layer}.attn_{part}.bias");
            if self.gguf.tensors.contains_key(&name) {
                self.expect(&name, 1, width)?;
                values.extend(self.gguf.read_all(&name)?);
            }
        }
        if values.is_empty() {
            return Ok(None);
        }
        if values.len() != self.shape.query_width() + 2 * self.shape.kv_width() {
            return Err(Error::refused(format!(
                "block {layer} has a part of its attention biases only"
            )));
        }
        let name = format!("block.{layer}.qkv.bias");
        self.graph.small_f32(&name, &values);
        Ok(Some(name))
    }

    fn block(&mut self, layer: usize, state: State) -> Result<State> {
        let (normed, residual) = self.norm(
            &format!("block.{layer}.attn_norm"),
            &format!("blk.{layer}.attn_norm.weight"),
            state,
        )?;
        let attended = self.attention(layer, &normed)?;
        let update = self.after(layer, "post_attention_norm", attended)?;
        let state = State {
            residual,
            update: Some(update),
        };
        let (normed, residual) = self.norm(
            &format!("block.{layer}.ffn_norm"),
            &format!("blk.{layer}.ffn_norm.weight"),
            state,
        )?;
        let fed = self.feed_forward(layer, &normed)?;
        let update = self.after(layer, "post_ffw_norm", fed)?;
        Ok(State {
            residual,
            update: Some(update),
        })
    }

    /// The norm between what a part computed and the residual stream, where the architecture has one.
    fn after(&mut self, layer: usize, norm: &str, computed: String) -> Result<String> {
        if !self.shape.post_norms {
            return Ok(computed);
        }
        let width = self.shape.hidden;
        self.norm_of(
            &format!("block.{layer}.{norm}"),
            &format!("blk.{layer}.{norm}.weight"),
            &computed,
            width,
        )
    }

    /// Queries, keys, values, attention and its output projection; returns the output's name.
    fn attention(&mut self, layer: usize, normed: &str) -> Result<String> {
        let shape = self.shape;
        let (hidden, query, kv) = (shape.hidden, shape.query_width(), shape.kv_width());
        let file = |part: &str| format!("blk.{layer}.{part}.weight");
        let own = |part: &str| format!("block.{layer}.{part}");
        let inputs = if shape.head_norms {
            if shape.packed {
                return Err(Error::refused(
                    "one tensor for queries, keys and values beside norms of their heads is not supported",
                ));
            }
            let mut names = Vec::new();
            for (part, width, heads, normed_too) in [
                ("q", query, shape.heads, true),
                ("k", kv, shape.kv_heads, true),
                ("v", kv, shape.kv_heads, false),
            ] {
                let tensor = format!("attn_{part}");
                if self
                    .gguf
                    .tensors
                    .contains_key(&format!("blk.{layer}.{tensor}.bias"))
                {
                    return Err(Error::refused(
                        "biases of attention beside norms of its heads are not supported",
                    ));
                }
                let output = own(&format!("{part}.out"));
                let parts = [Part::whole(file(&tensor), width)];
                self.product(&own(part), normed, &output, &parts, hidden, None)?;
                names.push(if normed_too {
                    let weight = file(&format!("{tensor}_norm"));
                    self.head_norm(&own(&format!("{part}_norm")), &weight, &output, heads)?
                } else {
                    output
                });
            }
            names
        } else {
            let bias = self.attention_bias(layer)?;
            let parts = if shape.packed {
                vec![Part::whole(file("attn_qkv"), query + 2 * kv)]
            } else {
                vec![
                    Part::whole(file("attn_q"), query),
                    Part::whole(file("attn_k"), kv),
                    Part::whole(file("attn_v"), kv),
                ]
            };
            let output = own("qkv.out");
            self.product(
                &own("qkv"),
                normed,
                &output,
                &parts,
                hidden,
                bias.as_deref(),
            )?;
            vec![output, String::new(), String::new()]
        };
        let past = ["key", "value"].map(|part| format!("past_key_values.{layer}.{part}"));
        let present = ["key", "value"].map(|part| format!("present.{layer}.{part}"));
        let window = shape.window_of(layer);
        let rotary = match (&shape.window_rope, window) {
            (Some(_), Some(_)) => ["rotary.window.cos", "rotary.window.sin"],
            _ => ["rotary.cos", "rotary.sin"],
        };
        let mut attrs = vec![
            ("num_heads", Attr::Int(shape.heads as i64)),
            ("kv_num_heads", Attr::Int(shape.kv_heads as i64)),
            ("do_rotary", Attr::Int(1)),
            (
                "rotary_interleaved",
                Attr::Int(i64::from(shape.rotary == Rotary::Interleaved)),
            ),
        ];
        if let Some(tokens) = window {
            attrs.push(("local_window_size", Attr::Int(tokens as i64)));
        }
        if let Some(scale) = shape.attention_scale {
            attrs.push(("scale", Attr::Float(scale)));
        }
        self.graph.contrib(
            "GroupQueryAttention",
            &[
                &inputs[0],
                &inputs[1],
                &inputs[2],
                &past[0],
                &past[1],
                "seqlens_k",
                "total_sequence_length",
                rotary[0],
                rotary[1],
            ],
            &[&own("attention.out"), &present[0], &present[1]],
            &attrs,
        );
        let output = own("output.out");
        self.product(
            &own("output"),
            &own("attention.out"),
            &output,
            &[Part::whole(file("attn_output"), hidden)],
            query,
            None,
        )?;
        Ok(output)
    }

    /// The gated feed-forward layer; returns the output's name.
    fn feed_forward(&mut self, layer: usize, normed: &str) -> Result<String> {
        let (hidden, wide) = (self.shape.hidden, self.shape.feed_forward);
        let file = |part: &str| format!("blk.{layer}.{part}.weight");
        let own = |part: &str| format!("block.{layer}.{part}");
        let (gate, up) = if self.shape.packed {
            let half = |from| Part {
                name: file("ffn_up"),
                from,
                rows: wide,
                of: 2 * wide,
            };
            (half(0), half(wide))
        } else {
            (
                Part::whole(file("ffn_gate"), wide),
                Part::whole(file("ffn_up"), wide),
            )
        };
        self.product(
            &own("gate"),
            normed,
            &own("gate.out"),
            &[gate],
            hidden,
            None,
        )?;
        self.product(&own("up"), normed, &own("up.out"), &[up], hidden, None)?;
        let (operator, attrs) = match self.shape.activation {
            Activation::Silu => ("QuickGelu", vec![("alpha", Attr::Float(1.0))]),
            Activation::GeluTanh => ("FastGelu", vec![]),
        };
        self.graph
            .contrib(operator, &[&own("gate.out")], &[&own("active.out")], &attrs);
        self.graph.node(
            "Mul",
            &[&own("active.out"), &own("up.out")],
            &[&own("gated.out")],
            &[],
        );
        let output = own("down.out");
        self.product(
            &own("down"),
            &own("gated.out"),
            &output,
            &[Part::whole(file("ffn_down"), hidden)],
            wide,
            None,
        )?;
        Ok(output)
    }

    /// The last norm, the wanted positions only, and the projection to the vocabulary.
    fn head(&mut self, state: &State) -> Result<()> {
        let state = State {
            residual: state.residual.clone(),
            update: state.update.clone(),
        };
        let (normed, _) = self.norm("final_norm", "output_norm.weight", state)?;
        self.graph.node(
            "Gather",
            &[&normed, "logits_idx"],
            &["wanted_rows"],
            &[("axis", Attr::Int(1))],
        );
        let weight = if self.gguf.tensors.contains_key("output.weight") {
            "output.weight"
        } else {
            "token_embd.weight"
        };
        if weight == "token_embd.weight" {
            self.total += self.gguf.tensor(weight)?.data_size() as u64;
        }
        self.product(
            "head",
            "wanted_rows",
            "logits",
            &[Part::whole(weight.to_owned(), self.shape.vocab)],
            self.shape.hidden,
            None,
        )
    }
}
