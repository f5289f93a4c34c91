//! A tiny model with arbitrary weights, imported and opened.

#![expect(clippy::disallowed_methods, reason = "tests make files")]

#[path = "../../tests/support/tiny.rs"]
pub(super) mod tiny;

use super::*;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tiny::Tiny;

/// The file of a tiny model of the given architecture and pre-tokenizer.
pub(super) fn tiny_gguf(architecture: &str, pre: &str) -> Vec<u8> {
    Tiny::new(architecture, pre).gguf()
}

/// A tiny model, imported below `dir` under a name of its own and opened.
pub(super) fn open_file(runtime: &Runtime, dir: &Path, name: &str, tiny: &Tiny) -> Model {
    let store = Store::at(dir.join("store"));
    let file = dir.join(format!("{name}.gguf"));
    std::fs::write(&file, tiny.gguf()).unwrap();
    let id = import(&file, "test", None, &store, runtime, &mut |_| {})
        .unwrap_or_else(|error| panic!("{tiny:?}: {}", error.chain()));
    let options = RunOptions {
        context_tokens: 256,
        threads: 2,
        seed: 1,
        grammars: false,
    };
    Model::open(runtime, &store.model_dir(&id), &options)
        .unwrap_or_else(|error| panic!("{tiny:?}: {}", error.chain()))
}

/// ONNX Runtime, which these tests need: the test command installs it first.
pub(super) fn runtime() -> Runtime {
    let library = Store::of_user()
        .and_then(|store| store.library())
        .unwrap_or_else(|error| panic!("{} ({})", error.chain(), error.hint.unwrap_or_default()));
    Runtime::load(&library).unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// The folder of the tiny model of an architecture, in a store that all tests that run at a time share.
/// It is gone with the last of them: what a static holds is never dropped.
pub(super) struct TinyModel {
    pub(super) dir: PathBuf,
    _store: Arc<tempfile::TempDir>,
}

/// Imports the tiny model of an architecture.
pub(super) fn tiny_model(architecture: &str) -> TinyModel {
    static SHARED: Mutex<Weak<tempfile::TempDir>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = shared.upgrade().unwrap_or_else(|| {
        let made = Arc::new(tempfile::tempdir().unwrap());
        *shared = Arc::downgrade(&made);
        made
    });
    let store = Store::at(folder.path());
    let file = folder.path().join(format!("{architecture}.gguf"));
    std::fs::write(&file, tiny_gguf(architecture, "qwen2")).unwrap();
    let id = import(&file, "test", None, &store, &runtime(), &mut |_| {})
        .unwrap_or_else(|error| panic!("{}", error.chain()));
    TinyModel {
        dir: store.model_dir(&id),
        _store: folder,
    }
}

/// The tiny model, running.
pub(super) fn open(architecture: &str, seed: u64) -> Model {
    let imported = tiny_model(architecture);
    Model::open(
        &runtime(),
        &imported.dir,
        &RunOptions {
            context_tokens: 256,
            threads: 2,
            seed,
            grammars: false,
        },
    )
    .unwrap_or_else(|error| panic!("{}", error.chain()))
}

/// What a publisher would ship beside the ready-made graph of a tiny model: `tokenizer.json`.
pub(super) fn tokenizer_json(tiny: &Tiny) -> serde_json::Value {
    use serde_json::json;
    let (tokens, types, merges, _) = tiny.vocabulary();
    let with = |kind: &dyn Fn(i32) -> bool| -> Vec<(usize, &String)> {
        let all = tokens.iter().enumerate();
        all.filter(|(id, _)| kind(types[*id])).collect()
    };
    let vocab: serde_json::Map<String, serde_json::Value> = with(&|kind| kind != 3)
        .into_iter()
        .map(|(id, token)| (token.clone(), json!(id)))
        .collect();
    let added: Vec<_> = with(&|kind| kind == 3)
        .into_iter()
        .map(|(id, token)| json!({"id": id, "content": token, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}))
        .collect();
    let split = |pattern: &str| json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
    let bytes = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": regex});
    let chain = |parts: &[serde_json::Value]| json!({"type": "Sequence", "pretokenizers": parts});
    let digits = json!({"type": "Digits", "individual_digits": true});
    let (normal, pre) = match tiny.pre.as_str() {
        "qwen2" => (
            json!({"type": "NFC"}),
            chain(&[split(tokenizer::QWEN2), bytes(false)]),
        ),
        "llama-bpe" => (
            json!(null),
            chain(&[split(tokenizer::LLAMA3), bytes(false)]),
        ),
        "smollm" => (json!(null), chain(&[digits, bytes(true)])),
        "gpt-2" => (json!(null), bytes(true)),
        _ => (
            json!({"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "\u{2581}"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"}]}),
            json!(null),
        ),
    };
    let pieces = tiny.pre == "llama";
    // As transformers turns scores into merges: all ways to make a token, the best token first.
    let merges = match pieces {
        false => merges,
        true => tokens
            .iter()
            .enumerate()
            .filter(|(id, token)| types[*id] == 1 && token.chars().count() > 1)
            .flat_map(|(_, token)| {
                let cuts = token.char_indices().skip(1);
                cuts.map(|(at, _)| token.split_at(at)).collect::<Vec<_>>()
            })
            .filter(|(left, right)| vocab.contains_key(*left) && vocab.contains_key(*right))
            .map(|(left, right)| format!("{left} {right}"))
            .collect(),
    };
    json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normal,
        "pre_tokenizer": pre, "post_processor": null, "decoder": null,
        "model": {"type": "BPE", "dropout": null, "unk_token": pieces.then_some("<unk>"), "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": pieces, "byte_fallback": pieces,
            "ignore_merges": tiny.pre == "llama-bpe", "vocab": vocab, "merges": merges}})
}

/// A tiny model as a publisher of ready-made graphs would ship it: graph, weights and tokenizer in a folder.
pub(super) fn ready_folder(tiny: &Tiny, asked: onnx::testing::Asked) -> tempfile::TempDir {
    use serde_json::json;
    let work = tempfile::tempdir().unwrap();
    let store = Store::at(work.path().join("store"));
    let file = work.path().join("tiny.gguf");
    std::fs::write(&file, tiny.gguf()).unwrap();
    let id = import(&file, "test", None, &store, &runtime(), &mut |_| {}).unwrap();
    let ours = store.model_dir(&id);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    std::fs::create_dir(folder.path().join("onnx")).unwrap();
    let graph = std::fs::read(ours.join(manifest::GRAPH)).unwrap();
    write("onnx/model.onnx", &onnx::testing::ready_made(&graph, asked));
    let weights = std::fs::read(ours.join(manifest::WEIGHTS)).unwrap();
    write(&format!("onnx/{}", manifest::WEIGHTS), &weights);
    write(
        "tokenizer.json",
        tokenizer_json(tiny).to_string().as_bytes(),
    );
    let end = tiny.vocabulary().0.len() - 1;
    for (name, value) in [
        (
            "config.json",
            json!({"model_type": tiny.architecture, "max_position_embeddings": tiny.context}),
        ),
        ("generation_config.json", json!({"eos_token_id": [end]})),
        ("tokenizer_config.json", json!({"eos_token": "<|im_end|>"})),
    ] {
        write(name, value.to_string().as_bytes());
    }
    folder
}
