//! Everything that is known about a model, from the store or from a file that isn't imported.

#![expect(clippy::disallowed_methods, reason = "reads a model's folder by path")]

use super::gguf::Gguf;
use super::import::{self, arch::Shape};
use super::manifest::{self, Manifest, Stored};
use super::onnx::{self, Running};
use super::prepare;
use super::store::{ModelId, Store, directory_bytes};
use super::tokenizer::template::Segment;
use super::tokenizer::{Tokenizer, Vocabulary};
use crate::error::{Context, ExitCode, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is known about a model.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// The publisher's name.
    pub name: String,
    /// Architecture, as the file spells it.
    pub architecture: String,
    /// Why it can't be imported; none: it can, or it is.
    pub refused: Option<String>,
    /// Number of weights.
    pub parameters: u64,
    /// Its dimensions, as far as they are known.
    pub shape: Vec<(String, u64)>,
    /// Context it was trained for, in tokens.
    pub trained_context: u64,
    /// Bytes of keys and values that a token takes while it runs; 0: not known.
    pub cache_bytes_per_token: u64,
    /// The GGUF file.
    pub file: FileFacts,
    /// How it runs here; none where it isn't imported.
    pub run: Option<RunFacts>,
    /// Its tokenizer; none where it can't be used.
    pub tokenizer: Option<TokenizerFacts>,
}

/// The GGUF file.
#[derive(Debug, Clone, Serialize)]
pub struct FileFacts {
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Quantisation by its usual name.
    pub quantisation: String,
    /// How its tensors are stored, the most bytes first.
    pub storage: Vec<Stored>,
    /// How it was asked for when it was imported, or where it is.
    pub source: String,
}

/// How a model runs here.
#[derive(Debug, Clone, Serialize)]
pub struct RunFacts {
    /// In words.
    pub quantisation: String,
    /// What its weights run as, the most bytes first.
    pub tensors: Vec<Running>,
    /// Where it is.
    pub folder: PathBuf,
    /// Bytes it takes on disk.
    pub bytes: u64,
    /// Its prepared forms.
    pub prepared: Vec<PreparedFacts>,
    /// SHA-256 of graph, weights and vocabulary.
    pub hashes: [(&'static str, String); 3],
}

/// A form prepared for a processor and library.
#[derive(Debug, Clone, Serialize)]
pub struct PreparedFacts {
    /// Name of the layout.
    pub layout: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// Whether it is the one for this processor and library.
    pub used_here: bool,
    /// Whether it is whole, as far as can be told without hashing the weights.
    pub whole: bool,
}

/// A tokenizer and its template.
#[derive(Debug, Clone, Serialize)]
pub struct TokenizerFacts {
    /// Its kind.
    pub kind: String,
    /// Tokens.
    pub tokens: u64,
    /// Merges.
    pub merges: u64,
    /// Names of the tokens that end a reply.
    pub ends: Vec<String>,
    /// SHA-256 of the chat template, hexadecimal; none: the file has none.
    pub template_sha256: Option<String>,
    /// Why no prompt can be made with it; none: it works.
    pub template_refused: Option<String>,
}

impl TokenizerFacts {
    fn of(vocabulary: &Vocabulary) -> Result<Self> {
        let tokenizer = Tokenizer::new(vocabulary)?;
        let trial = tokenizer.chat("a", &[Segment::Text("b".to_owned())]);
        Ok(Self {
            kind: vocabulary.kind(),
            tokens: vocabulary.tokens.len() as u64,
            merges: vocabulary.merges.len() as u64,
            ends: tokenizer
                .ends()
                .iter()
                .filter_map(|id| vocabulary.tokens.get(*id as usize).cloned())
                .collect(),
            template_sha256: vocabulary
                .template
                .as_ref()
                .map(|text| hex::encode(Sha256::digest(text))),
            template_refused: trial.err().map(|error| error.chain()),
        })
    }
}

/// The tokenizer of a model of the store.
///
/// # Errors
/// Refused when its folder is damaged.
pub fn tokenizer_of_model(store: &Store, id: &ModelId) -> Result<Arc<Tokenizer>> {
    super::engine::open_tokenizer(&store.model_dir(id))
}

/// The tokenizer of a GGUF file.
///
/// # Errors
/// Refused when it isn't a well-formed GGUF file, or its tokenizer isn't supported.
pub fn tokenizer_of_file(path: &Path) -> Result<Arc<Tokenizer>> {
    let gguf = Gguf::open(path)?;
    let rows = gguf.tensor("token_embd.weight")?.rows();
    Ok(Arc::new(Tokenizer::new(&Vocabulary::read(&gguf, rows)?)?))
}

/// A model of the store. `layout`: the layout of weights used here, where the library is known.
///
/// # Errors
/// Refused when its folder is damaged.
pub fn inspect_model(store: &Store, id: &ModelId, layout: Option<&str>) -> Result<Inspection> {
    let dir = store.model_dir(id);
    let manifest = Manifest::read(&dir)?;
    let path = dir.join(manifest::TOKENIZER);
    let failed = || format!("read {}", path.display());
    let text = std::fs::read(&path).or_fail(ExitCode::InputRefused, failed())?;
    let vocabulary: Vocabulary =
        serde_json::from_slice(&text).or_fail(ExitCode::InputRefused, failed())?;
    let graph = dir.join(manifest::GRAPH);
    let graph = std::fs::read(&graph)
        .or_fail(ExitCode::InputRefused, format!("read {}", graph.display()))?;
    let prepared = store.prepared(id).into_iter().map(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        PreparedFacts {
            bytes: directory_bytes(&folder),
            used_here: layout == Some(&*name),
            whole: prepare::is_whole(&folder),
            layout: name.into_owned(),
        }
    });
    Ok(Inspection {
        refused: None,
        parameters: manifest.parameters,
        shape: vec![
            ("layers".into(), manifest.layers.into()),
            ("key/value heads".into(), manifest.kv_heads.into()),
            ("head".into(), manifest.head_dim.into()),
            ("vocabulary".into(), manifest.vocab.into()),
        ],
        trained_context: manifest.trained_context.into(),
        cache_bytes_per_token: manifest.cache_bytes_per_token(),
        tokenizer: Some(TokenizerFacts::of(&vocabulary)?),
        run: Some(RunFacts {
            quantisation: manifest.run_quantisation,
            tensors: onnx::running(&graph)?,
            bytes: store.bytes(id),
            prepared: prepared.collect(),
            hashes: [
                ("graph", manifest.graph_sha256),
                ("weights", manifest.weights_sha256),
                ("vocabulary", manifest.tokenizer_sha256),
            ],
            folder: dir,
        }),
        file: FileFacts {
            sha256: manifest.gguf_sha256,
            bytes: manifest.gguf_bytes,
            quantisation: manifest.file_quantisation,
            storage: manifest.storage,
            source: manifest.source,
        },
        name: manifest.name,
        architecture: manifest.architecture,
    })
}

/// A GGUF file, imported or not, of a kind that can be imported or not.
///
/// # Errors
/// Refused when it isn't a well-formed GGUF file.
pub fn inspect_file(path: &Path) -> Result<Inspection> {
    let gguf = Gguf::open(path)?;
    let architecture = gguf.text("general.architecture").unwrap_or("not named");
    let number = |name: &str| gguf.uint(&format!("{architecture}.{name}")).unwrap_or(0);
    let shape = Shape::read(&gguf);
    let rows = gguf
        .tensor("token_embd.weight")
        .map_or(0, |tensor| tensor.rows());
    let tokenizer = Vocabulary::read(&gguf, rows).and_then(|read| TokenizerFacts::of(&read));
    let refused = shape.as_ref().err().or(tokenizer.as_ref().err());
    let dimensions = [
        ("layers", "block_count"),
        ("width", "embedding_length"),
        ("feed-forward", "feed_forward_length"),
        ("heads", "attention.head_count"),
        ("key/value heads", "attention.head_count_kv"),
        ("head", "attention.key_length"),
        ("experts", "expert_count"),
    ];
    Ok(Inspection {
        name: import::display_name(&gguf),
        architecture: architecture.to_owned(),
        refused: refused.map(|error| match &error.hint {
            Some(hint) => format!("{}; {hint}", error.chain()),
            None => error.chain(),
        }),
        parameters: import::parameters(&gguf),
        shape: dimensions
            .iter()
            .map(|(name, key)| ((*name).to_owned(), number(key)))
            .chain([("vocabulary".to_owned(), rows as u64)])
            .filter(|(_, value)| *value > 0)
            .collect(),
        trained_context: number("context_length"),
        cache_bytes_per_token: shape.as_ref().map_or(0, |shape| {
            2 * 4 * (shape.layers * shape.kv_heads * shape.head_dim) as u64
        }),
        file: FileFacts {
            sha256: import::identity(path, &mut |_| {})?,
            bytes: gguf.bytes(),
            quantisation: import::file_quantisation(&gguf),
            storage: import::storage(&gguf),
            source: path.display().to_string(),
        },
        run: None,
        tokenizer: tokenizer.ok(),
    })
}
