//! Sentences: statements, or padding, echoes, role marks, instructions; and what they recommend.

use super::Judge;
use super::ledger::Spot;
use crate::report::CommandClass;
use crate::verify::advice::advice;
use crate::verify::prose::{fault, flat, without_quotes};
use crate::verify::verdict::{Matched, Rule, Status};
use std::rc::Rc;

/// Least words in a row that make a sentence a repetition of an instruction.
const REPEATED_WORDS: usize = 5;
/// Most instructions of the bundle that are listed.
const MAX_LISTED: usize = 20;

impl Judge<'_> {
    /// Lists text of the bundle that speaks to a model: a finding about the bundle, obeyed by nobody.
    pub(super) fn instructions(&mut self) {
        let known = Rc::clone(&self.known);
        for found in known.instructions.iter().take(MAX_LISTED) {
            let spot = Spot::default().saying(&found.text);
            self.ledger.note_at(
                &spot,
                Rule::Injection,
                Status::Flagged,
                "the bundle holds text that speaks to a language model",
                Some(found.matched.clone()),
            );
        }
    }

    /// Judges one sentence field; an empty one has nothing to judge.
    pub(super) fn sentence(&mut self, spot: &Spot, text: &str) -> bool {
        if text.trim().is_empty() {
            return true;
        }
        let before = self.ledger.claims.len();
        if let Some(fault) = fault(text, &self.echoes) {
            self.ledger
                .note(&spot.saying(text), fault.rule, Status::Rejected, fault.why);
        }
        self.hidden(spot, text);
        self.repeats_instruction(spot, text);
        self.recommends(spot, text);
        let holds = !self.ledger.rejected_since(before);
        if holds {
            self.ledger
                .note(spot, Rule::Sentence, Status::Ok, "a statement");
        }
        holds
    }

    /// Whether the text says outside quotes what an instruction in the bundle says.
    pub(super) fn repeats_instruction(&mut self, spot: &Spot, text: &str) {
        let known = Rc::clone(&self.known);
        if known.instructions.is_empty() {
            return;
        }
        let said = format!(" {} ", words(&without_quotes(text)).join(" "));
        for found in &known.instructions {
            let repeated = words(&found.text)
                .windows(REPEATED_WORDS)
                .any(|run| said.contains(&format!(" {} ", run.join(" "))));
            if repeated {
                let Matched {
                    path, line_start, ..
                } = &found.matched;
                let reason = format!(
                    "it repeats an instruction that stands in the bundle, {path}:{line_start}"
                );
                self.ledger.note_at(
                    &spot.saying(text),
                    Rule::Injection,
                    Status::Rejected,
                    reason,
                    Some(found.matched.clone()),
                );
                return;
            }
        }
    }

    /// Commands that the prose itself tells the reader to run.
    fn recommends(&mut self, spot: &Spot, text: &str) {
        for found in advice(text) {
            if !found.recommended {
                continue;
            }
            let judged = self.policy.classify(&found.command);
            if judged.class == CommandClass::Destructive {
                self.command(&spot.saying(&found.command), &judged);
            }
        }
    }
}

/// The words of a text without its numbers: a time stamp that two lines share instructs nobody.
fn words(text: &str) -> Vec<String> {
    flat(text)
        .split(' ')
        .filter(|word| !word.is_empty() && !word.contains(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}
