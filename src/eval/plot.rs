//! The reliability plot and the confusion of causes, as inline SVG and a table; no script.

use super::calibrate::Bin;
use super::run::Evaluation;
use super::truth::Kind;
use crate::report::escape::{html, html_attribute};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Edge of the plot's square, in user units.
const SIDE: f64 = 260.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 12.0;

/// Stated confidence against the share that was right; the area of a point grows with its count.
pub fn reliability(bins: &[Bin], figure: &str) -> String {
    let (x, y) = (|p: f64| LEFT + p * SIDE, |p: f64| TOP + (1.0 - p) * SIDE);
    let mut svg = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
        LEFT + SIDE + 16.0,
        TOP + SIDE + 40.0,
        html_attribute(figure)
    );
    for step in 0..=5 {
        let p = f64::from(step) / 5.0;
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{0:.1}\" y1=\"{1:.1}\" x2=\"{0:.1}\" y2=\"{2:.1}\"/><line class=\"grid\" x1=\"{3:.1}\" y1=\"{4:.1}\" x2=\"{5:.1}\" y2=\"{4:.1}\"/>\
             <text x=\"{0:.1}\" y=\"{6:.1}\" text-anchor=\"middle\">{p:.1}</text><text x=\"{7:.1}\" y=\"{8:.1}\" text-anchor=\"end\">{p:.1}</text>",
            x(p),
            y(0.0),
            y(1.0),
            x(0.0),
            y(p),
            x(1.0),
            y(0.0) + 16.0,
            x(0.0) - 6.0,
            y(p) + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<line class=\"ideal\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    );
    let most = bins.iter().map(|bin| bin.n).max().unwrap_or(1).max(1) as f64;
    let mut line = String::new();
    for bin in bins.iter().filter(|bin| bin.n > 0) {
        let share = bin.right as f64 / bin.n as f64;
        let (lo, hi) = super::wilson(bin.right, bin.n);
        let _ = write!(line, "{:.1},{:.1} ", x(bin.confidence), y(share));
        let _ = writeln!(
            svg,
            "<line class=\"range\" x1=\"{0:.1}\" y1=\"{1:.1}\" x2=\"{0:.1}\" y2=\"{2:.1}\"/><circle cx=\"{0:.1}\" cy=\"{3:.1}\" r=\"{4:.1}\"><title>{5} findings, stated {6:.2}, right {share:.2}</title></circle>",
            x(bin.confidence),
            y(lo),
            y(hi),
            y(share),
            3.0 + 7.0 * (bin.n as f64 / most).sqrt(),
            bin.n,
            bin.confidence
        );
    }
    let _ = writeln!(svg, "<polyline points=\"{}\"/>", line.trim_end());
    let _ = writeln!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">stated confidence</text><text class=\"side\" x=\"12\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 12 {:.1})\">share that is right</text>\n</svg>",
        x(0.5),
        TOP + SIDE + 34.0,
        y(0.5),
        y(0.5)
    );
    svg
}

/// Rows: the right cause; columns: what stood first instead. Only what was mistaken is listed, with the
/// number of cases where right and first agree.
pub fn confusion(evaluation: &Evaluation) -> String {
    let mut mistaken: BTreeMap<(String, String), BTreeSet<&str>> = BTreeMap::new();
    let mut agree = 0_u64;
    for case in evaluation.cases.iter().filter(|case| case.repeat == 0) {
        let score = &case.row.score;
        let strong = score
            .top_confidence
            .is_some_and(|confidence| confidence >= 0.5);
        let first = score
            .first_cause
            .clone()
            .filter(|_| score.outcome.as_deref() == Some("findings") || strong);
        let first = first.unwrap_or_else(|| match score.outcome.as_deref() {
            Some("healthy") => "(healthy)".into(),
            Some(_) => "(insufficient evidence)".into(),
            None => "(no report)".into(),
        });
        let right = match case.row.kind {
            Kind::Negative if score.ok => first.clone(),
            Kind::Negative => "(healthy)".into(),
            Kind::Abstain if score.ok => first.clone(),
            Kind::Abstain => "(not knowable)".into(),
            Kind::Positive if score.hit_rank == Some(1) => first.clone(),
            Kind::Multi if score.first_ok => first.clone(),
            _ => score
                .right_cause
                .clone()
                .unwrap_or_else(|| "(never listed)".into()),
        };
        if right == first {
            agree += 1;
        } else {
            mistaken
                .entry((right, first))
                .or_default()
                .insert(&case.row.id);
        }
    }
    let mut out = format!(
        "<p>{agree} cases where what stood first is right (or rightly nothing), {} where it is not.</p>\n",
        mistaken.values().map(BTreeSet::len).sum::<usize>()
    );
    if mistaken.is_empty() {
        return out;
    }
    out.push_str("<table>\n<thead><tr><th>right</th><th>stood first</th><th>cases</th></tr></thead>\n<tbody>\n");
    for ((right, first), ids) in mistaken {
        let ids: Vec<&str> = ids.into_iter().collect();
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{}</td></tr>",
            html(&right),
            html(&first),
            html(&ids.join(", "))
        );
    }
    out.push_str("</tbody>\n</table>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plot_holds_a_point_for_each_bin_that_has_findings_and_no_script() {
        let bins = [
            Bin {
                n: 4,
                right: 1,
                confidence: 0.3,
            },
            Bin::default(),
            Bin {
                n: 9,
                right: 9,
                confidence: 0.9,
            },
        ];
        let svg = reliability(&bins, "a \"plot\"");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(
            !svg.contains("script") && !svg.contains("style=") && svg.contains("&quot;plot&quot;")
        );
    }
}
