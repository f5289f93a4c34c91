//! The shape of a model, read from GGUF metadata and checked.

use crate::error::{Error, Result};
use crate::model::gguf::Gguf;

/// Most elements of a rotary table: the longest context with heads of 256.
const MAX_TABLE: usize = MAX_CONTEXT as usize * 128;
/// Gemma 3: five layers with a window, then one that sees everything.
const GEMMA_FULL_EVERY: usize = 6;
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
    /// Cosines and sines, `[positions, rotated / 2]` each, row-major.
    pub rope: RopeParameters,
    /// Rotary parameters of the layers with a window, where they have their own.
    pub window_rope: Option<RopeParameters>,
    /// Elements of a head that are rotated.
    pub rotated: usize,
    /// Which layers look back only so far.
    pub window: Option<Window>,
    /// Queries and keys are normalised head by head.
    pub head_norms: bool,
    /// What a part computes is normalised before it is added to the residual stream.
    pub post_norms: bool,
    /// Queries, keys and values are one tensor, and so are gate and up.
    pub packed: bool,
    /// The activation of the feed-forward layer.
    pub activation: Activation,
    /// What the embedding is multiplied by.
    pub embedding_scale: f32,
    /// What attention scores are multiplied by; none: one over the root of the head's size.
    pub attention_scale: Option<f32>,
}

/// Sliding-window attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Tokens that a token sees, itself included.
    pub tokens: usize,
    /// Each so-manieth layer sees everything; 0: none does.
    pub full_every: usize,
}

/// The activation of a gated feed-forward layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x · sigmoid(x)`
    Silu,
    /// GELU with the approximation by tanh.
    GeluTanh,
}

/// Architectures that are read, by their name in GGUF, and the models they are.
const KNOWN: [(&str, &str); 5] = [
    ("qwen2", "Qwen2, Qwen2.5, Qwen2.5-Coder"),
    ("qwen3", "Qwen3, dense"),
    ("llama", "Llama 2 and 3, SmolLM2, Mistral"),
    ("gemma3", "Gemma 3, text"),
    ("phi3", "Phi-3 and 3.5 mini"),
];

/// What the rotary tables are computed from.
#[derive(Debug, Clone)]
pub struct RopeParameters {
    base: f64,
    /// Positions are divided by this (linear scaling).
    divisor: f64,
    /// One divisor per frequency (Llama 3 and Phi-3 scaling), or empty.
    factors: Vec<f32>,
    /// Cosines and sines are multiplied by this.
    magnitude: f64,
    /// The context up to which `factors` hold, where others hold beyond it.
    short_context: Option<usize>,
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
        if !KNOWN.iter().any(|(name, _)| *name == architecture) {
            let known = KNOWN.map(|(name, models)| format!("{name} ({models})"));
            return Err(
                Error::refused(format!("architecture {architecture:?} is not supported"))
                    .hint(format!("supported are: {}", known.join(", "))),
            );
        }
        let gemma = architecture == "gemma3";
        let rotary = match architecture {
            "llama" => Rotary::Interleaved,
            _ => Rotary::Halves,
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
        let rotated = match gguf.uint(&key("rope.dimension_count")) {
            Some(count) if count as usize != head_dim => {
                return Err(Error::refused(format!(
                    "models that rotate {count} of the {head_dim} elements of a head are not supported"
                )));
            }
            _ => head_dim,
        };
        let layers = number("block_count", 512)?;
        let mut trained_context =
            number("context_length", u64::from(u32::MAX))?.min(MAX_CONTEXT as usize);
        trained_context = trained_context.min(MAX_TABLE / (rotated / 2));
        let rope = RopeParameters::read(gguf, architecture, rotated)?;
        if let Some(original) = rope.short_context {
            trained_context = trained_context.min(original);
        }
        let window = gguf
            .uint(&key("attention.sliding_window"))
            .map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX))
            .filter(|tokens| (1..trained_context).contains(tokens))
            .map(|tokens| Window {
                tokens,
                full_every: if gemma { GEMMA_FULL_EVERY } else { 0 },
            });
        // The 27B model is the one whose queries are scaled by another size than the head's.
        let attention_scale =
            (gemma && layers == 62).then(|| 1.0 / ((hidden / heads) as f32).sqrt());
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
            layers,
            hidden,
            feed_forward: number("feed_forward_length", 1 << 20)?,
            heads,
            kv_heads,
            head_dim,
            vocab: embedding.rows(),
            trained_context,
            norm_epsilon,
            rotary,
            window_rope: gemma.then(|| {
                RopeParameters::plain(gguf.float(&key("rope.freq_base_swa")).unwrap_or(10_000.0))
            }),
            rope,
            rotated,
            window,
            head_norms: gguf.tensors.contains_key("blk.0.attn_q_norm.weight"),
            post_norms: gemma,
            packed: gguf.tensors.contains_key("blk.0.attn_qkv.weight"),
            activation: if gemma {
                Activation::GeluTanh
            } else {
                Activation::Silu
            },
            embedding_scale: if gemma { (hidden as f32).sqrt() } else { 1.0 },
            attention_scale,
        })
    }
    /// The window of a layer, if it has one.
    pub fn window_of(&self, layer: usize) -> Option<usize> {
        let window = self.window?;
        let full = window.full_every > 0 && (layer + 1).is_multiple_of(window.full_every);
        (!full).then_some(window.tokens)
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
        let key = |name: &str| format!("{architecture}.rope.scaling.{name}");
        let scaling = gguf.text(&key("type"));
        let divisor = match scaling {
            None | Some("none" | "longrope") => 1.0,
            Some("linear") => gguf
                .float(&key("factor"))
                .filter(|factor| factor.is_finite() && *factor >= 1.0)
                .unwrap_or(1.0),
            Some(other) => {
                return Err(
                    Error::refused(format!("rotary scaling {other:?} is not supported")).hint(
                        "supported are none, linear, Llama 3's per-frequency factors and Phi-3's short ones",
                    ),
                );
            }
        };
        // Phi-3 has two sets of factors, for texts up to its original context and beyond. The first are
        // taken, and the context ends where they do.
        let short = "rope_factors_short.weight";
        let name = ["rope_freqs.weight", short]
            .into_iter()
            .find(|name| gguf.tensors.contains_key(*name));
        let factors = name.map_or(Ok(Vec::new()), |name| gguf.read_all(name))?;
        if !factors.is_empty()
            && (factors.len() != head_dim / 2
                || factors
                    .iter()
                    .any(|factor| !(factor.is_finite() && *factor > 0.0)))
        {
            return Err(Error::refused("the rotary factors don't fit the heads"));
        }
        let short_context = gguf
            .uint(&key("original_context_length"))
            .filter(|tokens| name == Some(short) && *tokens > 0)
            .and_then(|tokens| usize::try_from(tokens).ok());
        Ok(Self {
            base,
            divisor,
            factors,
            magnitude: gguf
                .float(&key("attn_factor"))
                .filter(|factor| (0.1..10.0).contains(factor))
                .unwrap_or(1.0),
            short_context,
        })
    }
    /// Without any scaling.
    fn plain(base: f64) -> Self {
        Self {
            base,
            divisor: 1.0,
            factors: Vec::new(),
            magnitude: 1.0,
            short_context: None,
        }
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
            .map(|angle| {
                let (sin, cos) = angle.sin_cos();
                ((cos * self.magnitude) as f32, (sin * self.magnitude) as f32)
            })
            .unzip()
    }
}
