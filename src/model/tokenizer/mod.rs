//! Text to tokens and back, from the vocabulary inside the model file.
//!
//! Control tokens (such as the ones that begin and end a chat message) are kept *outside* the
//! vocabulary that text is matched against, so no text can ever become one; they are reachable by id
//! only, from the chat template's own literals.

mod bytes;
mod hub;
mod pieces;
pub mod template;
mod vocabulary;

pub use hub::HubFiles;
pub use vocabulary::Vocabulary;

use crate::error::{Error, Result};
use pieces::Pieces;
use std::collections::HashMap;
use std::sync::Arc;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{NormalizedString, Normalizer, PreTokenizerWrapper, SplitDelimiterBehavior};
use toktrie::{TokRxInfo, TokTrie};
use vocabulary::Kind;

/// How Qwen2 cuts text before merging, as its publisher's tokenizer does.
pub(super) const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The same for Llama 3: numbers in groups of up to three digits.
pub(super) const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How text becomes tokens.
enum Method {
    Bpe {
        bpe: Box<tokenizers::Tokenizer>,
        /// Whether text is brought to Unicode form C first, as the model's publisher does.
        composes: bool,
    },
    Pieces {
        pieces: Box<Pieces>,
        /// Whether a text begins with a space.
        leading_space: bool,
    },
}

/// A tokenizer made from a [`Vocabulary`].
pub struct Tokenizer {
    method: Method,
    trie: TokTrie,
    control: HashMap<String, u32>,
    /// Tokens that end a reply.
    ends: Vec<u32>,
    /// Tokens that may never be sampled: control tokens that end nothing, and unused ones.
    banned: Vec<u32>,
    /// Token that begins every prompt, where the model was trained with one.
    bos: Option<u32>,
    template: Option<String>,
}

impl Tokenizer {
    /// Builds the tokenizer.
    ///
    /// # Errors
    /// Refused when the vocabulary is inconsistent or its kind is unknown.
    pub fn new(vocabulary: &Vocabulary) -> Result<Self> {
        let mut words = Vec::with_capacity(vocabulary.tokens.len());
        let mut control = HashMap::new();
        let mut banned = Vec::new();
        for (id, (token, kind)) in vocabulary.entries() {
            words.push(match kind {
                Kind::Normal => vocabulary.word(token).ok_or_else(|| {
                    Error::refused(format!("token {id} is not made of byte-level letters"))
                })?,
                Kind::UserDefined if vocabulary.scores.is_empty() => token.as_bytes().to_vec(),
                Kind::UserDefined => token.replace(pieces::SPACE, " ").into_bytes(),
                Kind::Byte => vec![byte_token(token).ok_or_else(|| {
                    Error::refused(format!("token {id} is not the name of a byte"))
                })?],
                Kind::Control => {
                    control.insert(token.to_owned(), id);
                    banned.push(id);
                    [&[TokTrie::SPECIAL_TOKEN_MARKER], token.as_bytes()].concat()
                }
                Kind::Unused => {
                    banned.push(id);
                    Vec::new()
                }
            });
        }
        let method = if vocabulary.scores.is_empty() {
            byte_pairs(vocabulary)?
        } else {
            scored_pieces(vocabulary)?
        };
        let ends = end_tokens(vocabulary, &control);
        let eos = *ends
            .first()
            .ok_or_else(|| Error::refused("the model names no token that ends a text"))?;
        banned.retain(|id| !ends.contains(id));
        let mut info = TokRxInfo::new(words.len() as u32, eos);
        info.tok_bos = vocabulary.bos;
        let trie = TokTrie::from(&info, &words).with_eos_tokens(&ends);
        let bos = vocabulary.bos.filter(|_| vocabulary.add_bos);
        Ok(Self {
            method,
            trie,
            control,
            ends,
            banned,
            bos,
            template: vocabulary.template.clone(),
        })
    }
    /// Tokens of a text, which is data: nothing in it becomes a control token.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        if let Method::Bpe { composes: true, .. } = &self.method {
            let mut normal = NormalizedString::from(text);
            if NFC.normalize(&mut normal).is_ok() {
                return self.encode_exact(normal.get());
            }
        }
        self.encode_exact(text)
    }
    /// As [`Self::encode`], for a text that begins after a control token or stands alone: some
    /// vocabularies put a space before it.
    pub fn encode_start(&self, text: &str) -> Vec<u32> {
        match &self.method {
            Method::Pieces {
                pieces,
                leading_space,
            } => pieces.encode(text, *leading_space),
            Method::Bpe { .. } => self.encode(text),
        }
    }
    /// As [`Self::encode`], without any Unicode normalisation: decoding gives the same bytes back.
    pub fn encode_exact(&self, text: &str) -> Vec<u32> {
        match &self.method {
            Method::Bpe { bpe, .. } => bpe
                .encode_fast(text, false)
                .map(|encoding| encoding.get_ids().to_vec())
                .unwrap_or_default(),
            Method::Pieces { pieces, .. } => pieces.encode(text, false),
        }
    }
    /// The bytes of a token; none for control tokens.
    pub fn bytes(&self, token: u32) -> &[u8] {
        let bytes = self.trie.token(token);
        if bytes.first() == Some(&TokTrie::SPECIAL_TOKEN_MARKER) {
            &[]
        } else {
            bytes
        }
    }
    /// The text of tokens; control tokens vanish, broken UTF-8 becomes U+FFFD.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens
            .iter()
            .flat_map(|token| self.bytes(*token))
            .copied()
            .collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
    /// Whether the token ends a reply.
    pub fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
    /// Tokens that end a reply.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
    /// Tokens that may never be sampled.
    pub fn banned(&self) -> &[u32] {
        &self.banned
    }
    /// Number of tokens.
    pub fn vocab_size(&self) -> usize {
        self.trie.vocab_size()
    }
    /// The text of tokens with control tokens spelled by their names, for a record a person reads.
    pub fn spell(&self, tokens: &[u32]) -> String {
        let mut bytes = Vec::new();
        for token in tokens {
            match self.bytes(*token) {
                [] => bytes.extend(
                    self.control
                        .iter()
                        .find(|(_, id)| *id == token)
                        .map_or("", |(name, _)| name.as_str())
                        .bytes(),
                ),
                text => bytes.extend_from_slice(text),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
    /// The id of the control token with this name.
    pub fn control(&self, name: &str) -> Option<u32> {
        self.control.get(name).copied()
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("vocab_size", &self.vocab_size())
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

/// The tokenizer as the grammar engine sees it.
#[derive(Debug)]
pub struct GrammarTokens(pub Arc<Tokenizer>);

impl toktrie::TokenizerEnv for GrammarTokens {
    fn tok_trie(&self) -> &TokTrie {
        &self.0.trie
    }
    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<toktrie::TokenId> {
        self.0
            .trie
            .tokenize_with_greedy_fallback(bytes, |text| self.0.encode_exact(text))
    }
}

/// Byte-level BPE with its merges.
fn byte_pairs(vocabulary: &Vocabulary) -> Result<Method> {
    let (pre, ignore_merges, composes) = pre_tokenizer(&vocabulary.pre)?;
    let mut vocab = Vocab::default();
    for (id, (token, kind)) in vocabulary.entries() {
        if kind == Kind::Normal {
            vocab.insert(token.to_owned(), id);
        }
    }
    let merges: Merges = vocabulary
        .merges
        .iter()
        .map(|merge| split_merge(merge))
        .collect::<Result<_>>()?;
    let bpe = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .ignore_merges(ignore_merges)
        .build();
    let mut bpe = tokenizers::Tokenizer::new(bpe.map_err(|cause| {
        Error::refused("its merges don't fit its vocabulary").source(cause.to_string())
    })?);
    bpe.with_pre_tokenizer(Some(pre));
    Ok(Method::Bpe {
        bpe: Box::new(bpe),
        composes,
    })
}

/// SentencePiece-style pairs by score. Of the tokens that a publisher added, runs of white space are
/// matched in text; names in angle brackets are not, so that text can't become markup.
fn scored_pieces(vocabulary: &Vocabulary) -> Result<Method> {
    let (mut normal, mut bytes, mut runs) = (Vec::new(), HashMap::new(), Vec::new());
    for ((id, (token, kind)), score) in vocabulary.entries().zip(&vocabulary.scores) {
        match kind {
            Kind::Normal => normal.push((token.to_owned(), id, *score)),
            Kind::Byte => {
                bytes.extend(byte_token(token).map(|byte| (byte, id)));
            }
            Kind::UserDefined
                if token
                    .chars()
                    .all(|c| c.is_whitespace() || c == pieces::SPACE) =>
            {
                runs.push((token.to_owned(), id));
            }
            _ => {}
        }
    }
    Ok(Method::Pieces {
        pieces: Box::new(Pieces::new(normal.into_iter(), &bytes, runs)?),
        leading_space: vocabulary.leading_space,
    })
}

/// The byte of a token such as `<0x0A>`.
fn byte_token(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// The pre-tokenizer of a kind, whether whole words skip the merges, and whether text is composed first.
fn pre_tokenizer(kind: &str) -> Result<(PreTokenizerWrapper, bool, bool)> {
    let split = |pattern: &str| {
        Split::new(
            SplitPattern::Regex(pattern.to_owned()),
            SplitDelimiterBehavior::Isolated,
            false,
        )
        .map(PreTokenizerWrapper::from)
        .map_err(|cause| Error::bug("compile a pre-tokenizer's pattern").source(cause.to_string()))
    };
    let byte_level =
        |use_regex: bool| PreTokenizerWrapper::from(ByteLevel::new(false, false, use_regex));
    let chain = |parts: Vec<PreTokenizerWrapper>| PreTokenizerWrapper::from(Sequence::new(parts));
    Ok(match kind {
        "qwen2" => (chain(vec![split(QWEN2)?, byte_level(false)]), false, true),
        "llama-bpe" | "llama3" | "llama-v3" => {
            (chain(vec![split(LLAMA3)?, byte_level(false)]), true, false)
        }
        "smollm" => (
            chain(vec![Digits::new(true).into(), byte_level(true)]),
            false,
            false,
        ),
        "gpt-2" | "gpt2" | "default" => (byte_level(true), false, false),
        other => {
            return Err(
                Error::refused(format!("pre-tokenizer {other:?} is not supported"))
                    .hint("supported are: qwen2, llama-bpe, smollm and gpt-2"),
            );
        }
    })
}

/// Merges are stored as two tokens with one space between; spaces inside tokens are written otherwise.
fn split_merge(merge: &str) -> Result<(String, String)> {
    let (left, right) = merge
        .split_once(' ')
        .ok_or_else(|| Error::refused("a merge is not two tokens"))?;
    Ok((left.to_owned(), right.to_owned()))
}

/// The declared end token first, then those that end a turn by their well-known names.
fn end_tokens(vocabulary: &Vocabulary, control: &HashMap<String, u32>) -> Vec<u32> {
    let named = [
        "<|im_end|>",
        "<|endoftext|>",
        "<|eot_id|>",
        "<|end_of_text|>",
        "<end_of_turn>",
        "<|end|>",
        "</s>",
    ];
    let mut ends: Vec<u32> = vocabulary.eos.into_iter().collect();
    ends.extend(&vocabulary.more_ends);
    ends.extend(named.iter().filter_map(|name| control.get(*name).copied()));
    let mut unique = Vec::new();
    for end in ends {
        if !unique.contains(&end) && (end as usize) < vocabulary.tokens.len() {
            unique.push(end);
        }
    }
    unique
}

#[cfg(test)]
mod tests;
