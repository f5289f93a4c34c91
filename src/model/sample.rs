//! Choosing the next token, and noticing that a reply goes round in circles.

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
    /// Uniform in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Picks a token. Forbidden tokens have a logit of negative infinity; none is picked if all are.
/// Temperature 0 takes the likeliest, the first of equals.
pub(super) fn pick(logits: &[f32], temperature: f32, random: &mut Random) -> Option<u32> {
    let (best, highest) = argmax(logits)?;
    if temperature <= 0.0 {
        return Some(best);
    }
    let weight = |logit: f32| f64::from((logit - highest) / temperature).exp();
    let total: f64 = logits.iter().map(|logit| weight(*logit)).sum();
    let mut left = random.unit() * total;
    for (token, logit) in logits.iter().enumerate() {
        left -= weight(*logit);
        if left < 0.0 && *logit > f32::NEG_INFINITY {
            return Some(token as u32);
        }
    }
    Some(best)
}

fn argmax(logits: &[f32]) -> Option<(u32, f32)> {
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
        assert_eq!(pick(&[0.0, 2.0, 2.0], 0.0, &mut Random::new(1, 0)), Some(1));
        assert_eq!(
            pick(&[f32::NEG_INFINITY; 3], 0.0, &mut Random::new(1, 0)),
            None
        );
    }

    #[test]
    fn sampling_follows_the_probabilities_and_repeats_with_its_seed() {
        let logits = [0.0, (3.0f32).ln(), f32::NEG_INFINITY];
        let draw = |seed| {
            let mut random = Random::new(seed, 0);
            (0..4000)
                .filter_map(|_| pick(&logits, 1.0, &mut random))
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
