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
