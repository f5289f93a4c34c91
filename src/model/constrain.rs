//! Grammars that a reply must follow, compiled for one model's tokens.

use super::tokenizer::{GrammarTokens, Tokenizer};
use crate::error::{Error, Result};
use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use std::sync::Arc;
use toktrie::{InferenceCapabilities, TokEnv};

/// Longest grammar source, in bytes.
const MAX_SOURCE_BYTES: usize = 8 << 20;

/// What a reply must look like.
#[derive(Debug, Clone, PartialEq)]
pub enum GrammarSpec {
    /// JSON that a schema accepts. Properties come in the schema's order; no white space is added.
    JsonSchema(serde_json::Value),
    /// A grammar in the Lark variant of the llguidance library.
    Lark(String),
    /// A regular expression for the whole reply, without look-around.
    Regex(String),
    /// Exactly one of these texts.
    Choice(Vec<String>),
    /// A run of whole words, verbatim, from one of these lines.
    Quote(Vec<String>),
}

/// A compiled grammar; valid for the model that compiled it.
#[derive(Clone)]
pub struct Grammar(pub(super) Matcher);

impl std::fmt::Debug for Grammar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Grammar")
    }
}

/// Compiles grammars; made once a model, for it indexes the whole vocabulary.
pub(super) struct Compiler(ParserFactory);

impl Compiler {
    pub(super) fn new(tokenizer: &Arc<Tokenizer>) -> Result<Self> {
        let tokens: TokEnv = Arc::new(GrammarTokens(Arc::clone(tokenizer)));
        let capabilities = InferenceCapabilities {
            ff_tokens: true,
            ..InferenceCapabilities::default()
        };
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory = ParserFactory::new(&tokens, capabilities, &slices).map_err(|cause| {
            Error::bug("index the vocabulary for grammars").source(cause.to_string())
        })?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self(factory))
    }
    pub(super) fn compile(&self, spec: &GrammarSpec) -> Result<Grammar> {
        let parser = self
            .0
            .create_parser(top_level(spec)?)
            .map_err(|cause| refuse(&cause.to_string()))?;
        let matcher = Matcher::new(Ok(parser));
        match matcher.get_error() {
            Some(cause) => Err(refuse(&cause)),
            None => Ok(Grammar(matcher)),
        }
    }
}

fn refuse(cause: &str) -> Error {
    Error::usage("compile the grammar of a step").source(cause.to_owned())
}

fn top_level(spec: &GrammarSpec) -> Result<TopLevelGrammar> {
    let grammar = match spec {
        GrammarSpec::JsonSchema(schema) => {
            let mut schema = schema.clone();
            if let Some(object) = schema.as_object_mut() {
                object
                    .entry("x-guidance")
                    .or_insert_with(|| serde_json::json!({ "whitespace_flexible": false }));
            }
            TopLevelGrammar::from_json_schema(schema)
        }
        GrammarSpec::Lark(source) => TopLevelGrammar::from_lark(bounded(source.clone())?),
        GrammarSpec::Regex(source) => TopLevelGrammar::from_regex(&bounded(source.clone())?),
        GrammarSpec::Choice(texts) => TopLevelGrammar::from_lark(bounded(format!(
            "start: CHOICE\nCHOICE: {}",
            alternatives(texts)?
        ))?),
        GrammarSpec::Quote(lines) => TopLevelGrammar::from_lark(bounded(format!(
            "start: quote\n{}",
            quote_rule("quote", lines, false)?
        ))?),
    };
    Ok(grammar)
}

fn bounded(source: String) -> Result<String> {
    if source.len() > MAX_SOURCE_BYTES {
        Err(Error::usage(format!(
            "a grammar of {} bytes is longer than {MAX_SOURCE_BYTES}",
            source.len()
        )))
    } else {
        Ok(source)
    }
}

/// A text as a literal of the grammar language, which reads JSON strings.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn alternatives(texts: &[String]) -> Result<String> {
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err(Error::usage(
            "a choice needs at least one text, and no empty one",
        ));
    }
    Ok(texts
        .iter()
        .map(|text| literal(text))
        .collect::<Vec<_>>()
        .join(" | "))
}

/// A Lark rule `name` that matches a run of whole words, verbatim, from one of `lines`; with `in_json`
/// the text as it stands inside a JSON string. For grammars that a caller puts together.
///
/// # Errors
/// [`crate::error::ExitCode::Usage`] when no line has a word.
pub fn quote_rule(name: &str, lines: &[String], in_json: bool) -> Result<String> {
    let mut rules = Vec::new();
    let mut names = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let quoted = literal(line);
        let text = if in_json {
            &quoted[1..quoted.len() - 1]
        } else {
            line.as_str()
        };
        let terminal = format!("{}_{}", name.to_uppercase(), names.len());
        rules.push(format!(
            "{terminal}: %regex {{\"substring_words\": {}}}",
            literal(text)
        ));
        names.push(terminal);
    }
    if names.is_empty() {
        return Err(Error::usage("there is no line to quote from"));
    }
    Ok(format!(
        "{name}: {}\n{}\n",
        names.join(" | "),
        rules.join("\n")
    ))
}
