//! What a shell command would do, told from its text alone: [`classify`].
//!
//! Read-only is an allow-list ([`commands.toml`](commands.toml)): what is not known there is at best unknown. The text is
//! parsed as a shell would parse it (brush-parser), wrappers are taken off, inner commands are judged too, and the worst
//! part decides. Nothing is ever executed, expanded against a file system, or looked up.
//!
//! Touches: nothing. Zone: 3, and zone 0 for `narrowroom classify`. Bounded: [`MAX_COMMAND_BYTES`], nesting and a budget
//! of judged parts; what goes over is unknown, or destructive if destructive verbs stand in it plainly.

mod appliance;
mod cluster;
mod containers;
mod file_tools;
mod flags;
mod handlers;
mod http;
mod lines;
mod network;
mod normalise;
mod policy;
mod relay;
mod remote;
mod scan;
mod script;
mod shell;
mod sql;
mod table;
mod version_control;
mod windows;
mod words;
mod wrapper_table;
mod wrappers;

pub use lines::classify_lines;
pub use policy::{Checked, MAX_POLICY_BYTES, Policy, WrongExample};

use crate::report::CommandClass;

/// Longest command that is parsed, in bytes.
pub const MAX_COMMAND_BYTES: usize = 16 << 10;
/// Deepest nesting of commands inside commands.
const MAX_DEPTH: usize = 12;
/// Most simple commands that are judged in one text.
const MAX_PARTS: usize = 400;
/// Most reasons that are kept.
const MAX_REASONS: usize = 8;

/// A command's class and why.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub struct Classified {
    /// The class of its worst part.
    pub class: CommandClass,
    /// Why, worst first; empty for what only reads.
    pub reasons: Vec<String>,
}

/// Judges one command, or several lines of shell, by the shipped policy.
pub fn classify(command: &str) -> Classified {
    Policy::default().classify(command)
}

/// A class as it is written in JSON and TOML.
pub fn class_name(class: CommandClass) -> &'static str {
    match class {
        CommandClass::ReadOnly => "read-only",
        CommandClass::Unknown => "unknown",
        CommandClass::ChangesState => "changes-state",
        CommandClass::Destructive => "destructive",
    }
}

/// Whether a program of that name is known, whatever it does.
pub(super) fn is_program(name: &str) -> bool {
    table::Table::shipped().tool(name).is_some() || handlers::handles(name)
}

/// What a command reads on its standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stdin {
    /// Nothing, or the terminal.
    None,
    /// Text that stands in the command.
    Text(String),
    /// The output of something else.
    Piped,
}

/// The judgement so far, and what the text has defined.
#[derive(Debug, Default)]
struct Judge {
    class: Option<CommandClass>,
    reasons: Vec<(CommandClass, String)>,
    parts: usize,
    depth: usize,
    scope: words::Scope,
    policy: Policy,
    /// Whether something was fetched from elsewhere.
    fetched: bool,
    /// Whether an argument of the command at hand is a file of text that was fetched.
    fed_from_net: bool,
    /// Files that were written.
    written: Vec<String>,
    /// Whether a redirection opened a network connection.
    network: bool,
}

impl Judge {
    /// The class of a whole text.
    fn of(command: &str, policy: Policy) -> Classified {
        let mut judge = Self {
            policy,
            ..Self::default()
        };
        match normalise::normalise(command) {
            Err(reason) => judge.add(CommandClass::Destructive, reason),
            Ok(text) if text.is_empty() => {
                judge.add(CommandClass::Unknown, "there is no command");
            }
            Ok(text) if text.len() > MAX_COMMAND_BYTES => {
                judge.add(
                    CommandClass::Unknown,
                    "the command is too long to be judged",
                );
                scan::visible(&mut judge, &text);
            }
            Ok(text) => judge.script(&text),
        }
        judge.finish()
    }

    /// Notes that a part is of `class`.
    fn add(&mut self, class: CommandClass, reason: impl Into<String>) {
        self.class = Some(self.class.map_or(class, |so_far| so_far.max(class)));
        if class == CommandClass::ReadOnly {
            return;
        }
        let reason = reason.into();
        // So many of each class, that what is worst is told wherever it stands.
        let of_class = self.reasons.iter().filter(|(known, _)| *known == class);
        if of_class.count() < MAX_REASONS && !self.reasons.iter().any(|(_, known)| *known == reason)
        {
            self.reasons.push((class, reason));
        }
    }
    fn read_only(&mut self) {
        self.add(CommandClass::ReadOnly, "");
    }
    fn unknown(&mut self, reason: impl Into<String>) {
        self.add(CommandClass::Unknown, reason);
    }
    fn changes(&mut self, reason: impl Into<String>) {
        self.add(CommandClass::ChangesState, reason);
    }
    fn destructive(&mut self, reason: impl Into<String>) {
        self.add(CommandClass::Destructive, reason);
    }
    /// Runs `inner` one level deeper, unless that is too deep.
    fn deeper(&mut self, inner: impl FnOnce(&mut Self)) {
        if self.depth >= MAX_DEPTH {
            self.unknown("it is nested too deeply to be judged");
            return;
        }
        self.depth += 1;
        inner(self);
        self.depth -= 1;
    }
    /// Counts a part; `false` when there are too many.
    fn spend(&mut self) -> bool {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            self.unknown("it has too many parts to be judged");
            return false;
        }
        true
    }
    fn finish(mut self) -> Classified {
        self.reasons
            .sort_by_key(|(class, _)| std::cmp::Reverse(*class));
        let reasons = self
            .reasons
            .into_iter()
            .map(|(_, reason)| reason)
            .take(MAX_REASONS)
            .collect();
        Classified {
            class: self.class.unwrap_or(CommandClass::Unknown),
            reasons,
        }
    }
}

#[cfg(test)]
mod tests;
