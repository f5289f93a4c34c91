//! Tiny models with arbitrary weights, written as GGUF, so that the whole path runs without a download.
//! Nothing but the standard library: the library's own tests use it too.
#![allow(dead_code, reason = "each test binary uses a part of it")]

/// A tiny model.
#[derive(Debug, Clone, PartialEq)]
pub struct Tiny {
    pub architecture: String,
    /// How text is cut before merging; `llama`: SentencePiece-style instead of byte-level BPE.
    pub pre: String,
    pub hidden: usize,
    pub feed_forward: usize,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub context: usize,
    pub window: usize,
    pub attention_bias: bool,
    pub head_norms: bool,
    pub post_norms: bool,
    pub packed: bool,
    /// One divisor a frequency.
    pub rope_factors: Vec<f32>,
    pub template: Option<String>,
}

/// A tensor: name, dimensions with the contiguous one first, values.
pub type Tensor = (String, Vec<u64>, Vec<f32>);

impl Tiny {
    /// The shape that fits the architecture's name.
    pub fn new(architecture: &str, pre: &str) -> Self {
        let is = |name: &str| architecture == name;
        Self {
            architecture: architecture.to_owned(),
            pre: pre.to_owned(),
            hidden: 64,
            feed_forward: 128,
            layers: if is("gemma3") { 6 } else { 2 },
            heads: 4,
            kv_heads: 2,
            head_dim: if is("qwen3") || is("gemma3") { 32 } else { 16 },
            context: 512,
            window: if is("gemma3") || is("phi3") { 8 } else { 0 },
            attention_bias: is("qwen2"),
            head_norms: is("qwen3") || is("gemma3"),
            post_norms: is("gemma3"),
            packed: is("phi3"),
            rope_factors: Vec::new(),
            template: None,
        }
    }
    pub fn query(&self) -> usize {
        self.heads * self.head_dim
    }
    pub fn kv(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Tokens, GGUF's types, merges (BPE) and scores (SentencePiece-style).
    pub fn vocabulary(&self) -> (Vec<String>, Vec<i32>, Vec<String>, Vec<f32>) {
        let control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
        let mut tokens = Vec::new();
        let mut types = Vec::new();
        let mut merges = Vec::new();
        let mut scores = Vec::new();
        if self.pre == "llama" {
            tokens.extend(["<unk>", "<s>", "</s>"].map(str::to_owned));
            types.extend([2, 3, 3]);
            tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
            types.extend([6; 256]);
            let letters = (b'a'..=b'z').map(|c| char::from(c).to_string());
            tokens.extend(letters);
            tokens.extend(
                [
                    "\u{2581}",
                    "\u{2581}t",
                    "he",
                    "\u{2581}the",
                    "er",
                    "or",
                    "err",
                    "error",
                ]
                .map(str::to_owned),
            );
            types.resize(tokens.len(), 1);
            scores = (0..tokens.len()).map(|at| -(at as f32)).collect();
        } else {
            merges = [
                "t h", "th e", "Ġ the", "i n", "e r", "Ġ a", "o n", "er r", "o r", "err or",
            ]
            .map(str::to_owned)
            .to_vec();
            tokens.extend(byte_letters());
            tokens.extend(merges.iter().map(|merge: &String| merge.replace(' ', "")));
            types.resize(tokens.len(), 1);
        }
        for name in control {
            tokens.push(name.to_owned());
            types.push(3);
        }
        if !scores.is_empty() {
            scores.resize(tokens.len(), 0.0);
        }
        (tokens, types, merges, scores)
    }

    /// All tensors, with arbitrary values that are the same every time.
    pub fn tensors(&self) -> Vec<Tensor> {
        let vocab = self.vocabulary().0.len();
        let mut list: Vec<(String, Vec<usize>)> = vec![
            ("token_embd.weight".into(), vec![self.hidden, vocab]),
            ("output_norm.weight".into(), vec![self.hidden]),
        ];
        for layer in 0..self.layers {
            let mut add = |name: &str, dims: &[usize]| {
                list.push((format!("blk.{layer}.{name}"), dims.to_vec()));
            };
            let (hidden, query, kv, wide) =
                (self.hidden, self.query(), self.kv(), self.feed_forward);
            if self.packed {
                add("attn_qkv.weight", &[hidden, query + 2 * kv]);
                add("ffn_up.weight", &[hidden, 2 * wide]);
            } else {
                for (part, rows) in [("q", query), ("k", kv), ("v", kv)] {
                    add(&format!("attn_{part}.weight"), &[hidden, rows]);
                    if self.attention_bias {
                        add(&format!("attn_{part}.bias"), &[rows]);
                    }
                }
                add("ffn_gate.weight", &[hidden, wide]);
                add("ffn_up.weight", &[hidden, wide]);
            }
            if self.head_norms {
                add("attn_q_norm.weight", &[self.head_dim]);
                add("attn_k_norm.weight", &[self.head_dim]);
            }
            if self.post_norms {
                add("post_attention_norm.weight", &[hidden]);
                add("post_ffw_norm.weight", &[hidden]);
            }
            add("attn_output.weight", &[query, hidden]);
            add("ffn_down.weight", &[wide, hidden]);
            add("attn_norm.weight", &[hidden]);
            add("ffn_norm.weight", &[hidden]);
        }
        let mut state = 1u32;
        let mut made: Vec<Tensor> = Vec::new();
        for (name, dims) in list {
            let count: usize = dims.iter().product();
            let values = (0..count)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let uniform = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
                    if name.contains("norm") {
                        1.0 + uniform * 0.4
                    } else {
                        uniform * 0.6
                    }
                })
                .collect();
            made.push((name, dims.iter().map(|dim| *dim as u64).collect(), values));
        }
        if !self.rope_factors.is_empty() {
            let dims = vec![self.rope_factors.len() as u64];
            made.push(("rope_freqs.weight".into(), dims, self.rope_factors.clone()));
        }
        made
    }

    /// The model's file.
    pub fn gguf(&self) -> Vec<u8> {
        write(&self.meta(), &self.tensors())
    }

    /// The model in `count` files.
    pub fn parts(&self, count: usize) -> Vec<Vec<u8>> {
        let tensors = self.tensors();
        let share = tensors.len().div_ceil(count);
        let chunks = tensors.chunks(share).enumerate();
        let made = chunks.map(|(number, part)| {
            let mut meta = if number == 0 { self.meta() } else { Vec::new() };
            meta.push(("split.no".into(), Meta::U16(number as u16)));
            meta.push(("split.count".into(), Meta::U16(count as u16)));
            meta.push((
                "split.tensors.count".into(),
                Meta::I32(tensors.len() as i32),
            ));
            write(&meta, part)
        });
        made.collect()
    }

    fn meta(&self) -> Vec<(String, Meta)> {
        let (tokens, types, merges, scores) = self.vocabulary();
        let end = tokens.len() as u32 - 1;
        let key = |name: &str| format!("{}.{name}", self.architecture);
        let number = |name: &str, value: usize| (key(name), Meta::U32(value as u32));
        let word = |name: &str, value: &str| (name.to_owned(), Meta::Text(value.to_owned()));
        let mut meta = vec![
            word("general.architecture", &self.architecture),
            word("general.name", "Tiny"),
            ("general.file_type".into(), Meta::U32(0)),
            number("block_count", self.layers),
            number("context_length", self.context),
            number("embedding_length", self.hidden),
            number("feed_forward_length", self.feed_forward),
            number("attention.head_count", self.heads),
            number("attention.head_count_kv", self.kv_heads),
            number("attention.key_length", self.head_dim),
            (key("attention.layer_norm_rms_epsilon"), Meta::F32(1e-6)),
            (key("rope.freq_base"), Meta::F32(10_000.0)),
            ("tokenizer.ggml.tokens".into(), Meta::Texts(tokens)),
            ("tokenizer.ggml.token_type".into(), Meta::I32s(types)),
            ("tokenizer.ggml.eos_token_id".into(), Meta::U32(end)),
        ];
        if self.window > 0 {
            meta.push(number("attention.sliding_window", self.window));
        }
        if self.pre == "llama" {
            meta.push(word("tokenizer.ggml.model", "llama"));
            meta.push(("tokenizer.ggml.scores".into(), Meta::F32s(scores)));
            meta.push(("tokenizer.ggml.bos_token_id".into(), Meta::U32(1)));
        } else {
            meta.push(word("tokenizer.ggml.model", "gpt2"));
            meta.push(word("tokenizer.ggml.pre", &self.pre));
            meta.push(("tokenizer.ggml.merges".into(), Meta::Texts(merges)));
        }
        if let Some(template) = &self.template {
            meta.push(word("tokenizer.chat_template", template));
        }
        meta
    }
}

enum Meta {
    Text(String),
    U16(u16),
    U32(u32),
    I32(i32),
    F32(f32),
    Texts(Vec<String>),
    I32s(Vec<i32>),
    F32s(Vec<f32>),
}

/// The letters of the byte-level alphabet, in the order of the bytes they stand for.
fn byte_letters() -> Vec<String> {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut next = 0x100u32;
    (0..=255u8)
        .map(|byte| {
            let code = if plain(byte) { u32::from(byte) } else { next };
            next += u32::from(!plain(byte));
            char::from_u32(code).unwrap().to_string()
        })
        .collect()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn write_meta(out: &mut Vec<u8>, key: &str, value: &Meta) {
    text(out, key);
    let kind = |out: &mut Vec<u8>, kind: u32| out.extend(kind.to_le_bytes());
    match value {
        Meta::Text(value) => {
            kind(out, 8);
            text(out, value);
        }
        Meta::U16(value) => {
            kind(out, 2);
            out.extend(value.to_le_bytes());
        }
        Meta::U32(value) => {
            kind(out, 4);
            out.extend(value.to_le_bytes());
        }
        Meta::I32(value) => {
            kind(out, 5);
            out.extend(value.to_le_bytes());
        }
        Meta::F32(value) => {
            kind(out, 6);
            out.extend(value.to_le_bytes());
        }
        Meta::Texts(values) => {
            kind(out, 9);
            kind(out, 8);
            out.extend((values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| text(out, value));
        }
        Meta::I32s(values) => {
            kind(out, 9);
            kind(out, 5);
            out.extend((values.len() as u64).to_le_bytes());
            values
                .iter()
                .for_each(|value| out.extend(value.to_le_bytes()));
        }
        Meta::F32s(values) => {
            kind(out, 9);
            kind(out, 6);
            out.extend((values.len() as u64).to_le_bytes());
            values
                .iter()
                .for_each(|value| out.extend(value.to_le_bytes()));
        }
    }
}

fn write(meta: &[(String, Meta)], tensors: &[Tensor]) -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((meta.len() as u64).to_le_bytes());
    meta.iter()
        .for_each(|(key, value)| write_meta(&mut out, key, value));
    let mut data = Vec::new();
    for (name, dims, values) in tensors {
        text(&mut out, name);
        out.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
        out.extend(0u32.to_le_bytes());
        out.extend((data.len() as u64).to_le_bytes());
        values
            .iter()
            .for_each(|value| data.extend(value.to_le_bytes()));
        data.resize(data.len().next_multiple_of(32), 0);
    }
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend(data);
    out
}
