//! From a GGUF file, or a ready-made ONNX graph, to what runs: graph, weights, vocabulary, manifest, in the store.
//!
//! Reads the model's files, writes the store. Runs outside the sealed room, in a process that holds no
//! bundle. A model appears in the store whole or not at all: everything is written under a temporary
//! name, synced and renamed.

pub(super) mod arch;
mod graph;
mod quant;
mod ready;

use super::gguf::{self, Gguf};
use super::manifest::{self, Manifest, Stored};
use super::prepare;
use super::runtime::Runtime;
use super::store::{self, ModelId, Store};
use super::tokenizer::{Tokenizer, Vocabulary};
use crate::error::{Context, Error, ExitCode, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// What runs, in words.
pub(super) const RUN_QUANTISATION: &str = "8-bit blocks (int8 products)";

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportProgress {
    /// Hashing the GGUF file: bytes done, bytes in all.
    Hashing(u64, u64),
    /// Converting the weights: bytes of the file done, bytes in all.
    Converting(u64, u64),
    /// Letting ONNX Runtime lay the weights out for this processor.
    Preparing,
    /// The model was in the store already.
    AlreadyThere,
}

/// Imports a GGUF file into the store and prepares it for this processor; or a ready-made ONNX graph, which runs as
/// it is. `source`: how it was asked
/// for, kept in the manifest; `wanted`: the SHA-256 it must have.
///
/// # Errors
/// Refused when the file is damaged or of a kind that isn't supported; fails when the disk is full.
pub fn import(
    path: &Path,
    source: &str,
    wanted: Option<&str>,
    store: &Store,
    runtime: &Runtime,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ModelId> {
    let folder = match ready::is_one(path) {
        true => Some(ready::Folder::find(path)?),
        false => None,
    };
    let sha256 = match &folder {
        Some(folder) => folder.identity(progress)?,
        None => identity(path, progress)?,
    };
    if let Some(wanted) = wanted
        && !wanted.eq_ignore_ascii_case(&sha256)
    {
        return Err(Error::refused(format!(
            "{} is not the wanted file: its sha256 is {sha256}",
            path.display()
        ))
        .hint("fetch it again; nothing was imported"));
    }
    let id = ModelId::parse(&sha256)?;
    let dir = store.model_dir(&id);
    if Manifest::read(&dir).is_ok() {
        progress(ImportProgress::AlreadyThere);
    } else {
        let pending = store.pending()?;
        match &folder {
            Some(folder) => {
                let mut manifest = folder.convert(&sha256, source, pending.path(), progress)?;
                progress(ImportProgress::Preparing);
                prepare::prove(runtime, pending.path(), &mut manifest)?;
                write_file(
                    &pending.path().join(manifest::MANIFEST),
                    &to_json(&manifest)?,
                )?;
            }
            None => convert(path, &sha256, source, pending.path(), progress)?,
        }
        // What an older version of the program imported is not read any more.
        if dir.is_dir() && Manifest::read(&dir).is_err() {
            store.remove(&id)?;
        }
        pending.publish(&dir)?;
    }
    if folder.is_none() {
        progress(ImportProgress::Preparing);
        prepare::ensure(runtime, &dir)?;
    }
    Ok(id)
}

/// SHA-256 of a model file, hexadecimal; of a model in parts the SHA-256 of its parts' own, in order.
pub(super) fn identity(path: &Path, progress: &mut dyn FnMut(ImportProgress)) -> Result<String> {
    let mut hash = |path: &Path| {
        store::hash_file(path, &mut |done, all| {
            progress(ImportProgress::Hashing(done, all))
        })
    };
    let parts = gguf::parts(path)?;
    match parts.as_slice() {
        [one] => hash(one),
        parts => {
            let mut all = Sha256::new();
            for part in parts {
                all.update(hash(part)?);
            }
            Ok(hex::encode(all.finalize()))
        }
    }
}

fn convert(
    path: &Path,
    sha256: &str,
    source: &str,
    dir: &Path,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<()> {
    let gguf = Gguf::open(path)?;
    let shape = arch::Shape::read(&gguf)?;
    let vocabulary = Vocabulary::read(&gguf, shape.vocab)?;
    Tokenizer::new(&vocabulary)?;
    let weights = Hashing::create(&dir.join(manifest::WEIGHTS))?;
    let mut buffered = BufWriter::with_capacity(1 << 20, weights);
    let graph = graph::write(
        &gguf,
        &shape,
        manifest::WEIGHTS,
        &mut buffered,
        &mut |done, all| progress(ImportProgress::Converting(done, all)),
    )?;
    let weights = buffered.into_inner().map_err(|cause| {
        Error::refused("write the weights")
            .source(cause.to_string())
            .hint("is the disk full?")
    })?;
    let manifest = Manifest {
        format: manifest::FORMAT,
        gguf_sha256: sha256.to_owned(),
        gguf_bytes: gguf.bytes(),
        name: display_name(&gguf),
        architecture: shape.architecture.clone(),
        parameters: parameters(&gguf),
        file_quantisation: file_quantisation(&gguf),
        run_quantisation: RUN_QUANTISATION.to_owned(),
        trained_context: shape.trained_context as u32,
        layers: shape.layers as u32,
        kv_heads: shape.kv_heads as u32,
        head_dim: shape.head_dim as u32,
        vocab: shape.vocab as u32,
        graph_sha256: write_file(&dir.join(manifest::GRAPH), &graph)?,
        weights_sha256: weights.finish()?,
        tokenizer_sha256: write_file(&dir.join(manifest::TOKENIZER), &to_json(&vocabulary)?)?,
        source: source.to_owned(),
        storage: storage(&gguf),
        ready: None,
    };
    write_file(&dir.join(manifest::MANIFEST), &to_json(&manifest)?)?;
    Ok(())
}

/// The publisher's name for a model, fit to be shown.
pub(super) fn display_name<B: AsRef<[u8]>>(gguf: &Gguf<B>) -> String {
    let name = gguf.text("general.name").unwrap_or("unnamed");
    name.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Number of weights in a file.
pub(super) fn parameters<B: AsRef<[u8]>>(gguf: &Gguf<B>) -> u64 {
    gguf.tensors
        .values()
        .map(|tensor| (tensor.rows() * tensor.columns()) as u64)
        .sum()
}

/// How a file stores its tensors, the most bytes first.
pub(super) fn storage<B: AsRef<[u8]>>(gguf: &Gguf<B>) -> Vec<Stored> {
    let mut kinds: std::collections::BTreeMap<&str, Stored> = std::collections::BTreeMap::new();
    for tensor in gguf.tensors.values() {
        let kind = tensor.dtype.name();
        let stored = kinds.entry(kind).or_insert_with(|| Stored {
            kind: kind.to_owned(),
            tensors: 0,
            weights: 0,
            bytes: 0,
        });
        stored.tensors += 1;
        stored.weights += (tensor.rows() * tensor.columns()) as u64;
        stored.bytes += tensor.data_size() as u64;
    }
    let mut list: Vec<Stored> = kinds.into_values().collect();
    list.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.kind.cmp(&b.kind)));
    list
}

fn to_json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).or_fail(ExitCode::Bug, "write JSON")
}

/// The quantisation's usual name, from the file type number, or from the commonest tensor type.
pub(super) fn file_quantisation<B: AsRef<[u8]>>(gguf: &Gguf<B>) -> String {
    let named = match gguf.uint("general.file_type") {
        Some(0) => "F32",
        Some(1) => "F16",
        Some(2) => "Q4_0",
        Some(3) => "Q4_1",
        Some(7) => "Q8_0",
        Some(8) => "Q5_0",
        Some(9) => "Q5_1",
        Some(10) => "Q2_K",
        Some(11) => "Q3_K_S",
        Some(12) => "Q3_K_M",
        Some(13) => "Q3_K_L",
        Some(14) => "Q4_K_S",
        Some(15) => "Q4_K_M",
        Some(16) => "Q5_K_S",
        Some(17) => "Q5_K_M",
        Some(18) => "Q6_K",
        Some(32) => "BF16",
        _ => {
            return gguf
                .tensors
                .values()
                .max_by_key(|tensor| tensor.data_size())
                .map_or("unknown", |tensor| tensor.dtype.name())
                .to_owned();
        }
    };
    named.to_owned()
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<String> {
    let mut file = Hashing::create(path)?;
    file.write_all(bytes)
        .or_fail(ExitCode::InputRefused, format!("write {}", path.display()))?;
    file.finish()
}

/// A file that hashes what is written to it.
pub(super) struct Hashing {
    file: File,
    hash: Sha256,
}

impl Hashing {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create_new(path)
            .or_fail(ExitCode::InputRefused, format!("create {}", path.display()))?;
        Ok(Self {
            file,
            hash: Sha256::new(),
        })
    }
    /// Syncs the file; returns the SHA-256 of what it holds, hexadecimal.
    pub(super) fn finish(self) -> Result<String> {
        self.file
            .sync_all()
            .or_fail(ExitCode::InputRefused, "sync a file of the model")?;
        Ok(hex::encode(self.hash.finalize()))
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tiny::Tiny;
    use proptest::prelude::*;

    /// Everything that reads a file's numbers, up to the graph, with its weights thrown away.
    fn read_all(bytes: Vec<u8>) -> Result<()> {
        let gguf = Gguf::parse(bytes)?;
        let shape = arch::Shape::read(&gguf)?;
        let vocabulary = Vocabulary::read(&gguf, shape.vocab)?;
        Tokenizer::new(&vocabulary)?;
        storage(&gguf);
        graph::write(&gguf, &shape, "w", std::io::sink(), &mut |_, _| {})?;
        Ok(())
    }

    fn small(kind: usize) -> Vec<u8> {
        let (architecture, pre) = [
            ("qwen2", "qwen2"),
            ("qwen3", "qwen2"),
            ("llama", "smollm"),
            ("gemma3", "llama"),
            ("phi3", "llama"),
        ][kind];
        let mut tiny = Tiny::new(architecture, pre);
        tiny.layers = 1;
        tiny.gguf()
    }

    #[test]
    fn the_files_that_are_damaged_below_are_read_when_whole() {
        for kind in 0..5 {
            read_all(small(kind)).unwrap_or_else(|error| panic!("{kind}: {}", error.chain()));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn a_damaged_model_is_refused_or_read_and_never_worse(
            kind in 0usize..5,
            // Numbers of the header and of the directory are where lies are told.
            changes in proptest::collection::vec((0usize..16_000, any::<u8>()), 1..6),
            special in proptest::option::of((0usize..16_000, prop::sample::select(vec![0u64, 1, u64::MAX, 1 << 31, 1 << 40]))),
            cut in proptest::option::of(0usize..100_000),
        ) {
            let mut bytes = small(kind);
            let length = bytes.len();
            for (at, value) in changes {
                bytes[at % length] = value;
            }
            if let Some((at, value)) = special {
                let at = at % (length - 8);
                bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
            if let Some(cut) = cut {
                bytes.truncate(length - cut % length);
            }
            if let Err(error) = read_all(bytes) {
                prop_assert_eq!(error.exit, ExitCode::InputRefused, "{}", error.chain());
            }
        }
    }
}
