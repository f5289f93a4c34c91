//! Playbooks: what the model may do, step by step, and the causes it may name.
//!
//! Owns: the TOML formats `narrowroom.playbook/v1` and `narrowroom.catalogue/v1`, the shipped
//! files, lint and the filling of command templates. Touches: nothing but the text it is given.
//! Zone: parsed in zones 0 and 2.

pub mod calibration;
mod catalogue;
mod lint;
pub mod lock;
mod scaffold;
mod shipped;
mod template;

pub use catalogue::{Catalogue, Cause, CommandTemplate};
pub use lint::{Problem, lint};
pub use scaffold::scaffold;
pub use shipped::{SHIPPED, Source, families, for_profile, load, read_unlocked, shipped};
pub use template::{fill, slots};

use crate::error::{Context, Error, ExitCode, Result};
use crate::model::Sampling;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Schema name of a playbook file.
pub const SCHEMA: &str = "narrowroom.playbook/v1";

/// A playbook file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Short name, lower case with dashes.
    pub id: String,
    /// Semantic version.
    pub version: String,
    /// One sentence.
    pub description: String,
    /// Who answers for it.
    pub owner: String,
    /// Bundle layouts it is made for; chosen automatically for these.
    pub profiles: Vec<String>,
    /// Catalogues of causes it may name, by family.
    pub catalogues: Vec<String>,
    /// Which of the catalogues' causes it looks for: names, `*` for any part. Empty: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What of the bundle the model may see.
    #[serde(default)]
    pub inputs: Inputs,
    /// The steps, in order; each has one purpose.
    pub steps: Vec<Step>,
    /// When a larger local model is asked instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalate>,
}

/// When the task is too wide for the model that has it. The larger one starts over in a room of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// The larger model: a known name, or the beginning of an imported one's SHA-256.
    pub model: String,
    /// Asked when the first finding's confidence is below this, 0 to 1.
    #[serde(default)]
    pub below: f64,
    /// Asked when the model would put another candidate first than the signals.
    #[serde(default)]
    pub on_disagreement: bool,
    /// Asked when the candidates do not fit the model's context.
    #[serde(default)]
    pub on_overflow: bool,
}

/// Globs over paths without the top folder; `*` stays within a name, `**` crosses folders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Lines of matching files may be shown to the model. Empty: all files.
    #[serde(default)]
    pub allow: Vec<String>,
    /// Lines of matching files are never shown to the model.
    #[serde(default)]
    pub deny: Vec<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Picks the candidates that go on, by signal strength. No model.
    Select {
        /// Name in the transcript.
        id: String,
        /// At most this many candidates.
        max_candidates: usize,
        /// At most this many evidence lines per candidate.
        max_lines: usize,
    },
    /// Orders the candidates by the model's likelihood of each, prior divided out.
    Rank {
        /// Name in the transcript.
        id: String,
        /// System message.
        system: String,
        /// User message; `{ticket}` and `{candidates}` are filled in.
        prompt: String,
        /// The words the answer begins with; each candidate is scored after them.
        answer_prefix: String,
        /// How many orders of the candidates are scored.
        permutations: usize,
        /// How far the model may move a candidate, in logits of its strength.
        weight: f64,
        /// Only candidates whose strength is within this of the first are ranked; none: the step is left out.
        within: f64,
        /// Fewest weights of a model that is asked: smaller ones may order worse than the detectors do.
        #[serde(default, skip_serializing_if = "is_none")]
        min_parameters: u64,
        /// Wall-clock limit in seconds.
        max_seconds: u64,
        /// What happens when the step fails.
        on_failure: OnFailure,
    },
    /// A short free draft on the first candidate; never shown, only input to `write`.
    Draft {
        /// Name in the transcript.
        id: String,
        /// System message.
        system: String,
        /// User message; `{ticket}`, `{fault}` and `{lines}` are filled in.
        prompt: String,
        /// Token limit.
        max_tokens: u32,
        /// Wall-clock limit in seconds.
        max_seconds: u64,
        /// How its tokens are chosen; absent: the likeliest each time.
        #[serde(default, skip_serializing_if = "is_greedy")]
        sampling: Sampling,
        /// What happens when the step fails.
        on_failure: OnFailure,
    },
    /// Judges single lines of a change: whether the suspicion of a broad rule is right (guard).
    Judge {
        /// Name in the transcript.
        id: String,
        /// System message.
        system: String,
        /// User message; `{about}`, `{path}`, `{lines}` and `{line}` are filled in.
        prompt: String,
        /// The answer that says so.
        yes: String,
        /// The answer that denies it.
        no: String,
        /// Least log-likelihood of `yes` over `no`, the prior without any line divided out.
        threshold: f64,
        /// At most this many lines are remarked on, the surest ones.
        max_findings: usize,
        /// Wall-clock limit in seconds.
        max_seconds: u64,
        /// What happens when the step fails.
        on_failure: OnFailure,
    },
    /// The wording of the root cause under a grammar: quote first, sentence second.
    Write {
        /// Name in the transcript.
        id: String,
        /// System message.
        system: String,
        /// User message; `{ticket}`, `{fault}`, `{lines}` and `{draft}` are filled in.
        prompt: String,
        /// Longest sentence, in characters.
        max_chars: usize,
        /// Token limit.
        max_tokens: u32,
        /// Wall-clock limit in seconds.
        max_seconds: u64,
        /// How its tokens are chosen; absent: the likeliest each time.
        #[serde(default, skip_serializing_if = "is_greedy")]
        sampling: Sampling,
        /// What happens when the step fails.
        on_failure: OnFailure,
    },
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_none(count: &u64) -> bool {
    *count == 0
}

fn is_greedy(sampling: &Sampling) -> bool {
    *sampling == Sampling::default()
}

/// What happens when a step fails or runs into its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Go on with what the signals say; the report says so.
    KeepSignals,
    /// End the run with exit code 6.
    Stop,
}

impl Step {
    /// Name in the transcript.
    pub fn id(&self) -> &str {
        match self {
            Step::Select { id, .. }
            | Step::Rank { id, .. }
            | Step::Draft { id, .. }
            | Step::Judge { id, .. }
            | Step::Write { id, .. } => id,
        }
    }
    /// How the step chooses its tokens; none where it writes nothing.
    pub fn sampling(&self) -> Option<&Sampling> {
        match self {
            Step::Draft { sampling, .. } | Step::Write { sampling, .. } => Some(sampling),
            _ => None,
        }
    }
    /// What it does, as the file says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Step::Select { .. } => "select",
            Step::Rank { .. } => "rank",
            Step::Draft { .. } => "draft",
            Step::Write { .. } => "write",
            Step::Judge { .. } => "judge",
        }
    }
    /// Whether the step needs a model.
    pub fn uses_model(&self) -> bool {
        !matches!(self, Step::Select { .. })
    }
}

/// A playbook together with its catalogues, as one unit that is hashed and handed to the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Bound {
    /// The playbook's own text.
    pub text: String,
    /// Each catalogue: family and text.
    pub catalogues: Vec<(String, String)>,
}

impl Bound {
    /// SHA-256 over the playbook and its catalogues, each preceded by its length; lower-case hex.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for text in std::iter::once(&self.text).chain(self.catalogues.iter().map(|(_, text)| text))
        {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hex::encode(hash.finalize())
    }
    /// Parses everything and keeps the causes that the playbook looks for.
    ///
    /// # Errors
    /// Usage errors that name the file, the line and what is wrong.
    pub fn parse(&self) -> Result<(Playbook, Vec<Cause>)> {
        let (playbook, mut causes) = self.parse_all()?;
        if !playbook.causes.is_empty() {
            causes.retain(|cause| {
                playbook
                    .causes
                    .iter()
                    .any(|form| matches_form(form, &cause.slug))
            });
        }
        Ok((playbook, causes))
    }
    /// Parses everything, with every cause of the catalogues.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_all(&self) -> Result<(Playbook, Vec<Cause>)> {
        let playbook = parse(&self.text)?;
        let mut causes: Vec<Cause> = Vec::new();
        for (family, text) in &self.catalogues {
            let catalogue: Catalogue = toml::from_str(text).or_fail(
                ExitCode::Usage,
                format!("failed to read the catalogue {family}"),
            )?;
            if catalogue.schema != catalogue::SCHEMA {
                return Err(Error::usage(format!(
                    "failed to read the catalogue {family}: its schema is not {}",
                    catalogue::SCHEMA
                )));
            }
            let start = causes.len();
            for cause in catalogue.causes {
                match causes.iter().position(|known| known.slug == cause.slug) {
                    // Two families may speak for one cause: the kernel's log and a service's log both see an MTU mismatch.
                    Some(at) if at < start => causes[at].absorb(cause),
                    Some(_) => {
                        return Err(Error::usage(format!(
                            "failed to read the catalogue {family}: the cause {} is there twice",
                            cause.slug
                        )));
                    }
                    None => causes.push(cause),
                }
            }
        }
        Ok((playbook, causes))
    }
}

/// Whether `name` is of the form `form`, in which `*` stands for any part.
pub fn matches_form(form: &str, name: &str) -> bool {
    match form.split_once('*') {
        None => form == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| matches_form(rest, &tail[at..]))
        }),
    }
}

/// Parses a playbook file's text.
///
/// # Errors
/// A usage error with the place and what is wrong.
pub fn parse(text: &str) -> Result<Playbook> {
    let playbook: Playbook =
        toml::from_str(text).or_fail(ExitCode::Usage, "failed to read the playbook")?;
    if playbook.schema != SCHEMA {
        return Err(Error::usage(format!(
            "failed to read the playbook {}: its schema is not {SCHEMA}",
            playbook.id
        )));
    }
    Ok(playbook)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_matches_whole_names() {
        for (form, name, yes) in [
            ("ceph-*", "ceph-full", true),
            ("ceph-*", "radosgw-failed", false),
            ("*-disk-full", "mysql-disk-full", true),
            ("scheduling-*volume*", "scheduling-unbound-volume", true),
            ("disk-full", "disk-full-reported", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches_form(form, name), yes, "{form} {name}");
        }
    }

    #[test]
    fn every_form_of_a_shipped_playbook_selects_a_cause() {
        for (id, _) in SHIPPED {
            let (playbook, causes) = shipped(id).unwrap().parse_all().unwrap();
            for form in &playbook.causes {
                assert!(
                    causes.iter().any(|cause| matches_form(form, &cause.slug)),
                    "{id}: {form}"
                );
            }
        }
    }
}
