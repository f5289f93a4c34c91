//! The playbook's steps with the model: [`rank`], then [`words`] (draft and write). What the model says is an opinion about
//! candidates that the signals found; it can reorder and word them, and add a verbatim line.

mod choose;
mod filter;
mod rank;
mod words;

pub use filter::InputFilter;

use super::boot::Out;
use super::protocol::{
    Choose, Escalation, Exchange, FromWorker, Origin, Progress, RoomJob, StepTimes,
};
use crate::error::{Error, Result};
use crate::model::{
    self, GenerateRequest, Generated, Grammar, Model, Sampling, Segment, StopReason,
};
use crate::playbook::{OnFailure, Playbook, Step};
use crate::report::{Command, Evidence};
use crate::secrets::Masker;
use crate::signals::Signal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Longest evidence line shown to the model, in characters.
const MAX_LINE: usize = 240;

/// A signal on its way to a finding.
pub struct Candidate {
    /// Strength before the model.
    pub before: f64,
    /// Whether the rank step moved it.
    pub ranked: bool,
    /// The signal; its strength is what the rank step moves.
    pub signal: Signal,
    /// Evidence that the model may see, masked.
    pub shown: Vec<Evidence>,
    /// Commands filled from the catalogue.
    pub commands: Vec<Command>,
    /// The model's sentence, if it passed.
    pub wording: Option<String>,
    /// Lines that the model quoted.
    pub extra: Vec<Evidence>,
}

impl Candidate {
    /// Where the finding comes from, for the record.
    pub fn origin(&self) -> Origin {
        let round = |value: f64| (value * 100.0).round() / 100.0;
        Origin {
            cause: self.signal.cause.clone(),
            title: self.signal.title.clone(),
            detector: self.signal.detector.clone(),
            signals: round(self.before),
            model: self.ranked.then(|| round(self.signal.strength)),
            worded_by_model: self.wording.is_some(),
        }
    }
}

/// The steps of one playbook over one bundle.
pub struct Chain<'a> {
    model: Model,
    playbook: &'a Playbook,
    out: &'a mut Out,
    masker: &'a Masker,
    ticket: String,
    tokens_left: u64,
    draft: String,
    notes: Vec<String>,
    times: Vec<StepTimes>,
    seed: u64,
    /// The model ranks without the signals' strength.
    alone: bool,
    /// Another way to choose, which an evaluation tries.
    choose: Option<Choose>,
    /// Prompts are made and nothing is asked.
    dry: bool,
    /// The model would have put another candidate first.
    disagrees: bool,
    /// A prompt had to be cut to fit the context.
    overflow: bool,
}

impl<'a> Chain<'a> {
    /// Ready to run; `max_tokens` bounds everything the model reads and writes.
    pub fn new(
        model: Model,
        playbook: &'a Playbook,
        out: &'a mut Out,
        masker: &'a Masker,
        ticket: Option<&str>,
        max_tokens: u64,
        job: &RoomJob,
    ) -> Self {
        let ticket = masker.mask(ticket.unwrap_or("not given"));
        Self {
            model,
            playbook,
            out,
            masker,
            ticket,
            tokens_left: max_tokens,
            draft: String::new(),
            notes: vec![],
            times: vec![],
            seed: job.seed,
            alone: job.ablation.model_only,
            choose: job.ablation.choose,
            dry: job.ablation.render,
            disagrees: false,
            overflow: false,
        }
    }

    /// Runs the model's steps over the candidates.
    ///
    /// # Errors
    /// Only what the playbook says must stop the run; the rest is noted and the signals stand.
    pub fn run(&mut self, candidates: &mut [Candidate]) -> Result<()> {
        for step in &self.playbook.steps {
            let before = self.model.stats();
            let (done, on_failure) = match step {
                // Single lines are judged in the review of a change, not in a bundle.
                Step::Select { .. } | Step::Judge { .. } => continue,
                Step::Rank { on_failure, .. } => {
                    let done = self.rank(step, candidates);
                    candidates.sort_by(|a, b| b.signal.strength.total_cmp(&a.signal.strength));
                    (done, on_failure)
                }
                Step::Draft { on_failure, .. } => (self.draft(step, candidates), on_failure),
                Step::Write { on_failure, .. } => (self.write(step, candidates), on_failure),
            };
            let did = self.model.stats().since(&before);
            self.times.push(StepTimes::of(step.id(), &did));
            if let Err(error) = done {
                match on_failure {
                    OnFailure::Stop => return Err(error),
                    OnFailure::KeepSignals => self.notes.push(format!(
                        "step {} failed, the signals stand: {}",
                        step.id(),
                        error.chain()
                    )),
                }
            }
        }
        Ok(())
    }

    /// Whether the task is too wide for this model, by what the playbook says: which larger one, and why.
    pub fn escalation(&self, confidence: f64) -> Option<Escalation> {
        let rule = self.playbook.escalate.as_ref()?;
        let mut why = Vec::new();
        if confidence < rule.below {
            why.push(format!(
                "the confidence of {confidence:.2} is below {}",
                rule.below
            ));
        }
        if rule.on_disagreement && self.disagrees {
            why.push("the model and the signals disagree on the first candidate".into());
        }
        if rule.on_overflow && self.overflow {
            why.push("the candidates do not fit its context".into());
        }
        (!why.is_empty()).then(|| Escalation {
            model: rule.model.clone(),
            why: why.join("; "),
        })
    }

    /// The model back, what its steps came to, and what they took.
    pub fn finish(self) -> (Model, Vec<String>, Vec<StepTimes>) {
        (self.model, self.notes, self.times)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call of the model with everything that is recorded of it"
    )]
    fn generate(
        &mut self,
        step: &str,
        attempt: u32,
        tokens: &[u32],
        prompt: String,
        grammar: Option<&Grammar>,
        max_tokens: u32,
        max_seconds: u64,
        sampling: Sampling,
        result: &str,
    ) -> Result<Generated> {
        if self.dry {
            self.exchange(Exchange {
                step: step.to_owned(),
                attempt,
                prompt,
                output: String::new(),
                prompt_tokens: tokens.len() as u64,
                output_tokens: 0,
                stop: "not asked".into(),
                millis: 0,
                result: "rendered only".into(),
            })?;
            return Ok(Generated {
                text: String::new(),
                tokens: vec![],
                stop: StopReason::End,
                complete: false,
                timings: model::Timings::default(),
            });
        }
        self.spend(tokens.len())?;
        let max_tokens = max_tokens.min(u32::try_from(self.tokens_left).unwrap_or(u32::MAX));
        let started = Instant::now();
        let request = GenerateRequest {
            prompt: tokens,
            grammar,
            max_tokens: max_tokens as usize,
            deadline: Some(started + Duration::from_secs(max_seconds)),
            sampling,
            // A second attempt is another draw.
            stream: u64::from(attempt - 1),
            stop: &[],
        };
        let out = &mut *self.out;
        let mut first = None;
        let made = self.model.generate(&request, &mut |progress| {
            if let model::Progress::Decode { tokens, .. } = progress {
                let since = *first.get_or_insert_with(Instant::now);
                if tokens % 8 == 0 {
                    let rate = *tokens as f64 / since.elapsed().as_secs_f64().max(0.001);
                    let _ = out.send(&FromWorker::Progress(Progress::Tokens {
                        step: step.to_owned(),
                        tokens: *tokens as u64,
                        rate,
                    }));
                }
            }
            ControlFlow::Continue(())
        })?;
        self.spend(made.tokens.len())?;
        let output = self.masker.mask(&made.text);
        self.exchange(Exchange {
            step: step.to_owned(),
            attempt,
            prompt,
            output,
            prompt_tokens: tokens.len() as u64,
            output_tokens: made.tokens.len() as u64,
            stop: stop_word(made.stop).to_owned(),
            millis: millis(started),
            result: result.to_owned(),
        })?;
        Ok(made)
    }

    fn prompt(
        &self,
        system: &str,
        template: &str,
        values: &[(&str, &str)],
        answer_prefix: &str,
    ) -> Result<(Vec<u32>, String)> {
        fill_prompt(&self.model, system, template, values, answer_prefix)
    }

    fn spend(&mut self, tokens: usize) -> Result<()> {
        self.tokens_left = self.tokens_left.checked_sub(tokens as u64).ok_or_else(|| {
            Error::limit("the model's token budget is used up").hint("raise --max-tokens")
        })?;
        Ok(())
    }

    fn stage(&mut self, step: &str) {
        self.out.stage(&format!("model: {step}"));
    }

    fn exchange(&mut self, mut exchange: Exchange) -> Result<()> {
        exchange.prompt = self.masker.mask(&exchange.prompt);
        exchange.result = self.masker.mask(&exchange.result);
        self.out.send(&FromWorker::Exchange(Box::new(exchange)))
    }
}

fn stop_word(stop: StopReason) -> &'static str {
    match stop {
        StopReason::End => "the model ended it",
        StopReason::Length => "token limit",
        StopReason::Deadline => "time limit",
        StopReason::Cancelled => "cancelled",
        StopReason::Loop => "it repeated itself",
        StopReason::Grammar => "the grammar was complete",
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn cut(line: &str) -> String {
    line.trim().chars().take(MAX_LINE).collect()
}

/// Fills a prompt: the playbook's own words may use the chat template, the bundle's words are data.
///
/// # Errors
/// When the model's template does not take it.
pub fn fill_prompt(
    model: &Model,
    system: &str,
    template: &str,
    values: &[(&str, &str)],
    answer_prefix: &str,
) -> Result<(Vec<u32>, String)> {
    let mut segments = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let next = values
            .iter()
            .filter_map(|(slot, value)| {
                rest.find(&format!("{{{slot}}}"))
                    .map(|at| (at, *slot, *value))
            })
            .min();
        match next {
            Some((at, slot, value)) => {
                segments.push(Segment::Text(rest[..at].to_owned()));
                segments.push(Segment::Data(value.to_owned()));
                rest = &rest[at + slot.len() + 2..];
            }
            None => {
                segments.push(Segment::Text(rest.to_owned()));
                rest = "";
            }
        }
    }
    let mut tokens = model.chat(system.trim(), &segments)?;
    if !answer_prefix.is_empty() {
        tokens.extend(model.tokens(answer_prefix));
    }
    let text = model.tokenizer().spell(&tokens);
    Ok((tokens, text))
}
