//! What makes a playbook safe and legible, checked before it may run.

use super::{Bound, Step, slots};
use crate::error::Result;
use std::collections::BTreeSet;

/// A prompt that does not fit on a screen is not read by the person who signs.
const MAX_PROMPT_LINES: usize = 40;
const MAX_PROMPT_CHARS: usize = 2_400;

/// One thing wrong with a playbook.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Step, cause or field.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Checks a playbook and its catalogues; an empty list means it may run.
///
/// # Errors
/// A usage error when the text does not parse at all.
pub fn lint(bound: &Bound) -> Result<Vec<Problem>> {
    let (playbook, causes) = bound.parse_all()?;
    let mut problems = Vec::new();
    let mut flag = |place: &str, message: String| {
        problems.push(Problem {
            place: place.to_owned(),
            message,
        })
    };
    if playbook
        .version
        .split('.')
        .filter(|part| part.parse::<u32>().is_ok())
        .count()
        != 3
    {
        flag("version", "is not major.minor.patch".into());
    }
    if !matches!(playbook.steps.first(), Some(Step::Select { .. })) {
        flag("steps", "the first step must select the candidates".into());
    }
    let mut seen = BTreeSet::new();
    let mut drafted = false;
    for step in &playbook.steps {
        if !seen.insert(step.id().to_owned()) {
            flag(step.id(), "two steps have this id".into());
        }
        if let Some(problem) = step.sampling().and_then(crate::model::Sampling::problem) {
            flag(step.id(), problem);
        }
        let (prompts, allowed): (Vec<&str>, &[&str]) = match step {
            Step::Select {
                max_candidates,
                max_lines,
                ..
            } => {
                if !(1..=20).contains(max_candidates) || !(1..=12).contains(max_lines) {
                    flag(
                        step.id(),
                        "max_candidates must be 1 to 20 and max_lines 1 to 12".into(),
                    );
                }
                (vec![], &[])
            }
            Step::Rank {
                system,
                prompt,
                permutations,
                weight,
                ..
            } => {
                if !(1..=8).contains(permutations) || !(0.0..=4.0).contains(weight) {
                    flag(
                        step.id(),
                        "permutations must be 1 to 8 and weight 0 to 4".into(),
                    );
                }
                (vec![system, prompt], &["ticket", "candidates"])
            }
            Step::Draft {
                system,
                prompt,
                max_tokens,
                ..
            } => {
                drafted = true;
                if *max_tokens > 1024 {
                    flag(
                        step.id(),
                        "max_tokens is over 1024: a draft is short".into(),
                    );
                }
                (vec![system, prompt], &["ticket", "fault", "lines"])
            }
            Step::Judge {
                system,
                prompt,
                yes,
                no,
                threshold,
                max_findings,
                ..
            } => {
                if !(1..=20).contains(max_findings) || !(-10.0..=10.0).contains(threshold) {
                    flag(
                        step.id(),
                        "max_findings must be 1 to 20 and threshold -10 to 10".into(),
                    );
                }
                if yes.trim().is_empty() || no.trim().is_empty() || yes == no {
                    flag(step.id(), "yes and no must be two different words".into());
                }
                (vec![system, prompt], &["about", "path", "lines", "line"])
            }
            Step::Write {
                system,
                prompt,
                max_chars,
                max_tokens,
                ..
            } => {
                if *max_chars > 600 || *max_tokens > 1024 {
                    flag(step.id(), "an unbounded string: max_chars must be at most 600 and max_tokens at most 1024".into());
                }
                if prompt.contains("{draft}") && !drafted {
                    flag(step.id(), "uses {draft} before any draft step".into());
                }
                (vec![system, prompt], &["ticket", "fault", "lines", "draft"])
            }
        };
        for prompt in prompts {
            if prompt.lines().count() > MAX_PROMPT_LINES
                || prompt.chars().count() > MAX_PROMPT_CHARS
            {
                flag(
                    step.id(),
                    format!(
                        "a prompt is over one screen ({MAX_PROMPT_LINES} lines, {MAX_PROMPT_CHARS} characters)"
                    ),
                );
            }
            for slot in slots(prompt) {
                if !allowed.contains(&slot) {
                    flag(
                        step.id(),
                        format!(
                            "a prompt uses {{{slot}}}; this step knows {}",
                            allowed.join(", ")
                        ),
                    );
                }
            }
            if prompt.contains("<|") {
                flag(step.id(), "a prompt holds a control token".into());
            }
        }
    }
    for form in &playbook.causes {
        if !causes
            .iter()
            .any(|cause| super::matches_form(form, &cause.slug))
        {
            flag(
                "causes",
                format!("{form:?} selects none of the catalogues' causes"),
            );
        }
    }
    if let Some(rule) = &playbook.escalate {
        if rule.model.trim().is_empty() || !(0.0..=1.0).contains(&rule.below) {
            flag(
                "escalate",
                "must name a model, and `below` must be 0 to 1".into(),
            );
        }
        if rule.below == 0.0 && !rule.on_disagreement && !rule.on_overflow {
            flag(
                "escalate",
                "never happens: set below, on_disagreement or on_overflow".into(),
            );
        }
    }
    let slugs: BTreeSet<_> = causes.iter().map(|cause| cause.slug.as_str()).collect();
    for cause in &causes {
        if cause.about.lines().count() != 1 || cause.about.len() > 200 {
            flag(
                &cause.slug,
                "about must be one line of at most 200 characters".into(),
            );
        }
        if cause.signals_for.is_empty() {
            flag(
                &cause.slug,
                "no signal speaks for it, so it could only be guessed".into(),
            );
        }
        if cause.commands.len() > 5 {
            flag(&cause.slug, "more than five commands".into());
        }
        for other in &cause.explains {
            if !slugs.contains(other.as_str()) {
                flag(
                    &cause.slug,
                    format!("explains {other}, which is in none of the playbook's catalogues"),
                );
            }
        }
        for template in &cause.commands {
            let sample = sample(&template.command);
            let class = crate::verify::command::classify(&sample);
            if class.class != crate::report::CommandClass::ReadOnly {
                flag(
                    &cause.slug,
                    format!(
                        "the command {:?} is not read-only: {}",
                        template.command,
                        class.reasons.join("; ")
                    ),
                );
            }
            if template.why.trim().is_empty() {
                flag(
                    &cause.slug,
                    format!(
                        "the command {:?} does not say what its answer would decide",
                        template.command
                    ),
                );
            }
        }
    }
    Ok(problems)
}

/// The template with a plain word in each slot.
fn sample(template: &str) -> String {
    slots(template)
        .into_iter()
        .fold(template.to_owned(), |text, slot| {
            text.replace(&format!("{{{slot}}}"), "example")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_playbooks_have_no_problem() {
        for (id, _) in super::super::SHIPPED {
            let problems = lint(&super::super::shipped(id).unwrap()).unwrap();
            assert!(problems.is_empty(), "{id}: {problems:#?}");
        }
    }

    #[test]
    fn finds_a_long_prompt_an_unknown_slot_and_a_destructive_command() {
        let mut bound = super::super::shipped("kubernetes").unwrap();
        bound.text = bound.text.replacen(
            "{candidates}",
            &format!("{{secrets}}{}", "line\n".repeat(60)),
            1,
        );
        bound.catalogues[0].1.push_str(
            "\n[[causes]]\nslug = \"bad\"\nabout = \"Bad.\"\nsignals_for = [\"x\"]\n[[causes.commands]]\ncommand = \"kubectl delete pod {pod}\"\nwhy = \"no\"\n",
        );
        bound.text = bound.text.replacen(
            "max_chars = 320",
            "max_chars = 320\nsampling = { temperature = 7.0 }",
            1,
        );
        let problems = lint(&bound).unwrap();
        for needle in [
            "over one screen",
            "{secrets}",
            "not read-only",
            "temperature is 7",
        ] {
            assert!(
                problems
                    .iter()
                    .any(|problem| problem.message.contains(needle)),
                "{needle}: {problems:#?}"
            );
        }
    }
}
