//! Fits confidence on labelled findings: three parameters, monotone, drawn towards the identity where
//! there is little data, judged on sources it was not fitted on.

use super::run::Evaluation;
use super::truth::Kind;
use crate::error::{Error, Result};
use crate::playbook::calibration::{self, Calibration, Reliability, clamp_margin, logit};
use serde::Serialize;
use std::collections::BTreeSet;

/// How hard the parameters are drawn to their prior, in findings' worth of evidence.
const RIDGE: f64 = 2.0;
/// Strengths taken for probabilities.
const IDENTITY: [f64; 3] = [0.0, 1.0, 0.0];
/// Bins of the reliability figures.
const BINS: usize = 5;
/// Fewer findings than this fit nothing.
const ENOUGH: usize = 30;

/// One finding with its label.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Where its case comes from.
    pub source: String,
    /// Strength after the model's ranking, 0 to 1.
    pub strength: f64,
    /// Distance to the strongest other candidate.
    pub margin: f64,
    /// Whether it is first of its report.
    pub first: bool,
    /// Whether its case is answered by saying nothing: a healthy bundle, or one that lacks what decides.
    pub silent: bool,
    /// Whether it is right.
    pub right: bool,
}

/// A bin of the reliability plot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Findings in it.
    pub n: u64,
    /// Right ones.
    pub right: u64,
    /// Mean confidence.
    pub confidence: f64,
}

/// What a threshold would let through, by held-out confidence of first findings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cut {
    /// The threshold.
    pub threshold: f64,
    /// Right first findings at or above it.
    pub right: u64,
    /// Right first findings below it.
    pub withheld: u64,
    /// Wrong first findings at or above it.
    pub wrong: u64,
    /// Of the wrong ones, those of bundles that call for no finding.
    pub alarms: u64,
}

/// A fit with its figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// The map, ready to be shipped.
    pub calibration: Calibration,
    /// Whether the fitted map forecasts unseen sources better than the strengths themselves; if not, the
    /// map is the identity.
    pub kept: bool,
    /// Held-out reliability, by bins.
    pub bins: Vec<Bin>,
    /// What thresholds would do.
    pub cuts: Vec<Cut>,
}

/// The labelled findings of an evaluation's first repeat.
pub fn points(evaluation: &Evaluation) -> Vec<Point> {
    evaluation
        .cases
        .iter()
        .filter(|case| case.repeat == 0)
        .flat_map(|case| {
            case.findings
                .iter()
                .enumerate()
                .filter_map(|(at, finding)| {
                    Some(Point {
                        source: case.row.source.clone(),
                        strength: finding.strength,
                        margin: finding.margin,
                        first: at == 0,
                        silent: matches!(case.row.kind, Kind::Negative | Kind::Abstain),
                        right: finding.right?,
                    })
                })
        })
        .collect()
}

/// Fits the map and judges it by leaving out one source after the other.
///
/// # Errors
/// A usage error when there is too little to fit.
pub fn fit(points: &[Point], provenance: String) -> Result<Fit> {
    let right = points.iter().filter(|point| point.right).count();
    if points.len() < ENOUGH || right == 0 || right == points.len() {
        return Err(Error::usage(format!(
            "failed to fit confidence: {} labelled findings, {right} of them right; at least {ENOUGH} are needed, right and wrong ones",
            points.len()
        )));
    }
    let sources: BTreeSet<&str> = points.iter().map(|point| point.source.as_str()).collect();
    let mut held_out = vec![0.0; points.len()];
    for source in &sources {
        let part: Vec<&Point> = points
            .iter()
            .filter(|point| point.source != *source)
            .collect();
        let map = solve(&part);
        for (at, point) in points
            .iter()
            .enumerate()
            .filter(|(_, point)| point.source == *source)
        {
            held_out[at] = probability(&map, point);
        }
    }
    let all = solve(&points.iter().collect::<Vec<_>>());
    let pairs = |of: &dyn Fn(usize, &Point) -> f64| -> Vec<(f64, bool)> {
        points
            .iter()
            .enumerate()
            .map(|(at, point)| (of(at, point), point.right))
            .collect()
    };
    let raw = pairs(&|_, point| point.strength);
    let judged = pairs(&|at, _| held_out[at]);
    let (before, after) = (reliability(&raw), reliability(&judged));
    // A map that does not forecast unseen sources better than the strengths themselves is not shipped.
    let kept = after.brier < before.brier;
    let (all, judged) = if kept { (all, judged) } else { (IDENTITY, raw) };
    let chosen: Vec<f64> = judged.iter().map(|(p, _)| *p).collect();
    let cuts = cuts(points, &chosen);
    let three = |x: f64| (x * 1e4).round() / 1e4;
    let calibration = Calibration {
        schema: calibration::SCHEMA.into(),
        date: crate::record::now(),
        provenance,
        findings: points.len() as u64,
        right: right as u64,
        sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        intercept: three(all[0]),
        slope: three(all[1]),
        margin: three(all[2]),
        threshold: threshold(&cuts),
        raw: before,
        held_out: after,
    };
    Ok(Fit {
        calibration,
        kept,
        bins: bins(&judged),
        cuts,
    })
}

fn features(point: &Point) -> [f64; 3] {
    // Standing below another candidate lowers; standing far above the rest proves nothing.
    [1.0, logit(point.strength), clamp_margin(point.margin)]
}

fn probability(map: &[f64; 3], point: &Point) -> f64 {
    let z: f64 = features(point).iter().zip(map).map(|(x, w)| x * w).sum();
    1.0 / (1.0 + (-z).exp())
}

/// Penalised logistic regression by projected gradient steps; deterministic. The two weights stay
/// non-negative, so the map stays monotone; the slope stays at most one and the intercept at most zero:
/// incidents at which the detectors were developed can show that their strengths are too bold, not that
/// they are too timid.
fn solve(points: &[&Point]) -> [f64; 3] {
    let prior = IDENTITY;
    // The margin's scale is a tenth of the logit's: a weaker pull in its own units.
    let pull = [RIDGE, RIDGE, RIDGE * 0.01];
    let mut map = prior;
    let loss = |map: &[f64; 3]| -> f64 {
        let fit: f64 = points
            .iter()
            .map(|point| {
                let p = probability(map, point).clamp(1e-12, 1.0 - 1e-12);
                if point.right {
                    -p.ln()
                } else {
                    -(1.0 - p).ln()
                }
            })
            .sum();
        fit + (0..3)
            .map(|i| 0.5 * pull[i] * (map[i] - prior[i]).powi(2))
            .sum::<f64>()
    };
    let mut step = 0.05;
    let mut best = loss(&map);
    for _ in 0..5_000 {
        let mut slope = [0.0; 3];
        for point in points {
            let error = probability(&map, point) - f64::from(u8::from(point.right));
            for (slope, x) in slope.iter_mut().zip(features(point)) {
                *slope += error * x;
            }
        }
        let mut next = map;
        for i in 0..3 {
            next[i] -= step * (slope[i] + pull[i] * (map[i] - prior[i]));
        }
        next[0] = next[0].min(0.0);
        next[1] = next[1].clamp(0.0, 1.0);
        next[2] = next[2].max(0.0);
        let found = loss(&next);
        if found < best {
            let gained = best - found;
            (map, best, step) = (next, found, step * 1.1);
            if gained < 1e-10 {
                break;
            }
        } else {
            step *= 0.5;
            if step < 1e-12 {
                break;
            }
        }
    }
    map
}

/// Brier score and expected calibration error of (confidence, right).
pub fn reliability(pairs: &[(f64, bool)]) -> Reliability {
    if pairs.is_empty() {
        return Reliability::default();
    }
    let n = pairs.len() as f64;
    let brier = pairs
        .iter()
        .map(|(p, right)| (p - f64::from(u8::from(*right))).powi(2))
        .sum::<f64>()
        / n;
    let ece = bins(pairs)
        .iter()
        .filter(|bin| bin.n > 0)
        .map(|bin| (bin.confidence - bin.right as f64 / bin.n as f64).abs() * bin.n as f64 / n)
        .sum::<f64>();
    let round = |x: f64| (x * 1e4).round() / 1e4;
    Reliability {
        brier: round(brier),
        ece: round(ece),
    }
}

/// Bins of equal width over 0 to 1.
pub fn bins(pairs: &[(f64, bool)]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for (p, right) in pairs {
        let at = ((p * BINS as f64) as usize).min(BINS - 1);
        bins[at].n += 1;
        bins[at].right += u64::from(*right);
        bins[at].confidence += p;
    }
    for bin in bins.iter_mut().filter(|bin| bin.n > 0) {
        bin.confidence /= bin.n as f64;
    }
    bins
}

fn cuts(points: &[Point], held_out: &[f64]) -> Vec<Cut> {
    (3..=8)
        .map(|tenth| {
            let threshold = f64::from(tenth) / 10.0;
            let mut cut = Cut {
                threshold,
                right: 0,
                withheld: 0,
                wrong: 0,
                alarms: 0,
            };
            for (point, p) in points.iter().zip(held_out).filter(|(point, _)| point.first) {
                match (*p >= threshold, point.right) {
                    (true, true) => cut.right += 1,
                    (false, true) => cut.withheld += 1,
                    (true, false) => {
                        cut.wrong += 1;
                        cut.alarms += u64::from(point.silent);
                    }
                    (false, false) => {}
                }
            }
            cut
        })
        .collect()
}

/// The threshold of least cost, a wrong statement weighed as one withheld answer, an alarm as three;
/// of equals the one nearest to one half, where a calibrated answer is as likely right as wrong.
fn threshold(cuts: &[Cut]) -> f64 {
    let cost = |cut: &Cut| cut.withheld + cut.wrong + 2 * cut.alarms;
    cuts.iter()
        .min_by(|a, b| {
            cost(a).cmp(&cost(b)).then(
                (a.threshold - 0.5)
                    .abs()
                    .total_cmp(&(b.threshold - 0.5).abs()),
            )
        })
        .map_or(0.5, |cut| cut.threshold)
}

/// The fit for a terminal.
pub fn text(fit: &Fit) -> String {
    let map = &fit.calibration;
    let mut out = format!(
        "\nconfidence, fitted on {} findings ({} right) of {} sources, judged on the source left out\n",
        map.findings,
        map.right,
        map.sources.len()
    );
    out.push_str(&format!(
        "  logit p = {:.3} + {:.3} logit(strength) + {:.3} margin\n",
        map.intercept, map.slope, map.margin
    ));
    if !fit.kept {
        out.push_str("  no better on unseen sources than the strengths themselves: they stand\n");
    }
    out.push_str(&format!("  {:<28} {:>7} {:>7}\n", "", "Brier", "ECE"));
    for (name, figures) in [
        ("strength as it is", map.raw),
        ("fitted, held out", map.held_out),
    ] {
        out.push_str(&format!(
            "  {name:<28} {:>7.4} {:>7.4}\n",
            figures.brier, figures.ece
        ));
    }
    out.push_str(&format!(
        "  {:<16} {:>5} {:>11} {:>11}\n",
        "held out", "n", "confidence", "right"
    ));
    for (at, bin) in fit.bins.iter().enumerate().filter(|(_, bin)| bin.n > 0) {
        let (from, to) = (at as f64 / BINS as f64, (at + 1) as f64 / BINS as f64);
        out.push_str(&format!(
            "  {:<16} {:>5} {:>11.2} {:>11.2}\n",
            format!("{from:.1} to {to:.1}"),
            bin.n,
            bin.confidence,
            bin.right as f64 / bin.n as f64
        ));
    }
    out.push_str(&format!(
        "  {:<16} {:>7} {:>10} {:>7} {:>8}\n",
        "threshold", "right", "withheld", "wrong", "alarms"
    ));
    for cut in &fit.cuts {
        let mark = if (cut.threshold - map.threshold).abs() < 1e-9 {
            "  <- chosen"
        } else {
            ""
        };
        out.push_str(&format!(
            "  {:<16.1} {:>7} {:>10} {:>7} {:>8}{mark}\n",
            cut.threshold, cut.right, cut.withheld, cut.wrong, cut.alarms
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Strengths whose true frequency is their square, over three sources.
    fn overconfident() -> Vec<Point> {
        let mut points = Vec::new();
        for at in 0..300_u32 {
            let strength = f64::from(at % 20) / 20.0 + 0.025;
            // A fixed low-discrepancy sequence instead of chance.
            let draw = (f64::from(at) * 0.754_877_666).fract();
            points.push(Point {
                source: format!("s{}", at % 3),
                strength,
                margin: 0.0,
                first: true,
                silent: at % 7 == 0,
                right: draw < strength * strength,
            });
        }
        points
    }

    #[test]
    fn overconfident_strengths_are_brought_down_on_sources_not_fitted_on() {
        let fit = fit(&overconfident(), "test".into()).unwrap();
        let map = &fit.calibration;
        assert!(map.held_out.ece < map.raw.ece / 2.0, "{map:?}");
        assert!(map.held_out.brier < map.raw.brier, "{map:?}");
        assert!(map.confidence(0.5, 0.0) < 0.4, "{map:?}");
        assert_eq!(
            fit,
            super::fit(&overconfident(), "test".into())
                .map(|mut again| {
                    again.calibration.date.clone_from(&map.date);
                    again
                })
                .unwrap()
        );
    }

    #[test]
    fn too_little_data_fits_nothing_and_the_weights_never_turn_negative() {
        let points = overconfident();
        assert!(super::fit(&points[..20], String::new()).is_err());
        let against: Vec<Point> = points
            .iter()
            .map(|point| Point {
                right: !point.right,
                ..point.clone()
            })
            .collect();
        let fit = super::fit(&against, String::new()).unwrap();
        assert!(fit.calibration.slope >= 0.0 && fit.calibration.margin >= 0.0);
    }

    #[test]
    fn figures_of_a_perfect_and_of_a_useless_forecast() {
        let perfect = reliability(&[(1.0, true), (0.0, false)]);
        assert_eq!((perfect.brier, perfect.ece), (0.0, 0.0));
        let half = reliability(&[(0.5, true), (0.5, false)]);
        assert_eq!((half.brier, half.ece), (0.25, 0.0));
        assert_eq!(reliability(&[(0.9, false)]).ece, 0.9);
    }
}
