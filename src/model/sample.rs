//! Choosing the next token, and noticing that a reply goes round in circles.

use serde::{Deserialize, Serialize};

/// A small, fast, reproducible generator (SplitMix64, <https://prng.di.unimi.it/splitmix64.c>).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// A stream of its own for each pair of seed and stream number.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut mixed = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        mixed.next();
        mixed
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// Uniform below `bound`.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        (self.unit() * f64::from(bound)) as u32
    }
    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// How the next token is chosen; the default is greedy. Applied in the order people know from
/// llama.cpp: penalty, nucleus, minimum, temperature.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// 0 takes the likeliest token each time; 1 draws by the model's own probabilities.
    pub temperature: f64,
    /// Draws among the likeliest tokens whose probabilities add up to this; 1: all.
    pub top_p: f64,
    /// Draws among tokens at least this likely, as a share of the likeliest one's; 0: all.
    pub min_p: f64,
    /// Makes tokens among the last [`Self::repeat_window`] less likely; 1: not.
    pub repeat_penalty: f64,
    /// How many of the reply's last tokens the penalty looks at.
    pub repeat_window: u32,
    /// The seed of this step, whatever the run's seed is; absent: the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            min_p: 0.0,
            repeat_penalty: 1.0,
            repeat_window: 64,
            seed: None,
        }
    }
}

impl Sampling {
    /// What is out of its range, if anything.
    pub fn problem(&self) -> Option<String> {
        let ranges = [
            ("temperature", self.temperature, 0.0..=2.0),
            ("top_p", self.top_p, 0.01..=1.0),
            ("min_p", self.min_p, 0.0..=0.99),
            ("repeat_penalty", self.repeat_penalty, 1.0..=2.0),
        ];
        let outside = ranges
            .iter()
            .find(|(_, value, range)| !range.contains(value));
        match outside {
            Some((name, value, range)) => Some(format!(
                "{name} is {value}, not within {} and {}",
                range.start(),
                range.end()
            )),
            None if self.repeat_window > 4096 => Some(format!(
                "repeat_window is {}, over 4096",
                self.repeat_window
            )),
            None => None,
        }
    }
    /// In words, with what differs from the default only.
    pub fn words(&self) -> String {
        let mut words = if self.temperature > 0.0 {
            format!("temperature {}", self.temperature)
        } else {
            "greedy (temperature 0)".to_owned()
        };
        if self.temperature > 0.0 && self.top_p < 1.0 {
            words.push_str(&format!(", top-p {}", self.top_p));
        }
        if self.temperature > 0.0 && self.min_p > 0.0 {
            words.push_str(&format!(", min-p {}", self.min_p));
        }
        if self.repeat_penalty > 1.0 {
            words.push_str(&format!(
                ", repeat penalty {} over {} tokens",
                self.repeat_penalty, self.repeat_window
            ));
        }
        if let (Some(seed), true) = (self.seed, self.temperature > 0.0) {
            words.push_str(&format!(", seed {seed}"));
        }
        words
    }
    /// Lowers the logits of the reply's last tokens, as llama.cpp does: what is positive is divided,
    /// what is negative multiplied.
    pub(super) fn penalise(&self, logits: &mut [f32], reply: &[u32]) {
        if self.repeat_penalty <= 1.0 {
            return;
        }
        let penalty = self.repeat_penalty as f32;
        let from = reply.len().saturating_sub(self.repeat_window as usize);
        let recent: std::collections::BTreeSet<u32> = reply[from..].iter().copied().collect();
        for token in recent {
            if let Some(logit) = logits.get_mut(token as usize) {
                *logit = if *logit > 0.0 {
                    *logit / penalty
                } else {
                    *logit * penalty
                };
            }
        }
    }
}

/// Probabilities below this share of the likeliest one's are never drawn: together they are less than
/// the rounding of the others.
const NEGLIGIBLE: f64 = 1e-9;

/// Picks a token. Forbidden tokens have a logit of negative infinity; none is picked if all are.
/// Temperature 0 takes the likeliest, the first of equals.
pub(super) fn pick(logits: &[f32], sampling: &Sampling, random: &mut Random) -> Option<u32> {
    let (best, highest) = argmax(logits)?;
    if sampling.temperature <= 0.0 {
        return Some(best);
    }
    // Cut by the model's own probabilities, draw by those at the temperature.
    let least = sampling.min_p.max(if sampling.temperature > 1.0 {
        NEGLIGIBLE.powf(sampling.temperature)
    } else {
        NEGLIGIBLE
    });
    let mut total = 0.0;
    let mut kept: Vec<(u32, f64)> = Vec::new();
    for (token, logit) in logits.iter().enumerate() {
        let share = f64::from(logit - highest).exp();
        total += share;
        if share >= least && *logit > f32::NEG_INFINITY {
            kept.push((token as u32, share));
        }
    }
    if sampling.top_p < 1.0 {
        kept.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut sum = 0.0;
        let enough = kept.iter().position(|(_, share)| {
            sum += share;
            sum >= sampling.top_p * total
        });
        kept.truncate(enough.map_or(kept.len(), |at| at + 1));
    }
    for (_, share) in &mut kept {
        *share = share.powf(1.0 / sampling.temperature);
    }
    let mut left = random.unit() * kept.iter().map(|(_, weight)| weight).sum::<f64>();
    for (token, weight) in &kept {
        left -= weight;
        if left < 0.0 {
            return Some(*token);
        }
    }
    Some(best)
}

pub(super) fn argmax(logits: &[f32]) -> Option<(u32, f32)> {
    let mut best = None;
    let mut highest = f32::NEG_INFINITY;
    for (token, logit) in logits.iter().enumerate() {
        if *logit > highest {
            highest = *logit;
            best = Some((token as u32, highest));
        }
    }
    best
}

/// Natural logarithm of a token's probability under these logits.
pub(super) fn log_probability(logits: &[f32], token: u32) -> f64 {
    let highest = logits
        .iter()
        .fold(f32::NEG_INFINITY, |most, logit| most.max(*logit));
    let total: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - highest).exp())
        .sum();
    logits
        .get(token as usize)
        .map_or(f64::NEG_INFINITY, |logit| {
            f64::from(logit - highest) - total.ln()
        })
}

/// Fewest tokens that a repetition must cover before it counts as a loop.
const LOOP_TOKENS: usize = 48;
/// Longest period looked for, in tokens.
const LOOP_PERIOD: usize = 64;
/// Fewest repetitions of the period.
const LOOP_TIMES: usize = 4;

/// Whether the last tokens repeat one passage over and over.
pub(super) fn is_looping(tokens: &[u32]) -> bool {
    (1..=LOOP_PERIOD).any(|period| {
        let span = LOOP_TOKENS.max(LOOP_TIMES * period);
        tokens.len() >= span && {
            let tail = &tokens[tokens.len() - span..];
            tail[period..] == tail[..span - period]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temperature_zero_takes_the_first_of_the_likeliest() {
        let greedy = Sampling::default();
        let mut random = Random::new(1, 0);
        assert_eq!(pick(&[0.0, 2.0, 2.0], &greedy, &mut random), Some(1));
        assert_eq!(pick(&[f32::NEG_INFINITY; 3], &greedy, &mut random), None);
    }

    #[test]
    fn sampling_follows_the_probabilities_and_repeats_with_its_seed() {
        let logits = [0.0, (3.0f32).ln(), f32::NEG_INFINITY];
        let draw = |seed| {
            let mut random = Random::new(seed, 0);
            (0..4000)
                .filter_map(|_| pick(&logits, &warm(), &mut random))
                .collect::<Vec<_>>()
        };
        let ones = draw(7).iter().filter(|token| **token == 1).count();
        assert!(
            (2850..3150).contains(&ones),
            "{ones} of 4000, expected about 3000"
        );
        assert!(!draw(7).contains(&2));
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    fn warm() -> Sampling {
        Sampling {
            temperature: 1.0,
            ..Sampling::default()
        }
    }

    #[test]
    fn cuts_leave_what_they_promise() {
        // Probabilities 0.5, 0.3, 0.15, 0.05.
        let logits = [0.5f32, 0.3, 0.15, 0.05].map(f32::ln);
        let drawn = |sampling: Sampling| {
            let mut random = Random::new(3, 0);
            (0..2000)
                .filter_map(|_| pick(&logits, &sampling, &mut random))
                .collect::<std::collections::BTreeSet<_>>()
        };
        let set = |tokens: &[u32]| tokens.iter().copied().collect();
        assert_eq!(drawn(warm()), set(&[0, 1, 2, 3]));
        assert_eq!(
            drawn(Sampling {
                top_p: 0.7,
                ..warm()
            }),
            set(&[0, 1]),
            "the second token completes 0.7"
        );
        assert_eq!(
            drawn(Sampling {
                min_p: 0.25,
                ..warm()
            }),
            set(&[0, 1, 2])
        );
        let cold = Sampling {
            temperature: 0.05,
            ..warm()
        };
        assert_eq!(drawn(cold), set(&[0]));
    }

    #[test]
    fn a_penalty_lowers_recent_tokens_only() {
        let sampling = Sampling {
            repeat_penalty: 2.0,
            repeat_window: 2,
            ..Sampling::default()
        };
        let mut logits = [4.0, 3.0, -1.0, 2.5];
        sampling.penalise(&mut logits, &[3, 0, 2, 2]);
        assert_eq!(logits, [4.0, 3.0, -2.0, 2.5]);
        sampling.penalise(&mut logits, &[0]);
        assert_eq!(logits[0], 2.0);
    }

    #[test]
    fn settings_out_of_range_are_named_and_words_say_what_is_set() {
        assert_eq!(Sampling::default().problem(), None);
        let hot = Sampling {
            temperature: 9.0,
            ..Sampling::default()
        };
        assert!(hot.problem().unwrap().contains("temperature is 9"));
        let nan = Sampling {
            top_p: f64::NAN,
            ..Sampling::default()
        };
        assert!(nan.problem().unwrap().contains("top_p"));
        assert_eq!(Sampling::default().words(), "greedy (temperature 0)");
        let set = Sampling {
            temperature: 0.7,
            top_p: 0.9,
            min_p: 0.05,
            repeat_penalty: 1.1,
            repeat_window: 64,
            seed: Some(4),
        };
        assert_eq!(
            set.words(),
            "temperature 0.7, top-p 0.9, min-p 0.05, repeat penalty 1.1 over 64 tokens, seed 4"
        );
    }

    #[test]
    fn probabilities_are_normalised() {
        let logits = [1.0f32, 2.0, 3.0];
        let sum: f64 = (0..3)
            .map(|token| log_probability(&logits, token).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-9);
    }

    #[test]
    fn loops_are_seen_and_lists_are_not() {
        let mut tokens: Vec<u32> = (0..20).collect();
        tokens.extend([5, 6, 7].repeat(16));
        assert!(is_looping(&tokens));
        let list: Vec<u32> = (0..60).flat_map(|i| [1, 2, 100 + i, 3]).collect();
        assert!(!is_looping(&list));
        assert!(!is_looping(&[9; 47]));
    }
}
