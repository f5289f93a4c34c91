//! The types every detector speaks: a signal with its evidence, and the analysis of a bundle.

use crate::report::{Evidence, Missing, NotExamined, Subject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A typed fact found in the bundle by a detector, no model involved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The detector, e.g. `k8s.container-oom-killed`. Stable; playbooks name it.
    pub detector: String,
    /// The cause of the playbooks' catalogue that it speaks for, e.g. `container-oom-killed`.
    pub cause: String,
    /// One line that names the subject and the fault, with the concrete values.
    pub title: String,
    /// One or two sentences: the root cause in an expert's words, with names and values of this bundle.
    pub statement: String,
    /// What is affected.
    pub subject: Subject,
    /// The decisive lines first, at most six, each quote verbatim from one line (at most 400 characters of it).
    pub evidence: Vec<Evidence>,
    /// Probability that this is the root cause worth reporting, given that the detector fired and
    /// nothing else is known; see the scale in `signals/mod.rs`. 0 to 1.
    pub strength: f64,
    /// Cause or symptom.
    pub role: Role,
    /// Values for the slots of command templates: `namespace`, `pod`, `container`, `node`, `unit`, `device`, …
    pub entities: BTreeMap<String, String>,
}

/// Whether a signal is a candidate for the root, or a consequence that needs one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Explains by itself.
    Cause,
    /// Visible trouble whose reason lies elsewhere (a crash loop, a failed unit, a refused connection).
    /// Alone it yields "insufficient evidence", not a finding.
    Symptom,
}

/// All that the detectors found out about a bundle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Ranked, strongest first, one per (cause, subject).
    pub signals: Vec<Signal>,
    /// What an expert would ask for next because of a symptom without an explanation.
    pub missing: Vec<Missing>,
    /// What was not read, and why.
    pub not_examined: Vec<NotExamined>,
    /// Text in the bundle that addresses a model ("ignore previous instructions"): quoted, never followed.
    pub injections: Vec<Evidence>,
}

/// What one family of detectors contributes to an [`Analysis`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// Unranked.
    pub signals: Vec<Signal>,
    /// What an expert of this family would ask for next.
    pub missing: Vec<Missing>,
    /// What was not read, and why.
    pub not_examined: Vec<NotExamined>,
}

impl Partial {
    /// Takes over what another family found.
    pub fn merge(&mut self, other: Partial) {
        self.signals.extend(other.signals);
        self.missing.extend(other.missing);
        self.not_examined.extend(other.not_examined);
    }
}
