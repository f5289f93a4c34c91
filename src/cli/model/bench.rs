//! `narrowroom model bench`.

use super::{label, layout_of};
use crate::cli::{print, print_json, timings, triage};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::model::store::{Places, find_existing};
use crate::model::{
    self, BenchPlan, Manifest, ModelId, Rival, Runtime, Store, Tokenizer, show_bytes,
};
use crate::report::{escape, wrap::wrap};
use clap::Args;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Longest text for perplexity that is taken, in characters.
const MAX_TEXT: usize = 400_000;

/// Measure a model in the way of llama-bench.
#[derive(Args)]
pub struct Bench {
    /// Imported model, by name or beginning of its sha256 [default: the first imported one]
    model: Option<String>,
    /// Lengths of prompts, in tokens
    #[arg(short = 'p', long, value_name = "N", value_delimiter = ',', default_value = "512", value_parser = clap::value_parser!(u32).range(1..=131_072))]
    prompt: Vec<u32>,
    /// Lengths of replies, in tokens
    #[arg(short = 'n', long, value_name = "N", value_delimiter = ',', default_value = "128", value_parser = clap::value_parser!(u32).range(1..=131_072))]
    generate: Vec<u32>,
    /// Rounds of each test, after one that is not counted
    #[arg(short = 'r', long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Threads [default: the machine's]
    #[arg(short = 't', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: Option<u32>,
    /// Measure this engine too, round by round in turn (needs llama-cpp-python)
    #[arg(long, value_name = "ENGINE", value_parser = ["llama.cpp"])]
    against: Option<String>,
    /// The GGUF file for the other engine [default: the one that was imported, where it is found]
    #[arg(long, value_name = "FILE", requires = "against")]
    gguf: Option<PathBuf>,
    /// The Python that has llama-cpp-python
    #[arg(
        long,
        value_name = "PROGRAM",
        default_value = "python3",
        requires = "against"
    )]
    python: String,
    /// Take the perplexity of this text
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Write the replies of this transcript once more, after the same prompts (transcript.jsonl of a run)
    #[arg(long, value_name = "FILE")]
    written: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    /// Runs it.
    pub fn run(self, store: &Store) -> Result<()> {
        let id = match &self.model {
            Some(name) => store.resolve(name)?,
            None => triage::default_model(store)?,
        };
        let dir = store.model_dir(&id);
        let manifest = Manifest::read(&dir)?;
        let text = match &self.text {
            Some(path) => Some(
                files::read_text(path)
                    .or_fail(
                        ExitCode::Usage,
                        format!("failed to read {}", files::shown(path)),
                    )?
                    .chars()
                    .take(MAX_TEXT)
                    .collect(),
            ),
            None => None,
        };
        let sizes = |list: &[u32]| list.iter().map(|n| *n as usize).collect();
        let plan = BenchPlan {
            prompts: sizes(&self.prompt),
            replies: sizes(&self.generate),
            rounds: self.rounds,
            threads: self.threads.unwrap_or_else(triage::threads),
            text,
            written: match &self.written {
                Some(path) => written(path, &*model::tokenizer_of_model(store, &id)?)?,
                None => Vec::new(),
            },
        };
        if plan.context() > manifest.trained_context as usize {
            return Err(Error::usage(format!(
                "a test of {} tokens is longer than the context of {} that {} was trained for",
                plan.context(),
                manifest.trained_context,
                label(&id)
            )));
        }
        model::demand_memory(&dir, plan.context() as u32, u64::MAX)?;
        let runtime = Runtime::load(&store.library()?)?;
        let rival = match &self.against {
            Some(_) => {
                let gguf = match &self.gguf {
                    Some(path) => path.clone(),
                    None => imported_file(store, &id, &manifest)?,
                };
                Some(Rival::start(
                    &self.python,
                    &gguf,
                    plan.context(),
                    plan.threads,
                )?)
            }
            None => None,
        };
        let live = std::io::stderr().is_terminal();
        let made = model::bench(&runtime, &dir, &plan, rival, &mut |doing| {
            if live {
                eprint!("\r\x1b[K{doing} …");
            }
        });
        if live {
            eprint!("\r\x1b[K");
        }
        let made = made?;
        if self.json {
            print_json(&serde_json::json!({
                "cpu": crate::record::cpu(),
                "layout": layout_of(&runtime),
                "library": runtime.version(),
                "bench": made,
            }))
        } else {
            print(&table(&label(&id), &made))
        }
    }
}

/// Prompts and replies of a transcript, in tokens.
fn written(path: &Path, tokenizer: &Tokenizer) -> Result<Vec<(Vec<u32>, Vec<u32>)>> {
    #[derive(serde::Deserialize)]
    struct Line {
        prompt: String,
        output: String,
    }
    let failed = || format!("failed to read {}", files::shown(path));
    let text = files::read_text(path).or_fail(ExitCode::Usage, failed())?;
    let mut list = Vec::new();
    for line in text.lines() {
        let Line { prompt, output } =
            serde_json::from_str(line).or_fail(ExitCode::Usage, failed())?;
        let pair = (tokenizer.encode(&prompt), tokenizer.encode(&output));
        if !pair.0.is_empty() && !pair.1.is_empty() {
            list.push(pair);
        }
    }
    if list.is_empty() {
        return Err(
            Error::usage(format!("{} has no reply of a model", files::shown(path)))
                .hint("give the transcript.jsonl of a run in which a model wrote"),
        );
    }
    Ok(list)
}

/// The GGUF file that a model was imported from, where it still is.
fn imported_file(store: &Store, id: &ModelId, manifest: &Manifest) -> Result<PathBuf> {
    if manifest.ready.is_some() {
        return Err(Error::usage(
            "this model came as an ONNX graph, which llama.cpp does not read",
        )
        .hint("name a GGUF file of the same model with --gguf FILE"));
    }
    let fetched = store.download(id);
    let named = PathBuf::from(&manifest.source);
    [fetched, named]
        .into_iter()
        .find(|path| files::size(path) == manifest.gguf_bytes)
        .or_else(|| find_existing(id.as_str(), manifest.gguf_bytes, &Places::of_user()))
        .ok_or_else(|| {
            Error::usage("the GGUF file that was imported is not here any more")
                .hint("name it with --gguf FILE")
        })
}

fn table(name: &str, bench: &model::Bench) -> String {
    let facts = &bench.model;
    let mut out = format!(
        "model    {}: file {}, runs as {}\n",
        escape::terminal(name),
        escape::terminal(&facts.file_quantisation),
        escape::terminal(&facts.run_quantisation)
    );
    // A processor has many features, a terminal 80 columns.
    let machine = crate::record::cpu();
    for (at, line) in wrap(&machine, 71).iter().enumerate() {
        let label = if at == 0 { "machine" } else { "" };
        out.push_str(&format!("{label:<9}{line}\n"));
    }
    out.push_str(&format!(
        "threads  {}, context {}{}\n",
        facts.threads,
        facts.effective_context,
        if facts.prepared {
            ""
        } else {
            ", NOT prepared for this processor"
        }
    ));
    out.push_str(&format!(
        "load     cold {}, warm {}; {} own, {} mapped\n",
        timings::seconds(bench.load_cold_seconds),
        timings::seconds(bench.load_warm_seconds),
        show_bytes(bench.memory_loaded.anonymous),
        show_bytes(bench.memory_loaded.mapped)
    ));
    if let Some(other) = &bench.against {
        out.push_str(&format!(
            "against  {} (llama-cpp-python {}), load {}\n",
            other.name,
            escape::terminal(&other.version),
            timings::seconds(other.load_seconds)
        ));
    }
    let others = if bench.against.is_some() {
        "       llama.cpp   ratio"
    } else {
        ""
    };
    out.push_str(&format!(
        "\n{:<12}{:>20}{others}\n",
        "tokens/s", "narrowroom"
    ));
    let rate = |series: &model::Series| format!("{:.2} ± {:.2}", series.mean, series.deviation);
    for test in &bench.tests {
        out.push_str(&format!("{:<12}{:>20}", test.name, rate(&test.ours)));
        if let (Some(theirs), Some(ratio)) = (&test.theirs, test.ratio) {
            out.push_str(&format!("{:>16}{ratio:>8.2}", rate(theirs)));
        }
        out.push('\n');
        if let Some(share) = test.guessed {
            let share = format!("{:.0} %", 100.0 * share);
            out.push_str(&format!("{:<12}{share:>20}\n", "  guessed"));
        }
        if let Some(length) = test
            .name
            .strip_prefix("pp")
            .and_then(|n| n.parse::<f64>().ok())
        {
            let first = timings::seconds(length / test.ours.mean.max(1e-9));
            out.push_str(&format!("{:<12}{first:>20}\n", "  first token"));
        }
    }
    if let Some(found) = &bench.perplexity {
        out.push_str(&format!("{:<12}{:>20.4}", "perplexity", found.ours));
        if let (Some(theirs), Some(ratio)) = (found.theirs, found.ratio) {
            out.push_str(&format!("{theirs:>16.4}{ratio:>8.4}"));
        }
        out.push_str(&format!(
            "\n  over {} of {} tokens of the text\n",
            found.scored, found.tokens
        ));
        if let Some(same) = found.same_likeliest {
            out.push_str(&format!(
                "  likeliest token the same in {:.1} %\n",
                100.0 * same
            ));
        }
    }
    out
}
