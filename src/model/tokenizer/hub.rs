//! A vocabulary from the files that publishers ship beside ready-made graphs: `tokenizer.json` of the
//! tokenizers library, with `tokenizer_config.json` of transformers. Untrusted.
//!
//! Only kinds that the tokenizer here cuts and joins in the same way are read; another is refused by what
//! sets it apart, for ids that are almost right are worse than none.

use super::Vocabulary;
use super::pieces::SPACE;
use super::{LLAMA3, QWEN2};
use crate::error::{Context, Error, ExitCode, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// GGUF's numbers of token types.
const NORMAL: u8 = 1;
const CONTROL: u8 = 3;
const USER_DEFINED: u8 = 4;
const UNUSED: u8 = 5;
const BYTE: u8 = 6;

/// What is there beside a graph.
#[derive(Debug, Clone, Default)]
pub struct HubFiles {
    /// `tokenizer.json`.
    pub tokenizer: String,
    /// `tokenizer_config.json`; null without one.
    pub config: Value,
    /// `chat_template.jinja`.
    pub template: Option<String>,
    /// Tokens that end a text, as `generation_config.json` or `genai_config.json` names them.
    pub ends: Vec<u32>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    added_tokens: Vec<Added>,
    model: Merging,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
    #[serde(default)]
    special: bool,
}

#[derive(Deserialize)]
struct Merging {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    vocab: HashMap<String, u32>,
    #[serde(default)]
    merges: Vec<Merge>,
    #[serde(default)]
    byte_fallback: bool,
    #[serde(default)]
    ignore_merges: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Text(String),
    Pair(String, String),
}

impl Merge {
    fn sides(&self) -> Result<(&str, &str)> {
        match self {
            Self::Pair(left, right) => Some((left.as_str(), right.as_str())),
            Self::Text(text) => text.split_once(' '),
        }
        .filter(|(left, right)| !left.contains(' ') && !right.contains(' '))
        .ok_or_else(|| Error::refused("a merge of tokenizer.json is not two tokens"))
    }
}

/// How text is cut, and whether it begins with a space.
struct Cut {
    /// GGUF's name for it; none: SentencePiece-style pairs.
    pre: Option<&'static str>,
    leading_space: bool,
}

impl Vocabulary {
    /// Reads the vocabulary for a graph that gives `rows` logits; ids that nobody names are unused.
    ///
    /// # Errors
    /// Refused when it is damaged or of a kind that is not supported.
    pub fn from_hub(files: &HubFiles, rows: usize) -> Result<Self> {
        let file: File = serde_json::from_str(&files.tokenizer)
            .or_fail(ExitCode::InputRefused, "read tokenizer.json")?;
        if file.model.kind.as_deref().is_some_and(|kind| kind != "BPE") {
            return Err(unsupported("a model of another type than BPE"));
        }
        let cut = cut(&file)?;
        let (tokens, mut types) = tokens(&file, rows)?;
        let merges = file.model.merges.iter().map(Merge::sides);
        let merges: Vec<(&str, &str)> = merges.collect::<Result<_>>()?;
        let (mut lines, mut scores) = (Vec::new(), Vec::new());
        if cut.pre.is_some() {
            lines.extend(merges.iter().map(|(left, right)| format!("{left} {right}")));
        } else {
            for (token, kind) in tokens.iter().zip(&mut types) {
                if *kind == NORMAL && super::byte_token(token).is_some() {
                    *kind = BYTE;
                }
            }
            scores = ranks(&merges, &tokens);
        }
        let id = |name: Option<&str>| {
            let at = tokens.iter().position(|token| Some(token.as_str()) == name);
            at.map(|at| at as u32)
        };
        let bos = id(named(&files.config["bos_token"]));
        let eos = id(named(&files.config["eos_token"]));
        let vocabulary = Self {
            pre: cut.pre.unwrap_or("default").to_owned(),
            types,
            merges: lines,
            bos,
            eos: eos.or_else(|| files.ends.first().copied()),
            more_ends: files.ends.clone(),
            add_bos: match &files.config["add_bos_token"] {
                Value::Bool(add) => *add,
                _ => {
                    bos.is_some_and(|bos| begins_with(&file.post_processor, &tokens[bos as usize]))
                }
            },
            template: files
                .template
                .clone()
                .or_else(|| template(&files.config["chat_template"])),
            scores,
            leading_space: cut.leading_space,
            tokens,
        };
        vocabulary.check()?;
        Ok(vocabulary)
    }
}

fn unsupported(what: &str) -> Error {
    Error::refused(format!("tokenizer.json asks for {what}, which is not supported")).hint(
        "supported are the tokenizers of Qwen2, Llama 3, SmolLM2 and GPT-2, and SentencePiece's pairs; a GGUF file of the model may do",
    )
}

/// Letters and types by id.
fn tokens(file: &File, rows: usize) -> Result<(Vec<String>, Vec<u8>)> {
    let mut by_id: BTreeMap<u32, (&str, u8)> = BTreeMap::new();
    for (token, id) in &file.model.vocab {
        by_id.insert(*id, (token, NORMAL));
    }
    for added in &file.added_tokens {
        let kind = if added.special { CONTROL } else { USER_DEFINED };
        by_id.insert(added.id, (&added.content, kind));
    }
    let last = by_id.last_key_value().map_or(0, |(id, _)| *id as usize);
    if last >= rows {
        return Err(Error::refused(format!(
            "token {last} of tokenizer.json doesn't fit a graph of {rows} logits"
        )));
    }
    let listed = (0..rows as u32).map(|id| match by_id.get(&id) {
        Some((token, kind)) => ((*token).to_owned(), *kind),
        None => (format!("<unused {id}>"), UNUSED),
    });
    Ok(listed.unzip())
}

/// The parts of a normalizer or pre-tokenizer, sequences laid flat.
fn parts(value: &Value) -> Vec<&Value> {
    match value["type"].as_str() {
        Some("Sequence") => ["normalizers", "pretokenizers"]
            .iter()
            .filter_map(|key| value[*key].as_array())
            .flatten()
            .flat_map(parts)
            .collect(),
        Some(_) => vec![value],
        None => Vec::new(),
    }
}

/// What a part does, in one word that tells the supported ones apart.
fn word(part: &Value) -> String {
    let is = |key: &str, default: bool| part[key].as_bool().unwrap_or(default);
    let kind = part["type"].as_str().unwrap_or_default();
    match kind {
        "Split" if part["behavior"] == "Isolated" && !is("invert", false) => {
            match part["pattern"]["Regex"].as_str() {
                Some(QWEN2) => "split as Qwen2".into(),
                Some(LLAMA3) => "split as Llama 3".into(),
                _ => "a Split with another pattern".into(),
            }
        }
        "Split" if part["pattern"]["String"] == " " => "split at spaces".into(),
        "Digits" if is("individual_digits", false) => "digits".into(),
        "ByteLevel" if !is("add_prefix_space", true) => match is("use_regex", true) {
            true => "words to bytes".into(),
            false => "bytes".into(),
        },
        "Prepend" if part["prepend"] == SPACE.to_string() => "space first".into(),
        "Replace" if part["pattern"]["String"] == " " && part["content"] == SPACE.to_string() => {
            "spaces".into()
        }
        "Metaspace" if part["replacement"] == SPACE.to_string() => {
            let scheme = part["prepend_scheme"].as_str();
            match scheme.map_or(is("add_prefix_space", true), |scheme| scheme != "never") {
                true => "space first, spaces".into(),
                false => "spaces".into(),
            }
        }
        "NFC" => "NFC".into(),
        _ => format!("{kind:?}"),
    }
}

fn cut(file: &File) -> Result<Cut> {
    let words = |value: &Value| -> Vec<String> { parts(value).into_iter().map(word).collect() };
    let (normal, pre) = (words(&file.normalizer), words(&file.pre_tokenizer));
    let both: Vec<&str> = normal.iter().chain(&pre).map(String::as_str).collect();
    let (pre, leading_space) = match both.as_slice() {
        ["NFC", "split as Qwen2", "bytes"] => (Some("qwen2"), false),
        ["split as Llama 3", "bytes"] => (Some("llama-bpe"), false),
        ["digits", "words to bytes"] => (Some("smollm"), false),
        ["words to bytes"] => (Some("gpt-2"), false),
        ["space first", "spaces"] | ["space first, spaces"] => (None, true),
        ["spaces"] | ["spaces", "split at spaces"] => (None, false),
        other => return Err(unsupported(&format!("“{}”", other.join(", then ")))),
    };
    if pre.is_none() != file.model.byte_fallback {
        return Err(unsupported("bytes in another way than its cutting of text"));
    }
    if file.model.ignore_merges != (pre == Some("llama-bpe")) {
        return Err(unsupported(
            "whole words before merges, or the other way round",
        ));
    }
    Ok(Cut { pre, leading_space })
}

/// How good each token is, so that the pair that is merged first has the best score. What no merge makes
/// is never joined.
fn ranks(merges: &[(&str, &str)], tokens: &[String]) -> Vec<f32> {
    let mut best: HashMap<String, usize> = HashMap::new();
    for (rank, (left, right)) in merges.iter().enumerate() {
        best.entry(format!("{left}{right}")).or_insert(rank);
    }
    tokens
        .iter()
        .map(|token| match best.get(token) {
            Some(rank) => -(*rank as f32),
            None => f32::NEG_INFINITY,
        })
        .collect()
}

/// A token that is written as its text or as an object with it.
fn named(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// Whether a post-processor puts this token before a text.
fn begins_with(processor: &Value, token: &str) -> bool {
    match processor["type"].as_str() {
        Some("TemplateProcessing") => {
            processor["single"][0]["SpecialToken"]["id"].as_str() == Some(token)
        }
        Some("Sequence") => processor["processors"]
            .as_array()
            .is_some_and(|list| list.iter().any(|each| begins_with(each, token))),
        _ => false,
    }
}

/// The template for plain talk.
fn template(value: &Value) -> Option<String> {
    let of_list = || {
        let named = value.as_array()?.iter();
        let plain = named.clone().find(|each| each["name"] == "default");
        plain.or(named.clone().next())?["template"].as_str()
    };
    value.as_str().or_else(of_list).map(str::to_owned)
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
