#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

use crate::error::ExitCode;
use crate::model::manifest::{self, Manifest};
use crate::model::onnx::testing::Asked;
use crate::model::testing::{open_file, ready_folder, runtime, tiny::Tiny};
use crate::model::{GenerateRequest, Model, ModelId, RunOptions, Store, import};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;

const PROMPT: &str = "the error in the other room and then some more";

fn imported(path: &Path, store: &Store) -> crate::error::Result<ModelId> {
    import(path, "test", None, store, &runtime(), &mut |_| {})
}

fn opened(dir: &Path) -> Model {
    let options = RunOptions {
        context_tokens: 256,
        threads: 2,
        seed: 1,
        grammars: false,
    };
    Model::open(&runtime(), dir, &options).unwrap_or_else(|error| panic!("{}", error.chain()))
}

fn reply(model: &mut Model, prompt: &[u32]) -> Vec<u32> {
    let request = GenerateRequest {
        prompt,
        max_tokens: 24,
        ..GenerateRequest::default()
    };
    let mut quiet = |_: &crate::model::Progress<'_>| ControlFlow::Continue(());
    model.generate(&request, &mut quiet).unwrap().tokens
}

/// Logits after each of some steps, of which the second takes back a part of the first.
fn logits(model: &mut Model, ids: &[u32]) -> Vec<f32> {
    model.roll_back(0);
    let mut all = Vec::new();
    for (keep, part, wanted) in [
        (0, &ids[..20], vec![3, 19]),
        (12, &ids[12..15], vec![0, 1, 2]),
        (15, &ids[15..16], vec![0]),
        (16, &ids[16..], vec![ids.len() - 17]),
    ] {
        model.roll_back(keep);
        all.extend(model.step(part, &wanted).unwrap());
    }
    all
}

fn change(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

#[test]
fn a_ready_made_graph_says_what_the_same_model_says_as_a_gguf_file() {
    let work = tempfile::tempdir().unwrap();
    for (architecture, asked) in [("qwen2", Asked::Mask), ("llama", Asked::Positions)] {
        let tiny = Tiny::new(architecture, "qwen2");
        let mut ours = open_file(&runtime(), work.path(), architecture, &tiny);
        let folder = ready_folder(&tiny, asked);
        let store = Store::at(work.path().join("ready"));
        let id = imported(folder.path(), &store).unwrap();
        store.verify(&id).unwrap();
        let dir = store.model_dir(&id);
        let vocab = ours.tokenizer().vocab_size() as u32;
        let ids: Vec<u32> = (0..40).map(|at| (at * 37 + 11) % vocab).collect();
        let wanted = logits(&mut ours, &ids);
        let prompt = ours.tokens(PROMPT);
        let candidates = [ours.tokens(" error"), ours.tokens(" the other")];
        let said = reply(&mut ours, &prompt);
        let scored = ours.score(&prompt, &candidates).unwrap();
        // In place, as the operators of this graph allow, and growing, as other graphs do.
        for in_place in [true, false] {
            change(&dir.join(manifest::MANIFEST), |manifest| {
                assert!(!in_place || manifest["ready"]["in_place"] == true);
                manifest["ready"]["in_place"] = json!(in_place);
            });
            let mut ready = opened(&dir);
            assert!(ready.facts().prepared, "there is nothing to prepare");
            assert_eq!(ready.facts().trained_context, 512);
            let found = logits(&mut ready, &ids);
            assert_eq!(found.len(), wanted.len());
            let far = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
            let far = far.fold(0.0, f32::max);
            assert!(far < 1e-3, "{architecture} {asked:?} {in_place}: {far}");
            assert_eq!(ready.tokens(PROMPT), prompt);
            assert_eq!(reply(&mut ready, &prompt), said);
            assert_eq!(
                reply(&mut ready, &prompt),
                said,
                "again, from what is there"
            );
            let again = ready.score(&prompt, &candidates).unwrap();
            for (a, b) in again.iter().zip(&scored) {
                assert!((a.log_prob - b.log_prob).abs() < 1e-2);
            }
        }
    }
}

#[test]
fn a_fixed_beginning_serves_a_graph_whose_keys_and_values_grow() {
    let tiny = Tiny::new("qwen2", "qwen2");
    let work = tempfile::tempdir().unwrap();
    let store = Store::at(work.path());
    let id = imported(ready_folder(&tiny, Asked::Mask).path(), &store).unwrap();
    let dir = store.model_dir(&id);
    change(&dir.join(manifest::MANIFEST), |manifest| {
        manifest["ready"]["in_place"] = json!(false);
    });
    let mut maker = opened(&dir);
    let prompt = maker.tokens(&PROMPT.repeat(2));
    let fixed = maker.prefix(&prompt[..20]).unwrap().to_vec();
    let file = maker.prefix_file(&fixed).unwrap();
    std::fs::create_dir(dir.join(crate::model::prefix::FOLDER)).unwrap();
    let name = maker.prefix_name(&fixed);
    std::fs::write(dir.join(crate::model::prefix::FOLDER).join(name), file).unwrap();
    let wanted = reply(&mut opened(&dir), &prompt);
    let mut with = opened(&dir);
    assert_eq!(with.read_prefixes(&dir, &[fixed]), 0);
    let other = with.tokens("something else comes between");
    reply(&mut with, &other);
    let before = with.stats();
    assert_eq!(reply(&mut with, &prompt), wanted);
    assert!(with.stats().since(&before).reused_tokens >= 18);
}

#[test]
fn the_manifest_tells_where_a_ready_made_model_is_from_and_what_it_holds() {
    let folder = ready_folder(&Tiny::new("qwen2", "qwen2"), Asked::Mask);
    let work = tempfile::tempdir().unwrap();
    let store = Store::at(work.path());
    let id = imported(&folder.path().join("onnx/model.onnx"), &store).unwrap();
    assert_eq!(
        imported(folder.path(), &store).unwrap(),
        id,
        "the same either way"
    );
    let manifest = Manifest::read(&store.model_dir(&id)).unwrap();
    assert_eq!(
        (manifest.layers, manifest.kv_heads, manifest.head_dim),
        (2, 2, 16)
    );
    assert_eq!(
        (manifest.architecture.as_str(), manifest.trained_context),
        ("qwen2", 512)
    );
    assert!(
        manifest
            .file_quantisation
            .starts_with("8 bits in blocks of")
    );
    let names: Vec<&str> = manifest.files().iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        [manifest::GRAPH, manifest::TOKENIZER, manifest::WEIGHTS]
    );
    let weights = store.model_dir(&id).join(manifest::WEIGHTS);
    let mut bytes = std::fs::read(&weights).unwrap();
    bytes[7] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    assert!(store.verify(&id).is_err());
    // Another tokenizer is another model.
    change(&folder.path().join("config.json"), |config| {
        config["max_position_embeddings"] = json!(300);
    });
    assert_ne!(imported(folder.path(), &store).unwrap(), id);
}

#[test]
fn a_folder_of_onnxruntime_genai_names_its_graph_context_and_ends() {
    let folder = ready_folder(&Tiny::new("llama", "smollm"), Asked::Mask);
    let at = |name: &str| folder.path().join(name);
    std::fs::rename(at("onnx/model.onnx"), at("decoder.onnx")).unwrap();
    std::fs::rename(at("onnx/model.data"), at("model.data")).unwrap();
    std::fs::remove_file(at("config.json")).unwrap();
    std::fs::write(at("other.onnx"), b"not this one").unwrap();
    let config = json!({"model": {"type": "llama", "context_length": 400, "eos_token_id": 266,
        "decoder": {"filename": "decoder.onnx"}}});
    std::fs::write(at("genai_config.json"), config.to_string()).unwrap();
    let work = tempfile::tempdir().unwrap();
    let store = Store::at(work.path());
    let dir = store.model_dir(&imported(folder.path(), &store).unwrap());
    assert_eq!(Manifest::read(&dir).unwrap().trained_context, 400);
    assert!(opened(&dir).tokenizer().is_end(266));
}

#[test]
fn what_can_not_be_used_is_refused_and_nothing_stays_in_the_store() {
    let work = tempfile::tempdir().unwrap();
    let store = Store::at(work.path());
    let fresh = || ready_folder(&Tiny::new("qwen2", "qwen2"), Asked::Mask);
    type Spoil = fn(&Path);
    let cases: [(Spoil, ExitCode, &str); 8] = [
        (
            |dir| std::fs::remove_file(dir.join("tokenizer.json")).unwrap(),
            ExitCode::Usage,
            "no tokenizer.json",
        ),
        (
            |dir| std::fs::write(dir.join("model_q4.onnx"), b"").unwrap(),
            ExitCode::Usage,
            "several graphs",
        ),
        (
            |dir| std::fs::remove_dir_all(dir.join("onnx")).unwrap(),
            ExitCode::Usage,
            "no ONNX model",
        ),
        (
            |dir| std::fs::write(dir.join("onnx/model.onnx"), b"GGUF").unwrap(),
            ExitCode::InputRefused,
            "is no ONNX model",
        ),
        (
            |dir| std::fs::remove_file(dir.join("onnx/model.data")).unwrap(),
            ExitCode::InputRefused,
            "model.data",
        ),
        (
            |dir| std::fs::write(dir.join("config.json"), b"{}").unwrap(),
            ExitCode::InputRefused,
            "how long a context",
        ),
        (
            |dir| rename_in_graph(dir, b"model.data", b"../../data"),
            ExitCode::InputRefused,
            "file of its weights",
        ),
        (
            |dir| rename_in_graph(dir, b"attention_mask", b"encoder_states"),
            ExitCode::InputRefused,
            "encoder_states",
        ),
    ];
    for (spoil, exit, word) in cases {
        let folder = fresh();
        spoil(folder.path());
        let error = imported(folder.path(), &store).unwrap_err();
        assert!(error.chain().contains(word), "{word}: {}", error.chain());
        assert_eq!(error.exit, exit, "{word}");
        assert!(store.list().unwrap().is_empty(), "{word}");
    }
    // Graphs that are well-formed and do not run, or not in steps.
    let folder = ready_folder(&Tiny::new("qwen2", "qwen2"), Asked::Forgetful);
    let error = imported(folder.path(), &store).unwrap_err();
    assert!(error.chain().contains("second step"), "{}", error.chain());
    let folder = fresh();
    rename_in_graph(
        folder.path(),
        b"GatherBlockQuantized",
        b"GatherBlockQuantizeX",
    );
    let error = imported(folder.path(), &store).unwrap_err();
    assert!(error.chain().contains("run the graph"), "{}", error.chain());
    assert!(store.list().unwrap().is_empty());
}

/// Writes another name of the same length in the place of one.
fn rename_in_graph(dir: &Path, name: &[u8], other: &[u8]) {
    assert_eq!(name.len(), other.len());
    let path = dir.join("onnx/model.onnx");
    let mut bytes = std::fs::read(&path).unwrap();
    let places: Vec<usize> = (0..bytes.len() - name.len())
        .filter(|at| bytes[*at..].starts_with(name))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + name.len()].copy_from_slice(other);
    }
    std::fs::write(&path, bytes).unwrap();
}
