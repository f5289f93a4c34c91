//! The step `rank`: the model's likelihood of each candidate's words after the same prompt, over several
//! orders, with its prior (the same without evidence) divided out.

use super::{Candidate, Chain, cut, millis};
use crate::error::{Error, Result};
use crate::playbook::Step;
use crate::room::protocol::Exchange;
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

/// Longest title scored, in characters.
const MAX_TITLE: usize = 160;
/// Evidence lines a candidate is listed with.
pub(super) const LINES: usize = 2;

impl Chain<'_> {
    pub(super) fn rank(&mut self, step: &Step, candidates: &mut [Candidate]) -> Result<()> {
        let Step::Rank {
            id,
            permutations,
            weight,
            within,
            min_parameters,
            ..
        } = step
        else {
            return Ok(());
        };
        let parameters = self.model.facts().parameters;
        if parameters < *min_parameters && !self.alone {
            self.notes.push(format!(
                "rank: not asked of a model of {} million weights, the playbook wants {} million; the signals' order stands",
                parameters / 1_000_000,
                min_parameters / 1_000_000
            ));
            return Ok(());
        }
        // Only what is close enough to the first could end above it.
        let top = candidates
            .first()
            .map_or(0.0, |first| first.signal.strength);
        let close = if self.alone {
            candidates.len()
        } else {
            candidates
                .iter()
                .take_while(|candidate| top - candidate.signal.strength <= *within)
                .count()
        };
        if close < 2 {
            self.notes.push(format!(
                "rank: no other candidate is within {within} of the first, nothing to rank"
            ));
            return Ok(());
        }
        let (candidates, _) = candidates.split_at_mut(close);
        self.stage(id);
        let titles: Vec<String> = candidates
            .iter()
            .map(|c| c.signal.title.chars().take(MAX_TITLE).collect())
            .collect();
        if let Some(how) = self.choose {
            return self.choose(step, how, candidates, &titles);
        }
        let mut sums = vec![0.0; candidates.len()];
        let mut firsts = Vec::new();
        for turn in 0..*permutations {
            let order = order(candidates.len(), turn, *permutations, self.seed);
            let gains = self.turn(step, candidates, &titles, &order, turn)?;
            if self.dry {
                return Ok(());
            }
            for (sum, gain) in sums.iter_mut().zip(&gains) {
                *sum += gain / *permutations as f64;
            }
            firsts.push(best(&gains));
        }
        let (mean, spread) = spread(&sums);
        let winner = best(&sums);
        let agreeing = firsts.iter().filter(|first| **first == winner).count();
        for (candidate, sum) in candidates.iter_mut().zip(&sums) {
            let z = if spread > 1e-9 {
                ((sum - mean) / spread).clamp(-2.0, 2.0)
            } else {
                0.0
            };
            candidate.ranked = true;
            candidate.signal.strength = if self.alone {
                moved(0.5, z)
            } else {
                moved(candidate.signal.strength, weight * z)
            };
        }
        let strengths: Vec<f64> = candidates.iter().map(|c| c.signal.strength).collect();
        let first = best(&strengths);
        // What the model would have put first, and what became of it.
        self.disagrees = winner != 0;
        let share = format!("{agreeing} of {permutations} orders agree");
        self.notes.push(match (winner == 0, first == 0) {
            (true, _) => {
                format!("rank: the model's first candidate is the signals' first ({share})")
            }
            (false, true) => format!(
                "rank: the model prefers candidate {} ({share}), the signals' first stays first",
                winner + 1
            ),
            (false, false) => {
                format!("rank: the model put another candidate first than the signals ({share})")
            }
        });
        Ok(())
    }

    /// One order of the candidates, with evidence and without: the gain of each candidate.
    fn turn(
        &mut self,
        step: &Step,
        candidates: &[Candidate],
        titles: &[String],
        order: &[usize],
        turn: usize,
    ) -> Result<Vec<f64>> {
        let Step::Rank {
            id,
            system,
            prompt,
            answer_prefix,
            max_seconds,
            ..
        } = step
        else {
            return Ok(vec![]);
        };
        let deadline = Instant::now() + Duration::from_secs(*max_seconds);
        let continuations: Vec<Vec<u32>> = titles
            .iter()
            .map(|title| self.model.tokens(title))
            .collect();
        let longest = continuations.iter().map(Vec::len).max().unwrap_or(0);
        let mut gains = vec![0.0; candidates.len()];
        for with_evidence in [true, false] {
            let ticket = if with_evidence {
                self.ticket.clone()
            } else {
                "not given".to_owned()
            };
            let mut lines = if with_evidence { LINES } else { 0 };
            let (tokens, text) = loop {
                let listed = listed(candidates, titles, order, lines);
                let made = self.prompt(
                    system,
                    prompt,
                    &[("ticket", &ticket), ("candidates", &listed)],
                    answer_prefix,
                )?;
                if made.0.len() + longest <= self.model.context() || lines == 0 {
                    break made;
                }
                self.overflow = true;
                lines -= 1;
            };
            let attempt = u32::try_from(turn * 2 + usize::from(!with_evidence) + 1).unwrap_or(0);
            let mut exchange = Exchange {
                step: id.clone(),
                attempt,
                prompt_tokens: tokens.len() as u64,
                prompt: text,
                output: String::new(),
                output_tokens: 0,
                stop: "not asked".into(),
                millis: 0,
                result: "rendered only".into(),
            };
            if self.dry {
                self.exchange(exchange)?;
                continue;
            }
            self.spend(tokens.len() + continuations.iter().map(Vec::len).sum::<usize>())?;
            let started = Instant::now();
            let scored = self.model.score(&tokens, &continuations)?;
            let means: Vec<f64> = scored
                .iter()
                .map(|score| score.log_prob / score.tokens.max(1) as f64)
                .collect();
            for (gain, mean) in gains.iter_mut().zip(&means) {
                *gain += if with_evidence { *mean } else { -mean };
            }
            exchange.output = titles
                .iter()
                .zip(&means)
                .map(|(title, mean)| format!("{mean:.4} {title}"))
                .collect::<Vec<_>>()
                .join("\n");
            exchange.stop = "scored".into();
            exchange.millis = millis(started);
            exchange.result = if with_evidence {
                "mean log-likelihood per token".into()
            } else {
                "prior, divided out".into()
            };
            self.exchange(exchange)?;
            if Instant::now() > deadline {
                return Err(Error::limit(format!(
                    "the step ran into its limit of {max_seconds} s"
                )));
            }
        }
        Ok(gains)
    }
}

pub(super) fn listed(
    candidates: &[Candidate],
    titles: &[String],
    order: &[usize],
    lines: usize,
) -> String {
    order
        .iter()
        .map(|at| {
            let evidence: String = candidates[*at]
                .shown
                .iter()
                .take(lines)
                .map(|e| format!("    {}\n", cut(&e.quote)))
                .collect();
            format!("- {}\n{evidence}", titles[*at])
        })
        .collect()
}

/// Rotations with every second one reversed, so that each candidate stands first and last; other seeds
/// than 0 shuffle, so that repeats show how much the order matters.
fn order(candidates: usize, turn: usize, turns: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates).collect();
    if seed != 0 {
        order.sort_by_key(|at| {
            Sha256::new()
                .chain_update(seed.to_le_bytes())
                .chain_update((turn as u64).to_le_bytes())
                .chain_update((*at as u64).to_le_bytes())
                .finalize()
                .to_vec()
        });
        return order;
    }
    order.rotate_left(turn * candidates / turns.max(1));
    if turn % 2 == 1 {
        order.reverse();
    }
    order
}

/// Index of the largest; the first of equals.
pub(super) fn best(values: &[f64]) -> usize {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = at;
        }
    }
    best
}

fn spread(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    (mean, spread)
}

/// Moves a probability by some logits.
pub(super) fn moved(strength: f64, by: f64) -> f64 {
    let p = strength.clamp(0.01, 0.99);
    let logit = (p / (1.0 - p)).ln() + by;
    (1.0 / (1.0 + (-logit).exp())).clamp(0.01, 0.97)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_moves_a_strength_by_logits_and_keeps_it_a_probability() {
        assert!((moved(0.5, 0.0) - 0.5).abs() < 1e-9);
        assert!(moved(0.9, 0.5) > 0.9 && moved(0.9, -0.5) < 0.9);
        assert!(moved(0.99, 9.0) <= 0.97 && moved(0.01, -9.0) >= 0.01);
    }

    #[test]
    fn orders_differ_by_turn_and_seed_and_are_the_same_again() {
        assert_eq!(order(3, 0, 2, 0), [0, 1, 2]);
        assert_ne!(order(3, 1, 2, 0), order(3, 0, 2, 0));
        assert_eq!(order(5, 1, 2, 7), order(5, 1, 2, 7));
        assert!((1..9).any(|seed| order(5, 0, 2, seed) != order(5, 0, 2, seed + 1)));
        let mut sorted = order(5, 1, 2, 3);
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
    }
}
