//! `review.json`, `narrowroom.review/v1`: what a person saw, decided and signed.

use super::claims::Content;
use crate::verify::ClaimVerdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema name of a review.
pub const SCHEMA: &str = "narrowroom.review/v1";

/// `review.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Where it stands; follows from the rest.
    pub state: State,
    /// Id of the run; empty before the first review.
    #[serde(default)]
    pub run: String,
    /// Everything that happened, in order; grows only.
    #[serde(default)]
    pub history: Vec<Entry>,
    /// What was signed, in order; the last one counts unless the history goes on with a reopening.
    #[serde(default)]
    pub sign_offs: Vec<SignOff>,
}

/// Where a review stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody has signed.
    Pending,
    /// A person approved and signed.
    Approved,
    /// A person rejected the report and signed that.
    Rejected,
}

impl State {
    /// The word in files and tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Counts from 1.
    pub number: u64,
    /// When, RFC 3339, by this machine's clock; the order is told by `number`.
    pub at: String,
    /// SHA-256 of the entry before as compact JSON, lower-case hex; of nothing for the first.
    pub previous: String,
    /// What.
    pub what: Event,
}

/// What can happen in a review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The review was opened.
    Opened {
        /// Where.
        surface: Surface,
        /// Version of the program that showed it.
        version: String,
        /// Whether the findings stay hidden until the reviewer has written what they believe.
        hypothesis_first: bool,
    },
    /// What the reviewer believed before the findings were shown.
    Hypothesis {
        /// Their words, secrets masked.
        text: String,
    },
    /// A claim was shown to its end.
    Seen {
        /// Id of the claim.
        claim: String,
        /// Its version, from 1.
        version: u32,
        /// Where.
        surface: Surface,
        /// SHA-256 of exactly the text or HTML that was shown, lower-case hex.
        shown: String,
    },
    /// A claim was accepted or rejected.
    Decided {
        /// Id of the claim.
        claim: String,
        /// Its version.
        version: u32,
        /// How.
        decision: Decision,
        /// Why; always there for a rejection.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A claim got a new version.
    Edited {
        /// Id of the claim.
        claim: String,
        /// The new version.
        version: u32,
        /// Why.
        reason: String,
        /// What it says now, as the verifier let it through; as typed, secrets masked, when it could not be asked.
        content: Content,
        /// What the verifier said of it.
        check: Check,
    },
    /// The verifier was asked about a version that had not been verified.
    Verified {
        /// Id of the claim.
        claim: String,
        /// The version.
        version: u32,
        /// What it says, as the verifier let it through.
        content: Content,
        /// What the verifier said.
        check: Check,
    },
    /// The reviewer's words about a claim.
    Commented {
        /// Id of the claim.
        claim: String,
        /// Their words, secrets masked.
        text: String,
    },
    /// An earlier decision, edit or comment no longer counts.
    Undone {
        /// Its number.
        entry: u64,
    },
    /// A signed review was taken up again.
    Reopened {
        /// Why.
        reason: String,
    },
}

/// Where something was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Surface {
    /// The page on loopback.
    Page,
    /// The terminal.
    Terminal,
}

/// Accepted or rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It may go on.
    Accept,
    /// It may not.
    Reject,
}

/// What the verifier said of an edited claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// How it ended.
    pub judged: Judged,
    /// Check by check.
    #[serde(default)]
    pub claims: Vec<ClaimVerdict>,
    /// Why it was not verified.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// How the verifying of an edit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// Every check holds or is flagged for the person.
    Verified,
    /// A check failed.
    Failed,
    /// The bundle was not at hand.
    NotVerified,
}

/// Whether the reviewer's own hypothesis agrees with the report, by their own statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// The same cause.
    Yes,
    /// In part.
    Partly,
    /// Another cause.
    No,
}

/// What was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The report with the accepted claims may be used.
    Approved,
    /// The report may not be used.
    Rejected,
}

/// A person's signature under what they saw and decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignOff {
    /// What was decided.
    pub outcome: Outcome,
    /// The person's name, as they gave it.
    pub name: String,
    /// When, RFC 3339.
    pub at: String,
    /// Their words; the reason of a rejection.
    #[serde(default)]
    pub note: String,
    /// Whether their hypothesis agrees, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
    /// Entries of the history that it covers.
    pub entries: u64,
    /// SHA-256 of the last of them as compact JSON, which carries the hash of the one before.
    pub history: String,
    /// Exactly what was shown.
    pub shown: Shown,
    /// SHA-256 of `shown` as compact JSON, lower-case hex.
    pub digest: String,
    /// Id of the key: SHA-256 of the public key's 32 bytes, lower-case hex.
    pub key: String,
    /// The public key, 64 lower-case hex digits.
    pub public_key: String,
    /// Ed25519 (RFC 8032) over the DSSE pre-authentication encoding of this object as compact JSON
    /// with an empty `signature`; type `application/vnd.narrowroom.review+json`. Base64.
    pub signature: String,
}

/// What lay before the person who signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// Id of the run.
    pub run: String,
    /// SHA-256 of the files of the run that the review is made from.
    pub files: BTreeMap<String, String>,
    /// The claims in their last version.
    pub claims: Vec<ShownClaim>,
}

/// A claim as it was shown and decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShownClaim {
    /// Its id.
    pub claim: String,
    /// Its version.
    pub version: u32,
    /// How it was decided; none in a report that was rejected before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// SHA-256 of exactly what was shown of it; none when it was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}
