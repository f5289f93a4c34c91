//! A tiny model with random weights, written as GGUF, so that the whole path runs without a download.

#![expect(clippy::disallowed_methods, reason = "tests make files")]

use super::*;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Width of the tiny model.
const HIDDEN: u64 = 64;
const FEED_FORWARD: u64 = 128;
const CONTEXT: u32 = 512;

enum Meta {
    Text(String),
    U32(u32),
    F32(f32),
    Texts(Vec<String>),
    I32s(Vec<i32>),
}

/// The letters of the byte-level alphabet, in the order of the bytes they stand for.
fn letters() -> Vec<String> {
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

/// Tokens: 256 bytes, a few merges, three control tokens.
fn vocabulary() -> (Vec<String>, Vec<i32>, Vec<String>) {
    let merges = [
        "t h", "th e", "Ġ the", "i n", "e r", "Ġ a", "o n", "er r", "o r", "err or",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut tokens = letters();
    tokens.extend(merges.iter().map(|merge| merge.replace(' ', "")));
    let mut types = vec![1; tokens.len()];
    for control in ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] {
        tokens.push(control.to_owned());
        types.push(3);
    }
    (tokens, types, merges)
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn write_meta(out: &mut Vec<u8>, key: &str, value: &Meta) {
    text(out, key);
    match value {
        Meta::Text(value) => {
            out.extend(8u32.to_le_bytes());
            text(out, value);
        }
        Meta::U32(value) => [4u32, *value]
            .iter()
            .for_each(|n| out.extend(n.to_le_bytes())),
        Meta::F32(value) => {
            out.extend(6u32.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        Meta::Texts(values) => {
            [9u32, 8].iter().for_each(|n| out.extend(n.to_le_bytes()));
            out.extend((values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| text(out, value));
        }
        Meta::I32s(values) => {
            [9u32, 5].iter().for_each(|n| out.extend(n.to_le_bytes()));
            out.extend((values.len() as u64).to_le_bytes());
            values
                .iter()
                .for_each(|value| out.extend(value.to_le_bytes()));
        }
    }
}

/// The file of a two-layer model of the given architecture and pre-tokenizer.
pub(super) fn tiny_gguf(architecture: &str, pre: &str) -> Vec<u8> {
    let (tokens, types, merges) = vocabulary();
    let vocab = tokens.len() as u64;
    let key = |name: &str| format!("{architecture}.{name}");
    let end = vocab as u32 - 1;
    let meta = [
        (
            "general.architecture".to_owned(),
            Meta::Text(architecture.to_owned()),
        ),
        ("general.name".to_owned(), Meta::Text("Tiny".to_owned())),
        ("general.file_type".to_owned(), Meta::U32(0)),
        (key("block_count"), Meta::U32(2)),
        (key("context_length"), Meta::U32(CONTEXT)),
        (key("embedding_length"), Meta::U32(HIDDEN as u32)),
        (key("feed_forward_length"), Meta::U32(FEED_FORWARD as u32)),
        (key("attention.head_count"), Meta::U32(4)),
        (key("attention.head_count_kv"), Meta::U32(2)),
        (key("attention.layer_norm_rms_epsilon"), Meta::F32(1e-6)),
        (key("rope.freq_base"), Meta::F32(10_000.0)),
        (
            "tokenizer.ggml.model".to_owned(),
            Meta::Text("gpt2".to_owned()),
        ),
        ("tokenizer.ggml.pre".to_owned(), Meta::Text(pre.to_owned())),
        ("tokenizer.ggml.tokens".to_owned(), Meta::Texts(tokens)),
        ("tokenizer.ggml.token_type".to_owned(), Meta::I32s(types)),
        ("tokenizer.ggml.merges".to_owned(), Meta::Texts(merges)),
        ("tokenizer.ggml.eos_token_id".to_owned(), Meta::U32(end)),
    ];
    let mut tensors: Vec<(String, Vec<u64>)> = vec![
        ("token_embd.weight".to_owned(), vec![HIDDEN, vocab]),
        ("output_norm.weight".to_owned(), vec![HIDDEN]),
    ];
    for layer in 0..2 {
        let mut add =
            |name: &str, dims: &[u64]| tensors.push((format!("blk.{layer}.{name}"), dims.to_vec()));
        for (name, columns, rows) in [
            ("attn_q", HIDDEN, HIDDEN),
            ("attn_k", HIDDEN, HIDDEN / 2),
            ("attn_v", HIDDEN, HIDDEN / 2),
            ("attn_output", HIDDEN, HIDDEN),
        ] {
            add(&format!("{name}.weight"), &[columns, rows]);
            if architecture == "qwen2" && name != "attn_output" {
                add(&format!("{name}.bias"), &[rows]);
            }
        }
        add("ffn_gate.weight", &[HIDDEN, FEED_FORWARD]);
        add("ffn_up.weight", &[HIDDEN, FEED_FORWARD]);
        add("ffn_down.weight", &[FEED_FORWARD, HIDDEN]);
        add("attn_norm.weight", &[HIDDEN]);
        add("ffn_norm.weight", &[HIDDEN]);
    }
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((meta.len() as u64).to_le_bytes());
    meta.iter()
        .for_each(|(key, value)| write_meta(&mut out, key, value));
    let mut data = Vec::new();
    let mut state = 1u32;
    for (name, dims) in &tensors {
        text(&mut out, name);
        out.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| out.extend(dim.to_le_bytes()));
        out.extend(0u32.to_le_bytes());
        out.extend((data.len() as u64).to_le_bytes());
        for _ in 0..dims.iter().product::<u64>() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let uniform = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
            let value = if name.contains("norm") {
                1.0 + uniform * 0.1
            } else {
                uniform * 0.6
            };
            data.extend(value.to_le_bytes());
        }
        data.resize(data.len().next_multiple_of(32), 0);
    }
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend(data);
    out
}

/// ONNX Runtime, which these tests need: the test command installs it first.
pub(super) fn runtime() -> Runtime {
    let library = Store::of_user()
        .and_then(|store| store.library())
        .unwrap_or_else(|error| panic!("{} ({})", error.chain(), error.hint.unwrap_or_default()));
    Runtime::load(&library).unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// The folder of the tiny model of an architecture, imported once a test process.
pub(super) fn tiny_model(architecture: &str) -> PathBuf {
    static IMPORTED: OnceLock<Mutex<Option<tempfile::TempDir>>> = OnceLock::new();
    let mut dir = IMPORTED
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let dir = dir.get_or_insert_with(|| tempfile::tempdir().unwrap());
    let store = Store::at(dir.path());
    let file = dir.path().join(format!("{architecture}.gguf"));
    std::fs::write(&file, tiny_gguf(architecture, "qwen2")).unwrap();
    let id = import(&file, "test", &store, &runtime(), &mut |_| {})
        .unwrap_or_else(|error| panic!("{}", error.chain()));
    store.model_dir(&id)
}

/// The tiny model, running.
pub(super) fn open(architecture: &str, seed: u64) -> Model {
    let dir = tiny_model(architecture);
    Model::open(
        &runtime(),
        &dir,
        &RunOptions {
            context_tokens: 256,
            threads: 2,
            seed,
        },
    )
    .unwrap_or_else(|error| panic!("{}", error.chain()))
}
