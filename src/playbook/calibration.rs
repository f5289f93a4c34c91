//! From a candidate's strength to a probability: a fitted map, shipped as data with its provenance.

use crate::error::{Context, Error, ExitCode, Result};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Schema name of a calibration file.
pub const SCHEMA: &str = "narrowroom.calibration/v1";
/// Standing this far below another candidate says all that a margin can say.
const MAX_MARGIN: f64 = 0.3;

static SHIPPED: LazyLock<Option<Calibration>> =
    LazyLock::new(|| Calibration::parse(include_str!("../../playbooks/calibration.toml")).ok());

/// How well stated confidence and frequency agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Mean squared difference between confidence and truth (G. W. Brier, 1950); less is better.
    pub brier: f64,
    /// Expected calibration error over five bins of equal width; less is better.
    pub ece: f64,
}

/// `logit p = intercept + slope · logit(strength) + margin · margin`, a map that is monotone in both
/// (J. Platt, "Probabilistic outputs for support vector machines", 1999, with one more input).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// When it was fitted, RFC 3339.
    pub date: String,
    /// On what, and with which command.
    pub provenance: String,
    /// Findings it was fitted on.
    pub findings: u64,
    /// Of these, right ones.
    pub right: u64,
    /// Sources that were left out one after the other.
    pub sources: Vec<String>,
    /// Added to every logit.
    pub intercept: f64,
    /// Weight of the strength's logit; not negative.
    pub slope: f64,
    /// Weight of the distance to the strongest other candidate; not negative.
    pub margin: f64,
    /// From this confidence on, an answer is a finding; below it is "insufficient evidence".
    pub threshold: f64,
    /// The strengths themselves, taken for probabilities.
    pub raw: Reliability,
    /// The fitted map on the sources it was not fitted on.
    pub held_out: Reliability,
}

impl Calibration {
    /// Reads a calibration file.
    ///
    /// # Errors
    /// A usage error when it is of another form or its map is not monotone.
    pub fn parse(text: &str) -> Result<Self> {
        let read: Self =
            toml::from_str(text).or_fail(ExitCode::Usage, "failed to read the calibration")?;
        let sound = read.schema == SCHEMA
            && read.slope >= 0.0
            && read.margin >= 0.0
            && read.intercept.is_finite()
            && (0.0..1.0).contains(&read.threshold);
        if sound {
            Ok(read)
        } else {
            Err(Error::usage(
                "failed to read the calibration: it is not a monotone map of this version's form",
            ))
        }
    }

    /// The map that comes with the program. Strengths stand for themselves if it cannot be read, which a
    /// test excludes.
    pub fn shipped() -> Option<&'static Self> {
        SHIPPED.as_ref()
    }

    /// Probability that a candidate of this strength and margin is the cause.
    pub fn confidence(&self, strength: f64, margin: f64) -> f64 {
        let z = self.intercept + self.slope * logit(strength) + self.margin * clamp_margin(margin);
        1.0 / (1.0 + (-z).exp())
    }
}

/// Log-odds, kept finite.
pub fn logit(p: f64) -> f64 {
    let p = p.clamp(0.01, 0.99);
    (p / (1.0 - p)).ln()
}

/// A margin within what counts: only below another candidate, and not without end.
pub fn clamp_margin(margin: f64) -> f64 {
    margin.clamp(-MAX_MARGIN, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_map_is_read_and_monotone_in_strength_and_margin() {
        let map = Calibration::shipped().expect("playbooks/calibration.toml is read");
        let mut last = 0.0;
        for step in 1..=97 {
            let p = map.confidence(f64::from(step) / 100.0, 0.0);
            assert!(
                p >= last && (0.0..=1.0).contains(&p),
                "{step}: {p} after {last}"
            );
            last = p;
        }
        assert!(map.confidence(0.8, 0.0) >= map.confidence(0.8, -0.2));
    }

    #[test]
    fn a_falling_map_is_refused() {
        let text = include_str!("../../playbooks/calibration.toml");
        let slope = text.lines().find(|line| line.starts_with("slope")).unwrap();
        assert!(Calibration::parse(&text.replace(slope, "slope = -1.0")).is_err());
    }
}
