//! The playbook's steps with the model: rank, draft, write. What the model says is an opinion about
//! candidates that the signals found; it can reorder and word them, and add a verbatim line.

use super::boot::Out;
use super::protocol::{Exchange, FromWorker, Origin, Progress};
use crate::error::{Error, Result};
use crate::model::{
    self, GenerateRequest, Generated, Grammar, GrammarSpec, Model, Segment, StopReason,
};
use crate::playbook::{Inputs, OnFailure, Playbook, Step};
use crate::report::{Command, Evidence};
use crate::secrets::Masker;
use crate::signals::Signal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Longest evidence line shown to the model, in characters.
const MAX_LINE: usize = 240;
/// Longest title scored, in characters.
const MAX_TITLE: usize = 160;
/// A sentence is asked for this often before the signals' own wording stands.
const ATTEMPTS: u32 = 2;

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

/// Which files the playbook lets the model see.
pub struct InputFilter {
    allow: Vec<regex::Regex>,
    deny: Vec<regex::Regex>,
}

impl InputFilter {
    /// Compiles the globs; one that does not compile admits nothing.
    pub fn new(inputs: &Inputs) -> Self {
        let compile = |globs: &[String]| {
            globs
                .iter()
                .filter_map(|glob| regex::Regex::new(&glob_pattern(glob)).ok())
                .collect()
        };
        Self {
            allow: compile(&inputs.allow),
            deny: compile(&inputs.deny),
        }
    }
    /// Whether lines of `path` (with or without its top folder) may be shown.
    pub fn admits(&self, path: &str) -> bool {
        let short = path.split_once('/').map_or(path, |(_, rest)| rest);
        let any = |list: &[regex::Regex]| {
            list.iter()
                .any(|glob| glob.is_match(path) || glob.is_match(short))
        };
        (self.allow.is_empty() || any(&self.allow)) && !any(&self.deny)
    }
}

fn glob_pattern(glob: &str) -> String {
    let mut pattern = String::from("^");
    let mut rest = glob;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**/") {
            pattern.push_str("(?:.*/)?");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("**") {
            pattern.push_str(".*");
            rest = after;
        } else {
            match c {
                '*' => pattern.push_str("[^/]*"),
                '?' => pattern.push_str("[^/]"),
                c => pattern.push_str(&regex::escape(&c.to_string())),
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    pattern.push('$');
    pattern
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
        }
    }

    /// Runs the model's steps over the candidates.
    ///
    /// # Errors
    /// Only what the playbook says must stop the run; the rest is noted and the signals stand.
    pub fn run(&mut self, candidates: &mut [Candidate]) -> Result<()> {
        for step in &self.playbook.steps {
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

    /// The model back, and what its steps came to.
    pub fn finish(self) -> (Model, Vec<String>) {
        (self.model, self.notes)
    }

    fn rank(&mut self, step: &Step, candidates: &mut [Candidate]) -> Result<()> {
        let Step::Rank {
            id,
            system,
            prompt,
            answer_prefix,
            permutations,
            weight,
            within,
            max_seconds,
            ..
        } = step
        else {
            return Ok(());
        };
        // Only what is close enough to the first could end above it.
        let top = candidates
            .first()
            .map_or(0.0, |first| first.signal.strength);
        let close = candidates
            .iter()
            .take_while(|candidate| top - candidate.signal.strength <= *within)
            .count();
        if close < 2 {
            self.notes.push(format!(
                "rank: no other candidate is within {within} of the first, nothing to rank"
            ));
            return Ok(());
        }
        let (candidates, _) = candidates.split_at_mut(close);
        self.stage(id);
        let deadline = Instant::now() + Duration::from_secs(*max_seconds);
        let titles: Vec<String> = candidates
            .iter()
            .map(|c| c.signal.title.chars().take(MAX_TITLE).collect())
            .collect();
        let continuations: Vec<Vec<u32>> = titles
            .iter()
            .map(|title| self.model.tokens(title))
            .collect();
        let mut sums = vec![0.0; candidates.len()];
        for turn in 0..*permutations {
            // Rotations with every second one reversed: each candidate stands first and last.
            let mut order: Vec<usize> = (0..candidates.len()).collect();
            order.rotate_left(turn * candidates.len() / *permutations);
            if turn % 2 == 1 {
                order.reverse();
            }
            for with_evidence in [true, false] {
                let listed: Vec<String> = order
                    .iter()
                    .map(|at| {
                        let lines: String = if with_evidence {
                            candidates[*at]
                                .shown
                                .iter()
                                .take(2)
                                .map(|e| format!("    {}\n", cut(&e.quote)))
                                .collect()
                        } else {
                            String::new()
                        };
                        format!("- {}\n{lines}", titles[*at])
                    })
                    .collect();
                let ticket = if with_evidence {
                    self.ticket.clone()
                } else {
                    "not given".to_owned()
                };
                let (tokens, text) = self.prompt(
                    system,
                    prompt,
                    &[("ticket", &ticket), ("candidates", &listed.concat())],
                    answer_prefix,
                )?;
                self.spend(tokens.len() + continuations.iter().map(Vec::len).sum::<usize>())?;
                let started = Instant::now();
                let scored = self.model.score(&tokens, &continuations)?;
                let means: Vec<f64> = scored
                    .iter()
                    .map(|score| score.log_prob / score.tokens.max(1) as f64)
                    .collect();
                for (sum, mean) in sums.iter_mut().zip(&means) {
                    *sum += if with_evidence { *mean } else { -mean } / *permutations as f64;
                }
                let output = titles
                    .iter()
                    .zip(&means)
                    .map(|(title, mean)| format!("{mean:.4} {title}"))
                    .collect::<Vec<_>>()
                    .join("\n");
                self.exchange(Exchange {
                    step: id.clone(),
                    attempt: u32::try_from(turn * 2 + usize::from(!with_evidence) + 1).unwrap_or(0),
                    prompt: text,
                    output,
                    prompt_tokens: tokens.len() as u64,
                    output_tokens: 0,
                    stop: "scored".into(),
                    millis: millis(started),
                    result: if with_evidence {
                        "mean log-likelihood per token".into()
                    } else {
                        "prior, divided out".into()
                    },
                })?;
                if Instant::now() > deadline {
                    return Err(Error::limit(format!(
                        "the step ran into its limit of {max_seconds} s"
                    )));
                }
            }
        }
        let mean = sums.iter().sum::<f64>() / sums.len() as f64;
        let spread =
            (sums.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / sums.len() as f64).sqrt();
        let before = titles[0].clone();
        for (candidate, sum) in candidates.iter_mut().zip(&sums) {
            let z = if spread > 1e-9 {
                ((sum - mean) / spread).clamp(-2.0, 2.0)
            } else {
                0.0
            };
            candidate.ranked = true;
            candidate.signal.strength = moved(candidate.signal.strength, weight * z);
        }
        let best = candidates
            .iter()
            .max_by(|a, b| a.signal.strength.total_cmp(&b.signal.strength));
        let first = best
            .map(|c| c.signal.title.chars().take(MAX_TITLE).collect::<String>())
            .unwrap_or_default();
        self.notes.push(if first == before {
            "rank: the model leaves the signals' first candidate first".into()
        } else {
            "rank: the model put another candidate first than the signals".into()
        });
        Ok(())
    }

    fn draft(&mut self, step: &Step, candidates: &mut [Candidate]) -> Result<()> {
        let Step::Draft {
            id,
            system,
            prompt,
            max_tokens,
            max_seconds,
            ..
        } = step
        else {
            return Ok(());
        };
        let Some(first) = candidates.first() else {
            return Ok(());
        };
        self.stage(id);
        let lines = listing(&first.shown);
        let fault = first.signal.title.clone();
        let ticket = self.ticket.clone();
        let (tokens, text) = self.prompt(
            system,
            prompt,
            &[("ticket", &ticket), ("fault", &fault), ("lines", &lines)],
            "",
        )?;
        let made = self.generate(
            id,
            1,
            &tokens,
            text,
            None,
            *max_tokens,
            *max_seconds,
            "kept as a draft, never shown",
        )?;
        self.draft = made.text.trim().chars().take(600).collect();
        Ok(())
    }

    fn write(&mut self, step: &Step, candidates: &mut [Candidate]) -> Result<()> {
        let Step::Write {
            id,
            system,
            prompt,
            max_chars,
            max_tokens,
            max_seconds,
            ..
        } = step
        else {
            return Ok(());
        };
        let Some(first) = candidates.first_mut() else {
            return Ok(());
        };
        let quotable: Vec<(Evidence, String)> = first
            .shown
            .iter()
            .map(|e| (e.clone(), cut(&e.quote)))
            .filter(|(_, line)| line.len() >= 6 && !line.contains('\n'))
            .collect();
        if quotable.is_empty() {
            self.notes
                .push("write: no line of the evidence may be shown to the model".into());
            return Ok(());
        }
        self.stage(id);
        let grammar = self.model.compile(&GrammarSpec::Lark(lark(
            &quotable
                .iter()
                .map(|(_, line)| line.as_str())
                .collect::<Vec<_>>(),
            *max_chars,
        )))?;
        let (lines, fault, draft) = (
            listing(&first.shown),
            first.signal.title.clone(),
            self.draft.clone(),
        );
        let (tokens, text) = self.prompt(
            system,
            prompt,
            &[
                ("fault", &fault),
                ("lines", &lines),
                ("draft", &draft),
                ("ticket", ""),
            ],
            "",
        )?;
        let mut why = String::new();
        for attempt in 1..=ATTEMPTS {
            let (tokens, text) = if why.is_empty() {
                (tokens.clone(), text.clone())
            } else {
                let again = format!(
                    "{prompt}\nYour last sentence was refused: {why}. Use only names and values that stand in the evidence.\n"
                );
                self.prompt(
                    system,
                    &again,
                    &[
                        ("fault", &fault),
                        ("lines", &lines),
                        ("draft", &draft),
                        ("ticket", ""),
                    ],
                    "",
                )?
            };
            let made = self.generate(
                id,
                attempt,
                &tokens,
                text,
                Some(&grammar),
                *max_tokens,
                *max_seconds,
                "checked by the same rules as the verifier's",
            )?;
            match Self::accept(&made.text, first, &quotable) {
                Ok(()) => {
                    self.notes.push(format!("write: the model's sentence for the first finding passed at attempt {attempt}"));
                    return Ok(());
                }
                Err(reason) => why = reason,
            }
        }
        self.notes.push(format!(
            "write: the model's sentence was refused ({why}); the signals' wording stands"
        ));
        Ok(())
    }

    /// Takes the sentence and its quote if they hold.
    fn accept(
        raw: &str,
        first: &mut Candidate,
        quotable: &[(Evidence, String)],
    ) -> Result<(), String> {
        let text = raw.trim();
        let (quote, sentence) = text
            .strip_prefix("Evidence: ")
            .and_then(|rest| rest.split_once("\nRoot cause: "))
            .ok_or("it was cut off before its end")?;
        let sentence = sentence.trim();
        let (evidence, _) = quotable
            .iter()
            .find(|(_, line)| line == quote)
            .ok_or("its quote is not one of the lines")?;
        if !sentence.ends_with('.') {
            return Err("the sentence has no end".into());
        }
        crate::verify::check_wording(
            sentence,
            &first.signal.title,
            &first.signal.statement,
            &first.signal.evidence,
        )?;
        first.wording = Some(sentence.to_owned());
        first.extra = vec![evidence.clone()];
        Ok(())
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
        result: &str,
    ) -> Result<Generated> {
        self.spend(tokens.len())?;
        let max_tokens = max_tokens.min(u32::try_from(self.tokens_left).unwrap_or(u32::MAX));
        let started = Instant::now();
        let request = GenerateRequest {
            prompt: tokens,
            grammar,
            max_tokens: max_tokens as usize,
            deadline: Some(started + Duration::from_secs(max_seconds)),
            temperature: 0.0,
            stream: 0,
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
        self.out.send(&FromWorker::Exchange(Box::new(exchange)))
    }
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

/// Moves a probability by some logits.
fn moved(strength: f64, by: f64) -> f64 {
    let p = strength.clamp(0.01, 0.99);
    let logit = (p / (1.0 - p)).ln() + by;
    (1.0 / (1.0 + (-logit).exp())).clamp(0.01, 0.97)
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

fn listing(evidence: &[Evidence]) -> String {
    evidence
        .iter()
        .map(|e| format!("{}:{}: {}", e.path, e.line_start, cut(&e.quote)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// One of the lines verbatim, then one sentence.
fn lark(lines: &[&str], max_chars: usize) -> String {
    let choices: Vec<String> = lines
        .iter()
        .map(|line| serde_json::Value::from(*line).to_string())
        .collect();
    format!(
        "start: \"Evidence: \" line \"\\nRoot cause: \" SENTENCE\nline: {}\nSENTENCE: /[A-Z][^\\n\\r]{{20,{max_chars}}}[^\\n\\r.]\\./\n",
        choices.join(" | ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_filter_denies_before_it_allows() {
        let filter = InputFilter::new(&Inputs {
            allow: vec!["**".into()],
            deny: vec!["etc/shadow*".into(), "**/*.key".into()],
        });
        assert!(filter.admits("sosreport-x/var/log/syslog"));
        assert!(!filter.admits("sosreport-x/etc/shadow-"));
        assert!(!filter.admits("b/deep/down/server.key"));
        assert!(
            !InputFilter::new(&Inputs {
                allow: vec!["logs/*".into()],
                deny: vec![]
            })
            .admits("top/other/a.log")
        );
    }

    #[test]
    fn the_model_moves_a_strength_by_logits_and_keeps_it_a_probability() {
        assert!((moved(0.5, 0.0) - 0.5).abs() < 1e-9);
        assert!(moved(0.9, 0.5) > 0.9 && moved(0.9, -0.5) < 0.9);
        assert!(moved(0.99, 9.0) <= 0.97 && moved(0.01, -9.0) >= 0.01);
    }
}
