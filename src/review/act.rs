//! What the reviewer can do, as the page sends it.

use super::model::Agreement;
use serde::Deserialize;

/// One act of the reviewer.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Writes what they believe before the findings are shown.
    Hypothesis {
        /// Their words.
        text: String,
    },
    /// Has had a claim before them to its end.
    Seen {
        /// Id of the claim.
        claim: String,
        /// Its version.
        version: u32,
        /// Hash of what was shown.
        shown: String,
    },
    /// Accepts a claim.
    Accept {
        /// Id of the claim.
        claim: String,
        /// Its version.
        version: u32,
    },
    /// Rejects a claim.
    Reject {
        /// Id of the claim.
        claim: String,
        /// Its version.
        version: u32,
        /// Why.
        reason: String,
    },
    /// Gives a claim a new version.
    Edit {
        /// Id of the claim.
        claim: String,
        /// The version that was edited.
        version: u32,
        /// Why.
        reason: String,
        /// What it shall say.
        change: Change,
    },
    /// Has an edit verified that was not.
    Verify {
        /// Id of the claim.
        claim: String,
    },
    /// Says something about a claim.
    Comment {
        /// Id of the claim.
        claim: String,
        /// Their words.
        text: String,
    },
    /// Takes the last decision, edit or comment back.
    Undo {},
    /// Approves and signs.
    Approve(Signing),
    /// Rejects the whole report and signs that; the note is the reason.
    RejectReport(Signing),
}

/// What a sign-off needs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signing {
    /// The person's name.
    pub name: String,
    /// Their words.
    #[serde(default)]
    pub note: String,
    /// Whether their hypothesis agrees with the report.
    #[serde(default)]
    pub agreement: Option<Agreement>,
}

/// An edit of a claim. Lines of evidence can be left out, not added: they come from the bundle.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Of a finding.
    Finding(FindingChange),
    /// Of what to ask the customer for.
    Missing(Vec<MissingChange>),
}

/// An edit of a finding.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindingChange {
    /// One line; as it was when absent.
    #[serde(default)]
    pub title: Option<String>,
    /// One or two sentences; as it was when absent.
    #[serde(default)]
    pub root_cause: Option<String>,
    /// Which pieces of evidence stay, by their place from 0.
    pub evidence: Vec<usize>,
    /// The commands, in order.
    pub commands: Vec<CommandChange>,
}

/// A command of an edited finding.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum CommandChange {
    /// The one that was at this place, from 0.
    Keep {
        /// Its place.
        keep: usize,
    },
    /// Another one.
    New {
        /// As it would be typed.
        command: String,
        /// What its answer would decide.
        why: String,
    },
}

/// An item to ask the customer for.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum MissingChange {
    /// The one that was at this place, from 0.
    Keep {
        /// Its place.
        keep: usize,
    },
    /// Another one.
    New {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}
