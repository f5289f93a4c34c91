//! The vocabulary as it is stored beside an imported model (`tokenizer.json`).

use crate::error::{Error, Result};
use crate::model::gguf::{Gguf, Value};
use serde::{Deserialize, Serialize};

/// Most tokens of a vocabulary.
const MAX_TOKENS: usize = 1 << 20;

/// What a token is for, after GGUF's numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Produced from text by merging.
    Normal,
    /// Structure of the prompt; never produced from text.
    Control,
    /// Extra text added to the vocabulary by the publisher.
    UserDefined,
    /// One byte, in a SentencePiece-style vocabulary.
    Byte,
    /// A row of the embedding that means nothing.
    Unused,
}

/// Tokens, merges and chat template of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// How text is cut before merging, by GGUF's name for it.
    pub pre: String,
    /// Token letters by id, in the byte-level alphabet for normal tokens.
    pub tokens: Vec<String>,
    /// GGUF token type by id.
    pub types: Vec<u8>,
    /// Merges, best first, as `left right`.
    pub merges: Vec<String>,
    /// Token that begins a text.
    pub bos: Option<u32>,
    /// Token that ends a text.
    pub eos: Option<u32>,
    /// Other tokens that end a text, where the publisher names several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_ends: Vec<u32>,
    /// Whether prompts begin with `bos`.
    pub add_bos: bool,
    /// Chat template, a Jinja program.
    pub template: Option<String>,
    /// How good each token is, in a SentencePiece-style vocabulary; empty: byte-level BPE.
    #[serde(default)]
    pub scores: Vec<f32>,
    /// Whether a text begins with a space (SentencePiece-style only).
    #[serde(default)]
    pub leading_space: bool,
}

impl Vocabulary {
    /// Reads the vocabulary out of GGUF metadata.
    ///
    /// # Errors
    /// Refused when it isn't a byte-level BPE vocabulary of exactly `rows` tokens.
    pub fn read<B: AsRef<[u8]>>(gguf: &Gguf<B>, rows: usize) -> Result<Self> {
        let scored = match gguf.text("tokenizer.ggml.model") {
            Some("gpt2") => false,
            Some("llama") => true,
            Some(other) => {
                return Err(
                    Error::refused(format!("tokenizer {other:?} is not supported")).hint(
                        "supported are byte-level BPE (gpt2 in GGUF) and SentencePiece's pairs (llama)",
                    ),
                );
            }
            None => return Err(Error::refused("the file has no tokenizer")),
        };
        let texts = |key: &str| match gguf.meta.get(key) {
            Some(Value::Texts(texts)) => Ok(texts.clone()),
            _ => Err(Error::refused(format!("metadata key {key} is missing"))),
        };
        let tokens = texts("tokenizer.ggml.tokens")?;
        let types = match gguf.meta.get("tokenizer.ggml.token_type") {
            Some(Value::Ints(types)) => types
                .iter()
                .map(|kind| u8::try_from(*kind).unwrap_or(0))
                .collect(),
            _ => vec![1; tokens.len()],
        };
        let id = |key: &str| {
            gguf.uint(key)
                .and_then(|id| u32::try_from(id).ok())
                .filter(|id| (*id as usize) < tokens.len())
        };
        let vocabulary = Self {
            pre: gguf
                .text("tokenizer.ggml.pre")
                .unwrap_or("default")
                .to_owned(),
            types,
            merges: if scored {
                Vec::new()
            } else {
                texts("tokenizer.ggml.merges")?
            },
            scores: match gguf.meta.get("tokenizer.ggml.scores") {
                Some(Value::Floats(scores)) if scored => {
                    scores.iter().map(|score| *score as f32).collect()
                }
                _ if scored => {
                    return Err(Error::refused(
                        "metadata key tokenizer.ggml.scores is missing",
                    ));
                }
                _ => Vec::new(),
            },
            leading_space: scored
                && gguf.meta.get("tokenizer.ggml.add_space_prefix") != Some(&Value::Bool(false)),
            bos: id("tokenizer.ggml.bos_token_id"),
            eos: id("tokenizer.ggml.eos_token_id"),
            more_ends: Vec::new(),
            add_bos: match gguf.meta.get("tokenizer.ggml.add_bos_token") {
                Some(value) => *value == Value::Bool(true),
                None => scored,
            },
            template: gguf.text("tokenizer.chat_template").map(str::to_owned),
            tokens,
        };
        if vocabulary.tokens.len() != rows {
            return Err(Error::refused(format!(
                "{} tokens don't fit an embedding of {rows} rows",
                vocabulary.tokens.len()
            )));
        }
        vocabulary.check()?;
        Ok(vocabulary)
    }
    /// What kind of tokenizer it is, in words.
    pub fn kind(&self) -> String {
        if self.scores.is_empty() {
            format!("byte-level BPE, cut as {}", self.pre)
        } else {
            "SentencePiece-style pairs, by score".to_owned()
        }
    }
    /// Checks what the rest relies on.
    ///
    /// # Errors
    /// Refused when it is empty, too large or inconsistent.
    pub fn check(&self) -> Result<()> {
        let count = self.tokens.len();
        if count == 0 || count > MAX_TOKENS || self.types.len() != count {
            return Err(Error::refused(format!(
                "a vocabulary of {count} tokens and {} token types is not usable",
                self.types.len()
            )));
        }
        if !(self.scores.is_empty() || self.scores.len() == count)
            || self.scores.iter().any(|score| score.is_nan())
        {
            return Err(Error::refused("the tokens' scores are not usable"));
        }
        match self
            .tokens
            .iter()
            .position(|token| token.is_empty() || token.len() > 4096)
        {
            Some(id) => Err(Error::refused(format!("token {id} is empty or too long"))),
            None => Ok(()),
        }
    }
    /// The bytes that a normal token's letters stand for; none when a letter is not of the alphabet.
    pub(super) fn word(&self, token: &str) -> Option<Vec<u8>> {
        if self.scores.is_empty() {
            super::bytes::decode(token)
        } else {
            Some(token.replace(super::pieces::SPACE, " ").into_bytes())
        }
    }
    /// Each id with its letters and kind.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, (&str, Kind))> {
        self.tokens
            .iter()
            .zip(&self.types)
            .enumerate()
            .map(|(id, (token, kind))| {
                let kind = match kind {
                    1 => Kind::Normal,
                    4 => Kind::UserDefined,
                    6 if !self.scores.is_empty() => Kind::Byte,
                    5 | 6 => Kind::Unused,
                    _ => Kind::Control,
                };
                (id as u32, (token.as_str(), kind))
            })
    }
}
