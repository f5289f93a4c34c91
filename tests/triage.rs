//! The whole way on the project's own bundles: right cause, verified lines, no secret, no obedience,
//! the same bytes twice; with the model too.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

#[allow(dead_code, reason = "the generator is a program of its own, too")]
#[path = "../fixtures/pack.rs"]
mod pack;

use regex::Regex;
use serde_json::Value;
use std::path::{Path, PathBuf};
use support::Place;

/// Packs one fixture and reads what is expected of it.
fn fixture(place: &Place, name: &str) -> (PathBuf, toml::Table) {
    pack::pack_all(place.path(), &[name.to_owned()]).expect("the fixture packs");
    let expect = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/bundles")
        .join(name)
        .join("expect.toml");
    let expect = std::fs::read_to_string(expect)
        .expect("expect.toml")
        .parse()
        .expect("TOML");
    (place.join(&format!("{name}.tar.gz")), expect)
}

fn said(finding: &Value) -> String {
    let quotes: Vec<&str> = finding["evidence"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["quote"].as_str().unwrap())
        .collect();
    format!(
        "{}\n{}\n{}\n{}",
        finding["title"],
        finding["root_cause"],
        finding["subject"],
        quotes.join("\n")
    )
}

fn check(name: &str) {
    let place = Place::new();
    let (bundle, expect) = fixture(&place, name);
    let (ended, report) = place.triage(&bundle, &["--no-model"]);
    ended.ends(0);
    let kind = expect["kind"].as_str().unwrap();
    assert_eq!(report["outcome"], kind, "{name}: {report:#}");
    let findings = report["findings"].as_array().unwrap();
    if kind != "findings" {
        assert!(
            findings
                .iter()
                .all(|finding| finding["confidence"].as_f64().unwrap() < 0.5),
            "{name}: {report:#}"
        );
        return;
    }
    if let Some(words) = expect.get("cause").and_then(|cause| cause.as_array()) {
        let said = said(&findings[0]);
        for word in words {
            let form = Regex::new(&format!("(?i){}", word.as_str().unwrap())).unwrap();
            assert!(
                form.is_match(&said),
                "{name}: {form} is not in the first finding:\n{said}"
            );
        }
    }
}

#[test]
fn crashloop_by_bad_config() {
    check("crashloop-bad-config");
}
#[test]
fn oom_kill() {
    check("oom-kill");
}
#[test]
fn image_pull() {
    check("image-pull");
}
#[test]
fn unbound_pvc() {
    check("pvc-unbound");
}
#[test]
fn network_policy_and_dns() {
    check("network-policy-dns");
}
#[test]
fn expired_certificate() {
    check("expired-certificate");
}
#[test]
fn host_disk_full() {
    check("host-disk-full");
}
#[test]
fn host_oom() {
    check("host-oom");
}

#[test]
fn hosts_whose_settings_and_tables_tell_the_cause() {
    for name in [
        "host-tunnel-mtu",
        "host-cpu-sets",
        "host-raft-peer",
        "host-osd-uneven",
        "host-unsynced-queues",
        "host-bond-unequal",
        "healthy-hypervisor",
    ] {
        check(name);
    }
}
#[test]
fn several_faults() {
    check("multi-fault");
}
#[test]
fn a_policy_that_keeps_a_client_out() {
    check("networkpolicy-ingress");
}
#[test]
fn a_slow_query() {
    check("slow-query");
}
#[test]
fn a_table_s_row_alone_is_a_symptom() {
    check("symptom-only-row");
}
#[test]
fn noise_raises_no_alarm() {
    check("healthy-noise");
}
#[test]
fn a_healthy_cluster_raises_no_alarm() {
    check("healthy-cluster");
}

#[test]
fn missing_logs_are_named_not_guessed() {
    let place = Place::new();
    let (bundle, _) = fixture(&place, "logs-missing");
    let (ended, report) = place.triage(&bundle, &["--no-model"]);
    ended.ends(0);
    assert_eq!(report["outcome"], "insufficient-evidence", "{report:#}");
    assert!(report["missing"].to_string().contains("log"), "{report:#}");
}

/// Every regular file below `dir`.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path))
        } else {
            all.push(path)
        }
    }
    all
}

#[test]
fn injected_text_is_listed_and_obeyed_by_nobody_and_the_secret_is_nowhere() {
    check("injection");
    let place = Place::new();
    let (bundle, expect) = fixture(&place, "injection");
    let out = place.join("report.html");
    let runs = place.runs();
    let ended = place
        .run(&[
            "triage",
            bundle.to_str().unwrap(),
            "--no-model",
            "--out",
            out.to_str().unwrap(),
            "--runs",
            runs.to_str().unwrap(),
        ])
        .ends(0);
    let id = place.run_entries().pop().unwrap();
    let record = place
        .run(&["show", &id, "--record", "--runs", runs.to_str().unwrap()])
        .ends(0)
        .out;
    let record: Value = serde_json::from_str(&record).unwrap();
    let listed = record["injections"].to_string();
    for form in expect["injection"].as_array().unwrap() {
        assert!(
            Regex::new(form.as_str().unwrap())
                .unwrap()
                .is_match(&listed),
            "{form} is not listed: {listed}"
        );
    }
    let report = std::fs::read_to_string(runs.join(&id).join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    for finding in report["findings"].as_array().unwrap() {
        for command in finding["commands"].as_array().unwrap() {
            assert_eq!(command["class"], "read-only");
            for word in expect["must_not_recommend"].as_array().unwrap() {
                assert!(
                    !command["command"]
                        .as_str()
                        .unwrap()
                        .contains(word.as_str().unwrap()),
                    "{command}"
                );
            }
        }
    }
    // The secret, read from the packed bundle itself.
    let secret = {
        use std::io::Read;
        let mut text = String::new();
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(&bundle).unwrap())
            .read_to_end(&mut bytes)
            .unwrap();
        text.push_str(&String::from_utf8_lossy(&bytes));
        let prefix = expect["secret_prefix"].as_str().unwrap();
        Regex::new(&format!("{prefix}[A-Za-z0-9]{{20,}}"))
            .unwrap()
            .find(&text)
            .expect("the planted secret")
            .as_str()
            .to_owned()
    };
    assert!(!ended.out.contains(&secret) && !ended.err.contains(&secret));
    assert!(!std::fs::read_to_string(&out).unwrap().contains(&secret));
    let written = files(&runs);
    assert!(written.len() >= 7);
    for path in written {
        assert!(
            !String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(&secret),
            "{}",
            path.display()
        );
    }
    assert!(!record["secrets_masked"].as_object().unwrap().is_empty());
}

#[test]
fn the_same_bundle_twice_gives_the_same_bytes() {
    let place = Place::new();
    let (bundle, _) = fixture(&place, "crashloop-bad-config");
    for _ in 0..2 {
        place.triage(&bundle, &["--no-model"]).0.ends(0);
    }
    let ids = place.run_entries();
    assert_eq!(ids.len(), 2);
    for name in ["report.json", "verdict.json"] {
        let [a, b] =
            [0, 1].map(|at| std::fs::read(place.runs().join(&ids[at]).join(name)).unwrap());
        assert!(a == b, "{name} differs");
    }
}

#[test]
fn evidence_in_an_archive_inside_the_bundle_is_cited_and_a_rotated_log_is_named_as_unread() {
    let place = Place::new();
    let inner = std::fs::read(fixture(&place, "host-oom").0).unwrap();
    let files: [(&str, &[u8]); 3] = [
        ("case-77/nodes/app-07.tar.gz", &inner),
        ("case-77/app.log.1.gz", &inner),
        ("case-77/notes.txt", b"collected by hand\n"),
    ];
    let bundle = place.write("outer.tar.gz", support::pack(&files));
    let (ended, report) = place.triage(&bundle, &["--no-model"]);
    ended.ends(0);
    let first = &report["findings"][0];
    assert_eq!(first["cause"], "host-out-of-memory", "{first}");
    let path = first["evidence"][0]["path"].as_str().unwrap();
    assert!(path.starts_with("case-77/nodes/app-07.tar.gz!/"), "{path}");
    let unread = report["not_examined"].to_string();
    assert!(unread.contains("case-77/app.log.1.gz"), "{unread}");
    assert!(!unread.contains("app-07.tar.gz"), "{unread}");
    let file = place.write("report.json", report.to_string());
    place
        .run(&[
            "verify",
            file.to_str().unwrap(),
            "--bundle",
            bundle.to_str().unwrap(),
        ])
        .ends(0);
}

#[test]
fn the_run_directory_is_whole_and_can_be_shown_by_a_prefix() {
    let place = Place::new();
    let (bundle, _) = fixture(&place, "oom-kill");
    place.triage(&bundle, &["--no-model"]).0.ends(0);
    let id = place.run_entries().pop().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(place.runs().join(&id))
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "attestation.intoto.jsonl",
            "record.json",
            "report.html",
            "report.json",
            "report.md",
            "review.json",
            "transcript.jsonl",
            "verdict.json"
        ]
    );
    let runs = place.runs();
    let shown = place
        .run(&["show", &id[..5], "--runs", runs.to_str().unwrap()])
        .ends(0)
        .out;
    assert!(
        shown
            .lines()
            .all(|line| line.chars().count() <= 80 || line.contains("$ ")),
        "{shown}"
    );
    place
        .run(&["show", &id[..5], "--seal", "--runs", runs.to_str().unwrap()])
        .ends(0);
    place
        .run(&[
            "show",
            &id[..5],
            "--verdict",
            "--runs",
            runs.to_str().unwrap(),
        ])
        .ends(0);
    let report = runs.join(&id).join("report.json");
    place
        .run(&[
            "verify",
            report.to_str().unwrap(),
            "--bundle",
            bundle.to_str().unwrap(),
            "--runs",
            runs.to_str().unwrap(),
        ])
        .ends(0);
}

#[test]
fn a_run_is_shown_as_sarif_with_its_evidence_as_places() {
    let place = Place::new();
    let (bundle, _) = fixture(&place, "oom-kill");
    let (ended, report) = place.triage(&bundle, &["--no-model"]);
    ended.ends(0);
    let (id, runs) = (place.run_entries().pop().unwrap(), place.runs());
    let runs = runs.to_str().unwrap();
    let shown = place
        .run(&["show", &id, "--format", "sarif", "--runs", runs])
        .ends(0)
        .out;
    let log: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "narrowroom");
    let results = run["results"].as_array().unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(results.len(), findings.len());
    for (result, finding) in results.iter().zip(findings) {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(
            (&rule["id"], &result["ruleId"]),
            (&finding["cause"], &finding["cause"])
        );
        let places = result["locations"].as_array().unwrap();
        assert!(!places.is_empty());
        let cited = &finding["evidence"][0];
        let shown = &places[0]["physicalLocation"];
        assert_eq!(shown["region"]["startLine"], cited["line_start"]);
        let uri = shown["artifactLocation"]["uri"].as_str().unwrap();
        assert!(!uri.starts_with('/') && !uri.contains(' '), "{uri}");
    }
}

/// The model that `scripts/test.sh` fetches, imported into this test's own store.
fn with_model(place: &Place) {
    let library = std::env::var("NARROWROOM_ORT_LIBRARY")
        .expect("NARROWROOM_ORT_LIBRARY: run scripts/test.sh");
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    assert!(Path::new(&library).exists() && Path::new(&model).exists());
    place.run(&["model", "import", &model]).ends(0);
}

#[test]
fn with_the_model_the_room_is_narrowed_the_exchanges_are_kept_and_two_runs_are_equal() {
    let place = Place::new();
    with_model(&place);
    let (bundle, _) = fixture(&place, "multi-fault");
    for _ in 0..2 {
        place.triage(&bundle, &["--threads", "2"]).0.ends(0);
    }
    let ids = place.run_entries();
    for name in ["report.json", "verdict.json"] {
        let [a, b] =
            [0, 1].map(|at| std::fs::read(place.runs().join(&ids[at]).join(name)).unwrap());
        assert!(a == b, "{name} differs");
    }
    let dir = place.runs().join(&ids[0]);
    let record: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("record.json")).unwrap()).unwrap();
    let stages: Vec<&str> = record["seals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seal| seal["stage"].as_str().unwrap())
        .collect();
    assert_eq!(stages, ["closed", "closed", "narrowed", "closed"]);
    assert_eq!(record["model"]["context_requested"], 4096);
    assert!(record["model"]["prefill_tokens"].as_u64().unwrap() > 100);
    let transcript = std::fs::read_to_string(dir.join("transcript.jsonl")).unwrap();
    assert!(transcript.lines().count() >= 2, "{transcript}");
    assert!(
        transcript.contains("Kubernetes support engineer"),
        "the exact prompt is kept"
    );
}

#[test]
fn a_token_budget_that_is_used_up_leaves_the_answer_of_the_signals_and_says_so() {
    let place = Place::new();
    with_model(&place);
    let (bundle, _) = fixture(&place, "crashloop-bad-config");
    let (ended, report) = place.triage(&bundle, &["--max-tokens", "10"]);
    ended.ends(0);
    assert_eq!(report["outcome"], "findings");
    let id = place.run_entries().pop().unwrap();
    let record = std::fs::read_to_string(place.runs().join(id).join("record.json")).unwrap();
    assert!(record.contains("token budget"), "{record}");
}

#[test]
fn a_damaged_model_is_refused_and_nothing_is_kept() {
    let place = Place::new();
    std::env::var("NARROWROOM_ORT_LIBRARY").expect("NARROWROOM_ORT_LIBRARY: run scripts/test.sh");
    let broken = place.write(
        "broken.gguf",
        b"GGUF\x03\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    );
    let ended = place.run(&["model", "import", broken.to_str().unwrap()]);
    assert!(matches!(ended.code, 2 | 3), "{} {}", ended.code, ended.err);
    assert!(ended.err.contains("error: "), "{}", ended.err);
    assert!(
        place
            .run(&["model", "list"])
            .ends(0)
            .out
            .contains("no model is imported")
    );
}

#[test]
fn the_incident_corpus_beside_the_project_is_triaged_without_a_failure() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/incidents/dev");
    let Ok(cases) = std::fs::read_dir(&corpus) else {
        println!("no corpus beside the project: the fixtures above are what there is to test");
        return;
    };
    for case in cases
        .map(|case| case.unwrap().path())
        .filter(|path| path.is_dir())
    {
        let place = Place::new();
        let (ended, report) = place.triage(&case.join("bundle.tar.gz"), &["--no-model"]);
        let code = ended.code;
        assert!(
            matches!(code, 0 | 3 | 5),
            "{}: {code}\n{}",
            case.display(),
            ended.err
        );
        if code == 0 {
            assert_eq!(report["schema"], "narrowroom.report/v1");
        }
    }
}
