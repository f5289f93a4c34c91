//! The steps `draft` and `write`: the root cause in the model's words, under a grammar that can only
//! quote lines which are there, checked by the verifier's own rules before it is taken.

use super::{Candidate, Chain, cut};
use crate::error::Result;
use crate::model::GrammarSpec;
use crate::playbook::Step;
use crate::report::Evidence;

/// A sentence is asked for this often before the signals' own wording stands.
const ATTEMPTS: u32 = 2;

impl Chain<'_> {
    pub(super) fn draft(&mut self, step: &Step, candidates: &mut [Candidate]) -> Result<()> {
        let Step::Draft {
            id,
            system,
            prompt,
            max_tokens,
            max_seconds,
            sampling,
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
            *sampling,
            "kept as a draft, never shown",
        )?;
        self.draft = if self.dry {
            "(what the step before wrote)".into()
        } else {
            made.text.trim().chars().take(600).collect()
        };
        Ok(())
    }

    pub(super) fn write(&mut self, step: &Step, candidates: &mut [Candidate]) -> Result<()> {
        let Step::Write {
            id,
            system,
            prompt,
            max_chars,
            max_tokens,
            max_seconds,
            sampling,
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
                *sampling,
                "checked by the same rules as the verifier's",
            )?;
            if self.dry {
                return Ok(());
            }
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
