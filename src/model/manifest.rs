//! What the store knows about an imported model (`manifest.json`).

#![expect(clippy::disallowed_methods, reason = "reads a model's folder by path")]

use crate::error::{Context, Error, ExitCode, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The format of the imported files; another number is imported again.
pub const FORMAT: u32 = 1;
/// File names inside a model's folder.
pub const MANIFEST: &str = "manifest.json";
/// The graph.
pub const GRAPH: &str = "model.onnx";
/// The weights.
pub const WEIGHTS: &str = "model.data";
/// The vocabulary.
pub const TOKENIZER: &str = "tokenizer.json";
/// Folder of the forms prepared for one kind of processor and library each.
pub const PREPARED: &str = "prepared";

/// A model's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// SHA-256 of the GGUF file, hexadecimal; also the folder's name. Of a model in several files that of
    /// their own, in order.
    pub gguf_sha256: String,
    /// Size of the GGUF file, or of all files, in bytes.
    pub gguf_bytes: u64,
    /// The publisher's name for the model, from the file.
    pub name: String,
    /// Architecture.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Quantisation of the file, such as `Q4_K_M`.
    pub file_quantisation: String,
    /// Quantisation that runs here.
    pub run_quantisation: String,
    /// Context the model was trained for, in tokens.
    pub trained_context: u32,
    /// Transformer blocks.
    pub layers: u32,
    /// Key/value heads.
    pub kv_heads: u32,
    /// Elements of a head.
    pub head_dim: u32,
    /// Vocabulary size.
    pub vocab: u32,
    /// SHA-256 of the graph, hexadecimal.
    pub graph_sha256: String,
    /// SHA-256 of the weights, hexadecimal; of several files that of their own, in order.
    pub weights_sha256: String,
    /// SHA-256 of the vocabulary, hexadecimal.
    pub tokenizer_sha256: String,
    /// Where the file came from, as it was asked for; empty: not known.
    #[serde(default)]
    pub source: String,
    /// How the file stores its tensors, the most bytes first; empty: imported before this was kept.
    #[serde(default)]
    pub storage: Vec<Stored>,
    /// For a model that came as an ONNX graph: how it is asked. None: this program wrote the graph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
}

/// How a graph that somebody else wrote is asked, beside tokens, keys and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Whether it takes `attention_mask`, i64\[1, all tokens\], ones.
    pub attention_mask: bool,
    /// Whether it takes `position_ids`, i64\[1, new tokens\].
    pub position_ids: bool,
    /// The input that says of how many last tokens the logits are wanted, i64.
    pub logits_to_keep: Option<String>,
    /// Whether keys and values grow in place in buffers of the whole context, as `GroupQueryAttention`
    /// does; otherwise each step returns them one step longer.
    pub in_place: bool,
    /// The files that hold its weights.
    pub data: Vec<DataFile>,
}

/// A file of weights beside a graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Its name, as the graph names it.
    pub name: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// Tensors of a file that are stored the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// Storage type, such as `Q4_K`.
    pub kind: String,
    /// Tensors.
    pub tensors: u64,
    /// Weights in them.
    pub weights: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Manifest {
    /// Reads the manifest of a model's folder.
    ///
    /// # Errors
    /// Refused when it is absent, damaged or of another format.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(MANIFEST);
        let failed = || format!("read {}", path.display());
        let text = std::fs::read_to_string(&path).or_fail(ExitCode::InputRefused, failed())?;
        let manifest: Self =
            serde_json::from_str(&text).or_fail(ExitCode::InputRefused, failed())?;
        if manifest.format != FORMAT {
            return Err(Error::refused(format!(
                "{} is of format {}, this program knows {FORMAT}",
                path.display(),
                manifest.format
            ))
            .hint("import the model again"));
        }
        Ok(manifest)
    }
    /// Each stored file with its SHA-256.
    pub fn files(&self) -> Vec<(&str, &str)> {
        let mut files = vec![
            (GRAPH, self.graph_sha256.as_str()),
            (TOKENIZER, self.tokenizer_sha256.as_str()),
        ];
        match &self.ready {
            None => files.push((WEIGHTS, &self.weights_sha256)),
            Some(ready) => files.extend(
                ready
                    .data
                    .iter()
                    .map(|file| (file.name.as_str(), file.sha256.as_str())),
            ),
        }
        files
    }
    /// Bytes of keys and values that one token takes while the model runs.
    pub fn cache_bytes_per_token(&self) -> u64 {
        2 * 4 * u64::from(self.layers) * u64::from(self.kv_heads) * u64::from(self.head_dim)
    }
}
