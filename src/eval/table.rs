//! The evaluation for a terminal: 80 columns, readable without colour.

use super::aggregate::{Rate, Recall};
use super::compare::{Change, answer};
use super::run::Evaluation;
use super::truth::Kind;
use crate::report::escape;

/// The rates, then the cases that were not answered right (all of them with `every`).
pub fn table(evaluation: &Evaluation, every: bool) -> String {
    let summary = &evaluation.summary;
    let mut out = String::new();
    let mut row = |name: &str, rate: &Rate| out.push_str(&format!("{name:<34} {rate}\n"));
    row("valid reports", &summary.valid);
    row("one cause: first is right", &summary.positives.top1);
    row("  among the first three", &summary.positives.top3);
    row("  among the first five", &summary.positives.top5);
    row(
        "  first is right by its words",
        &summary.positives.top1_statement_only,
    );
    row(
        "  first cites a decisive line",
        &summary.positives.grounded_first,
    );
    row("healthy: false alarms", &summary.negatives.false_alarms);
    row("not knowable: abstained", &summary.abstention.ok);
    row(
        "  named what is missing",
        &summary.abstention.missing_relevant,
    );
    row("several faults: found", &summary.multi.recall);
    row(
        "  strong findings that are faults",
        &summary.multi.precision,
    );
    row("citations that hold", &summary.citations.valid);
    for (what, parts) in [
        ("source", &summary.positives_by_source),
        ("layout", &summary.positives_by_profile),
    ] {
        if parts.len() < 2 {
            continue;
        }
        out.push_str(&format!(
            "\n{:<34} {:<29} {}\n",
            format!("by {what}"),
            "first is right",
            "first three"
        ));
        for (name, Recall { top1, top3, .. }) in parts {
            let name: String = escape::terminal(name).chars().take(32).collect();
            let three = top3
                .rate
                .map_or_else(String::new, |rate| format!("{:.1} %", 100.0 * rate));
            out.push_str(&format!("  {name:<32} {:<29} {three}\n", top1.to_string()));
        }
    }
    let confidence = &summary.confidence;
    let mean =
        |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    out.push_str(&format!(
        "\nmean confidence {} when right, {} when wrong; wrong with 0.8 or more: {}\n",
        mean(confidence.mean_when_right),
        mean(confidence.mean_when_wrong),
        confidence.wrong_with_high
    ));
    let (seconds, read, written) = (
        &evaluation.seconds,
        &evaluation.tokens_read,
        &evaluation.tokens_written,
    );
    out.push_str(&format!(
        "seconds per run: median {:.1}, p90 {:.1}, max {:.1}\n",
        seconds.median, seconds.p90, seconds.max
    ));
    if read.max > 0.0 {
        out.push_str(&format!(
            "tokens per run: {:.0} read and {:.0} written (median), {:.0} and {:.0} (p90)\n",
            read.median, written.median, read.p90, written.p90
        ));
    }
    if evaluation.top1_by_repeat.len() > 1 {
        let shares: Vec<String> = evaluation
            .top1_by_repeat
            .iter()
            .map(|share| format!("{:.1} %", 100.0 * share))
            .collect();
        out.push_str(&format!(
            "first is right, by repeat: {}\n",
            shares.join(", ")
        ));
        out.push_str(&match evaluation.unstable.is_empty() {
            true => "the first cause is the same in every repeat\n".to_owned(),
            false => format!(
                "the first cause differs between repeats: {}\n",
                escape::terminal(&evaluation.unstable.join(", "))
            ),
        });
    }
    let shown: Vec<_> = evaluation
        .cases
        .iter()
        .filter(|case| case.repeat == 0 && (every || !fine(case)))
        .collect();
    if !shown.is_empty() {
        out.push_str(if every {
            "\neach case\n"
        } else {
            "\nnot answered right\n"
        });
    }
    for case in shown {
        out.push_str(&line(case));
    }
    out
}

/// Each case and how it was answered.
pub fn cases(evaluation: &Evaluation) -> String {
    evaluation
        .cases
        .iter()
        .filter(|case| case.repeat == 0)
        .map(line)
        .collect()
}

fn line(case: &super::CaseResult) -> String {
    let (said, _) = answer(case);
    let mark = if fine(case) { "ok   " } else { "WRONG" };
    let head = format!(
        "{mark} {:<11} {:<9} {said}",
        case.row.id,
        case.row.kind.to_string()
    );
    let head: String = escape::terminal(&head).chars().take(79).collect();
    let title: String = escape::terminal(&case.row.score.title)
        .chars()
        .take(72)
        .collect();
    match title.is_empty() {
        true => format!("{head}\n"),
        false => format!("{head}\n      {title}\n"),
    }
}

/// Whether every case is answered as it should be.
pub fn all_fine(evaluation: &Evaluation) -> bool {
    evaluation.cases.iter().all(fine)
}

/// Whether a case is answered as it should be.
pub(super) fn fine(case: &super::CaseResult) -> bool {
    let score = &case.row.score;
    score.valid
        && score.cite_ok == score.cite_n
        && match case.row.kind {
            Kind::Positive => score.hit_rank == Some(1),
            Kind::Negative | Kind::Abstain => score.ok,
            Kind::Multi => score.found == score.faults && score.strong == score.strong_ok,
        }
}

/// The comparison with an earlier evaluation.
pub fn changes(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "\nno case is answered otherwise than before\n".into();
    }
    let better = changes.iter().filter(|change| change.worth > 0).count();
    let worse = changes.iter().filter(|change| change.worth < 0).count();
    let mut out = format!(
        "\nagainst the earlier evaluation: {better} better, {worse} worse, {} otherwise\n",
        changes.len() - better - worse
    );
    for change in changes {
        let sign = match change.worth.signum() {
            1 => '+',
            -1 => '-',
            _ => ' ',
        };
        let line = |text: &str| escape::terminal(text).chars().take(66).collect::<String>();
        out.push_str(&format!(
            "{sign} {:<11} {}\n{:14}{}\n",
            escape::terminal(&change.id),
            line(&change.before),
            "",
            line(&change.now)
        ));
    }
    out
}
