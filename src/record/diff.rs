//! What differs between two runs, by claim.
//!
//! A finding is the same claim in both when its cause and its subject are the same; everything else
//! about it (evidence, confidence, words, commands, rank) may have changed.

use super::{Record, Run, word};
use crate::report::{Evidence, Finding, Report, SubjectField};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Longest value shown of a changed text, in characters.
const MAX_SHOWN: usize = 300;

/// What differs between two runs.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Id of the first run.
    pub a: String,
    /// Id of the second run.
    pub b: String,
    /// Whether the reports say the same; the digest of their inputs aside.
    pub same_report: bool,
    /// Whether the verdicts are the same.
    pub same_verdict: bool,
    /// Outcome of the report, of the verifier, number of claims by status: what changed of these.
    pub outcome: Vec<Change>,
    /// Findings that only the second has.
    pub new: Vec<Claim>,
    /// Findings that only the first has.
    pub gone: Vec<Claim>,
    /// Findings of both that differ in something.
    pub changed: Vec<ChangedClaim>,
    /// What only the second says is missing or was not examined.
    pub missing_new: Vec<String>,
    /// What only the first says is missing or was not examined.
    pub missing_gone: Vec<String>,
    /// Where the exchanges with the model differ: step, attempt, what of it.
    pub exchanges: Vec<String>,
    /// Inputs and settings that differ.
    pub settings: Vec<Change>,
}

/// A finding by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// First 12 hex digits of SHA-256 over cause and subject.
    pub fingerprint: String,
    /// Its cause.
    pub cause: String,
    /// Its title.
    pub title: String,
}

/// A finding that is in both.
#[derive(Debug, Clone, Serialize)]
pub struct ChangedClaim {
    /// Which one, as the second run has it.
    #[serde(flatten)]
    pub claim: Claim,
    /// What changed.
    pub changes: Vec<Change>,
}

/// A value that changed; `null` where there was none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Of what.
    pub what: String,
    /// In the first run.
    pub a: Option<String>,
    /// In the second run.
    pub b: Option<String>,
}

impl Difference {
    /// Whether the results are the same, whatever the inputs were.
    pub fn same_result(&self) -> bool {
        self.same_report && self.same_verdict
    }
}

/// Compares two runs.
pub fn difference(a: &Run, b: &Run) -> Difference {
    let (before, after) = (claims(&a.report), claims(&b.report));
    let only = |these: &BTreeMap<String, &Finding>, those: &BTreeMap<String, &Finding>| {
        let mut only: Vec<_> = these
            .iter()
            .filter(|(fingerprint, _)| !those.contains_key(*fingerprint))
            .collect();
        only.sort_by_key(|(_, finding)| finding.rank);
        only.into_iter()
            .map(|(f, finding)| claim(f, finding))
            .collect()
    };
    let mut changed: Vec<(u32, ChangedClaim)> = before
        .iter()
        .filter_map(|(fingerprint, old)| {
            let new = after.get(fingerprint)?;
            let changes = finding_changes(old, new);
            (!changes.is_empty()).then(|| {
                let claim = claim(fingerprint, new);
                (new.rank, ChangedClaim { claim, changes })
            })
        })
        .collect();
    changed.sort_by_key(|(rank, _)| *rank);
    let (missing_a, missing_b) = (missing(&a.report), missing(&b.report));
    let without = |these: &[String], those: &[String]| {
        these
            .iter()
            .filter(|one| !those.contains(one))
            .cloned()
            .collect()
    };
    Difference {
        a: a.record.id.clone(),
        b: b.record.id.clone(),
        same_report: content(&a.report) == content(&b.report),
        same_verdict: a.verdict == b.verdict,
        outcome: outcomes(a, b),
        new: only(&after, &before),
        gone: only(&before, &after),
        changed: changed.into_iter().map(|(_, one)| one).collect(),
        missing_new: without(&missing_b, &missing_a),
        missing_gone: without(&missing_a, &missing_b),
        exchanges: exchanges(a, b),
        settings: settings(&a.record, &b.record),
    }
}

/// Where the exchanges with the model differ, in order.
pub fn exchanges(a: &Run, b: &Run) -> Vec<String> {
    let (x, y) = (a.transcript.len(), b.transcript.len());
    let mut all: Vec<String> = a
        .transcript
        .iter()
        .zip(&b.transcript)
        .filter_map(|(x, y)| {
            let what = if x.step != y.step || x.attempt != y.attempt {
                "another step"
            } else if x.prompt != y.prompt {
                "the prompt"
            } else if x.output != y.output {
                "the model's output for the same prompt"
            } else {
                return None;
            };
            Some(format!("step {}, attempt {}: {what}", x.step, x.attempt))
        })
        .collect();
    if x != y {
        all.push(format!("the model was asked {x} times, then {y} times"));
    }
    all
}

/// The report without the digest of its inputs.
fn content(report: &Report) -> Report {
    Report {
        run: String::new(),
        ..report.clone()
    }
}

/// Findings by fingerprint; a second one of the same cause and subject gets a number.
fn claims(report: &Report) -> BTreeMap<String, &Finding> {
    let mut all = BTreeMap::new();
    for finding in &report.findings {
        let first = fingerprint(finding);
        let mut name = first.clone();
        let mut count = 1;
        while all.contains_key(&name) {
            count += 1;
            name = format!("{first}.{count}");
        }
        all.insert(name, finding);
    }
    all
}

/// First 12 hex digits of SHA-256 over cause and subject.
pub fn fingerprint(finding: &Finding) -> String {
    let subject = serde_json::to_string(&finding.subject).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update((finding.cause.len() as u64).to_le_bytes());
    hash.update(&finding.cause);
    hash.update(subject);
    hex::encode(&hash.finalize()[..6])
}

fn claim(fingerprint: &str, finding: &Finding) -> Claim {
    Claim {
        fingerprint: fingerprint.to_owned(),
        cause: finding.cause.clone(),
        title: finding.title.clone(),
    }
}

fn place(evidence: &Evidence) -> String {
    format!(
        "{}:{}-{}: {}",
        evidence.path, evidence.line_start, evidence.line_end, evidence.quote
    )
}

fn finding_changes(old: &Finding, new: &Finding) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut compare = |what: &str, a: String, b: String| {
        if a != b {
            changes.push(Change {
                what: what.to_owned(),
                a: Some(cut(&a)),
                b: Some(cut(&b)),
            });
        }
    };
    compare("rank", old.rank.to_string(), new.rank.to_string());
    compare(
        "confidence",
        old.confidence.to_string(),
        new.confidence.to_string(),
    );
    compare("title", old.title.clone(), new.title.clone());
    compare("root cause", old.root_cause.clone(), new.root_cause.clone());
    compare("subject", subject(old), subject(new));
    let lists = [
        (
            "evidence",
            old.evidence.iter().map(place).collect::<Vec<_>>(),
            new.evidence.iter().map(place).collect::<Vec<_>>(),
        ),
        (
            "command",
            old.commands.iter().map(|c| c.command.clone()).collect(),
            new.commands.iter().map(|c| c.command.clone()).collect(),
        ),
    ];
    for (what, before, after) in lists {
        for gone in before.iter().filter(|one| !after.contains(one)) {
            changes.push(Change {
                what: what.into(),
                a: Some(cut(gone)),
                b: None,
            });
        }
        for new in after.iter().filter(|one| !before.contains(one)) {
            changes.push(Change {
                what: what.into(),
                a: None,
                b: Some(cut(new)),
            });
        }
    }
    changes
}

fn subject(finding: &Finding) -> String {
    match &finding.subject {
        None => String::new(),
        Some(SubjectField::Text(text)) => text.clone(),
        Some(SubjectField::Subject(subject)) => format!(
            "{} {}{}",
            subject.kind,
            subject
                .namespace
                .as_ref()
                .map(|ns| format!("{ns}/"))
                .unwrap_or_default(),
            subject.name
        ),
    }
}

fn missing(report: &Report) -> Vec<String> {
    let missing = report
        .missing
        .iter()
        .map(|one| format!("missing: {}", one.what));
    let unseen = report
        .not_examined
        .iter()
        .map(|one| format!("not examined: {}", one.what));
    missing.chain(unseen).collect()
}

fn cut(text: &str) -> String {
    if text.chars().count() <= MAX_SHOWN {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(MAX_SHOWN).collect();
    short.push('…');
    short
}

fn pairs(a: Vec<(String, String)>, b: Vec<(String, String)>) -> Vec<Change> {
    let (left, right): (BTreeMap<_, _>, BTreeMap<_, _>) =
        (a.iter().cloned().collect(), b.iter().cloned().collect());
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in a.iter().chain(&b) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
        .into_iter()
        .filter(|name| left.get(*name) != right.get(*name))
        .map(|name| Change {
            what: name.clone(),
            a: left.get(name).cloned(),
            b: right.get(name).cloned(),
        })
        .collect()
}

fn outcomes(a: &Run, b: &Run) -> Vec<Change> {
    let of = |run: &Run| {
        let counts = &run.verdict.counts;
        vec![
            ("outcome".to_owned(), word(&run.report.outcome)),
            ("verifier".to_owned(), word(&run.verdict.outcome)),
            (
                "claims".to_owned(),
                format!(
                    "{} ok, {} flagged, {} dropped, {} rejected",
                    counts.ok, counts.flagged, counts.dropped, counts.rejected
                ),
            ),
        ]
    };
    pairs(of(a), of(b))
}

/// Inputs and settings that differ between two records.
pub fn settings(a: &Record, b: &Record) -> Vec<Change> {
    pairs(inputs(a), inputs(b))
}

/// Every input and setting of a run that can change its result, by name.
fn inputs(record: &Record) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = [
        ("bundle sha256", record.bundle.sha256.clone()),
        ("profile", record.bundle.profile.clone()),
        (
            "playbook",
            format!("{} {}", record.playbook.id, record.playbook.version),
        ),
        ("playbook sha256", record.playbook.sha256.clone()),
        ("program version", record.version.clone()),
        ("program sha256", record.binary_sha256.clone()),
        ("guest sha256", record.guest_sha256.clone()),
        ("cpu", record.cpu.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    let mut put = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            all.push((name.to_owned(), value));
        }
    };
    put("model sha256", record.model_sha256.clone());
    put("library sha256", record.library_sha256.clone());
    put(
        "kernel",
        record.seals.first().map(|seal| seal.kernel.clone()),
    );
    if let Some(model) = &record.model {
        put("model", Some(model.name.clone()));
        put("quantisation", Some(model.quantisation.clone()));
        put("run quantisation", Some(model.run_quantisation.clone()));
        put("context", Some(model.context_effective.to_string()));
        put("sampling", Some(model.sampling.clone()));
    }
    if !record.weaker_seal.is_empty() {
        put("weaker seal", Some(record.weaker_seal.join(", ")));
    }
    if let Ok(Value::Object(settings)) = serde_json::to_value(&record.settings) {
        for (name, value) in settings {
            match value {
                Value::Object(limits) => {
                    for (name, value) in limits {
                        put(&name.replace('_', "-"), Some(value.to_string()));
                    }
                }
                Value::Null => {}
                Value::String(text) => put(&name.replace('_', " "), Some(text)),
                value => put(&name.replace('_', " "), Some(value.to_string())),
            }
        }
    }
    all
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
