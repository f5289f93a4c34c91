//! Measuring a model: prompts and replies of given lengths, loading, memory, perplexity; beside
//! llama.cpp if asked, round by round in turn, so that what else the machine does meets both.
//!
//! Zone 0, without any bundle. Starts a Python of the user's when asked to compare ([`rival`]).

mod rival;

pub use rival::Rival;

use super::engine::{CHUNK, Model, ModelFacts, RunOptions};
use super::memory::Usage;
use super::runtime::Runtime;
use super::sample::{argmax, log_probability};
use crate::error::{Error, Result};
use serde::Serialize;
use std::path::Path;
use std::time::Instant;

/// Tokens of a window of text whose perplexity is taken; the second half is scored.
const WINDOW: usize = 512;
/// Context of short tests, in tokens.
const LEAST: usize = 256;
/// Positions whose logits are taken at a time.
const SCORED_AT_ONCE: usize = 64;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchPlan {
    /// Lengths of prompts, in tokens.
    pub prompts: Vec<usize>,
    /// Lengths of replies, in tokens.
    pub replies: Vec<usize>,
    /// How often each is measured, after one that isn't counted.
    pub rounds: u32,
    /// Threads.
    pub threads: u32,
    /// Text whose perplexity is taken.
    pub text: Option<String>,
    /// Replies that are written once more: each prompt and its reply, in tokens.
    pub written: Vec<(Vec<u32>, Vec<u32>)>,
}

impl BenchPlan {
    /// Context that the longest test takes.
    pub fn context(&self) -> usize {
        let written = self.written.iter().map(|(a, b)| a.len() + b.len());
        let lengths = self.prompts.iter().chain(&self.replies).copied();
        let longest = lengths.chain(written).max().unwrap_or(0);
        let least = self.text.as_ref().map_or(LEAST, |_| WINDOW);
        (longest + 2).max(least)
    }
}

/// All that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Bench {
    /// The model and how it ran.
    pub model: ModelFacts,
    /// Seconds to load with the files out of the page cache, as far as the kernel dropped them.
    pub load_cold_seconds: f64,
    /// Seconds to load again.
    pub load_warm_seconds: f64,
    /// Memory that the loaded model added to the process, and what it had after the tests.
    pub memory_loaded: Usage,
    /// Memory of the process after the tests.
    pub memory_after: Usage,
    /// Each test.
    pub tests: Vec<Test>,
    /// Perplexity of the text.
    pub perplexity: Option<Perplexity>,
    /// The other engine, if it was compared with.
    pub against: Option<Against>,
}

/// The other engine.
#[derive(Debug, Clone, Serialize)]
pub struct Against {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// Seconds to load.
    pub load_seconds: f64,
}

/// One test.
#[derive(Debug, Clone, Serialize)]
pub struct Test {
    /// `pp512`: a prompt of 512 tokens; `tg128`: a reply of 128; `written`: the replies of
    /// [`BenchPlan::written`].
    pub name: String,
    /// Tokens a second.
    pub ours: Series,
    /// The other engine's.
    pub theirs: Option<Series>,
    /// Median over the rounds of ours by theirs.
    pub ratio: Option<f64>,
    /// Share of the tokens that were guessed and confirmed in a step with others, where there was
    /// something to guess from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guessed: Option<f64>,
}

impl Test {
    fn new(name: String, ours: Vec<f64>, theirs: Option<Vec<f64>>) -> Self {
        let ratios = ours.iter().zip(theirs.iter().flatten());
        Self {
            name,
            ratio: median(ratios.map(|(own, other)| own / other).collect()),
            ours: Series::of(ours),
            theirs: theirs.map(Series::of),
            guessed: None,
        }
    }
}

/// Rates of the rounds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Series {
    /// Tokens a second, round by round.
    pub rates: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (of the sample).
    pub deviation: f64,
}

impl Series {
    fn of(rates: Vec<f64>) -> Self {
        let n = rates.len().max(1) as f64;
        let mean = rates.iter().sum::<f64>() / n;
        let squares = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>();
        let deviation = if rates.len() > 1 {
            (squares / (n - 1.0)).sqrt()
        } else {
            0.0
        };
        Self {
            rates,
            mean,
            deviation,
        }
    }
}

/// Perplexity of a text.
#[derive(Debug, Clone, Serialize)]
pub struct Perplexity {
    /// Tokens of the text.
    pub tokens: usize,
    /// Tokens that were scored.
    pub scored: usize,
    /// Ours.
    pub ours: f64,
    /// The other engine's over the same tokens.
    pub theirs: Option<f64>,
    /// Ours by theirs.
    pub ratio: Option<f64>,
    /// The token that we held likeliest at each place that was scored.
    pub likeliest: Vec<u32>,
    /// The other engine's.
    pub their_likeliest: Option<Vec<u32>>,
    /// Share of places where both are the same.
    pub same_likeliest: Option<f64>,
}

/// Measures. `rival` is started by the caller, with [`BenchPlan::context`]; `said` hears what is done.
///
/// # Errors
/// Whatever opening and running the model gives; [`crate::error::ExitCode::Usage`] for a text too short.
pub fn bench(
    runtime: &Runtime,
    dir: &Path,
    plan: &BenchPlan,
    mut rival: Option<Rival>,
    said: &mut dyn FnMut(&str),
) -> Result<Bench> {
    let options = RunOptions {
        context_tokens: plan.context() as u32,
        threads: plan.threads,
        seed: 0,
        grammars: false,
    };
    let before = Usage::own();
    said("loading");
    drop_from_cache(dir);
    let cold = Model::open(runtime, dir, &options)?.facts().load_seconds;
    let mut model = Model::open(runtime, dir, &options)?;
    let loaded = Usage::own();
    let mut tests = Vec::new();
    let kinds = [(true, &plan.prompts), (false, &plan.replies)];
    for (is_prompt, lengths) in kinds {
        for length in lengths {
            let name = format!("{}{length}", if is_prompt { "pp" } else { "tg" });
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for round in 0..=plan.rounds {
                said(&format!("{name}, round {round} of {}", plan.rounds));
                let tokens = arbitrary_tokens(&model, *length + usize::from(!is_prompt), round);
                let (own, other) = if is_prompt {
                    let other = rival.as_mut().map(|rival| rival.prompt(&tokens));
                    (model.time_prompt(&tokens)?, other)
                } else {
                    let other = rival.as_mut().map(|rival| rival.reply(&tokens));
                    (model.time_reply(&tokens)?, other)
                };
                // The first round warms up both.
                if round > 0 {
                    ours.push(*length as f64 / own);
                    if let Some(other) = other.transpose()? {
                        theirs.push(*length as f64 / other);
                    }
                }
            }
            tests.push(Test::new(name, ours, rival.is_some().then_some(theirs)));
        }
    }
    if !plan.written.is_empty() {
        tests.push(written(&mut model, rival.as_mut(), plan, said)?);
    }
    let perplexity = match &plan.text {
        Some(text) => Some(perplexity(&mut model, rival.as_mut(), text, said)?),
        None => None,
    };
    Ok(Bench {
        load_cold_seconds: cold,
        load_warm_seconds: model.facts().load_seconds,
        memory_loaded: Usage {
            anonymous: loaded.anonymous.saturating_sub(before.anonymous),
            mapped: loaded.mapped.saturating_sub(before.mapped),
            peak: loaded.peak,
        },
        memory_after: Usage::own(),
        model: model.facts().clone(),
        tests,
        perplexity,
        against: rival.map(|rival| Against {
            name: "llama.cpp",
            version: rival.version.clone(),
            load_seconds: rival.load_seconds,
        }),
    })
}

/// Writes replies once more, each after its prompt, whose reading isn't counted.
fn written(
    model: &mut Model,
    mut rival: Option<&mut Rival>,
    plan: &BenchPlan,
    said: &mut dyn FnMut(&str),
) -> Result<Test> {
    let tokens: usize = plan.written.iter().map(|(_, reply)| reply.len()).sum();
    let (mut ours, mut theirs) = (Vec::new(), rival.is_some().then(Vec::new));
    let mut guessed = 0;
    for round in 0..=plan.rounds {
        let (mut own, mut other) = (0.0, 0.0);
        guessed = 0;
        for (at, (prompt, reply)) in plan.written.iter().enumerate() {
            let (of, rounds) = (plan.written.len(), plan.rounds);
            said(&format!(
                "reply {} of {of}, round {round} of {rounds}",
                at + 1
            ));
            let (seconds, ahead) = model.time_written(prompt, reply)?;
            own += seconds;
            guessed += ahead;
            if let Some(rival) = rival.as_mut() {
                other += rival.write(prompt, reply)?;
            }
        }
        // The first round warms up both.
        if round > 0 {
            ours.push(tokens as f64 / own);
            theirs
                .iter_mut()
                .for_each(|all| all.push(tokens as f64 / other));
        }
    }
    let mut test = Test::new("written".to_owned(), ours, theirs);
    test.guessed = Some(guessed as f64 / tokens.max(1) as f64);
    Ok(test)
}

/// Ids spread over the vocabulary, the same for both engines and for each round of the same number.
fn arbitrary_tokens(model: &Model, count: usize, round: u32) -> Vec<u32> {
    let mut random = super::sample::Random::new(u64::from(round), count as u64);
    let vocab = model.tokenizer().vocab_size() as u32;
    let usable = |token: &u32| !model.tokenizer().bytes(*token).is_empty();
    std::iter::repeat_with(|| random.below(vocab))
        .filter(usable)
        .take(count)
        .collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// Perplexity over windows that don't overlap, each scored in its second half, as llama.cpp's own tool
/// does it.
fn perplexity(
    model: &mut Model,
    mut rival: Option<&mut Rival>,
    text: &str,
    said: &mut dyn FnMut(&str),
) -> Result<Perplexity> {
    let tokens = model.tokens(text);
    let windows: Vec<&[u32]> = tokens.chunks_exact(WINDOW).collect();
    if windows.is_empty() {
        return Err(Error::usage(format!(
            "a text of {} tokens is too short for perplexity",
            tokens.len()
        ))
        .hint(format!("give one of at least {WINDOW} tokens")));
    }
    let first = WINDOW / 2 - 1;
    let (mut own, mut other) = (Weighed::default(), Weighed::default());
    for (at, window) in windows.iter().enumerate() {
        said(&format!(
            "perplexity, window {} of {}",
            at + 1,
            windows.len()
        ));
        own.add(model.score_text(window, first)?);
        if let Some(rival) = rival.as_mut() {
            other.add(rival.score(window, first)?);
        }
    }
    let scored = windows.len() * (WINDOW - 1 - first);
    let ours = (own.nats / scored as f64).exp();
    let theirs = rival.map(|_| (other.nats / scored as f64).exp());
    let pairs = own.likeliest.iter().zip(&other.likeliest);
    let same = pairs.filter(|(own, other)| own == other).count();
    Ok(Perplexity {
        tokens: tokens.len(),
        scored,
        ours,
        theirs,
        ratio: theirs.map(|theirs| ours / theirs),
        likeliest: own.likeliest,
        same_likeliest: theirs.map(|_| same as f64 / scored as f64),
        their_likeliest: theirs.map(|_| other.likeliest),
    })
}

/// What an engine makes of tokens that are given.
#[derive(Debug, Default)]
struct Weighed {
    /// Sum of the negative log-likelihoods, in nats.
    nats: f64,
    /// The likeliest token at each place.
    likeliest: Vec<u32>,
}

impl Weighed {
    fn add(&mut self, more: Self) {
        self.nats += more.nats;
        self.likeliest.extend(more.likeliest);
    }
}

impl Model {
    /// Seconds to read a prompt into an empty cache, up to the logits of its last token.
    fn time_prompt(&mut self, tokens: &[u32]) -> Result<f64> {
        self.roll_back(0);
        let started = Instant::now();
        for chunk in tokens.chunks(CHUNK) {
            self.step(chunk, &[chunk.len() - 1])?;
        }
        Ok(started.elapsed().as_secs_f64())
    }
    /// Seconds to compute all but the first of `tokens`, one after the other.
    fn time_reply(&mut self, tokens: &[u32]) -> Result<f64> {
        self.roll_back(0);
        self.step(&tokens[..1], &[0])?;
        let started = Instant::now();
        for token in &tokens[1..] {
            self.step(&[*token], &[0])?;
        }
        Ok(started.elapsed().as_secs_f64())
    }
    /// Scores the tokens after position `first`, each after all before it.
    fn score_text(&mut self, window: &[u32], first: usize) -> Result<Weighed> {
        self.roll_back(0);
        let vocab = self.tokenizer().vocab_size();
        if first > 0 {
            for chunk in window[..first].chunks(CHUNK) {
                self.step(chunk, &[chunk.len() - 1])?;
            }
        }
        let mut scored = Weighed::default();
        let given = &window[first..window.len() - 1];
        for (part, chunk) in given.chunks(SCORED_AT_ONCE).enumerate() {
            let wanted: Vec<usize> = (0..chunk.len()).collect();
            let logits = self.step(chunk, &wanted)?;
            let next = first + part * SCORED_AT_ONCE + 1;
            for (row, token) in logits.chunks_exact(vocab).zip(&window[next..]) {
                scored.nats -= log_probability(row, *token);
                scored.likeliest.extend(argmax(row).map(|(token, _)| token));
            }
        }
        Ok(scored)
    }
}

/// Asks the kernel to forget the pages of a model's files, so that loading reads the disk. It keeps those
/// that another process has mapped.
fn drop_from_cache(dir: &Path) {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for name in crate::files::names(&folder).unwrap_or_default() {
            let path = folder.join(name);
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(file) = crate::files::open_readable(&path) {
                let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{open, runtime, tiny_model};

    #[test]
    fn means_and_medians_are_what_they_are_called() {
        let series = Series::of(vec![1.0, 2.0, 3.0]);
        assert_eq!((series.mean, series.deviation), (2.0, 1.0));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
    }

    #[test]
    fn every_test_of_the_plan_is_measured() {
        let plan = BenchPlan {
            prompts: vec![16, 300],
            replies: vec![4],
            rounds: 2,
            threads: 2,
            text: None,
            written: vec![(vec![5, 6, 7, 8, 9, 5, 6, 7, 8], vec![9, 5, 6, 7, 8, 9, 5])],
        };
        let imported = tiny_model("qwen2");
        // The tiny model knows 512 tokens.
        let made = bench(&runtime(), &imported.dir, &plan, None, &mut |_| {}).unwrap();
        let names: Vec<&str> = made.tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["pp16", "pp300", "tg4", "written"]);
        assert!(made.tests[3].guessed.is_some_and(|share| share > 0.5));
        assert!(made.tests.iter().all(|test| test.ours.rates.len() == 2
            && test.ours.mean > 0.0
            && test.ratio.is_none()));
    }

    #[test]
    fn likelihoods_are_those_of_one_token_after_the_other() {
        let mut model = open("llama", 1);
        let window: Vec<u32> = (0..90).map(|at| (at * 7 + 3) % 250).collect();
        let scored = model.score_text(&window, 9).unwrap();
        assert_eq!(scored.likeliest.len(), window.len() - 10);
        let whole = scored.nats;
        let mut single = 0.0;
        for at in 10..window.len() {
            let scored = model.score(&window[..at], &[vec![window[at]]]).unwrap();
            single -= scored[0].log_prob;
        }
        assert!(
            (whole - single).abs() < 0.02 * single.abs(),
            "{whole} and {single}"
        );
    }

    #[test]
    fn a_python_without_llama_is_a_usage_error_that_says_what_to_install() {
        let Err(error) = Rival::start("/bin/false", Path::new("m.gguf"), 512, 1) else {
            panic!("it cannot have started");
        };
        assert_eq!(error.exit, crate::error::ExitCode::Usage);
        assert!(error.hint.unwrap().contains("pip install llama-cpp-python"));
    }
}
