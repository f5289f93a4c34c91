//! The statements: in-toto Statement v1 with Test Result v0.1, SLSA Verification Summary v1, and a
//! sign-off of our own.

use super::SignOff;
use crate::record::Record;
use crate::seal::{ProbeReport, SealProof};
use crate::verify::{Verdict, VerdictOutcome};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Type of every statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// in-toto Test Result v0.1.
pub const TEST_RESULT: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// SLSA Verification Summary v1.
pub const VSA: &str = "https://slsa.dev/verification_summary/v1";
/// A person's sign-off: `name`, `time`, `shown`.
pub const SIGN_OFF: &str = "urn:narrowroom:predicate:sign-off:v1";
/// What the verifier is called.
const VERIFIER: &str = "urn:narrowroom:verifier";
/// Level of a report in which every claim was checked against the bundle.
const LEVEL: &str = "NARROWROOM_EVERY_CLAIM_CHECKED";

/// An in-toto Statement v1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Always `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub kind: String,
    /// What it is about.
    pub subject: Vec<Subject>,
    /// Form of the predicate.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// What is said.
    pub predicate: Value,
}

/// A thing by name and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name.
    pub name: String,
    /// Digests by algorithm.
    pub digest: BTreeMap<String, String>,
}

impl Statement {
    fn new(subject: Vec<Subject>, predicate_type: &str, predicate: Value) -> Self {
        Self {
            kind: STATEMENT.into(),
            subject,
            predicate_type: predicate_type.into(),
            predicate,
        }
    }
    /// The result in the predicate, if its form has one.
    pub fn result(&self) -> Option<String> {
        ["result", "verificationResult"]
            .iter()
            .find_map(|field| self.predicate[*field].as_str().map(str::to_owned))
    }
}

fn named(name: impl Into<String>, sha256: &str) -> Subject {
    Subject {
        name: name.into(),
        digest: BTreeMap::from([("sha256".to_owned(), sha256.to_owned())]),
    }
}

/// Everything a run consists of, as the record says.
fn ingredients(record: &Record) -> Vec<Subject> {
    let playbook = &record.playbook;
    let mut all = vec![
        named("bundle", &record.bundle.sha256),
        named("playbook", &playbook.sha256),
    ];
    if let Some(model) = &record.model {
        all.push(named("model", &model.sha256));
    }
    all.push(named("guest", &record.guest_sha256));
    all.push(named("binary", &record.binary_sha256));
    if let Some(library) = &record.library_sha256 {
        all.push(named("library", library));
    }
    all
}

fn file(files: &BTreeMap<String, String>, name: &str) -> Subject {
    named(name, files.get(name).map_or("", String::as_str))
}

fn subjects(record: &Record, files: &BTreeMap<String, String>) -> Vec<Subject> {
    let mut all = ingredients(record);
    all.push(file(files, "report.json"));
    all
}

fn test_name(seal: &SealProof, probe: &ProbeReport) -> String {
    let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
    format!(
        "{}/{}/{}/{}",
        seal.zone,
        word(json!(seal.stage)),
        word(json!(probe.thread)),
        probe.name
    )
}

/// The seal of every worker as one test run; a probe that an accepted absence of its layer explains
/// is a warning.
pub(super) fn seal(record: &Record, files: &BTreeMap<String, String>) -> Statement {
    let (mut passed, mut warned, mut failed) = (vec![], vec![], vec![]);
    for seal in &record.seals {
        let weaker = seal.weaker();
        for probe in &seal.probes {
            let name = test_name(seal, probe);
            if probe.held {
                passed.push(name);
            } else if probe.layers.iter().any(|layer| weaker.contains(layer)) {
                warned.push(name);
            } else {
                failed.push(name);
            }
        }
    }
    let result = if !failed.is_empty() || record.seals.iter().any(|seal| !seal.holds()) {
        "FAILED"
    } else if !warned.is_empty() || record.seals.iter().any(|seal| !seal.weaker().is_empty()) {
        "WARNED"
    } else {
        "PASSED"
    };
    let predicate = json!({
        "result": result,
        "configuration": [file(files, "record.json")],
        "passedTests": passed,
        "warnedTests": warned,
        "failedTests": failed,
    });
    Statement::new(subjects(record, files), TEST_RESULT, predicate)
}

/// The verifier's verdict. `seal`: SHA-256 of the line that holds the first statement.
pub(super) fn summary(
    record: &Record,
    verdict: &Verdict,
    files: &BTreeMap<String, String>,
    seal: &str,
) -> Statement {
    let passed = verdict.outcome != VerdictOutcome::Rejected;
    let predicate = json!({
        "verifier": {"id": VERIFIER},
        "timeVerified": crate::record::now(),
        "resourceUri": format!("urn:narrowroom:report:{}", record.key),
        "policy": {
            "uri": format!("urn:narrowroom:playbook:{}:{}", record.playbook.id, record.playbook.version),
            "digest": {"sha256": record.playbook.sha256},
        },
        "inputAttestations": [{"uri": format!("{}#1", super::FILE), "digest": {"sha256": seal}},
            {"uri": "verdict.json", "digest": {"sha256": files.get("verdict.json")}}],
        "verificationResult": if passed { "PASSED" } else { "FAILED" },
        "verifiedLevels": [if passed { LEVEL } else { "FAILED" }],
        "slsaVersion": "1.0",
    });
    Statement::new(subjects(record, files), VSA, predicate)
}

/// A person's sign-off on a report.
pub(super) fn sign_off(record: &Record, by: &SignOff, report_sha256: &str) -> Statement {
    let predicate = json!({
        "name": by.name,
        "time": by.time,
        "run": record.id,
        "shown": {"digest": {"sha256": by.shown_sha256}},
    });
    Statement::new(
        vec![named("report.json", report_sha256)],
        SIGN_OFF,
        predicate,
    )
}

/// Where a statement says something else than the run directory.
pub(super) fn disagreements(
    statement: &Statement,
    record: &Record,
    digests: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if statement.kind != STATEMENT {
        wrong.push(format!("it is of the type {:?}", statement.kind));
    }
    let mut expected = if statement.predicate_type == SIGN_OFF {
        vec![]
    } else {
        ingredients(record)
    };
    expected.push(file(digests, "report.json"));
    for one in &expected {
        match statement.subject.iter().find(|have| have.name == one.name) {
            None => wrong.push(format!("the subject {} is missing", one.name)),
            Some(have) if have != one => {
                wrong.push(format!("the subject {} has another digest", one.name));
            }
            Some(_) => {}
        }
    }
    if statement.subject.len() != expected.len() {
        wrong.push("it has other subjects than the run".into());
    }
    if statement.predicate_type == TEST_RESULT
        && statement.predicate["configuration"][0]["digest"]["sha256"].as_str()
            != digests.get("record.json").map(String::as_str)
    {
        wrong.push("record.json has another digest".into());
    }
    if statement.predicate_type == VSA
        && statement.predicate["inputAttestations"][1]["digest"]["sha256"].as_str()
            != digests.get("verdict.json").map(String::as_str)
    {
        wrong.push("verdict.json has another digest".into());
    }
    wrong
}
