//! SARIF 2.1.0 (OASIS standard, 2020): findings as code-scanning services and editors read them.
//!
//! Only what the standard defines is written: rules once, results by index into them, places as
//! relative URIs, columns counted in Unicode characters. Nothing of a secret's value goes in.

use super::{Outcome, Report, escape};
use crate::guard::{Finding, GuardReport, Remark, RemarkBy};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Where the standard's schema lives; a name, never fetched.
const SCHEMA_URI: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Rules in the order of their first use.
#[derive(Default)]
struct Rules(Vec<(String, Value)>);

impl Rules {
    fn index(&mut self, id: &str, text: &str, level: &str) -> usize {
        if let Some(at) = self.0.iter().position(|(known, _)| known == id) {
            return at;
        }
        let rule = json!({
            "id": id,
            "shortDescription": {"text": text},
            "defaultConfiguration": {"level": level},
        });
        self.0.push((id.to_owned(), rule));
        self.0.len() - 1
    }
}

fn log(rules: Rules, results: Vec<Value>, notes: Vec<Value>, properties: Value) -> Value {
    json!({
        "$schema": SCHEMA_URI,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "narrowroom",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.0.into_iter().map(|(_, rule)| rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notes}],
            "results": results,
            "properties": properties,
        }],
    })
}

/// A path as a relative URI reference (RFC 3986): everything but unreserved characters and `/` escaped.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

fn place(path: &str, region: Value) -> Value {
    json!([{"physicalLocation": {"artifactLocation": {"uri": uri(path), "uriBaseId": "%SRCROOT%"}, "region": region}}])
}

/// A guard report.
pub fn of_guard(report: &GuardReport) -> Value {
    let mut rules = Rules::default();
    let mut results = Vec::new();
    for finding in &report.findings {
        results.push(secret(&mut rules, finding, None));
    }
    for item in &report.suppressed {
        let kind = match item.by {
            crate::guard::SuppressedBy::Baseline => "external",
            crate::guard::SuppressedBy::Comment => "inSource",
        };
        let mut suppression = json!({"kind": kind, "status": "accepted"});
        if let Some(reason) = &item.reason {
            suppression["justification"] = json!(reason);
        }
        results.push(secret(&mut rules, &item.finding, Some(suppression)));
    }
    for remark in &report.remarks {
        results.push(of_remark(&mut rules, remark));
    }
    let notes = report
        .not_examined
        .iter()
        .map(|item| {
            json!({
                "level": "note",
                "message": {"text": format!("{}: {}", item.path, item.why)},
                "descriptor": {"id": format!("not-looked-at/{}", item.what)},
            })
        })
        .collect();
    log(
        rules,
        results,
        notes,
        json!({"source": report.source, "notes": report.notes}),
    )
}

fn secret(rules: &mut Rules, finding: &Finding, suppression: Option<Value>) -> Value {
    let index = rules.index(
        &finding.rule,
        &format!("A secret of the kind {} is added", finding.rule),
        "error",
    );
    let mut region = json!({"startLine": finding.line, "startColumn": finding.column, "endLine": finding.end_line});
    if finding.end_line > finding.line || finding.end_column >= finding.column {
        region["endColumn"] = json!(finding.end_column);
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": "error",
        "message": {"text": format!("{} is added here. Take it out, and revoke it if it was ever shared.", finding.mask)},
        "locations": place(&finding.path, region),
        "partialFingerprints": {"narrowroom/v1": finding.fingerprint},
    });
    if let Some(commit) = &finding.commit {
        result["properties"] = json!({"commit": commit});
    }
    if let Some(suppression) = suppression {
        result["suppressions"] = json!([suppression]);
    }
    result
}

fn of_remark(rules: &mut Rules, remark: &Remark) -> Value {
    let index = rules.index(
        &remark.rule,
        &format!("Worth a look before it is published: {}", remark.rule),
        "warning",
    );
    let by = match remark.by {
        RemarkBy::Rule => "rule",
        RemarkBy::Model => "model",
    };
    json!({
        "ruleId": remark.rule,
        "ruleIndex": index,
        "level": "warning",
        "message": {"text": remark.message},
        "locations": place(&remark.path, json!({"startLine": remark.line, "snippet": {"text": remark.quote}})),
        "properties": {"by": by},
    })
}

/// A triage report, as it passed the verifier: one result a finding, its evidence as places.
pub fn of_report(report: &Report) -> Value {
    let mut rules = Rules::default();
    let mut results = Vec::new();
    for finding in &report.findings {
        let index = rules.index(
            &finding.cause,
            &format!("Likely cause: {}", finding.cause),
            "warning",
        );
        let locations: Vec<Value> = finding
            .evidence
            .iter()
            .filter_map(|evidence| {
                let region = json!({
                    "startLine": evidence.line_start.max(1),
                    "endLine": evidence.line_end.max(evidence.line_start).max(1),
                    "snippet": {"text": evidence.quote},
                });
                place(&evidence.path, region)
                    .as_array()
                    .and_then(|places| places.first().cloned())
            })
            .collect();
        results.push(json!({
            "ruleId": finding.cause,
            "ruleIndex": index,
            "level": if finding.rank <= 1 { "error" } else { "warning" },
            "rank": (finding.confidence * 100.0).clamp(0.0, 100.0),
            "message": {"text": format!("{}. {}", finding.title.trim_end_matches('.'), finding.root_cause)},
            "locations": locations,
            "properties": {
                "position": finding.rank,
                "confidence": finding.confidence,
                "commands": finding.commands.iter().map(|command| &command.command).collect::<Vec<_>>(),
            },
        }));
    }
    let notes = report
        .missing
        .iter()
        .map(|item| format!("missing: {}: {}", item.what, item.why))
        .chain(
            report
                .not_examined
                .iter()
                .map(|item| format!("not examined: {}: {}", item.what, item.why)),
        )
        .map(|text| json!({"level": "note", "message": {"text": escape::terminal(&text)}}))
        .collect();
    let outcome = match report.outcome {
        Outcome::Findings => "findings",
        Outcome::InsufficientEvidence => "insufficient-evidence",
        Outcome::Healthy => "healthy",
    };
    let properties = json!({
        "run": report.run,
        "outcome": outcome,
        "bundle": {"sha256": report.bundle.sha256, "profile": report.bundle.profile, "files": report.bundle.files},
    });
    log(rules, results, notes, properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_relative_uris() {
        assert_eq!(uri("src/a b#c.rs"), "src/a%20b%23c.rs");
        assert_eq!(uri("/etc/ä"), "etc/%C3%A4");
    }
}
