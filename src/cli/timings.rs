//! What `--timings` prints, on standard error: where a run's time and memory went.

use crate::model::show_bytes;
use crate::record::WorkerRecord;
use crate::report::escape;
use crate::report::wrap::wrap;
use crate::room::protocol::{ModelUse, StepTimes};

/// The figures of a run in lines of at most 80 columns.
pub fn text(model: Option<&ModelUse>, laps: &[(String, u64)], workers: &[WorkerRecord]) -> String {
    let mut out = String::new();
    let mut row = |name: &str, value: String| {
        let mut name = escape::terminal(name);
        for line in wrap(&escape::terminal(&value), 58) {
            out.push_str(&format!("{name:<20} {line}\n"));
            name.clear();
        }
    };
    for (name, millis) in laps {
        row(name, seconds(*millis as f64 / 1e3));
    }
    for worker in workers {
        row(
            &format!("{} worker", worker.zone),
            format!(
                "{} of processor time, peak memory {}",
                seconds(worker.cpu_millis as f64 / 1e3),
                show_bytes(worker.peak_kib * 1024)
            ),
        );
    }
    let Some(model) = model else {
        row("model", "not asked".into());
        return out;
    };
    row("model", cut(&model.name));
    row(
        "quantisation",
        format!(
            "file {}, runs as {}{}",
            model.quantisation,
            model.run_quantisation,
            if model.prepared {
                ""
            } else {
                "; NOT prepared for this processor: import it again"
            }
        ),
    );
    row(
        "context",
        format!(
            "{} asked, {} there ({} of keys and values), {} used, {} trained",
            model.context_requested,
            model.context_effective,
            show_bytes(model.cache_bytes),
            model.context_used,
            model.context_trained
        ),
    );
    row(
        "sampling",
        format!("{}; {} threads", model.sampling, model.threads),
    );
    if model.memory.peak > 0 {
        row(
            "memory",
            format!(
                "{} anonymous, {} mapped files, peak {}",
                show_bytes(model.memory.anonymous),
                show_bytes(model.memory.mapped),
                show_bytes(model.memory.peak)
            ),
        );
    }
    row("load", seconds(model.load_seconds));
    row(
        "prompt",
        format!(
            "{} tokens at {:.1} tokens/s, {} from the cache",
            model.prefill_tokens, model.prefill_rate, model.cached_tokens
        ),
    );
    row(
        "answer",
        format!(
            "{} tokens at {:.1} tokens/s, {} forced by a grammar, {} guessed and confirmed; {} texts scored",
            model.decode_tokens,
            model.decode_rate,
            model.forced_tokens,
            model.guessed_tokens,
            model.scored
        ),
    );
    if let Some(first) = model.first_token_seconds {
        row("first token", format!("after {}, the mean", seconds(first)));
    }
    for step in &model.steps {
        row(&format!("step {}", step.step), step_line(step));
    }
    out
}

fn step_line(step: &StepTimes) -> String {
    let mut parts = Vec::new();
    if step.prefill_tokens + step.cached_tokens > 0 {
        parts.push(format!(
            "read {} (+{} cached) in {}",
            step.prefill_tokens,
            step.cached_tokens,
            seconds(step.prefill_seconds)
        ));
    }
    if step.scored > 0 {
        parts.push(format!(
            "scored {} in {}",
            step.scored,
            seconds(step.scored_seconds)
        ));
    }
    if step.decode_tokens > 0 {
        parts.push(format!(
            "wrote {} in {}",
            step.decode_tokens,
            seconds(step.decode_seconds)
        ));
    }
    if let Some(first) = step.first_token_seconds {
        parts.push(format!("first after {}", seconds(first)));
    }
    if parts.is_empty() {
        "asked nothing".into()
    } else {
        parts.join(", ")
    }
}

fn cut(name: &str) -> String {
    escape::terminal(name).chars().take(58).collect()
}

/// A duration for a person: `0.041 s`, `3.12 s`, `204 s`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.1 => format!("{s:.3} s"),
        s if s < 100.0 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_has_its_line_and_lines_are_short() {
        let model = ModelUse {
            name: "Model \u{1b}[31m".repeat(9),
            context_effective: 4096,
            prefill_tokens: 1204,
            prefill_rate: 301.0,
            first_token_seconds: Some(0.8),
            steps: vec![StepTimes {
                step: "write".into(),
                prefill_tokens: 600,
                decode_tokens: 80,
                decode_seconds: 2.0,
                ..StepTimes::default()
            }],
            ..ModelUse::default()
        };
        let text = text(Some(&model), &[("unpack".into(), 41)], &[]);
        for wanted in [
            "unpack               0.041 s",
            "1204 tokens at 301.0",
            "4096 there",
            "step write",
            "first token          after 0.80 s",
        ] {
            assert!(text.contains(wanted), "{wanted}: {text}");
        }
        assert!(!text.contains('\u{1b}'));
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }
}
