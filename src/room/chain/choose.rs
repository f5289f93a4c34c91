//! Other ways to ask a model for the root cause, which an evaluation compares with the step `rank`: the
//! number of a candidate as JSON, freely, under a grammar from the first token, or under one after some
//! free words. The playbooks use none of them; docs/eval.md has the figures.

use super::rank::{LINES, best, listed, moved};
use super::{Candidate, Chain};
use crate::error::Result;
use crate::model::{GrammarSpec, Sampling};
use crate::playbook::Step;
use crate::room::protocol::Choose;
use serde::Deserialize;

/// Most tokens of the free words before an answer, and of an answer.
const THOUGHTS: u32 = 120;
const ANSWER: u32 = 60;
/// What is asked for.
const ASK: &str =
    "\nAnswer with the number of one fault and nothing else, as JSON: {\"fault\": NUMBER}\n";
/// What is asked for first, where free words come before the answer.
const THINK: &str =
    "\nSay in at most three sentences which fault explains the others. Do not answer yet.\n";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    fault: usize,
}

/// What a reply says: a candidate from 0 on, and whether the reply is the JSON that was asked for.
fn read(reply: &str, candidates: usize) -> Option<(usize, bool)> {
    let parsed = |text: &str| {
        let answer: Answer = serde_json::from_str(text).ok()?;
        let at = answer.fault.checked_sub(1)?;
        (at < candidates).then_some(at)
    };
    if let Some(at) = parsed(reply.trim()) {
        return Some((at, true));
    }
    let from = reply.find('{')?;
    let to = from + reply[from..].find('}')?;
    parsed(&reply[from..=to]).map(|at| (at, false))
}

impl Chain<'_> {
    pub(super) fn choose(
        &mut self,
        step: &Step,
        how: Choose,
        candidates: &mut [Candidate],
        titles: &[String],
    ) -> Result<()> {
        let Step::Rank {
            id,
            system,
            prompt,
            max_seconds,
            ..
        } = step
        else {
            return Ok(());
        };
        let numbered: Vec<String> = titles
            .iter()
            .enumerate()
            .map(|(at, title)| format!("{}: {title}", at + 1))
            .collect();
        let order: Vec<usize> = (0..candidates.len()).collect();
        let ticket = self.ticket.clone();
        let mut thoughts = String::new();
        let mut lines = LINES;
        let grammar = match how {
            Choose::Free => None,
            Choose::Constrained | Choose::Draft => {
                let numbers: Vec<usize> = (1..=candidates.len()).collect();
                Some(
                    self.model
                        .compile(&GrammarSpec::JsonSchema(serde_json::json!({
                            "type": "object",
                            "properties": {"fault": {"enum": numbers}},
                            "required": ["fault"],
                            "additionalProperties": false,
                        })))?,
                )
            }
        };
        let asked = match how {
            Choose::Draft => vec![(THINK, None, THOUGHTS), (ASK, grammar, ANSWER)],
            Choose::Free | Choose::Constrained => vec![(ASK, grammar, ANSWER)],
        };
        let mut reply = String::new();
        for (attempt, (ask, grammar, max_tokens)) in (1..).zip(asked) {
            let template = format!("{prompt}{{thoughts}}{ask}");
            let (tokens, text) = loop {
                let listed = listed(candidates, &numbered, &order, lines);
                let values = [
                    ("ticket", &*ticket),
                    ("candidates", &*listed),
                    ("thoughts", &*thoughts),
                ];
                let made = self.prompt(system, &template, &values, "")?;
                if made.0.len() + max_tokens as usize <= self.model.context() || lines == 0 {
                    break made;
                }
                self.overflow = true;
                lines -= 1;
            };
            let result = if max_tokens == ANSWER {
                "choice"
            } else {
                "thoughts"
            };
            let made = self.generate(
                id,
                attempt,
                &tokens,
                text,
                grammar.as_ref(),
                max_tokens,
                *max_seconds,
                Sampling::default(),
                result,
            )?;
            thoughts = format!("\n{}\n", made.text.trim());
            reply = made.text;
        }
        let chosen = read(&reply, candidates.len());
        for (at, candidate) in candidates.iter_mut().enumerate() {
            candidate.ranked = true;
            // What can't be read chooses nothing: no candidate is strong enough to be said.
            candidate.signal.strength = match chosen {
                Some((first, _)) => moved(0.5, if at == first { 2.0 } else { -0.5 }),
                None => moved(0.5, -2.0),
            };
        }
        let strengths: Vec<f64> = candidates.iter().map(|c| c.signal.strength).collect();
        self.disagrees = best(&strengths) != 0;
        self.notes.push(match chosen {
            Some((at, true)) => format!("choice: candidate {}, in the form asked for", at + 1),
            Some((at, false)) => format!("choice: candidate {}, cut out of other words", at + 1),
            None => "choice: none that can be read".into(),
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_and_its_form_is_judged() {
        assert_eq!(read("{\"fault\": 2}\n", 3), Some((1, true)));
        assert_eq!(read("```json\n{\"fault\": 2}\n```", 3), Some((1, false)));
        assert_eq!(read("It is {\"fault\":1}, I think", 1), Some((0, false)));
        for none in [
            "",
            "2",
            "{\"fault\": 0}",
            "{\"fault\": 4}",
            "{\"fault\": 1, \"why\": \"\"}",
        ] {
            assert_eq!(read(none, 3), None, "{none}");
        }
    }
}
