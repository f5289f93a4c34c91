//! Chat prompts: the model's own template around text that can't break out of it.
//!
//! The template is rendered with a private placeholder where each message goes. What it wrote around
//! the placeholders is searched for control tokens; the messages never are.

use super::Tokenizer;
use crate::error::{Error, Result};

/// Most steps a template may take; real ones take a few hundred.
const FUEL: u64 = 100_000;

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// Words of narrowroom or of the playbook.
    Text(String),
    /// Text out of a bundle, which nobody obeys. Tokenised exactly like [`Segment::Text`], for neither
    /// can become a control token; kept apart so that callers say which is which.
    Data(String),
}

impl Segment {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Data(text) => text,
        }
    }
}

/// A run of the prompt: one control token, or text.
enum Piece {
    Control(u32),
    Text(String),
}

impl Tokenizer {
    /// The prompt of a system and a user message, ending where the model's reply begins.
    ///
    /// # Errors
    /// Refused when the model has no usable template and no ChatML tokens to fall back to.
    pub fn chat(&self, system: &str, user: &[Segment]) -> Result<Vec<u32>> {
        let user: String = user.iter().map(Segment::as_str).collect();
        let messages = [("system", system), ("user", &user)];
        let rendered = match &self.template {
            // Some templates know no system message: its words then begin the user's.
            Some(template) => render(template, false)
                .or_else(|error| self.chatml().ok_or(error))
                .or_else(|error| render(template, true).map_err(|_| error)),
            None => self.chatml().ok_or_else(|| {
                Error::refused("the model has no chat template")
                    .hint("use an instruction-tuned model")
            }),
        }?;
        let pieces = self.pieces(&rendered, &messages)?;
        let mut tokens: Vec<u32> = self.bos.into_iter().collect();
        for piece in pieces {
            match piece {
                Piece::Control(id) if tokens.len() == 1 && self.bos == Some(id) => {}
                Piece::Control(id) => tokens.push(id),
                Piece::Text(text) => tokens.extend(self.encode_start(&text)),
            }
        }
        Ok(tokens)
    }

    /// The ChatML form, for models that have its tokens.
    fn chatml(&self) -> Option<String> {
        self.control("<|im_start|>")?;
        self.control("<|im_end|>")?;
        let turn = |index: usize, role: &str| {
            format!("<|im_start|>{role}\n{}<|im_end|>\n", placeholder(index))
        };
        Some(format!(
            "{}{}<|im_start|>assistant\n",
            turn(0, "system"),
            turn(1, "user")
        ))
    }

    fn pieces(&self, rendered: &str, messages: &[(&str, &str)]) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut rest = rendered;
        for (index, (role, message)) in messages.iter().enumerate() {
            let mark = placeholder(index);
            let mut halves = rest.splitn(2, &mark);
            let (literal, after) = (halves.next().unwrap_or_default(), halves.next());
            rest = after.filter(|after| !after.contains(&mark)).ok_or_else(|| Error::refused(format!("the model's chat template doesn't use the {role} message exactly once, in order")))?;
            self.literal(literal, &mut pieces);
            append(&mut pieces, message);
        }
        self.literal(rest, &mut pieces);
        Ok(pieces)
    }

    /// Cuts the template's own words at control tokens, the longest name first.
    fn literal(&self, mut text: &str, pieces: &mut Vec<Piece>) {
        while !text.is_empty() {
            let found = text.char_indices().find_map(|(at, _)| {
                let names = self
                    .control
                    .iter()
                    .filter(|(name, _)| text[at..].starts_with(name.as_str()));
                names
                    .max_by_key(|(name, _)| name.len())
                    .map(|(name, id)| (at, name.len(), *id))
            });
            match found {
                Some((at, length, id)) => {
                    append(pieces, &text[..at]);
                    pieces.push(Piece::Control(id));
                    text = &text[at + length..];
                }
                None => {
                    append(pieces, text);
                    text = "";
                }
            }
        }
    }
}

/// Adds text, joined to the text before it, so that merges across the border are the usual ones.
fn append(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// What stands for message `index` while the template runs: private-use characters, never in a template.
fn placeholder(index: usize) -> String {
    format!("\u{f8ff}\u{f0000}{index}\u{f0000}\u{f8ff}")
}

fn render(template: &str, joined: bool) -> Result<String> {
    let refuse = |cause: minijinja::Error| {
        Error::refused("run the model's chat template")
            .source(cause.to_string())
            .hint(
                "the template uses something that isn't known here; use another file of this model",
            )
    };
    let mut environment = minijinja::Environment::new();
    environment.set_fuel(Some(FUEL));
    // White space around blocks as the publishers' own renderer treats it.
    let syntax = environment
        .syntax()
        .to_builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .map_err(refuse)?;
    environment.set_syntax(syntax);
    environment.add_function(
        "raise_exception",
        |message: String| -> std::result::Result<String, minijinja::Error> {
            Err(minijinja::Error::new(
                minijinja::ErrorKind::InvalidOperation,
                message,
            ))
        },
    );
    let message =
        |role: &str, content: String| minijinja::context! { role => role, content => content };
    let messages = if joined {
        let content = format!("{}\n\n{}", placeholder(0), placeholder(1));
        vec![message("user", content)]
    } else {
        vec![
            message("system", placeholder(0)),
            message("user", placeholder(1)),
        ]
    };
    environment.render_str(template, minijinja::context! { messages, add_generation_prompt => true, bos_token => "", eos_token => "" }).map_err(refuse)
}
