//! Guessing the next tokens from what has been said before.
//!
//! A reply about a bundle quotes it: names, paths and lines that stand in the prompt come again word by
//! word. Computing several tokens in one step reads the weights once, so a right guess saves most of a
//! step for each of its tokens. A guess is never taken on trust: each of its tokens must be the one that
//! the model chooses there (prompt lookup decoding; Saxena 2023,
//! <https://github.com/apoorvumang/prompt-lookup-decoding>). Several tokens are computed by another kernel
//! than one, whose rounding differs: near a tie the model may choose otherwise than it would alone, the
//! same way every time. Guesses therefore follow from prompt and reply only, never from the clock.

/// Most tokens of one guess: the time of a step grows with its tokens.
const LONGEST: usize = 4;
/// Fewest and most tokens that must agree before the rest is guessed.
const AGREEING: std::ops::RangeInclusive<usize> = 3..=8;

/// The tokens of prompt and reply, and how well guesses from them went.
#[derive(Debug)]
pub(super) struct Lookup {
    history: Vec<u32>,
    /// Tokens that must agree: more after a guess that failed, fewer after one that came true.
    agreeing: usize,
}

impl Lookup {
    pub(super) fn new(prompt: &[u32]) -> Self {
        Self {
            history: prompt.to_vec(),
            agreeing: *AGREEING.start() + 1,
        }
    }

    /// Takes note of the reply's next tokens.
    pub(super) fn extend(&mut self, tokens: &[u32]) {
        self.history.extend_from_slice(tokens);
    }

    /// Takes note of how the last guess went.
    pub(super) fn learn(&mut self, last: &Ahead) {
        if last.guess.is_empty() {
            return;
        }
        self.agreeing = if last.fulfilled * 2 >= last.guess.len() {
            self.agreeing - 1
        } else {
            self.agreeing + 1
        }
        .clamp(*AGREEING.start(), *AGREEING.end());
    }

    /// What followed the last tokens when they came before, the latest time first; at most `room` tokens.
    pub(super) fn guess(&self, room: usize) -> &[u32] {
        let (history, wanted) = (&self.history, self.agreeing);
        let Some(start) = history.len().checked_sub(wanted) else {
            return &[];
        };
        let tail = &history[start..];
        let found = history[..history.len() - 1]
            .windows(wanted)
            .rposition(|window| window == tail);
        found.map_or(&[], |at| {
            let from = at + wanted;
            &history[from..history.len().min(from + room.min(LONGEST))]
        })
    }
}

/// What the last step computed beyond the reply: the guess, and the logits before, within and after it.
#[derive(Debug)]
pub(super) struct Ahead {
    guess: Vec<u32>,
    /// One row of logits for each place from before the guess to its end.
    logits: Vec<f32>,
    /// Tokens of the guess that the reply has taken.
    fulfilled: usize,
}

impl Ahead {
    /// A step without a guess.
    pub(super) fn new(logits: Vec<f32>) -> Self {
        Self::after(Vec::new(), logits)
    }

    /// A step with one.
    pub(super) fn after(guess: Vec<u32>, logits: Vec<f32>) -> Self {
        Self {
            guess,
            logits,
            fulfilled: 0,
        }
    }

    /// The logits of the reply's next token.
    pub(super) fn logits(&mut self, vocab: usize) -> &mut [f32] {
        let from = self.fulfilled * vocab;
        &mut self.logits[from..from + vocab]
    }

    /// Compares what the reply took with the guess: how many of `fresh` were guessed, from the first on.
    pub(super) fn fulfil(&mut self, fresh: &[u32]) -> usize {
        let left = &self.guess[self.fulfilled..];
        let agreeing = left.iter().zip(fresh).take_while(|(a, b)| a == b).count();
        self.fulfilled += agreeing;
        agreeing
    }

    /// Tokens of the guess that the reply has not taken.
    pub(super) fn unfulfilled(&self) -> usize {
        self.guess.len() - self.fulfilled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_the_same_words_last_is_guessed() {
        let mut lookup = Lookup::new(&[0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 9, 8, 7, 6, 5]);
        assert_eq!(lookup.guess(8), &[] as &[u32]);
        lookup.extend(&[0, 1, 2, 3]);
        assert_eq!(lookup.guess(8), [9, 8, 7, 6]);
        assert_eq!(lookup.guess(2), [9, 8]);
        assert_eq!(lookup.guess(0), &[] as &[u32]);
    }

    #[test]
    fn a_repeated_token_continues_itself() {
        let lookup = Lookup::new(&[4; 5]);
        assert_eq!(lookup.guess(8), [4]);
        assert_eq!(Lookup::new(&[4]).guess(8), &[] as &[u32]);
    }

    #[test]
    fn failures_make_it_careful_and_successes_bold() {
        let mut lookup = Lookup::new(&[0, 1, 2, 3, 7, 9, 1, 2, 3, 6, 5, 0, 1, 2, 3]);
        assert_eq!(lookup.guess(2), [7, 9]);
        let mut right = Ahead::after(vec![7, 9], vec![0.0; 3]);
        assert_eq!(right.fulfil(&[7]), 1);
        assert_eq!(right.fulfil(&[9, 8]), 1);
        assert_eq!(right.unfulfilled(), 0);
        lookup.learn(&right);
        assert_eq!(lookup.guess(2), [6, 5], "three tokens are enough now");
        let mut wrong = Ahead::after(vec![6, 5], vec![0.0; 3]);
        assert_eq!(wrong.fulfil(&[1]), 0);
        assert_eq!(wrong.unfulfilled(), 2);
        for _ in 0..9 {
            lookup.learn(&wrong);
        }
        assert_eq!(lookup.guess(2), &[] as &[u32]);
        assert_eq!(lookup.agreeing, *AGREEING.end());
        lookup.learn(&Ahead::new(vec![0.0]));
        assert_eq!(lookup.agreeing, *AGREEING.end());
    }

    #[test]
    fn logits_follow_the_reply() {
        let mut ahead = Ahead::after(vec![1, 2], vec![0.0, 0.1, 1.0, 1.1, 2.0, 2.1]);
        assert_eq!(ahead.logits(2), [0.0, 0.1]);
        ahead.fulfil(&[1]);
        assert_eq!(ahead.logits(2), [1.0, 1.1]);
        ahead.fulfil(&[2]);
        assert_eq!(ahead.logits(2), [2.0, 2.1]);
    }
}
