//! Everything a renderer shows, gathered in one value: the report, what the verifier said of it, how
//! it was made, and what a person must still do.
//!
//! The coordinator builds a [`View`] from the record of a run; renderers are functions from it to a
//! string and add nothing. All text in it may come from a bundle and is escaped where it is shown.

use super::model::{Evidence, Report};
use crate::bundle::Skipped;
use serde::{Deserialize, Serialize};

/// Lines shown before and after a quote.
pub const CONTEXT_LINES: u64 = 3;
/// Most lines kept in one context.
pub const MAX_CONTEXT_LINES: usize = 40;
/// Most characters kept of one context line.
pub const MAX_CONTEXT_CHARS: usize = 2000;

/// What a renderer shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The report as the verifier let it through.
    pub report: Report,
    /// What the verifier said.
    pub verdict: VerdictFacts,
    /// How it was made.
    pub run: RunFacts,
    /// What kept the workers in.
    pub seal: SealFacts,
    /// Lines around the quotes; found by path and line.
    #[serde(default)]
    pub contexts: Vec<EvidenceContext>,
    /// Text in the bundle that addresses a model. Data, obeyed by nobody.
    #[serde(default)]
    pub injections: Vec<Evidence>,
    /// Secrets masked, by kind.
    #[serde(default)]
    pub masked: Vec<MaskedSecrets>,
    /// Archive entries that were not unpacked.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// The decision of a person.
    #[serde(default)]
    pub review: ReviewState,
    /// Files that belong to the report.
    #[serde(default)]
    pub files: Vec<OutputFile>,
}

/// What the verifier said of the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VerdictFacts {
    /// One entry a finding that was let through, found by its rank.
    #[serde(default)]
    pub findings: Vec<FindingVerdict>,
    /// Findings that were not let through.
    #[serde(default)]
    pub dropped: Vec<DroppedFinding>,
    /// Claims checked, of all kinds.
    #[serde(default)]
    pub checked: u64,
    /// Claims that did not hold and were removed or flagged.
    #[serde(default)]
    pub failed: u64,
    /// Whether the verifier rejected the report as a whole.
    #[serde(default)]
    pub rejected: bool,
}

/// What the verifier said of one finding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FindingVerdict {
    /// [`super::model::Finding::rank`].
    pub rank: u32,
    /// One entry a check.
    #[serde(default)]
    pub ticks: Vec<Tick>,
    /// Where the finding comes from.
    #[serde(default)]
    pub share: Share,
}

/// One check of one claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Which part of the finding was checked.
    #[serde(default)]
    pub about: About,
    /// Name of the verifier's rule: `quote`.
    #[serde(default)]
    pub rule: String,
    /// What was checked, in a few words: "quote is verbatim at its line".
    pub what: String,
    /// How it went.
    pub status: TickStatus,
    /// Why, when it is not ok.
    #[serde(default)]
    pub reason: String,
}

/// Which part of a finding a check is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// The claim itself: cause, title, statement, subject, confidence.
    #[default]
    Claim,
    /// The evidence at this index, from 0.
    Evidence(usize),
    /// The command at this index, from 0.
    Command(usize),
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TickStatus {
    /// It holds.
    Ok,
    /// It is shown, with a doubt.
    Flagged,
    /// It was removed from the report.
    Dropped,
    /// It made the verifier reject the whole report.
    Rejected,
}

/// A finding that was not let through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedFinding {
    /// Its title as the room gave it.
    pub title: String,
    /// Each check that failed.
    pub reasons: Vec<String>,
}

/// How much of a finding comes from rules and how much from the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Detectors that speak for it.
    #[serde(default)]
    pub detectors: Vec<String>,
    /// Confidence of the signals alone, 0 to 1.
    #[serde(default)]
    pub signals: Option<f64>,
    /// Confidence of the model alone, 0 to 1; `None` when no model ran.
    #[serde(default)]
    pub model: Option<f64>,
    /// Whether the model wrote the words; otherwise they are the detector's.
    #[serde(default)]
    pub worded_by_model: bool,
}

/// How a report was made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Id of the run.
    pub id: String,
    /// When it began, RFC 3339.
    #[serde(default)]
    pub started: String,
    /// Name of the bundle's file.
    pub bundle_name: String,
    /// SHA-256 of the bundle, lower-case hex.
    pub bundle_sha256: String,
    /// Size of the bundle's file in bytes.
    pub bundle_bytes: u64,
    /// Files in it.
    pub bundle_files: u64,
    /// Recognised layout.
    pub profile: String,
    /// The playbook.
    #[serde(default)]
    pub playbook: PlaybookFacts,
    /// The model; `None` when the run used signals only.
    #[serde(default)]
    pub model: Option<ModelFacts>,
    /// How long each stage took, in order.
    #[serde(default)]
    pub stages: Vec<StageTime>,
}

/// Which playbook was worked through.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookFacts {
    /// Its id.
    pub id: String,
    /// Its semantic version.
    pub version: String,
    /// SHA-256 of its text.
    pub sha256: String,
}

/// Which model worked, and how it really ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// Quantisation of the weights as they were run.
    pub quantisation: String,
    /// SHA-256 of the weights.
    #[serde(default)]
    pub sha256: String,
    /// Context asked for, in tokens.
    pub context_requested: u64,
    /// Context really there, in tokens.
    pub context_effective: u64,
    /// Tokens read.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Tokens written.
    #[serde(default)]
    pub output_tokens: u64,
    /// Reading speed in tokens a second.
    #[serde(default)]
    pub prefill_per_second: f64,
    /// Writing speed in tokens a second.
    #[serde(default)]
    pub decode_per_second: f64,
}

/// How long a stage took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTime {
    /// Its name.
    pub stage: String,
    /// Wall-clock time in milliseconds.
    pub millis: u64,
}

/// What kept the workers in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealFacts {
    /// Layers enforced.
    pub layers: u32,
    /// Forbidden acts tried at the start, over all zones.
    pub probes: u32,
    /// Of these, denied as they must be.
    pub probes_denied: u32,
    /// Layers that were switched off or could not be enforced. Empty for a full seal.
    #[serde(default)]
    pub weaker: Vec<WeakerLayer>,
}

/// A layer that was not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeakerLayer {
    /// Its name, as in `--allow-weaker-seal=LAYER`.
    pub layer: String,
    /// What was possible without it.
    pub consequence: String,
}

/// Secrets of one kind that were masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaskedSecrets {
    /// The kind, never the value.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// What a person decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ReviewState {
    /// Nobody has decided yet.
    #[default]
    Pending,
    /// A person signed it.
    Signed {
        /// Who.
        by: String,
        /// When, RFC 3339.
        at: String,
        /// Their words.
        note: String,
    },
    /// A person rejected it.
    Rejected {
        /// Who.
        by: String,
        /// When, RFC 3339.
        at: String,
        /// Their words.
        note: String,
    },
}

/// A file that belongs to the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// What it holds: "exact prompts and raw output of every step".
    pub what: String,
    /// Where it is. A relative path becomes a link in HTML.
    pub path: String,
}

/// The lines around a quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceContext {
    /// Path inside the bundle.
    pub path: String,
    /// Number of the first line kept, from 1.
    pub first_line: u64,
    /// The lines, in order, without their ends.
    pub lines: Vec<String>,
    /// First quoted line.
    pub marked_first: u64,
    /// Last quoted line, inclusive.
    pub marked_last: u64,
}

impl EvidenceContext {
    /// Cuts the lines around `evidence` out of the whole text of its file; `None` when the file is
    /// too short. At most [`MAX_CONTEXT_LINES`] lines of [`MAX_CONTEXT_CHARS`] characters.
    pub fn cut(evidence: &Evidence, text: &str) -> Option<Self> {
        let first_line = evidence.line_start.saturating_sub(CONTEXT_LINES).max(1);
        let last_line = evidence
            .line_end
            .max(evidence.line_start)
            .saturating_add(CONTEXT_LINES);
        let wanted = usize::try_from(last_line - first_line + 1)
            .unwrap_or(usize::MAX)
            .min(MAX_CONTEXT_LINES);
        let lines: Vec<String> = text
            .split('\n')
            .skip(usize::try_from(first_line - 1).ok()?)
            .take(wanted)
            .map(|line| {
                line.strip_suffix('\r')
                    .unwrap_or(line)
                    .chars()
                    .take(MAX_CONTEXT_CHARS)
                    .collect()
            })
            .collect();
        let reached = first_line + lines.len() as u64;
        (evidence.line_start >= 1 && evidence.line_start < reached).then(|| Self {
            path: evidence.path.clone(),
            first_line,
            lines,
            marked_first: evidence.line_start,
            marked_last: evidence.line_end.max(evidence.line_start),
        })
    }

    /// The same with at most `lines` lines above and below what is marked.
    #[must_use]
    pub fn around(&self, lines: u64) -> Self {
        let first = self.marked_first.saturating_sub(lines).max(self.first_line);
        let last = self.marked_last.saturating_add(lines);
        let kept = self
            .lines
            .iter()
            .zip(self.first_line..)
            .filter(|(_, number)| (first..=last).contains(number))
            .map(|(line, _)| line.clone())
            .collect();
        Self {
            first_line: first,
            lines: kept,
            ..self.clone()
        }
    }

    /// Whether these are the lines around `evidence`.
    pub fn is_of(&self, evidence: &Evidence) -> bool {
        self.path == evidence.path
            && self.marked_first == evidence.line_start
            && self.marked_last == evidence.line_end.max(evidence.line_start)
    }
}

impl View {
    /// What the verifier said of the finding with this rank.
    pub fn verdict_of(&self, rank: u32) -> Option<&FindingVerdict> {
        self.verdict
            .findings
            .iter()
            .find(|verdict| verdict.rank == rank)
    }
    /// The lines around a quote.
    pub fn context_of(&self, evidence: &Evidence) -> Option<&EvidenceContext> {
        self.contexts.iter().find(|context| context.is_of(evidence))
    }
}

impl FindingVerdict {
    /// The checks of one part of the finding.
    pub fn about(&self, about: About) -> impl Iterator<Item = &Tick> {
        self.ticks.iter().filter(move |tick| tick.about == about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(line_start: u64, line_end: u64) -> Evidence {
        Evidence {
            path: "a/b.log".into(),
            line_start,
            line_end,
            quote: "x".into(),
        }
    }

    #[test]
    fn a_context_stays_inside_the_file() {
        let text = "1\n2\r\n3\n4\n5\n6\n7\n8\n9";
        let middle = EvidenceContext::cut(&evidence(5, 5), text).unwrap();
        assert_eq!((middle.first_line, middle.lines.len()), (2, 7));
        assert_eq!(middle.lines[0], "2");
        let start = EvidenceContext::cut(&evidence(1, 2), text).unwrap();
        assert_eq!((start.first_line, start.lines.len()), (1, 5));
        assert_eq!(
            EvidenceContext::cut(&evidence(9, 9), text)
                .unwrap()
                .lines
                .last()
                .map(String::as_str),
            Some("9")
        );
        assert!(EvidenceContext::cut(&evidence(10, 10), text).is_none());
        assert!(EvidenceContext::cut(&evidence(0, 0), text).is_none());
        assert!(EvidenceContext::cut(&evidence(u64::MAX, u64::MAX), text).is_none());
    }

    #[test]
    fn a_context_can_be_narrowed_and_keeps_its_numbers() {
        let text = (1..=40).map(|n| format!("{n}\n")).collect::<String>();
        let wide = EvidenceContext::cut(&evidence(20, 21), &text).unwrap();
        let narrow = wide.around(1);
        assert_eq!(narrow.first_line, 19);
        assert_eq!(narrow.lines, ["19", "20", "21", "22"]);
        assert_eq!(wide.around(100), wide);
        let top = EvidenceContext::cut(&evidence(1, 1), &text).unwrap();
        assert_eq!(top.around(2).lines, ["1", "2", "3"]);
    }

    #[test]
    fn a_context_is_bounded() {
        let text = format!("{}\n", "y".repeat(10_000)).repeat(200);
        let context = EvidenceContext::cut(&evidence(10, 190), &text).unwrap();
        assert_eq!(context.lines.len(), MAX_CONTEXT_LINES);
        assert_eq!(context.lines[0].chars().count(), MAX_CONTEXT_CHARS);
    }
}
