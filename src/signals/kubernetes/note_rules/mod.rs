//! The words of the control plane and the kubelets, and the fault that each names: tables.

mod cluster;
mod creating;
mod images;
mod running;
mod starting;
mod volumes;

/// What a rule makes of a note.
pub struct Rule {
    /// Cause.
    pub slug: &'static str,
    /// Reasons it applies to; empty for any.
    pub reasons: &'static [&'static str],
    /// Words of the message (or reason); case-insensitive.
    pub words: &'static str,
    /// What to say: `{group}` of the words, `{image}`.
    pub headline: &'static str,
    /// Strength while the fault lasts.
    pub strength: f64,
    /// A symptom, not a cause.
    pub symptom: bool,
}

/// Reasons of events about mounting and attaching volumes.
pub const MOUNT: &[&str] = &[
    "FailedMount",
    "FailedMountVolume",
    "FailedAttachVolume",
    "FailedMapVolume",
];

const fn rule(
    slug: &'static str,
    reasons: &'static [&'static str],
    words: &'static str,
    headline: &'static str,
    strength: f64,
) -> Rule {
    Rule {
        slug,
        reasons,
        words,
        headline,
        strength,
        symptom: false,
    }
}

const fn symptom(
    slug: &'static str,
    reasons: &'static [&'static str],
    words: &'static str,
    headline: &'static str,
    strength: f64,
) -> Rule {
    Rule {
        slug,
        reasons,
        words,
        headline,
        strength,
        symptom: true,
    }
}

/// All rules, special before general; the first that matches a note wins.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        images::RULES,
        starting::RULES,
        volumes::RULES,
        creating::RULES,
        running::RULES,
        cluster::RULES,
    ]
    .into_iter()
    .flatten()
}
