//! From the scores of the cases to the rates of a corpus, with Wilson's 95 % intervals
//! (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927).

use super::score::CaseScore;
use super::truth::Kind;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `k` of `n`, with its interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// How many.
    pub k: u64,
    /// Of how many.
    pub n: u64,
    /// `k / n`; `None` of nothing.
    pub rate: Option<f64>,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
}

/// Wilson's score interval at 95 %.
pub fn wilson(k: u64, n: u64) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    if n == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (k as f64, n as f64);
    let p = k / n;
    let d = 1.0 + Z * Z / n;
    let c = p + Z * Z / (2.0 * n);
    let h = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    (((c - h) / d).max(0.0), ((c + h) / d).min(1.0))
}

impl Rate {
    /// `k` of `n`.
    pub fn of(k: u64, n: u64) -> Self {
        let (lo, hi) = wilson(k, n);
        let four = |x: f64| (x * 1e4).round() / 1e4;
        Self {
            k,
            n,
            rate: (n > 0).then(|| k as f64 / n as f64),
            lo: four(lo),
            hi: four(hi),
        }
    }
    fn count<'a>(rows: impl Iterator<Item = &'a Row>, good: impl Fn(&CaseScore) -> bool) -> Self {
        let (mut k, mut n) = (0, 0);
        for row in rows {
            n += 1;
            k += u64::from(good(&row.score));
        }
        Self::of(k, n)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rate {
            None => f.write_str("     -  0/0"),
            Some(rate) => write!(
                f,
                "{:5.1} %  {}/{}  [{:.0}..{:.0}]",
                100.0 * rate,
                self.k,
                self.n,
                100.0 * self.lo,
                100.0 * self.hi
            ),
        }
    }
}

/// One scored case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the case.
    pub id: String,
    /// What it is an example of.
    pub kind: Kind,
    /// Where it comes from.
    pub source: String,
    /// Its layout, as the corpus calls it.
    pub profile: String,
    /// How it was answered.
    #[serde(flatten)]
    pub score: CaseScore,
}

/// Recall over cases with one cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// The first finding is the cause.
    pub top1: Rate,
    /// One of the first three is.
    pub top3: Rate,
    /// One of the first five is.
    pub top5: Rate,
    /// The first finding is the cause by its words alone, quotes left out.
    pub top1_statement_only: Rate,
    /// The first finding validly cites a decisive line.
    pub grounded_first: Rate,
    /// Both.
    pub right_and_grounded_first: Rate,
}

/// Rates over healthy bundles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Negatives {
    /// No false alarm.
    pub ok: Rate,
    /// False alarms among valid reports.
    pub false_alarms: Rate,
}

/// Rates over bundles that lack what decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Abstention {
    /// Said that it cannot know.
    pub ok: Rate,
    /// Named something relevant that is missing.
    pub missing_relevant: Rate,
}

/// Rates over bundles with several faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Multi {
    /// Faults found.
    pub recall: Rate,
    /// First finding is one of the faults.
    pub first_finding_right: Rate,
    /// Cases where all were found.
    pub all_found: Rate,
    /// Strong findings that are faults.
    pub precision: Rate,
}

/// Validity of citations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Citations {
    /// Of all citations.
    pub valid: Rate,
    /// Of reports that cite.
    pub reports_with_all_valid: Rate,
}

/// Confidence of first findings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceMeans {
    /// Mean when the first finding was right.
    pub mean_when_right: Option<f64>,
    /// Mean when it was wrong.
    pub mean_when_wrong: Option<f64>,
    /// Wrong with at least 0.8.
    #[serde(rename = "wrong_with_0.8_or_more")]
    pub wrong_with_high: u64,
}

/// All rates of a corpus.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Cases.
    pub cases: u64,
    /// Cases with one cause.
    pub positives: Recall,
    /// The same by source.
    pub positives_by_source: BTreeMap<String, Recall>,
    /// The same by layout.
    pub positives_by_profile: BTreeMap<String, Recall>,
    /// Healthy bundles.
    pub negatives: Negatives,
    /// Healthy bundles answered right, by source.
    pub negatives_by_source: BTreeMap<String, Rate>,
    /// Bundles that lack what decides.
    pub abstention: Abstention,
    /// Bundles with several faults.
    pub multi: Multi,
    /// Citations.
    pub citations: Citations,
    /// Confidence.
    pub confidence: ConfidenceMeans,
    /// Valid reports.
    pub valid: Rate,
}

/// The rates of `rows`.
pub fn summarise(rows: &[Row]) -> Summary {
    let of = |kind: Kind| rows.iter().filter(move |row| row.kind == kind);
    let positives: Vec<&Row> = of(Kind::Positive).collect();
    let by = |key: fn(&Row) -> &str| -> BTreeMap<String, Recall> {
        let names: BTreeSet<&str> = positives.iter().map(|row| key(row)).collect();
        names
            .into_iter()
            .map(|name| {
                let part = positives
                    .iter()
                    .copied()
                    .filter(|row| key(row) == name)
                    .collect::<Vec<_>>();
                (name.to_owned(), recall(&part))
            })
            .collect()
    };
    let sources: BTreeSet<&str> = of(Kind::Negative).map(|row| row.source.as_str()).collect();
    let valid_negatives = of(Kind::Negative).filter(|row| row.score.valid).count() as u64;
    let alarms = of(Kind::Negative)
        .filter(|row| row.score.false_alarm)
        .count() as u64;
    let sum = |kind: Kind, of_row: fn(&CaseScore) -> u64| {
        of(kind).map(|row| of_row(&row.score)).sum::<u64>()
    };
    let all =
        |of_row: fn(&CaseScore) -> u64| rows.iter().map(|row| of_row(&row.score)).sum::<u64>();
    let mean = |right: bool| {
        let values: Vec<f64> = positives
            .iter()
            .filter(|row| (row.score.hit_rank == Some(1)) == right)
            .filter_map(|row| row.score.top_confidence)
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    Summary {
        cases: rows.len() as u64,
        positives: recall(&positives),
        positives_by_source: by(|row| &row.source),
        positives_by_profile: by(|row| &row.profile),
        negatives: Negatives {
            ok: Rate::count(of(Kind::Negative), |score| score.ok),
            false_alarms: Rate::of(alarms, valid_negatives),
        },
        negatives_by_source: sources
            .into_iter()
            .map(|source| {
                let part = of(Kind::Negative).filter(|row| row.source == source);
                (source.to_owned(), Rate::count(part, |score| score.ok))
            })
            .collect(),
        abstention: Abstention {
            ok: Rate::count(of(Kind::Abstain), |score| score.ok),
            missing_relevant: Rate::count(of(Kind::Abstain), |score| score.missing_ok),
        },
        multi: Multi {
            recall: Rate::of(
                sum(Kind::Multi, |s| s.found),
                sum(Kind::Multi, |s| s.faults),
            ),
            first_finding_right: Rate::count(of(Kind::Multi), |score| score.first_ok),
            all_found: Rate::count(of(Kind::Multi), |score| score.found == score.faults),
            precision: Rate::of(
                sum(Kind::Multi, |s| s.strong_ok),
                sum(Kind::Multi, |s| s.strong),
            ),
        },
        citations: Citations {
            valid: Rate::of(all(|s| s.cite_ok), all(|s| s.cite_n)),
            reports_with_all_valid: Rate::count(
                rows.iter().filter(|row| row.score.cite_n > 0),
                |s| s.cite_ok == s.cite_n,
            ),
        },
        confidence: ConfidenceMeans {
            mean_when_right: mean(true),
            mean_when_wrong: mean(false),
            wrong_with_high: positives
                .iter()
                .filter(|row| row.score.hit_rank != Some(1))
                .filter(|row| {
                    row.score
                        .top_confidence
                        .is_some_and(|confidence| confidence >= 0.8)
                })
                .count() as u64,
        },
        valid: Rate::count(rows.iter(), |score| score.valid),
    }
}

fn recall(rows: &[&Row]) -> Recall {
    let rate = |good: &dyn Fn(&CaseScore) -> bool| Rate::count(rows.iter().copied(), good);
    let within = |most: u64| rate(&move |score| score.hit_rank.is_some_and(|rank| rank <= most));
    Recall {
        top1: within(1),
        top3: within(3),
        top5: within(5),
        top1_statement_only: rate(&|score| score.hit_statement),
        grounded_first: rate(&|score| score.grounded),
        right_and_grounded_first: rate(&|score| score.hit_rank == Some(1) && score.grounded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_published_one() {
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 ends at 0.1611.
        let (lo, hi) = wilson(81, 263);
        assert!(
            (lo - 0.2553).abs() < 1e-4 && (hi - 0.3662).abs() < 1e-4,
            "{lo} {hi}"
        );
        let (lo, hi) = wilson(0, 20);
        assert!(lo < 1e-9 && (hi - 0.1611).abs() < 1e-4, "{lo} {hi}");
        assert_eq!(Rate::of(0, 0).rate, None);
    }

    #[test]
    fn a_missing_report_counts_against_recall_and_not_as_an_alarm() {
        let row = |kind, score| Row {
            id: "x".into(),
            kind,
            source: "s".into(),
            profile: "p".into(),
            score,
        };
        let hit = CaseScore {
            valid: true,
            hit_rank: Some(2),
            top_confidence: Some(0.9),
            ..CaseScore::default()
        };
        let summary = summarise(&[
            row(Kind::Positive, hit),
            row(Kind::Positive, CaseScore::default()),
            row(Kind::Negative, CaseScore::default()),
        ]);
        assert_eq!(
            (
                summary.positives.top1.k,
                summary.positives.top3.k,
                summary.positives.top3.n
            ),
            (0, 1, 2)
        );
        assert_eq!(
            (summary.negatives.ok.k, summary.negatives.false_alarms.n),
            (0, 0)
        );
        assert_eq!(summary.confidence.wrong_with_high, 1);
        assert_eq!((summary.valid.k, summary.valid.n), (1, 3));
    }
}
