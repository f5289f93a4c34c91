//! The shape of a model, read from GGUF metadata and checked.

use crate::error::{Error, Result};
use crate::model::gguf::Gguf;

/// Longest context for which rotary tables are made, in tokens.
const MAX_CONTEXT: u64 = 131_072;

/// How rotary embedding pairs the elements of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotary {
    /// Element `i` with element `i + half` (qwen2).
    Halves,
    /// Element `2i` with element `2i + 1` (GGUF's order for llama).
    Interleaved,
}

/// The dimensions of a decoder-only transformer.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Architecture name, as in the file.
    pub architecture: String,
    /// Number of transformer blocks.
    pub layers: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layer.
    pub feed_forward: usize,
    /// Query heads.
    pub heads: usize,
    /// Key/value heads.
    pub kv_heads: usize,
    /// Elements of a head.
    pub head_dim: usize,
    /// Vocabulary size, which is the number of rows of the embedding.
    pub vocab: usize,
    /// Context the model was trained for, in tokens.
    pub trained_context: usize,
    /// Epsilon of the RMS norms.
    pub norm_epsilon: f32,
    /// Rotary pairing.
    pub rotary: Rotary,
    /// Cosines and sines, `[positions, head_dim / 2]` each, row-major.
    pub rope: RopeParameters,
}

/// What the rotary tables are computed from.
#[derive(Debug, Clone)]
pub struct RopeParameters {
    base: f64,
    /// Positions are divided by this (linear scaling).
    divisor: f64,
    /// One divisor per frequency (llama 3 scaling), or empty.
    factors: Vec<f32>,
}

impl Shape {
    /// Reads and checks the shape.
    ///
    /// # Errors
    /// Refused when the architecture is unknown, a key is missing or a dimension is out of bounds.
    pub fn read<B: AsRef<[u8]>>(gguf: &Gguf<B>) -> Result<Self> {
        let architecture = gguf
            .text("general.architecture")
            .ok_or_else(|| Error::refused("the file doesn't name its architecture"))?;
        let rotary = match architecture {
            "qwen2" => Rotary::Halves,
            "llama" => Rotary::Interleaved,
            other => {
                return Err(Error::refused(format!("architecture {other:?} is not supported")).hint("supported are: qwen2 (Qwen2, Qwen2.5, Qwen2.5-Coder) and llama (Llama, SmolLM2)"));
            }
        };
        let key = |name: &str| format!("{architecture}.{name}");
        let number = |name: &str, most: u64| {
            let value = gguf
                .uint(&key(name))
                .ok_or_else(|| Error::refused(format!("metadata key {} is missing", key(name))))?;
            if value == 0 || value > most {
                Err(Error::refused(format!(
                    "{} is {value}, not within 1 and {most}",
                    key(name)
                )))
            } else {
                Ok(value as usize)
            }
        };
        if gguf
            .uint(&key("expert_count"))
            .is_some_and(|count| count > 0)
        {
            return Err(Error::refused(
                "mixture-of-experts models are not supported",
            ));
        }
        if gguf
            .uint(&key("attention.sliding_window"))
            .is_some_and(|window| window > 0)
        {
            return Err(Error::refused(
                "models with sliding-window attention are not supported",
            ));
        }
        let hidden = number("embedding_length", 1 << 16)?;
        let heads = number("attention.head_count", 1024)?;
        let kv_heads = if gguf.meta.contains_key(&key("attention.head_count_kv")) {
            number("attention.head_count_kv", 1024)?
        } else {
            heads
        };
        let head_dim = if gguf.meta.contains_key(&key("attention.key_length")) {
            number("attention.key_length", 1024)?
        } else {
            hidden / heads
        };
        if head_dim == 0 || !head_dim.is_multiple_of(8) || !heads.is_multiple_of(kv_heads) {
            return Err(Error::refused(format!(
                "{heads} heads, {kv_heads} key/value heads and a head of {head_dim} don't fit together"
            )));
        }
        if gguf
            .uint(&key("rope.dimension_count"))
            .is_some_and(|count| count as usize != head_dim)
        {
            return Err(Error::refused(
                "models that rotate a part of each head are not supported",
            ));
        }
        let embedding = gguf.tensor("token_embd.weight")?;
        let norm_epsilon = gguf
            .float(&key("attention.layer_norm_rms_epsilon"))
            .ok_or_else(|| Error::refused("the epsilon of its norms is missing"))?
            as f32;
        if !(0.0..0.1).contains(&norm_epsilon) {
            return Err(Error::refused(format!(
                "a norm epsilon of {norm_epsilon} makes no sense"
            )));
        }
        Ok(Self {
            architecture: architecture.to_owned(),
            layers: number("block_count", 512)?,
            hidden,
            feed_forward: number("feed_forward_length", 1 << 20)?,
            heads,
            kv_heads,
            head_dim,
            vocab: embedding.rows(),
            trained_context: number("context_length", u64::from(u32::MAX))?
                .min(MAX_CONTEXT as usize),
            norm_epsilon,
            rotary,
            rope: RopeParameters::read(gguf, architecture, head_dim)?,
        })
    }
    /// Width of the concatenated queries.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }
    /// Width of the concatenated keys (and of the values).
    pub fn kv_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

impl RopeParameters {
    fn read<B: AsRef<[u8]>>(gguf: &Gguf<B>, architecture: &str, head_dim: usize) -> Result<Self> {
        let base = gguf
            .float(&format!("{architecture}.rope.freq_base"))
            .unwrap_or(10_000.0);
        if !(base.is_finite() && base > 1.0) {
            return Err(Error::refused(format!(
                "a rotary base of {base} makes no sense"
            )));
        }
        let divisor = match gguf.text(&format!("{architecture}.rope.scaling.type")) {
            None | Some("none") => 1.0,
            Some("linear") => gguf
                .float(&format!("{architecture}.rope.scaling.factor"))
                .filter(|factor| factor.is_finite() && *factor >= 1.0)
                .unwrap_or(1.0),
            Some(other) => {
                return Err(
                    Error::refused(format!("rotary scaling {other:?} is not supported"))
                        .hint("supported are none, linear and llama 3's per-frequency factors"),
                );
            }
        };
        let factors = if gguf.tensors.contains_key("rope_freqs.weight") {
            gguf.read_all("rope_freqs.weight")?
        } else {
            Vec::new()
        };
        if !factors.is_empty()
            && (factors.len() != head_dim / 2
                || factors
                    .iter()
                    .any(|factor| !(factor.is_finite() && *factor > 0.0)))
        {
            return Err(Error::refused("the rotary factors don't fit the heads"));
        }
        Ok(Self {
            base,
            divisor,
            factors,
        })
    }
    /// Cosine and sine of every position and frequency, `[positions, half]` each, row-major.
    pub fn tables(&self, positions: usize, half: usize) -> (Vec<f32>, Vec<f32>) {
        let frequency = |i: usize| {
            let factor = self.factors.get(i).map_or(1.0, |factor| f64::from(*factor));
            self.base.powf(-(i as f64) / half as f64) / factor / self.divisor
        };
        let frequencies: Vec<f64> = (0..half).map(frequency).collect();
        let angles = (0..positions).flat_map(|position| {
            frequencies
                .iter()
                .map(move |frequency| position as f64 * frequency)
        });
        angles
            .map(|angle| (angle.cos() as f32, angle.sin() as f32))
            .unzip()
    }
}
