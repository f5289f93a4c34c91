//! Evaluations through the command line: the scores, their agreement with the corpus's own scorer, going
//! on after a kill, thresholds, ablations, comparison.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

#[allow(dead_code, reason = "the generator is a program of its own, too")]
#[path = "../fixtures/pack.rs"]
mod pack;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Ended, Place, pack as archive};

/// Fixtures of every kind of case, as a corpus.
fn corpus(place: &Place, names: &[&str]) -> PathBuf {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let dir = place.join("corpus");
    pack::pack_corpus(&dir, &names).expect("the fixtures pack");
    dir
}

fn eval(place: &Place, corpus: &Path, more: &[&str]) -> Ended {
    let (corpus, out) = (corpus.to_str().unwrap().to_owned(), place.join("out"));
    let mut args = vec![
        "eval",
        &corpus,
        "--out",
        out.to_str().unwrap(),
        "--workers",
        "1",
    ];
    args.extend(more);
    place.run(&args)
}

fn result(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {}", ended.out))
}

const KINDS: [&str; 5] = [
    "oom-kill",
    "healthy-cluster",
    "logs-missing",
    "multi-fault",
    "license-under-reported",
];

#[test]
fn our_own_incidents_are_an_evaluation_corpus() {
    let place = Place::new();
    let corpus = corpus(&place, &KINDS);
    let ended = eval(
        &place,
        &corpus,
        &[
            "--signals-only",
            "--json",
            "--min-top1",
            "1",
            "--max-false-alarms",
            "0",
        ],
    )
    .ends(0);
    let summary = &result(&ended)["evaluation"]["summary"];
    assert_eq!(summary["cases"], 5);
    for (place, share) in [
        ("/positives/top1/rate", 1.0),
        ("/positives/grounded_first/rate", 1.0),
        ("/negatives/false_alarms/rate", 0.0),
        ("/abstention/ok/rate", 1.0),
        ("/abstention/missing_relevant/rate", 1.0),
        ("/multi/recall/rate", 1.0),
        ("/citations/valid/rate", 1.0),
    ] {
        assert_eq!(
            summary.pointer(place),
            Some(&json!(share)),
            "{place}: {summary:#}"
        );
    }
    let page = std::fs::read_to_string(place.join("out").join("eval.html")).unwrap();
    assert!(
        page.contains("<svg") && page.contains("default-src 'none'") && !page.contains("<script")
    );
    // The table fits a terminal.
    let table = eval(&place, &corpus, &["--signals-only", "--cases"])
        .ends(0)
        .out;
    for line in table.lines().filter(|line| !line.contains('/')) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    // A threshold that is not met ends with its own code and says by how much.
    eval(
        &place,
        &corpus,
        &["--signals-only", "--min-top1", "1", "--min-valid", "1"],
    )
    .ends(0);
    let reports = place.join("none");
    std::fs::create_dir_all(&reports).unwrap();
    place
        .run(&[
            "eval",
            corpus.to_str().unwrap(),
            "--reports",
            reports.to_str().unwrap(),
            "--out",
            place.join("other").to_str().unwrap(),
            "--min-top1",
            "0.8",
        ])
        .ends(5)
        .says("top-1 is 0.0 %, at least 80.0 % is asked for");
}

/// A corpus of three tiny cases and answers of every sort to them.
fn answers(place: &Place) -> (PathBuf, PathBuf) {
    let (corpus, reports) = (place.join("tiny"), place.join("reports"));
    let truths = [
        (
            "a",
            json!({"kind": "positive", "source": "s1", "profile": "p", "must": [["\\bsdq\\b"], ["full"]], "decisive": [{"path": "top/a.log", "regex": "disk sdq is full"}]}),
        ),
        (
            "b",
            json!({"kind": "positive", "source": "s2", "profile": "p", "must": [["sdq"], ["full"]], "decisive": [{"path": "top/a.log", "regex": "disk sdq is full"}]}),
        ),
        (
            "c",
            json!({"kind": "negative", "source": "s1", "profile": "p", "other_real_faults": ["known blemish"]}),
        ),
        (
            "d",
            json!({"kind": "abstain", "source": "s1", "profile": "p", "removed": ["top/gone.log"], "missing": ["its log"]}),
        ),
        (
            "e",
            json!({"kind": "multi", "source": "s1", "profile": "p", "faults": [{"name": "1", "must": [["sdq"], ["full"]], "decisive": []}, {"name": "2", "must": [["eth9"]], "decisive": []}]}),
        ),
        (
            "f",
            json!({"kind": "positive", "source": "s1", "profile": "q", "must": [["sdq"]]}),
        ),
        (
            "g",
            json!({"kind": "negative", "source": "s2", "profile": "q"}),
        ),
    ];
    let bytes = archive(&[("top/a.log", b"start\nERROR disk sdq is full \x1b[31mnow\x1b[0m\nlink eth9 down\ntoken abcdef123456 end"), ("top/b.log", b"x\n")]);
    let cite = |line: u64, quote: &str| json!({"path": "a.log", "line_start": line, "line_end": line, "quote": quote});
    let finding = |title: &str, confidence: f64, evidence: Value| json!({"rank": 1, "cause": "c", "title": title, "root_cause": "because", "subject": {"kind": "Disk", "name": "x"}, "confidence": confidence, "evidence": evidence});
    let said = [
        (
            "a",
            json!({"outcome": "findings", "findings": [finding("noise", 0.4, json!([cite(1, "start"), cite(9, "start")])), {"rank": 0, "title": "sdq", "root_cause": "full", "evidence": [cite(2, "disk sdq is full now")]}]}),
        ),
        (
            "b",
            json!({"outcome": "findings", "findings": [finding("noise", 0.9, json!([cite(3, "link eth9")])), {"rank": 2, "title": "disk SDQ", "subject": "full", "evidence": {"path": "./top/a.log", "line_start": "2", "quote": "ERROR disk"}}]}),
        ),
        (
            "c",
            json!({"outcome": "findings", "findings": [finding("known blemish", 0.9, json!([])), finding("an alarm", 0.5, json!([cite(4, "token [MASKED:x] end")]))]}),
        ),
        (
            "d",
            json!({"findings": [finding("perhaps", 0.49, json!([cite(4, "en")]))], "missing": [{"what": "see gone.log"}]}),
        ),
        (
            "e",
            json!({"outcome": "findings", "findings": [finding("eth9 is down", 0.7, json!([])), finding("odd", 0.6, json!([])), finding("sdq is full", 0.3, json!([]))]}),
        ),
        ("f", json!({"findings": [], "outcome": "odd"})),
    ];
    for (id, truth) in truths {
        std::fs::create_dir_all(corpus.join(id)).unwrap();
        std::fs::write(corpus.join(id).join("bundle.tar.gz"), &bytes).unwrap();
        std::fs::write(corpus.join(id).join("truth.json"), truth.to_string()).unwrap();
    }
    std::fs::create_dir_all(&reports).unwrap();
    for (id, report) in said {
        std::fs::write(reports.join(format!("{id}.json")), report.to_string()).unwrap();
    }
    std::fs::write(reports.join("g.json"), b"not json").unwrap();
    (corpus, reports)
}

fn agree(theirs: &Value, ours: &Value, place: &str) {
    match theirs {
        Value::Object(map) => {
            for (key, value) in map {
                if key != "runs" {
                    agree(value, &ours[key], &format!("{place}/{key}"));
                }
            }
        }
        Value::Number(number) => {
            let (a, b) = (number.as_f64().unwrap(), ours.as_f64().unwrap_or(f64::NAN));
            assert!((a - b).abs() < 2e-4, "{place}: {a} there, {b} here");
        }
        other => assert_eq!(other, ours, "{place}"),
    }
}

#[test]
fn reports_made_elsewhere_are_scored_by_the_corpus_definitions() {
    let place = Place::new();
    let (corpus, reports) = answers(&place);
    let ended = eval(
        &place,
        &corpus,
        &["--reports", reports.to_str().unwrap(), "--json"],
    )
    .ends(0);
    let found = result(&ended);
    let summary = &found["evaluation"]["summary"];
    let count = |at: &str| {
        let rate = summary
            .pointer(at)
            .unwrap_or_else(|| panic!("{at}: {summary:#}"));
        (rate["k"].as_u64().unwrap(), rate["n"].as_u64().unwrap())
    };
    // What the definitions give, worked out by hand.
    assert_eq!(count("/valid"), (5, 7));
    assert_eq!(count("/positives/top1"), (1, 3));
    assert_eq!(count("/positives/top3"), (2, 3));
    assert_eq!(count("/positives/grounded_first"), (1, 3));
    assert_eq!(count("/negatives/ok"), (0, 2));
    assert_eq!(count("/negatives/false_alarms"), (1, 1));
    assert_eq!(count("/abstention/ok"), (1, 1));
    assert_eq!(count("/abstention/missing_relevant"), (1, 1));
    assert_eq!(count("/multi/recall"), (2, 2));
    assert_eq!(count("/multi/precision"), (1, 2));
    assert_eq!(count("/citations/valid"), (5, 7));
    // And what the corpus's own scorer gives, where it is.
    let incidents = std::env::var_os("NARROWROOM_INCIDENTS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/incidents"),
        PathBuf::from,
    );
    let scorer = incidents.join("score.py");
    if !scorer.exists() {
        println!("no scorer beside the project: the figures above were worked out by hand");
        return;
    }
    let theirs = place.join("theirs.json");
    let done = Command::new("python3")
        .arg(&scorer)
        .args([&corpus, &reports])
        .arg("--json")
        .arg(&theirs)
        .output()
        .expect("python3 runs");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let theirs: Value = serde_json::from_str(&std::fs::read_to_string(theirs).unwrap()).unwrap();
    agree(&theirs["summary"], summary, "");
}

#[test]
fn a_killed_evaluation_goes_on_where_it_was() {
    let place = Place::new();
    let corpus = corpus(
        &place,
        &["oom-kill", "image-pull", "healthy-cluster", "host-oom"],
    );
    let out = place.join("out");
    let mut child = place
        .program()
        .args([
            "eval",
            corpus.to_str().unwrap(),
            "--signals-only",
            "--workers",
            "1",
            "--out",
            out.to_str().unwrap(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let cases = out.join("cases");
    let finished = || -> Vec<String> {
        std::fs::read_dir(&cases).map_or_else(
            |_| vec![],
            |items| {
                let mut names: Vec<String> = items
                    .map(|item| item.unwrap().file_name().into_string().unwrap())
                    .filter(|name| !name.starts_with('.'))
                    .collect();
                names.sort();
                names
            },
        )
    };
    let started = Instant::now();
    while finished().is_empty() && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = finished();
    assert!(
        !before.is_empty() && before.len() < 4,
        "killed in the middle: {before:?}"
    );
    let stamp = |name: &str| {
        std::fs::metadata(cases.join(name))
            .unwrap()
            .modified()
            .unwrap()
    };
    let times: Vec<_> = before.iter().map(|name| stamp(name)).collect();
    let ended = eval(&place, &corpus, &["--signals-only", "--json"]).ends(0);
    assert_eq!(result(&ended)["evaluation"]["summary"]["cases"], 4);
    assert_eq!(
        times,
        before.iter().map(|name| stamp(name)).collect::<Vec<_>>(),
        "what was done is not done again"
    );
    // Other settings are other results.
    eval(&place, &corpus, &["--signals-only", "--seed", "9"]).ends(0);
    assert_ne!(
        times,
        before.iter().map(|name| stamp(name)).collect::<Vec<_>>()
    );
    // What the dead process unpacked is swept.
    let left: Vec<_> = std::fs::read_dir(out.join("running")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_changed_since_an_earlier_evaluation_is_listed_case_by_case() {
    let place = Place::new();
    let (corpus, reports) = answers(&place);
    let reports = reports.to_str().unwrap();
    eval(&place, &corpus, &["--reports", reports]).ends(0);
    let earlier = place.join("earlier");
    std::fs::rename(place.join("out"), &earlier).unwrap();
    std::fs::copy(
        place.join("reports").join("a.json"),
        place.join("reports").join("b.json"),
    )
    .unwrap();
    std::fs::remove_file(place.join("reports").join("d.json")).unwrap();
    let told = eval(
        &place,
        &corpus,
        &["--reports", reports, "--against", earlier.to_str().unwrap()],
    )
    .ends(0)
    .out;
    assert!(told.contains("1 better, 1 worse"), "{told}");
    place
        .run(&[
            "eval",
            corpus.to_str().unwrap(),
            "--reports",
            reports,
            "--against",
            "/nowhere",
        ])
        .ends(2);
}

#[test]
fn a_corpus_that_is_none_is_refused_before_anything_runs() {
    let place = Place::new();
    std::fs::create_dir_all(place.join("empty")).unwrap();
    eval(&place, &place.join("empty"), &["--signals-only"])
        .ends(2)
        .says("holds no case");
    let (corpus, _) = answers(&place);
    std::fs::write(
        corpus.join("a").join("truth.json"),
        r#"{"kind": "positive", "must": [["("]]}"#,
    )
    .unwrap();
    eval(&place, &corpus, &["--signals-only"])
        .ends(2)
        .says("is no expression");
    eval(&place, &corpus, &["--signals-only", "--model-only"]).ends(2);
    eval(&place, &corpus, &["--signals-only", "--min-top1", "80"])
        .ends(2)
        .says("from 0 to 1");
}

fn with_model(place: &Place) {
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
}

#[test]
fn ablations_leave_out_what_they_say() {
    let place = Place::new();
    with_model(&place);
    let corpus = corpus(&place, &["multi-fault"]);
    let notes = |out: &str, more: &[&str]| -> (String, u64) {
        let out = place.join(out);
        let mut args = vec![
            "eval",
            corpus.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
            "--json",
        ];
        args.extend(more);
        let found = result(&place.run(&args).ends(0));
        let case = &found["evaluation"]["cases"][0];
        (
            case["notes"].to_string(),
            case["tokens"][1].as_u64().unwrap(),
        )
    };
    let (all, written) = notes("all", &[]);
    assert!(
        all.contains("rank: not asked of a model of 134 million weights")
            && all.contains("write:")
            && written > 0,
        "{all}"
    );
    let (without, written) = notes("without", &["--without", "draft,write"]);
    assert!(
        without.contains("rank:") && !without.contains("write:") && written == 0,
        "{without}"
    );
    let (alone, _) = notes("alone", &["--model-only", "--without", "draft,write"]);
    assert!(alone.contains("orders agree"), "{alone}");
    let (signals, written) = notes("signals", &["--signals-only"]);
    assert!(
        signals.contains("switched off") && written == 0,
        "{signals}"
    );
}
