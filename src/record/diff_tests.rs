use super::*;
use crate::report::Subject;

fn finding(cause: &str, name: &str) -> Finding {
    Finding {
        rank: 1,
        cause: cause.into(),
        title: "t".into(),
        root_cause: "r".into(),
        subject: Some(SubjectField::Subject(Subject {
            kind: "Pod".into(),
            namespace: None,
            name: name.into(),
        })),
        confidence: 0.5,
        evidence: vec![Evidence {
            path: "p".into(),
            line_start: 1,
            line_end: 1,
            quote: "q".into(),
        }],
        commands: vec![],
    }
}

#[test]
fn the_fingerprint_is_cause_and_subject_and_nothing_else() {
    let one = finding("oom", "a");
    let mut other = finding("oom", "a");
    other.confidence = 0.9;
    other.evidence.clear();
    assert_eq!(fingerprint(&one), fingerprint(&other));
    assert_ne!(fingerprint(&one), fingerprint(&finding("oom", "b")));
    assert_ne!(fingerprint(&one), fingerprint(&finding("disk", "a")));
}

#[test]
fn each_kind_of_change_of_a_finding_is_named() {
    let old = finding("oom", "a");
    let mut new = old.clone();
    assert!(finding_changes(&old, &new).is_empty());
    new.rank = 2;
    new.confidence = 0.75;
    new.root_cause = "other".into();
    new.evidence[0].line_start = 7;
    let changes = finding_changes(&old, &new);
    let names: Vec<&str> = changes.iter().map(|change| change.what.as_str()).collect();
    assert_eq!(
        names,
        ["rank", "confidence", "root cause", "evidence", "evidence"]
    );
    assert_eq!(changes[3].b, None);
    assert_eq!(changes[4].a, None);
    assert_eq!(changes[1].b.as_deref(), Some("0.75"));
}

#[test]
fn two_findings_of_one_cause_and_subject_stay_two() {
    let mut report: Report =
        serde_json::from_str(r#"{"schema":"narrowroom.report/v1","outcome":"findings"}"#).unwrap();
    report.findings = vec![finding("oom", "a"), finding("oom", "a")];
    assert_eq!(claims(&report).len(), 2);
}
