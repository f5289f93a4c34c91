//! The verdict, `narrowroom.verdict/v1`.

pub(super) use super::rules::Rule;
use serde::{Deserialize, Serialize};

/// The schema name of a verdict.
pub const VERDICT_SCHEMA: &str = "narrowroom.verdict/v1";

/// What was judged, claim by claim, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Always [`VERDICT_SCHEMA`].
    pub schema: String,
    /// `strict` for a foreign report, `filter` for our own.
    pub mode: super::Mode,
    /// What follows.
    pub outcome: VerdictOutcome,
    /// How many claims ended how.
    pub counts: Counts,
    /// SHA-256 of the organisation's own command policy, if one was used beside the shipped one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Every claim, in the order of the report.
    pub claims: Vec<ClaimVerdict>,
}

impl Verdict {
    /// Whether the report does not go to a person as a diagnosis.
    pub fn is_rejected(&self) -> bool {
        self.outcome == VerdictOutcome::Rejected
    }

    /// Masks the words of every claim. Places in the bundle keep theirs: the tree gives them masked.
    pub fn mask(&mut self, mask: impl Fn(&str) -> String) {
        for claim in &mut self.claims {
            claim.reason = mask(&claim.reason);
            claim.excerpt = claim.excerpt.as_deref().map(&mask);
        }
    }

    /// Adds a failed claim about the whole report, which rejects it.
    pub fn reject(&mut self, place: &str, rule: Rule, reason: &str) {
        self.claims.push(ClaimVerdict {
            place: place.to_owned(),
            finding: None,
            rule,
            status: Status::Rejected,
            reason: reason.to_owned(),
            excerpt: None,
            span: None,
            matched: None,
        });
        self.counts.rejected += 1;
        self.outcome = VerdictOutcome::Rejected;
    }
}

/// What follows from the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictOutcome {
    /// Everything stands as it was given.
    Accepted,
    /// Something was taken out; the rest stands.
    AcceptedWithChanges,
    /// It does not go to a person as a diagnosis.
    Rejected,
}

/// How many claims ended how.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Held.
    pub ok: u64,
    /// Kept, for the person to look at.
    pub flagged: u64,
    /// Taken out with what they belong to.
    pub dropped: u64,
    /// Failed.
    pub rejected: u64,
}

/// One claim and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimVerdict {
    /// JSON Pointer (RFC 6901) into the report as it was given.
    pub place: String,
    /// Rank of the finding it belongs to, as it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<u32>,
    /// What was asked of it.
    pub rule: Rule,
    /// How it ended.
    pub status: Status,
    /// Why, in words for a person.
    pub reason: String,
    /// The words that were judged, where the place holds more than them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// From which byte to which byte of the text at the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<(u64, u64)>,
    /// Where in the bundle it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched: Option<Matched>,
}

/// How a claim ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It holds.
    Ok,
    /// It is kept and a person should look.
    Flagged,
    /// It was taken out because of another claim.
    Dropped,
    /// It does not hold.
    Rejected,
}

/// A place in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Matched {
    /// Path inside the bundle.
    pub path: String,
    /// First line, from 1; 0 when only the path matched.
    pub line_start: u64,
    /// Last line, inclusive.
    pub line_end: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_failed_claim_rejects_and_is_counted() {
        let mut verdict = Verdict {
            schema: VERDICT_SCHEMA.into(),
            mode: crate::verify::Mode::Strict,
            outcome: VerdictOutcome::Accepted,
            counts: Counts {
                ok: 3,
                rejected: 1,
                ..Counts::default()
            },
            policy: None,
            claims: vec![],
        };
        assert!(!verdict.is_rejected());
        verdict.outcome = VerdictOutcome::AcceptedWithChanges;
        assert!(!verdict.is_rejected());
        verdict.reject("/bundle/sha256", Rule::Bundle, "another bundle");
        assert!(verdict.is_rejected());
        assert_eq!((verdict.counts.ok, verdict.counts.rejected), (3, 2));
        let [claim] = &verdict.claims[..] else {
            panic!("{verdict:?}");
        };
        assert_eq!(
            (claim.place.as_str(), claim.rule, claim.status),
            ("/bundle/sha256", Rule::Bundle, Status::Rejected)
        );
        verdict.claims[0].excerpt = Some("another one".into());
        verdict.mask(|text| text.replace("another", "‹name›"));
        assert_eq!(verdict.claims[0].reason, "‹name› bundle");
        assert_eq!(verdict.claims[0].excerpt.as_deref(), Some("‹name› one"));
    }
}
