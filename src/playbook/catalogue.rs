//! The closed catalogue of causes: what a finding may be called and what to run next.

use serde::{Deserialize, Serialize};

/// Schema name of a catalogue file.
pub const SCHEMA: &str = "narrowroom.catalogue/v1";

/// One family of causes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The file's name without extension.
    pub family: String,
    /// The causes.
    pub causes: Vec<Cause>,
}

/// A root cause that a finding may name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    /// Stable name.
    pub slug: String,
    /// One line; also shown to the model.
    pub about: String,
    /// Detectors that speak for it.
    pub signals_for: Vec<String>,
    /// Detectors that speak against it.
    #[serde(default)]
    pub signals_against: Vec<String>,
    /// Causes and symptoms it explains when both are seen.
    #[serde(default)]
    pub explains: Vec<String>,
    /// What to run next.
    #[serde(default)]
    pub commands: Vec<CommandTemplate>,
}

/// A read-only command with `{slots}` that entities found in the bundle fill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandTemplate {
    /// The command; a slot stands for a whole word.
    pub command: String,
    /// What its answer would decide.
    pub why: String,
}

impl Cause {
    /// Takes over the signals and what is explained of the same cause in another catalogue; words and
    /// commands stay, commands are taken over where there are none.
    pub(super) fn absorb(&mut self, other: Cause) {
        for (own, more) in [
            (&mut self.signals_for, other.signals_for),
            (&mut self.signals_against, other.signals_against),
            (&mut self.explains, other.explains),
        ] {
            for item in more {
                if !own.contains(&item) {
                    own.push(item);
                }
            }
        }
        if self.commands.is_empty() {
            self.commands = other.commands;
        }
    }
}
