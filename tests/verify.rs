//! `narrowroom verify`: a report edited by hand is rejected, each lie with its reason.

#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use serde_json::{Value, json};
use support::{Place, pack};

const LOG: &[u8] = b"2024-05-01T10:00:00Z INFO starting web\n2024-05-01T10:00:01Z FATAL config: unknown key \"listen_prot\" in /etc/web/web.yaml\n2024-05-01T10:00:01Z INFO bye\n";

fn place() -> (Place, String) {
    let place = Place::new();
    let bundle = place.write(
        "b.tar.gz",
        pack(&[
            ("case/logs/web.log", LOG),
            ("case/notes.txt", b"nothing here\n"),
        ]),
    );
    (place, bundle.to_str().unwrap().to_owned())
}

fn honest() -> Value {
    json!({
        "schema": "narrowroom.report/v1", "outcome": "findings",
        "findings": [{
            "rank": 1, "cause": "config-invalid", "title": "web stops: unknown key \"listen_prot\" in its configuration",
            "root_cause": "The configuration /etc/web/web.yaml holds the unknown key \"listen_prot\".",
            "confidence": 0.9,
            "evidence": [{"path": "case/logs/web.log", "line_start": 2, "line_end": 2, "quote": "FATAL config: unknown key \"listen_prot\" in /etc/web/web.yaml"}],
            "commands": [{"command": "cat /etc/web/web.yaml", "why": "Shows the key."}]
        }],
        "missing": [], "not_examined": []
    })
}

fn judge(report: &Value) -> (support::Ended, Value) {
    let (place, bundle) = place();
    let path = place.write("report.json", report.to_string());
    let runs = place.runs();
    let ended = place.run(&[
        "verify",
        path.to_str().unwrap(),
        "--bundle",
        &bundle,
        "--json",
        "--runs",
        runs.to_str().unwrap(),
    ]);
    assert!(
        place.run_entries().is_empty(),
        "the verifier keeps nothing: {:?}",
        place.run_entries()
    );
    let verdict = serde_json::from_str(&ended.out).unwrap_or(Value::Null);
    (ended, verdict)
}

fn rejected(report: &Value, words: &str) {
    let (ended, verdict) = judge(report);
    ended.ends(5);
    let bad: Vec<&Value> = verdict["claims"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|claim| claim["status"] == "rejected")
        .collect();
    assert!(
        bad.iter()
            .any(|claim| claim["reason"].as_str().unwrap().contains(words)),
        "{words:?} is not a reason in {bad:#?}"
    );
}

#[test]
fn an_honest_report_is_accepted() {
    let (ended, verdict) = judge(&honest());
    ended.ends(0);
    assert_eq!(verdict["outcome"], "accepted", "{verdict:#}");
}

#[test]
fn a_file_that_is_not_there_is_rejected() {
    let mut report = honest();
    report["findings"][0]["evidence"][0]["path"] = json!("case/logs/api.log");
    rejected(&report, "no such file");
}

#[test]
fn a_line_that_says_something_else_is_rejected() {
    let mut report = honest();
    report["findings"][0]["evidence"][0]["line_start"] = json!(1);
    report["findings"][0]["evidence"][0]["line_end"] = json!(1);
    rejected(&report, "line 2");
}

#[test]
fn a_line_beyond_the_end_is_rejected() {
    let mut report = honest();
    report["findings"][0]["evidence"][0]["line_start"] = json!(40);
    report["findings"][0]["evidence"][0]["line_end"] = json!(41);
    rejected(&report, "line");
}

#[test]
fn a_quote_with_one_changed_word_is_rejected() {
    let mut report = honest();
    report["findings"][0]["evidence"][0]["quote"] =
        json!("FATAL config: unknown key \"listen_port\" in /etc/web/web.yaml");
    rejected(&report, "quote");
}

#[test]
fn a_destructive_command_is_rejected() {
    let mut report = honest();
    report["findings"][0]["commands"][0]["command"] = json!("kubectl delete pod web-0");
    rejected(&report, "delete");
}

#[test]
fn an_invented_name_is_rejected() {
    let mut report = honest();
    report["findings"][0]["root_cause"] = json!(
        "The pod payments-7f9c4d5b6-x2x9k in namespace billing-prod overwrote the configuration."
    );
    rejected(&report, "payments-7f9c4d5b6-x2x9k");
}

#[test]
fn an_unknown_field_and_broken_json_are_refused_with_their_place() {
    let mut report = honest();
    report["findings"][0]["certainty"] = json!(1);
    let (ended, _) = judge(&report);
    ended.ends(3).says("certainty");
    let (place, bundle) = place();
    let path = place.write("report.json", "{\"schema\": ");
    place
        .run(&["verify", path.to_str().unwrap(), "--bundle", &bundle])
        .ends(3)
        .says("hint");
}
