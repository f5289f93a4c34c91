//! The rules, as a table that can be printed.

use serde::{Deserialize, Serialize};

/// What is asked of claims.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Ranks are 1 to n, each once.
    Rank,
    /// A confidence is a number from 0 to 1.
    Confidence,
    /// The outcome fits the findings.
    Outcome,
    /// A cited file is in the bundle.
    Path,
    /// Cited lines are in the file; a citation of more than 60 lines points nowhere.
    Lines,
    /// A quote stands verbatim in its cited lines, a quoted passage of a sentence somewhere in the bundle.
    Quote,
    /// A finding has evidence that holds.
    Evidence,
    /// The evidence speaks about what is said, each citation too, and there is no evidence without a claim.
    Grounding,
    /// A name stands in the evidence or elsewhere in the bundle.
    Name,
    /// A figure or a time stands in the evidence or the bundle, in whatever form, or follows from the evidence.
    Value,
    /// A sentence is a statement: no role mark, tool call or placeholder.
    Sentence,
    /// Nothing is said twice: no loop, no padding.
    Repetition,
    /// No sentence repeats the prompt.
    Echo,
    /// No sentence gives an order to the reader or to a program, or offers to send data out.
    Instruction,
    /// Text of the bundle that speaks to a model is listed, and no sentence repeats it outside quotes.
    Injection,
    /// A recommended command only reads, in its own field, in a code span, a fence or a sentence.
    Command,
    /// A finding as a whole.
    Finding,
    /// The report speaks about this bundle.
    Bundle,
    /// What another tool gave has the documented form; what is not known there is said.
    Form,
}

/// A rule in words.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct About {
    /// Its id, as it stands in a verdict.
    pub id: &'static str,
    /// What holds when it holds, in a few words.
    pub holds: &'static str,
    /// What it asks.
    pub asks: &'static str,
    /// What a failure leads to. In a report of ours, what is rejected is taken out; in a foreign one it rejects the whole.
    pub failure: &'static str,
}

impl Rule {
    /// All rules, in the order of the table.
    pub const ALL: &[Self] = &[
        Self::Rank,
        Self::Confidence,
        Self::Outcome,
        Self::Path,
        Self::Lines,
        Self::Quote,
        Self::Evidence,
        Self::Grounding,
        Self::Name,
        Self::Value,
        Self::Sentence,
        Self::Repetition,
        Self::Echo,
        Self::Instruction,
        Self::Injection,
        Self::Command,
        Self::Finding,
        Self::Bundle,
        Self::Form,
    ];

    /// The rule in words.
    pub fn about(self) -> About {
        let (id, holds, asks, failure) = match self {
            Self::Rank => (
                "rank",
                "ranks are complete",
                "Ranks are 1 to n, each once.",
                "rejected",
            ),
            Self::Confidence => (
                "confidence",
                "confidence is a probability",
                "A confidence is a number from 0 to 1.",
                "rejected",
            ),
            Self::Outcome => (
                "outcome",
                "outcome fits the findings",
                "The outcome fits the findings.",
                "rejected, or flagged when nothing is named as missing",
            ),
            Self::Path => (
                "path",
                "file is in the bundle",
                "A cited file is in the bundle.",
                "rejected",
            ),
            Self::Lines => (
                "lines",
                "lines are in the file",
                "Cited lines are in the file; a citation of more than 60 lines points nowhere.",
                "rejected; flagged when too broad",
            ),
            Self::Quote => (
                "quote",
                "quote is verbatim",
                "A quote stands verbatim in its cited lines, a quoted passage of a sentence somewhere in the bundle.",
                "rejected",
            ),
            Self::Evidence => (
                "evidence",
                "has evidence that holds",
                "A finding has evidence that holds.",
                "rejected",
            ),
            Self::Grounding => (
                "grounding",
                "evidence speaks about the claim",
                "The evidence speaks about what is said, each citation too, and there is no evidence without a claim.",
                "flagged",
            ),
            Self::Name => (
                "name",
                "name is in the bundle",
                "A name stands in the evidence or elsewhere in the bundle.",
                "rejected",
            ),
            Self::Value => (
                "value",
                "figure is in the bundle",
                "A figure or a time stands in the evidence or the bundle, in whatever form, or follows from the evidence.",
                "rejected; flagged when it may be computed",
            ),
            Self::Sentence => (
                "sentence",
                "is a statement",
                "A sentence is a statement: no role mark, tool call or placeholder.",
                "rejected",
            ),
            Self::Repetition => (
                "repetition",
                "says it once",
                "Nothing is said twice: no loop, no padding.",
                "rejected",
            ),
            Self::Echo => (
                "echo",
                "does not repeat the task",
                "No sentence repeats the prompt.",
                "rejected",
            ),
            Self::Instruction => (
                "instruction",
                "tells, does not order",
                "No sentence gives an order to the reader or to a program, or offers to send data out.",
                "rejected",
            ),
            Self::Injection => (
                "injection",
                "no instruction of the bundle is repeated",
                "Text of the bundle that speaks to a model is listed, and no sentence repeats it outside quotes.",
                "flagged for the bundle; rejected when repeated",
            ),
            Self::Command => (
                "command",
                "command only reads",
                "A recommended command only reads, in its own field, in a code span, a fence or a sentence.",
                "rejected when destructive; flagged when it changes state or is unknown",
            ),
            Self::Finding => (
                "finding",
                "finding as a whole",
                "A finding as a whole.",
                "dropped with the claim that failed",
            ),
            Self::Bundle => (
                "bundle",
                "speaks about this bundle",
                "The report speaks about this bundle.",
                "rejected",
            ),
            Self::Form => (
                "form",
                "is of the documented form",
                "What another tool gave has the documented form; what is not known there is said.",
                "flagged",
            ),
        };
        About {
            id,
            holds,
            asks,
            failure,
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.about().id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_the_verdict() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.about().id);
            assert_eq!(rule.to_string(), rule.about().id);
        }
    }
}
