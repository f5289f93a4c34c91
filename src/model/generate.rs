//! Producing text, and scoring given texts.

use super::constrain::Grammar;
use super::engine::{CHUNK, Model};
use super::lookup::{Ahead, Lookup};
use super::sample::{self, Random, Sampling};
use crate::error::{Error, Result};
use llguidance::Matcher;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::time::Instant;

/// A request for a reply.
#[derive(Debug, Clone, Copy, Default)]
pub struct GenerateRequest<'a> {
    /// The whole prompt.
    pub prompt: &'a [u32],
    /// What the reply must look like.
    pub grammar: Option<&'a Grammar>,
    /// Most tokens of the reply.
    pub max_tokens: usize,
    /// When to stop, whatever is there by then.
    pub deadline: Option<Instant>,
    /// How each token is chosen.
    pub sampling: Sampling,
    /// Which of the independent samples that one seed gives; for voting over the same prompt.
    pub stream: u64,
    /// Texts that end the reply; they aren't part of it.
    pub stop: &'a [&'a str],
}

/// How far a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Reading the prompt: tokens done, tokens in all.
    Prefill {
        /// Tokens done.
        done: usize,
        /// Tokens in all.
        total: usize,
    },
    /// Writing the reply.
    Decode {
        /// Tokens so far.
        tokens: usize,
        /// The reply so far.
        text: &'a str,
    },
}

/// Why a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The model ended it, or a stop text came.
    End,
    /// It reached its most tokens.
    Length,
    /// Its time was up.
    Deadline,
    /// The caller ended it.
    Cancelled,
    /// It repeated itself.
    Loop,
    /// The grammar allows nothing more: the reply is complete.
    Grammar,
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// Its text.
    pub text: String,
    /// Its tokens, without the one that ended it.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub stop: StopReason,
    /// Whether the grammar, if any, accepts the reply as it is.
    pub complete: bool,
    /// What it cost.
    pub timings: Timings,
}

/// What a reply cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Prompt tokens computed.
    pub prefill_tokens: usize,
    /// Prompt tokens found in the cache.
    pub reused_tokens: usize,
    /// Seconds for the prompt.
    pub prefill_seconds: f64,
    /// Tokens produced.
    pub decode_tokens: usize,
    /// Of those, tokens that the grammar forced.
    pub forced_tokens: usize,
    /// Of those, tokens that were guessed from the prompt or the reply and confirmed by the model.
    #[serde(default)]
    pub guessed_tokens: usize,
    /// Seconds for the reply.
    pub decode_seconds: f64,
    /// Seconds from the request to the first token of the reply; 0: there was none.
    pub first_token_seconds: f64,
}

/// A candidate's likelihood.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Natural logarithm of the probability of all its tokens, given the prefix.
    pub log_prob: f64,
    /// Number of its tokens.
    pub tokens: usize,
}

/// What happened while a prompt was read.
enum Prefill {
    Done(Vec<f32>),
    Stopped(StopReason),
}

/// The caller's ears.
pub(super) type OnProgress<'a> = &'a mut dyn FnMut(&Progress<'_>) -> ControlFlow<()>;

impl Model {
    /// Writes a reply to a prompt. Keys and values of the longest prefix shared with the previous
    /// request are used again.
    ///
    /// # Errors
    /// [`crate::error::ExitCode::LimitReached`] when prompt and reply don't fit the context.
    pub fn generate(
        &mut self,
        request: &GenerateRequest<'_>,
        on_progress: OnProgress<'_>,
    ) -> Result<Generated> {
        self.check_fit(request.prompt.len(), request.max_tokens)?;
        let asked = Instant::now();
        let mut timings = Timings::default();
        let mut reply = Reply::new(request.grammar);
        let stop =
            match self.prefill(request.prompt, request.deadline, on_progress, &mut timings)? {
                Prefill::Stopped(stop) => stop,
                Prefill::Done(logits) => {
                    let started = Instant::now();
                    let stop = self.decode(request, logits, &mut reply, on_progress)?;
                    timings.decode_seconds = started.elapsed().as_secs_f64();
                    stop
                }
            };
        if let Some(first) = reply.first {
            timings.first_token_seconds = first.duration_since(asked).as_secs_f64();
            self.stats.replies += 1;
            self.stats.first_token_seconds += timings.first_token_seconds;
        }
        timings.decode_tokens = reply.tokens.len();
        timings.forced_tokens = reply.forced;
        timings.guessed_tokens = reply.guessed;
        self.stats.decode_tokens += timings.decode_tokens as u64;
        self.stats.forced_tokens += timings.forced_tokens as u64;
        self.stats.guessed_tokens += timings.guessed_tokens as u64;
        self.stats.decode_seconds += timings.decode_seconds;
        let complete = reply.is_complete(stop);
        Ok(Generated {
            text: reply.text(),
            tokens: reply.tokens,
            stop,
            complete,
            timings,
        })
    }

    /// Log-likelihood of each candidate after a shared prefix.
    ///
    /// # Errors
    /// [`crate::error::ExitCode::LimitReached`] when the longest candidate doesn't fit the context;
    /// [`crate::error::ExitCode::Usage`] for an empty prefix or candidate.
    pub fn score(&mut self, prefix: &[u32], candidates: &[Vec<u32>]) -> Result<Vec<Scored>> {
        if candidates.iter().any(Vec::is_empty) {
            return Err(Error::usage("a candidate without tokens can't be scored"));
        }
        if candidates.iter().any(|candidate| candidate.len() > CHUNK) {
            return Err(Error::usage(format!(
                "a candidate of more than {CHUNK} tokens can't be scored"
            )));
        }
        self.check_fit(
            prefix.len(),
            candidates.iter().map(Vec::len).max().unwrap_or(1),
        )?;
        let mut timings = Timings::default();
        let Prefill::Done(first) = self.prefill(
            prefix,
            None,
            &mut |_| ControlFlow::Continue(()),
            &mut timings,
        )?
        else {
            return Err(Error::bug("scoring was stopped though nobody asked"));
        };
        let started = Instant::now();
        let vocab = self.tokenizer.vocab_size();
        let mut scores = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let mut log_prob = sample::log_probability(&first, candidate[0]);
            // The last token of the prefix goes along, so that no step is of one token.
            let given: Vec<u32> = prefix
                .last()
                .into_iter()
                .chain(&candidate[..candidate.len() - 1])
                .copied()
                .collect();
            if given.len() > 1 {
                self.roll_back(prefix.len() - 1);
                let wanted: Vec<usize> = (1..given.len()).collect();
                let logits = self.step(&given, &wanted)?;
                log_prob += logits
                    .chunks_exact(vocab)
                    .zip(&candidate[1..])
                    .map(|(row, token)| sample::log_probability(row, *token))
                    .sum::<f64>();
            }
            self.roll_back(prefix.len());
            scores.push(Scored {
                log_prob,
                tokens: candidate.len(),
            });
        }
        self.stats.scored += candidates.len() as u64;
        self.stats.scored_tokens += candidates.iter().map(Vec::len).sum::<usize>() as u64;
        self.stats.scored_seconds += started.elapsed().as_secs_f64();
        Ok(scores)
    }

    fn check_fit(&self, prompt: usize, reply: usize) -> Result<()> {
        if prompt == 0 {
            return Err(Error::usage("an empty prompt can't be answered"));
        }
        let context = self.context();
        if prompt.saturating_add(reply) > context {
            return Err(Error::limit(format!("a prompt of {prompt} tokens and a reply of up to {reply} don't fit a context of {context}"))
                .hint("give the model less text or a longer context; it was trained for ".to_owned() + &self.facts().trained_context.to_string()));
        }
        Ok(())
    }

    /// Reads the prompt; returns the logits after its last token.
    fn prefill(
        &mut self,
        prompt: &[u32],
        deadline: Option<Instant>,
        on_progress: OnProgress<'_>,
        timings: &mut Timings,
    ) -> Result<Prefill> {
        let started = Instant::now();
        let shared = self
            .cached
            .iter()
            .take(self.reusable)
            .zip(prompt)
            .take_while(|(cached, wanted)| cached == wanted)
            .count();
        let shared = self.recall(prompt, shared);
        // The last tokens are computed in any case: one for its logits, two so that no step is of one token.
        let reused = shared.min(prompt.len().saturating_sub(2));
        self.roll_back(reused);
        let mut logits = Vec::new();
        let mut stopped = None;
        let mut done = reused;
        while done < prompt.len() {
            let chunk = &prompt[done..done + chunk_length(prompt.len() - done)];
            stopped = stop_asked(
                deadline,
                on_progress(&Progress::Prefill {
                    done,
                    total: prompt.len(),
                }),
            );
            if stopped.is_some() {
                break;
            }
            logits = self.step(chunk, &[chunk.len() - 1])?;
            done += chunk.len();
            self.reusable = done;
        }
        timings.reused_tokens = reused;
        timings.prefill_tokens = done - reused;
        timings.prefill_seconds = started.elapsed().as_secs_f64();
        self.stats.reused_tokens += reused as u64;
        self.stats.prefill_tokens += timings.prefill_tokens as u64;
        self.stats.prefill_seconds += timings.prefill_seconds;
        Ok(stopped.map_or(Prefill::Done(logits), Prefill::Stopped))
    }

    fn decode(
        &mut self,
        request: &GenerateRequest<'_>,
        logits: Vec<f32>,
        reply: &mut Reply,
        on_progress: OnProgress<'_>,
    ) -> Result<StopReason> {
        let seed = request.sampling.seed.unwrap_or(self.facts().seed);
        let mut random = Random::new(seed, request.stream);
        let mut ahead = Ahead::new(logits);
        let mut lookup = Lookup::new(request.prompt);
        loop {
            if reply.tokens.len() >= request.max_tokens {
                return Ok(StopReason::Length);
            }
            let forced = reply.forced_tokens()?;
            let next = if forced.is_empty() {
                let logits = ahead.logits(self.tokenizer.vocab_size());
                request.sampling.penalise(logits, &reply.tokens);
                self.forbid(logits, reply)?;
                let Some(token) = sample::pick(logits, &request.sampling, &mut random) else {
                    return Ok(StopReason::Grammar);
                };
                vec![token]
            } else {
                reply.forced += forced.len();
                forced
            };
            let mut fresh = Vec::new();
            let mut ended = None;
            for token in next
                .into_iter()
                .take(request.max_tokens - reply.tokens.len())
            {
                if self.tokenizer.is_end(token) {
                    ended = Some(StopReason::End);
                    reply.consume(token)?;
                    break;
                }
                reply.push(token, self.tokenizer.bytes(token))?;
                fresh.push(token);
            }
            let told = on_progress(&Progress::Decode {
                tokens: reply.tokens.len(),
                text: reply.visible(),
            });
            if reply.cut_at(request.stop) {
                return Ok(StopReason::End);
            }
            let stop = ended
                .or_else(|| reply.ended_by_grammar())
                .or_else(|| stop_asked(request.deadline, told));
            if let Some(stop) =
                stop.or_else(|| sample::is_looping(&reply.tokens).then_some(StopReason::Loop))
            {
                return Ok(stop);
            }
            if reply.tokens.len() < request.max_tokens {
                lookup.extend(&fresh);
                self.advance(&fresh, &mut ahead, &mut lookup, reply, request.max_tokens)?;
            }
        }
    }

    /// Computes what follows `fresh`, the reply's last tokens, with a guess of what comes after them in
    /// the same step; or takes it from the last step, whose guess `fresh` has fulfilled.
    fn advance(
        &mut self,
        fresh: &[u32],
        ahead: &mut Ahead,
        lookup: &mut Lookup,
        reply: &mut Reply,
        max_tokens: usize,
    ) -> Result<()> {
        let guessed = ahead.fulfil(fresh);
        reply.guessed += guessed;
        if guessed == fresh.len() {
            return Ok(());
        }
        lookup.learn(ahead);
        let left = &fresh[guessed..];
        self.roll_back(self.cached.len() - ahead.unfulfilled());
        let room = (self.context() - self.cached.len()).saturating_sub(left.len());
        let room = room.min(max_tokens - reply.tokens.len());
        let guess = reply.allowed(lookup.guess(room))?.to_vec();
        let tokens = [left, &guess].concat();
        let wanted: Vec<usize> = (left.len() - 1..tokens.len()).collect();
        let logits = self.step(&tokens, &wanted)?;
        *ahead = Ahead::after(guess, logits);
        Ok(())
    }

    /// Seconds to write a reply that is known, after reading its prompt: step by step as
    /// [`Self::generate`] does it when the model chooses these tokens. Gives the tokens that were guessed, too.
    pub(super) fn time_written(&mut self, prompt: &[u32], reply: &[u32]) -> Result<(f64, usize)> {
        self.check_fit(prompt.len(), reply.len())?;
        self.roll_back(0);
        let go_on = &mut |_: &Progress<'_>| ControlFlow::Continue(());
        let Prefill::Done(logits) = self.prefill(prompt, None, go_on, &mut Timings::default())?
        else {
            return Err(Error::bug("measuring was stopped though nobody asked"));
        };
        let started = Instant::now();
        let mut ahead = Ahead::new(logits);
        let mut lookup = Lookup::new(prompt);
        let mut made = Reply::new(None);
        for token in reply {
            made.push(*token, self.tokenizer.bytes(*token))?;
            lookup.extend(&[*token]);
            self.advance(&[*token], &mut ahead, &mut lookup, &mut made, reply.len())?;
        }
        Ok((started.elapsed().as_secs_f64(), made.guessed))
    }

    /// Removes what may not come next from the logits.
    fn forbid(&self, logits: &mut [f32], reply: &mut Reply) -> Result<()> {
        if let Some(matcher) = &mut reply.matcher {
            let mask = matcher
                .compute_mask_or_eos()
                .map_err(|cause| grammar_error(&cause.to_string()))?;
            mask.iter_unset_entries(|token| {
                if let Some(logit) = logits.get_mut(token) {
                    *logit = f32::NEG_INFINITY;
                }
            });
        }
        for token in self.tokenizer.banned() {
            logits[*token as usize] = f32::NEG_INFINITY;
        }
        Ok(())
    }
}

/// Tokens of the next step when `left` are left: none leaves a single one for the last step.
fn chunk_length(left: usize) -> usize {
    if left == CHUNK + 1 {
        CHUNK - 1
    } else {
        left.min(CHUNK)
    }
}

fn stop_asked(deadline: Option<Instant>, told: ControlFlow<()>) -> Option<StopReason> {
    if told.is_break() {
        Some(StopReason::Cancelled)
    } else {
        deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
            .then_some(StopReason::Deadline)
    }
}

fn grammar_error(cause: &str) -> Error {
    Error::limit("follow the grammar of a step")
        .source(cause.to_owned())
        .hint("the grammar is too complex; simplify the step's schema")
}

/// A reply under way.
struct Reply {
    tokens: Vec<u32>,
    bytes: Vec<u8>,
    /// How many of `bytes` are whole characters.
    whole: usize,
    matcher: Option<Matcher>,
    forced: usize,
    guessed: usize,
    /// When the first token was there.
    first: Option<Instant>,
}

impl Reply {
    fn new(grammar: Option<&Grammar>) -> Self {
        Self {
            tokens: Vec::new(),
            bytes: Vec::new(),
            whole: 0,
            matcher: grammar.map(|grammar| grammar.0.deep_clone()),
            forced: 0,
            guessed: 0,
            first: None,
        }
    }
    fn consume(&mut self, token: u32) -> Result<()> {
        match &mut self.matcher {
            Some(matcher) => matcher
                .consume_token(token)
                .map_err(|cause| grammar_error(&cause.to_string())),
            None => Ok(()),
        }
    }
    fn push(&mut self, token: u32, bytes: &[u8]) -> Result<()> {
        self.consume(token)?;
        self.first.get_or_insert_with(Instant::now);
        self.tokens.push(token);
        self.bytes.extend_from_slice(bytes);
        self.whole += match std::str::from_utf8(&self.bytes[self.whole..]) {
            Ok(text) => text.len(),
            // An invalid sequence that more bytes could complete is waited for; others are left to `text`.
            Err(error) => error.valid_up_to() + error.error_len().unwrap_or(0),
        };
        Ok(())
    }
    /// Tokens that the grammar leaves no choice about.
    fn forced_tokens(&mut self) -> Result<Vec<u32>> {
        Ok(self
            .matcher
            .as_mut()
            .map(Matcher::compute_ff_tokens)
            .unwrap_or_default())
    }
    /// As much of a guess as the grammar allows.
    fn allowed<'a>(&mut self, guess: &'a [u32]) -> Result<&'a [u32]> {
        let allowed = match &mut self.matcher {
            Some(matcher) => matcher
                .validate_tokens(guess)
                .map_err(|cause| grammar_error(&cause.to_string()))?,
            None => guess.len(),
        };
        Ok(&guess[..allowed])
    }
    fn ended_by_grammar(&self) -> Option<StopReason> {
        self.matcher
            .as_ref()
            .filter(|matcher| matcher.is_stopped())
            .map(|_| StopReason::Grammar)
    }
    /// The reply so far, as far as it is valid text.
    fn visible(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.whole]).unwrap_or_default()
    }
    /// Cuts the reply before the first stop text in it.
    fn cut_at(&mut self, stops: &[&str]) -> bool {
        let text = self.text();
        let first = stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| text.find(stop))
            .min();
        if let Some(at) = first {
            self.bytes = text.into_bytes();
            self.bytes.truncate(at);
            self.whole = at;
        }
        first.is_some()
    }
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
    fn is_complete(&mut self, stop: StopReason) -> bool {
        match &mut self.matcher {
            Some(matcher) => matcher.is_stopped() || matcher.is_accepting().unwrap_or(false),
            None => stop == StopReason::End,
        }
    }
}
