//! What is looked at once more before the report leaves the room: a candidate that cites nothing that a stronger one
//! does not cite, a sentence of the model for which the verifier would take its finding out, and words of a rule's own.

use crate::bundle::Tree;
use crate::report::{Evidence, Finding, Report};
use crate::verify;
use std::collections::BTreeSet;

/// What is the same in two runs of one program: where its lines stand, and the lines without their numbers.
pub type Lines = BTreeSet<(String, String)>;

/// The lines that some evidence consists of.
pub fn lines(evidence: &[Evidence]) -> Lines {
    evidence
        .iter()
        .map(|evidence| (home(&evidence.path), shape(&evidence.quote)))
        .collect()
}

/// The path of a log without what tells this run of the container from the one before, or this file of a rotation
/// from the next.
fn home(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let folder = folder.strip_suffix("/previous").unwrap_or(folder);
    let folder = folder.strip_suffix("/current").unwrap_or(folder);
    let mut name = name.to_owned();
    for run in [
        "-previous",
        "_previous",
        ".previous",
        "previous.",
        "current.",
    ] {
        name = name.replacen(run, "", 1);
    }
    while let Some((rest, number)) = name.rsplit_once('.')
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        name.truncate(rest.len());
    }
    format!("{folder}/{name}")
}

/// A line with every number as `#`.
fn shape(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.trim().chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

/// Whether the verifier would take out one of the findings that are `worded` by the model. A wrong sentence must not
/// cost a right finding.
pub fn falls(report: &Report, worded: &[bool], tree: &Tree) -> bool {
    let mut nth = worded.iter();
    let mut asked = report.clone();
    asked
        .findings
        .retain(|_| nth.next().copied().unwrap_or(false));
    for (at, finding) in asked.findings.iter_mut().enumerate() {
        finding.rank = u32::try_from(at + 1).unwrap_or(u32::MAX);
    }
    !asked.findings.is_empty() && !holds(&asked, tree)
}

/// Whether the verifier leaves every finding in.
fn holds(report: &Report, tree: &Tree) -> bool {
    let options = verify::Options {
        mode: verify::Mode::Filter,
        ..verify::Options::default()
    };
    verify::judge(report, tree, &options).report.findings.len() == report.findings.len()
}

/// Says findings in fewer words that the verifier would take out: a rule may explain its finding with the name of a
/// setting or a file that stands nowhere in a small bundle. Then the title, which comes from the evidence, says all, and
/// a subject that no line names is left out.
pub fn plain(report: &mut Report, tree: &Tree) {
    if holds(report, tree) {
        return;
    }
    let mut asked = report.clone();
    for finding in &mut report.findings {
        shorten(finding, &mut asked, tree);
    }
}

/// The same for a report that the model worked on: a finding in a rule's words is said as it was `settled` before, when
/// every file could be read, and only one that was not among those is judged by the `held` part of the bundle.
pub fn plain_again(report: &mut Report, settled: &[Finding], worded: &[bool], held: &Tree) {
    let mut asked = report.clone();
    let worded = worded.iter().copied().chain(std::iter::repeat(false));
    for (finding, worded) in report.findings.iter_mut().zip(worded) {
        let same = |other: &&Finding| other.cause == finding.cause && other.title == finding.title;
        match settled.iter().find(same) {
            _ if worded => {}
            Some(known) => {
                finding.root_cause.clone_from(&known.root_cause);
                finding.subject.clone_from(&known.subject);
            }
            None => shorten(finding, &mut asked, held),
        }
    }
}

/// Says one finding in as many words as the verifier leaves it. `asked`: the report that it is judged in.
fn shorten(finding: &mut Finding, asked: &mut Report, tree: &Tree) {
    let mut alone = |finding: &Finding| {
        asked.findings = vec![Finding {
            rank: 1,
            ..finding.clone()
        }];
        holds(asked, tree)
    };
    if alone(finding) {
        return;
    }
    let short = Finding {
        root_cause: format!("{}.", finding.title.trim_end_matches(['.', '…', ' '])),
        ..finding.clone()
    };
    let nameless = Finding {
        subject: None,
        ..finding.clone()
    };
    let both = Finding {
        subject: None,
        ..short.clone()
    };
    if let Some(holding) = [short, nameless, both].into_iter().find(|one| alone(one)) {
        *finding = holding;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str, quote: &str) -> Evidence {
        Evidence {
            path: path.into(),
            line_start: 1,
            line_end: 1,
            quote: quote.into(),
        }
    }

    #[test]
    fn a_sentence_that_would_cost_its_finding_is_seen() {
        let (_folder, tree) =
            crate::bundle::testing::tree_of([("b/app.log", "10:00:01 FATAL no route to db-1\n")]);
        let report = |sentence: &str| -> Report {
            serde_json::from_value(serde_json::json!({
                "schema": crate::report::SCHEMA, "run": "r", "outcome": "findings",
                "bundle": {"sha256": "", "profile": "logs", "files": 1},
                "findings": [{
                    "rank": 1, "cause": "c", "title": "app has no route to db-1",
                    "root_cause": sentence, "confidence": 0.8,
                    "evidence": [{"path": "b/app.log", "line_start": 1, "line_end": 1, "quote": "FATAL no route to db-1"}],
                    "commands": [],
                }],
                "missing": [], "not_examined": [],
            }))
            .unwrap()
        };
        let wrong =
            report("The program ends because it says \"Route mismatch to db-1\" in its log.");
        assert!(falls(&wrong, &[true], &tree));
        assert!(!falls(&wrong, &[false], &tree));
        let right = report("The program app has no route to db-1 and ends.");
        assert!(!falls(&right, &[true], &tree));
    }

    #[test]
    fn a_rule_s_own_words_do_not_cost_its_finding() {
        let line = "2026-02-03T04:05:06Z 8 [Note] Access from db-7: Too many connections";
        let (_folder, tree) = crate::bundle::testing::tree_of([("b/app.log", line)]);
        let mut report: Report = serde_json::from_value(serde_json::json!({
            "schema": crate::report::SCHEMA, "run": "r", "outcome": "findings",
            "bundle": {"sha256": "", "profile": "logs", "files": 1},
            "findings": [{
                "rank": 1, "cause": "c", "title": "The server refuses clients: Too many connections",
                "root_cause": "The server has reached max_connections and refuses new clients.",
                "subject": {"kind": "Host", "name": "srv-1"}, "confidence": 0.8,
                "evidence": [{"path": "b/app.log", "line_start": 1, "line_end": 1, "quote": line}],
                "commands": [],
            }],
            "missing": [], "not_examined": [],
        }))
        .unwrap();
        assert!(!holds(&report, &tree));
        plain(&mut report, &tree);
        assert!(holds(&report, &tree));
        assert_eq!(
            report.findings[0].root_cause,
            "The server refuses clients: Too many connections."
        );
        assert_eq!(report.findings[0].subject, None);
        let before = report.clone();
        plain(&mut report, &tree);
        assert_eq!(report, before);
        // What was settled with the whole bundle stands, though nothing of it is held now; what was not is judged anew.
        let (_nothing, held) = crate::bundle::testing::tree_of([("b/other.log", "x")]);
        let said = |settled: &[Finding], worded: &[bool], held: &Tree| {
            let mut again = before.clone();
            again.findings[0].root_cause = "max_connections is reached.".into();
            plain_again(&mut again, settled, worded, held);
            again.findings[0].root_cause.clone()
        };
        let settled = before.findings[0].root_cause.clone();
        assert_eq!(said(&before.findings, &[false], &held), settled);
        assert_eq!(said(&[], &[false], &tree), settled);
        assert_eq!(said(&[], &[true], &tree), "max_connections is reached.");
    }

    #[test]
    fn runs_and_rotations_of_one_log_are_one_place() {
        let own = lines(&[at("b/shop/web.log", "10:01:02 FATAL no port 80")]);
        for path in [
            "b/shop/web-previous.log",
            "b/shop/web.log.1",
            "b/shop/previous/web.log",
        ] {
            assert_eq!(
                lines(&[at(path, "11:09:59 FATAL no port 80 ")]),
                own,
                "{path}"
            );
        }
        for (path, quote) in [
            ("b/shop/api.log", "10:01:02 FATAL no port 80"),
            ("b/shop/web.log", "10:01:02 FATAL no host 80"),
        ] {
            assert_ne!(lines(&[at(path, quote)]), own, "{path}");
        }
    }
}
