//! The evaluation as one HTML file in the reports' style: no script, nothing loaded.

use super::aggregate::Rate;
use super::calibrate::{bins, reliability};
use super::compare::{Change, answer};
use super::run::Evaluation;
use super::{plot, table};
use crate::report::escape::{html as esc, html_attribute};
use base64::Engine as _;
use sha2::{Digest as _, Sha256};
use std::fmt::Write;

const STYLE: &str = concat!(
    include_str!("../report/report.css"),
    include_str!("eval.css")
);

/// Renders the evaluation, with what changed since an earlier one.
pub fn page(evaluation: &Evaluation, name: &str, changes: Option<&[Change]>) -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let summary = &evaluation.summary;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<div class=\"page\">\n",
        html_attribute(&format!("Evaluation of {name}"))
    );
    let share = |rate: &Rate| {
        rate.rate
            .map_or_else(|| "-".to_owned(), |rate| format!("{:.0} %", 100.0 * rate))
    };
    let _ = write!(
        out,
        "<header class=\"top\"><strong>{}</strong><span>{} cases</span><span class=\"end\">{}</span></header>\n<main>\n\
         <section class=\"answer\"><p class=\"kind\">Evaluation</p><h1>The first answer is the cause in {} of the bundles that hold one cause</h1>\n\
         <p class=\"lead\">It is among the first three in {}. False alarms on healthy bundles: {}. Abstained where the bundle cannot tell: {}.</p></section>\n",
        esc(name),
        summary.cases,
        esc(&evaluation.finished),
        share(&summary.positives.top1),
        share(&summary.positives.top3),
        share(&summary.negatives.false_alarms),
        share(&summary.abstention.ok)
    );
    rates(&mut out, evaluation);
    confidence(&mut out, evaluation);
    section(&mut out, "confusion", "Causes taken for others");
    out.push_str(&plot::confusion(evaluation));
    out.push_str("</section>\n");
    if let Some(changes) = changes {
        section(&mut out, "changes", "Since the earlier evaluation");
        if changes.is_empty() {
            out.push_str("<p>No case is answered otherwise.</p>\n");
        } else {
            out.push_str("<table><thead><tr><th></th><th>case</th><th>before</th><th>now</th></tr></thead>\n<tbody>\n");
            for change in changes {
                let (class, word) = match change.worth.signum() {
                    1 => ("good", "better"),
                    -1 => ("bad", "worse"),
                    _ => ("", "other"),
                };
                let _ = writeln!(
                    out,
                    "<tr><td><span class=\"state {class}\">{word}</span></td><td>{}</td><td>{}</td><td>{}</td></tr>",
                    esc(&change.id),
                    esc(&change.before),
                    esc(&change.now)
                );
            }
            out.push_str("</tbody></table>\n");
        }
        out.push_str("</section>\n");
    }
    cases(&mut out, evaluation);
    section(&mut out, "how", "How it was made");
    out.push_str("<dl class=\"facts\">\n");
    for (key, value) in &evaluation.settings {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", esc(key), esc(value));
    }
    let seconds = &evaluation.seconds;
    let _ = writeln!(
        out,
        "<dt>seconds a run</dt><dd>median {:.1}, p90 {:.1}, max {:.1}</dd>",
        seconds.median, seconds.p90, seconds.max
    );
    let _ = writeln!(
        out,
        "<dt>tokens a run</dt><dd>{:.0} read, {:.0} written (median)</dd>",
        evaluation.tokens_read.median, evaluation.tokens_written.median
    );
    out.push_str("</dl>\n</section>\n</main>\n<footer>Intervals are Wilson's, 95 %. A few dozen cases say little about a difference of a few per cent.</footer>\n</div>\n</body>\n</html>\n");
    out
}

fn section(out: &mut String, id: &str, heading: &str) {
    let _ = writeln!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 class=\"section\" id=\"{id}\">{heading}</h2>"
    );
}

fn rates(out: &mut String, evaluation: &Evaluation) {
    let summary = &evaluation.summary;
    section(out, "rates", "Rates");
    out.push_str("<table>\n<thead><tr><th></th><th class=\"n\">share</th><th class=\"n\">of</th><th>95 % interval</th></tr></thead>\n<tbody>\n");
    let mut row = |name: &str, rate: &Rate| {
        let Some(found) = rate.rate else { return };
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"n\">{:.1} %</td><td class=\"n\">{}/{}</td><td>{:.0} to {:.0} %</td></tr>",
            esc(name),
            100.0 * found,
            rate.k,
            rate.n,
            100.0 * rate.lo,
            100.0 * rate.hi
        );
    };
    row("Valid reports", &summary.valid);
    row(
        "One cause: the first finding is right",
        &summary.positives.top1,
    );
    row("… among the first three", &summary.positives.top3);
    row("… among the first five", &summary.positives.top5);
    row(
        "… right by its words, quotes left out",
        &summary.positives.top1_statement_only,
    );
    row(
        "… the first finding cites a decisive line",
        &summary.positives.grounded_first,
    );
    for (source, recall) in &summary.positives_by_source {
        row(&format!("Source {source}: first is right"), &recall.top1);
    }
    row("Healthy: false alarms", &summary.negatives.false_alarms);
    row("Not knowable: abstained", &summary.abstention.ok);
    row(
        "… and named what is missing",
        &summary.abstention.missing_relevant,
    );
    row("Several faults: found", &summary.multi.recall);
    row(
        "… strong findings that are faults",
        &summary.multi.precision,
    );
    row("Citations that hold", &summary.citations.valid);
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn confidence(out: &mut String, evaluation: &Evaluation) {
    let pairs: Vec<(f64, bool)> = evaluation
        .cases
        .iter()
        .filter(|case| case.repeat == 0)
        .flat_map(|case| &case.findings)
        .filter_map(|finding| Some((finding.confidence, finding.right?)))
        .collect();
    if pairs.is_empty() {
        return;
    }
    let figures = reliability(&pairs);
    section(
        out,
        "confidence",
        "Is a confidence of 0.8 right eight times in ten?",
    );
    out.push_str("<figure class=\"wide\">\n");
    out.push_str(&plot::reliability(
        &bins(&pairs),
        "Stated confidence of every finding against the share that is right",
    ));
    let _ = writeln!(
        out,
        "<figcaption>{} findings. Brier score {:.3}, expected calibration error {:.3}. Bars are 95 % intervals; on the broken line, what is stated and what happens agree.</figcaption>\n</figure>\n</section>",
        pairs.len(),
        figures.brier,
        figures.ece
    );
}

fn cases(out: &mut String, evaluation: &Evaluation) {
    section(out, "cases", "Each case");
    out.push_str("<table>\n<thead><tr><th>case</th><th>kind</th><th>answer</th><th class=\"n\">confidence</th><th>first finding</th><th class=\"n\">s</th></tr></thead>\n<tbody>\n");
    for case in evaluation.cases.iter().filter(|case| case.repeat == 0) {
        let (said, _) = answer(case);
        let class = if table::fine(case) { "good" } else { "bad" };
        let confidence = case
            .row
            .score
            .top_confidence
            .map_or_else(String::new, |c| format!("{c:.2}"));
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{}</td><td><span class=\"state {class}\">{}</span></td><td class=\"n\">{confidence}</td><td>{}</td><td class=\"n\">{:.1}</td></tr>",
            esc(&case.row.id),
            case.row.kind,
            esc(&said),
            esc(&case.row.score.title),
            case.millis as f64 / 1000.0
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}
