//! A model that runs: its session, its cache of keys and values, its tokenizer.
//!
//! After [`Model::open`] nothing is read from disk and no thread is started; a process may narrow its
//! seal to memory and waiting.

#![expect(
    clippy::disallowed_methods,
    reason = "the room opens a model's folder by path, under the seal"
)]

use super::constrain::{Compiler, Grammar, GrammarSpec};
use super::manifest::{self, Manifest};
use super::prefix::Prefix;
use super::prepare;
use super::runtime::Runtime;
use super::steps::Steps;
use super::tokenizer::template::Segment;
use super::tokenizer::{Tokenizer, Vocabulary};
use super::words::Words;
use crate::error::{Context, Error, ExitCode, Result};

use ort::session::builder::GraphOptimizationLevel;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Tokens computed in one step while reading a prompt: between two steps a run can be cancelled.
pub(super) const CHUNK: usize = 256;
/// Most bytes that keys and values may take.
const MAX_CACHE_BYTES: u64 = 16 << 30;

/// How a model is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    /// Wanted context, in tokens; capped by what the model was trained for.
    pub context_tokens: u32,
    /// Threads that compute.
    pub threads: u32,
    /// Seed of sampling; unused when the temperature is 0.
    pub seed: u64,
    /// Whether grammars will be compiled: the vocabulary is indexed for them while the weights load.
    pub grammars: bool,
}

/// What is known about a running model; part of the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// The publisher's name, from the file.
    pub name: String,
    /// Architecture.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Quantisation of the GGUF file.
    pub file_quantisation: String,
    /// Quantisation that runs.
    pub run_quantisation: String,
    /// Context that was asked for, in tokens.
    pub requested_context: u32,
    /// Context that is there, in tokens.
    pub effective_context: u32,
    /// Context the model was trained for, in tokens.
    pub trained_context: u32,
    /// Threads that compute.
    pub threads: u32,
    /// Seed of sampling.
    pub seed: u64,
    /// SHA-256 of the GGUF file, hexadecimal.
    pub gguf_sha256: String,
    /// SHA-256 of ONNX Runtime, hexadecimal.
    pub library_sha256: String,
    /// Whether the form meant for it was used: the one prepared for this processor, or a ready-made graph.
    pub prepared: bool,
    /// Seconds that opening took, or the rest of it where the vocabulary was read before.
    pub load_seconds: f64,
    /// Bytes that keys and values take.
    pub cache_bytes: u64,
}

/// What a model did since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Prompt tokens computed.
    pub prefill_tokens: u64,
    /// Prompt tokens that were in the cache already.
    pub reused_tokens: u64,
    /// Seconds spent on prompts.
    pub prefill_seconds: f64,
    /// Tokens produced.
    pub decode_tokens: u64,
    /// Of those, tokens that a grammar left no choice about.
    pub forced_tokens: u64,
    /// Of those, tokens that were guessed and confirmed in a step with others.
    #[serde(default)]
    pub guessed_tokens: u64,
    /// Seconds spent on producing tokens.
    pub decode_seconds: f64,
    /// Replies that had a token.
    pub replies: u64,
    /// Seconds from each request to the first token of its reply, summed.
    pub first_token_seconds: f64,
    /// Candidates scored.
    pub scored: u64,
    /// Tokens of the candidates scored.
    pub scored_tokens: u64,
    /// Seconds spent on scoring, the prompts left out.
    pub scored_seconds: f64,
    /// Longest use of the context, in tokens.
    pub peak_context: u64,
}

impl Stats {
    /// What was done since `before`; the longest use of the context stays the longest of all.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            prefill_tokens: self.prefill_tokens - before.prefill_tokens,
            reused_tokens: self.reused_tokens - before.reused_tokens,
            prefill_seconds: self.prefill_seconds - before.prefill_seconds,
            decode_tokens: self.decode_tokens - before.decode_tokens,
            forced_tokens: self.forced_tokens - before.forced_tokens,
            guessed_tokens: self.guessed_tokens - before.guessed_tokens,
            decode_seconds: self.decode_seconds - before.decode_seconds,
            replies: self.replies - before.replies,
            first_token_seconds: self.first_token_seconds - before.first_token_seconds,
            scored: self.scored - before.scored,
            scored_tokens: self.scored_tokens - before.scored_tokens,
            scored_seconds: self.scored_seconds - before.scored_seconds,
            peak_context: self.peak_context,
        }
    }
}

/// A model ready to answer. One request at a time.
pub struct Model {
    pub(super) steps: Steps,
    /// What decides keys and values beside the tokens.
    pub(super) identity: String,
    pub(super) tokenizer: Arc<Tokenizer>,
    compiler: OnceLock<Compiler>,
    facts: ModelFacts,
    /// The tokens whose keys and values are in the cache, in order.
    pub(super) cached: Vec<u32>,
    /// How many of `cached` were computed as part of a prompt. A step of one token is computed by
    /// another kernel, whose rounding differs, so that only these are used again: a likelihood must
    /// not depend on what was asked before by more than the rounding of sums in another order.
    pub(super) reusable: usize,
    pub(super) stats: Stats,
    /// Fixed beginnings that are known.
    pub(super) prefixes: Vec<Prefix>,
}

impl Model {
    /// Opens an imported model from its folder in the store. Reads only below `dir`, writes nothing,
    /// and starts the threads that compute.
    ///
    /// # Errors
    /// Refused when the folder isn't a usable model; [`ExitCode::Usage`] when the options make no sense.
    pub fn open(runtime: &Runtime, dir: &Path, options: &RunOptions) -> Result<Self> {
        let words = Words::begin(dir, options.grammars);
        Self::open_with(runtime, dir, options, words)
    }
    /// As [`Self::open`], with a vocabulary of `dir` that is already being read.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        runtime: &Runtime,
        dir: &Path,
        options: &RunOptions,
        words: Words,
    ) -> Result<Self> {
        let started = Instant::now();
        let manifest = Manifest::read(dir)?;
        let context = options.context_tokens.min(manifest.trained_context);
        let cache_bytes = manifest
            .cache_bytes_per_token()
            .saturating_mul(u64::from(context));
        if context < 16 || options.threads == 0 || options.threads > 256 {
            return Err(Error::usage(format!(
                "a context of {context} tokens with {} threads is not possible",
                options.threads
            )));
        }
        if cache_bytes > MAX_CACHE_BYTES {
            return Err(Error::limit(format!(
                "a context of {context} tokens needs {cache_bytes} bytes of keys and values"
            ))
            .hint("ask for a shorter context"));
        }
        let prepared = prepare::graph(runtime, dir);
        let is_prepared = prepared.is_some();
        let (graph, level) = match prepared {
            Some(graph) => (graph, GraphOptimizationLevel::Disable),
            None => (dir.join(manifest::GRAPH), GraphOptimizationLevel::All),
        };
        let open_session = || -> ort::Result<Steps> {
            let session = prepare::options(runtime, options.threads as usize, level)?
                .commit_from_file(&graph)?;
            let mut steps = Steps::open(session, &manifest, context)?;
            // Both kinds of step once, so that whatever is made lazily is there.
            steps.run(&[0; 8], &[7], 8)?;
            steps.run(&[0], &[0], 9)?;
            Ok(steps)
        };
        let opened = open_session();
        // The thread has ended before anything else is said of it.
        let (tokenizer, compiler) = words.finish()?;
        if tokenizer.vocab_size() != manifest.vocab as usize {
            return Err(Error::refused("the vocabulary doesn't fit the model")
                .hint("import the model again"));
        }
        let steps = opened.map_err(|cause| engine_error("open the model", &cause))?;
        let identity = format!(
            "narrowroom.prefix/v1 {} {} {} {} {is_prepared} {}",
            manifest.gguf_sha256,
            manifest.graph_sha256,
            manifest.weights_sha256,
            runtime.layout,
            options.threads
        );
        let facts = ModelFacts {
            name: manifest.name,
            architecture: manifest.architecture,
            parameters: manifest.parameters,
            file_quantisation: manifest.file_quantisation,
            run_quantisation: manifest.run_quantisation,
            requested_context: options.context_tokens,
            effective_context: context,
            trained_context: manifest.trained_context,
            threads: options.threads,
            seed: options.seed,
            gguf_sha256: manifest.gguf_sha256,
            library_sha256: runtime.library_sha256.to_string(),
            prepared: is_prepared || manifest.ready.is_some(),
            load_seconds: 0.0,
            cache_bytes,
        };
        let mut model = Self {
            steps,
            identity,
            tokenizer,
            compiler: compiler.map_or_else(OnceLock::new, OnceLock::from),
            facts,
            cached: Vec::new(),
            reusable: 0,
            stats: Stats::default(),
            prefixes: Vec::new(),
        };
        model.tokenizer.encode("warm up");
        model.facts.load_seconds = started.elapsed().as_secs_f64();
        Ok(model)
    }
    /// What is known about the model.
    pub fn facts(&self) -> &ModelFacts {
        &self.facts
    }
    /// What the model did so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }
    /// Context, in tokens.
    pub fn context(&self) -> usize {
        self.facts.effective_context as usize
    }
    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
    /// Tokens of a text, which is data: nothing in it becomes a control token.
    pub fn tokens(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text)
    }
    /// The prompt of a system and a user message, ending where the reply begins.
    ///
    /// # Errors
    /// Refused when the model has no usable chat template.
    pub fn chat(&self, system: &str, user: &[Segment]) -> Result<Vec<u32>> {
        self.tokenizer.chat(system, user)
    }
    /// Compiles a grammar. The first call indexes the vocabulary, which takes some 0.3 seconds.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when the grammar is wrong or too large.
    pub fn compile(&self, spec: &GrammarSpec) -> Result<Grammar> {
        let compiler = match self.compiler.get() {
            Some(compiler) => compiler,
            None => {
                let made = Compiler::new(&self.tokenizer)?;
                self.compiler.get_or_init(|| made)
            }
        };
        compiler.compile(spec)
    }

    /// Forgets cached tokens beyond the first `length`.
    pub(super) fn roll_back(&mut self, length: usize) {
        self.cached.truncate(length);
        self.reusable = self.reusable.min(length);
    }

    /// Computes `tokens` after the cached ones; returns the logits after the positions `wanted`
    /// (indices into `tokens`), one row of the vocabulary's size each.
    pub(super) fn step(&mut self, tokens: &[u32], wanted: &[usize]) -> Result<Vec<f32>> {
        let total = self.cached.len() + tokens.len();
        if tokens.is_empty()
            || total > self.context()
            || tokens
                .iter()
                .any(|token| *token as usize >= self.tokenizer.vocab_size())
        {
            return Err(Error::bug(format!(
                "a step of {} tokens up to {total} of {}",
                tokens.len(),
                self.context()
            )));
        }
        match self.steps.run(tokens, wanted, total) {
            Ok(logits) => {
                self.cached.extend_from_slice(tokens);
                self.stats.peak_context = self.stats.peak_context.max(total as u64);
                Ok(logits)
            }
            Err(cause) => {
                self.roll_back(0);
                Err(engine_error("run the model", &cause))
            }
        }
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

pub(super) fn engine_error(doing: &str, cause: &ort::Error) -> Error {
    Error::refused(doing)
        .source(cause.to_string())
        .hint("if the model's folder was damaged, remove it and import the model again")
}

pub(super) fn open_tokenizer(dir: &Path) -> Result<Arc<Tokenizer>> {
    let path = dir.join(manifest::TOKENIZER);
    let failed = || format!("read {}", path.display());
    let text = std::fs::read(&path).or_fail(ExitCode::InputRefused, failed())?;
    let vocabulary: Vocabulary =
        serde_json::from_slice(&text).or_fail(ExitCode::InputRefused, failed())?;
    vocabulary.check()?;
    Ok(Arc::new(Tokenizer::new(&vocabulary)?))
}
