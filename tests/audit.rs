//! The audit log, the attestations, rerun, diff and the record, through the command line: what ran
//! is in the log whatever way it ended, and no byte of it or of a run changes unnoticed.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use support::{Ended, Place, pack};

const LINE: &[u8] = b"Jan  1 00:00:00 host kernel: Out of memory: Killed process 1 (java)\n";

fn bundle(place: &Place) -> PathBuf {
    place.write("b.tar.gz", pack(&[("b/messages", LINE)]))
}

/// Runs a sub-command with this place's runs directory.
fn on(place: &Place, args: &[&str]) -> Ended {
    let runs = place.runs();
    let mut all = args.to_vec();
    all.extend(["--runs", runs.to_str().unwrap()]);
    place.run(&all)
}

fn json(place: &Place, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.push("--json");
    serde_json::from_str(&on(place, &all).out).unwrap()
}

/// Triages and gives the id of the run.
fn triaged(place: &Place, bundle: &Path, more: &[&str]) -> String {
    let mut args = vec!["--no-model"];
    args.extend(more);
    place.triage(bundle, &args).0.ends(0);
    let log = json(place, &["audit", "list"]);
    log.as_array().unwrap().last().unwrap()["run"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What `audit verify` finds wrong, as text.
#[track_caller]
fn wrong(place: &Place) -> String {
    on(place, &["audit", "verify"]).ends(5).out
}

fn holds(place: &Place) -> Value {
    on(place, &["audit", "verify"]).ends(0);
    json(place, &["audit", "verify"])
}

#[test]
fn every_run_is_in_the_log_whatever_way_it_ended() {
    let place = Place::new();
    let good = bundle(&place);
    let junk = place.write("junk.tar.gz", "junk");
    place.triage(&good, &["--no-model"]).0.ends(0);
    place.triage(&junk, &["--no-model"]).0.ends(3);
    place
        .triage(&good, &["--no-model", "--max-memory", "1"])
        .0
        .ends(4);
    // Not a run: there was no input.
    place
        .triage(&place.join("absent.tar.gz"), &["--no-model"])
        .0
        .ends(3);
    let log = json(&place, &["audit", "list"]);
    let states: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["state"].as_str().unwrap(), e["exit"].as_u64().unwrap()))
        .collect();
    assert_eq!(states, [("finished", 0), ("failed", 3), ("failed", 4)]);
    assert_eq!(place.run_entries().len(), 1, "refused runs keep nothing");
    let done = holds(&place);
    assert_eq!(
        (&done["entries"], &done["checkpoints"], &done["runs"]),
        (&3.into(), &3.into(), &1.into())
    );
    let shown = on(&place, &["audit", "list"]).ends(0).out;
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
}

/// Each file of the run and of the log, each at its beginning, its middle and its end.
#[test]
fn an_altered_byte_anywhere_is_found_and_its_place_named() {
    let place = Place::new();
    let bundle = bundle(&place);
    let id = triaged(&place, &bundle, &[]);
    triaged(&place, &bundle, &[]);
    holds(&place);
    let mut files = Vec::new();
    for (dir, names) in [
        (place.runs().join(&id), vec![]),
        (
            place.runs().join(".audit"),
            vec!["entries.jsonl", "checkpoints", "log.json"],
        ),
    ] {
        for item in std::fs::read_dir(dir).unwrap() {
            let path = item.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if names.is_empty() || names.contains(&name.as_str()) {
                files.push(path);
            }
        }
    }
    assert_eq!(files.len(), 8 + 3, "{files:?}");
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let whole = std::fs::read(&path).unwrap();
        let places = [0, whole.len() / 2, whole.len().saturating_sub(1)];
        for at in places.into_iter().filter(|at| *at < whole.len()) {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            std::fs::write(&path, &altered).unwrap();
            let ended = on(&place, &["audit", "verify"]);
            assert!(
                matches!(ended.code, 3 | 5),
                "{name} byte {at}: {}",
                ended.out
            );
            let said = format!("{}{}", ended.out, ended.err);
            assert!(said.contains(name), "{name} byte {at}: {said}");
        }
        // One byte less; the transcript of a run without a model is empty and gets one more.
        let other = whole.split_last().map_or(b"x".as_slice(), |(_, rest)| rest);
        std::fs::write(&path, other).unwrap();
        let ended = on(&place, &["audit", "verify"]);
        // The last byte of log.json is the end of its line: it says the same without.
        assert!(
            matches!(ended.code, 3 | 5) || name == "log.json",
            "{name} cut: {}",
            ended.out
        );
        std::fs::write(&path, &whole).unwrap();
    }
    holds(&place);
}

#[test]
fn missing_reordered_added_and_forged_entries_are_found() {
    let place = Place::new();
    let bundle = bundle(&place);
    for _ in 0..3 {
        triaged(&place, &bundle, &[]);
    }
    let path = place.runs().join(".audit/entries.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let put = |lines: &[&str]| std::fs::write(&path, format!("{}\n", lines.join("\n"))).unwrap();
    put(&[lines[0], lines[2]]);
    let said = wrong(&place);
    assert!(
        said.contains("line 2 (entry 1)") && said.contains("missing"),
        "{said}"
    );
    assert!(said.contains("cut"), "{said}");
    put(&[lines[0], lines[2], lines[1]]);
    let said = wrong(&place);
    assert!(
        said.contains("line 2 (entry 1)") && said.contains("moved"),
        "{said}"
    );
    put(&[lines[0], lines[1], lines[2], lines[2]]);
    let said = wrong(&place);
    assert!(
        said.contains("line 4 (entry 3)") && said.contains("without the key"),
        "{said}"
    );
    // Nothing is built on top of a damaged log, and nothing of the bundle is touched.
    place
        .triage(&bundle, &["--no-model"])
        .0
        .ends(3)
        .says("audit log");
    // A forged last entry with its index right.
    let forged = lines[2].replace("\"index\":2", "\"index\":3");
    put(&[lines[0], lines[1], lines[2], &forged]);
    assert!(wrong(&place).contains("without the key"));
    put(&lines);
    holds(&place);
    let newer = lines[1].replace("narrowroom.audit/v1", "narrowroom.audit/v9");
    put(&[lines[0], &newer, lines[2]]);
    assert!(wrong(&place).contains("newer"));
}

#[test]
fn removed_and_foreign_run_directories_and_files_are_found() {
    let place = Place::new();
    let bundle = bundle(&place);
    let (a, b) = (triaged(&place, &bundle, &[]), triaged(&place, &bundle, &[]));
    let (one, two) = (place.runs().join(&a), place.runs().join(&b));
    let away = place.join("away");
    std::fs::rename(&one, &away).unwrap();
    let said = wrong(&place);
    assert!(said.contains(&a) && said.contains("gone"), "{said}");
    std::fs::rename(&away, &one).unwrap();

    let copy = place.runs().join("zzzzzzzzzz");
    std::fs::create_dir(&copy).unwrap();
    std::fs::copy(one.join("record.json"), copy.join("record.json")).unwrap();
    let said = wrong(&place);
    assert!(
        said.contains("zzzzzzzzzz") && said.contains("does not know"),
        "{said}"
    );
    std::fs::remove_dir_all(&copy).unwrap();

    std::fs::write(two.join("extra.txt"), "x").unwrap();
    assert!(wrong(&place).contains("extra.txt"));
    std::fs::remove_file(two.join("extra.txt")).unwrap();

    let page = std::fs::read(two.join("report.html")).unwrap();
    std::fs::remove_file(two.join("report.html")).unwrap();
    assert!(wrong(&place).contains("report.html"));
    let elsewhere = place.write("page.html", &page);
    std::os::unix::fs::symlink(&elsewhere, two.join("report.html")).unwrap();
    assert!(wrong(&place).contains("not a regular file"));
    std::fs::remove_file(two.join("report.html")).unwrap();
    std::fs::write(two.join("report.html"), &page).unwrap();
    holds(&place);
}

#[test]
fn a_run_removed_on_purpose_leaves_an_entry_and_may_not_come_back() {
    let place = Place::new();
    let bundle = bundle(&place);
    let id = triaged(&place, &bundle, &["--tenant", "alpha"]);
    let dir = place.runs().join("tenants/alpha").join(&id);
    let copy = place.join("copy");
    std::fs::create_dir(&copy).unwrap();
    for item in std::fs::read_dir(&dir).unwrap() {
        let item = item.unwrap();
        std::fs::copy(item.path(), copy.join(item.file_name())).unwrap();
    }
    on(&place, &["runs", "--remove", &id]).ends(0);
    assert!(!dir.exists());
    holds(&place);
    let log = json(&place, &["audit", "list"]);
    assert_eq!(log[1]["kind"], "removed");
    assert_eq!(log[1]["tenant"], "alpha");
    std::fs::rename(&copy, &dir).unwrap();
    assert!(wrong(&place).contains("was removed"));
}

#[test]
fn a_wrong_key_is_refused_by_the_writer_and_named_by_the_verifier() {
    let place = Place::new();
    let bundle = bundle(&place);
    triaged(&place, &bundle, &[]);
    let other = place.join("other.pem");
    let other = other.to_str().unwrap();
    let made = place
        .run(&["audit", "key", "--new", other, "--json"])
        .ends(0);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    place
        .triage(&bundle, &["--no-model", "--key", other])
        .0
        .ends(2)
        .says("another key");
    let public = made["public_key"].as_str().unwrap();
    let said = on(&place, &["audit", "verify", "--public", public])
        .ends(5)
        .out;
    assert!(said.contains("wrong key"), "{said}");
    // A key that others may read signs nothing.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(other, std::fs::Permissions::from_mode(0o644)).unwrap();
    place
        .triage(&bundle, &["--no-model", "--key", other])
        .0
        .ends(2)
        .says("chmod 600");
    place
        .triage(&bundle, &["--no-model", "--key", "/nowhere/k.pem"])
        .0
        .ends(2);
    holds(&place);
}

/// Kills at moments spread over a run, then looks: the log verifies each time, and the next run logs
/// what was killed, once.
#[test]
fn a_kill_at_any_moment_leaves_a_log_that_verifies_and_is_completed_by_the_next_run() {
    let place = Place::new();
    let bundle = bundle(&place);
    let runs = place.runs();
    let started = std::time::Instant::now();
    triaged(&place, &bundle, &[]);
    let whole = started.elapsed();
    for step in 0..10 {
        let mut child = place
            .program()
            .args(["triage", bundle.to_str().unwrap(), "--no-model", "--quiet"])
            .args(["--runs", runs.to_str().unwrap()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * step / 9 + Duration::from_millis(1));
        child.kill().unwrap();
        child.wait().unwrap();
        on(&place, &["audit", "verify"]).ends(0);
    }
    triaged(&place, &bundle, &[]);
    let done = holds(&place);
    assert!(done["notes"].as_array().unwrap().is_empty(), "{done}");
    let log = json(&place, &["audit", "list"]);
    let log = log.as_array().unwrap();
    let ids: BTreeSet<_> = log.iter().map(|e| e["run"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), log.len(), "nothing twice: {log:#?}");
    let finished = log.iter().filter(|e| e["state"] == "finished").count();
    let dirs = place
        .run_entries()
        .iter()
        .filter(|n| !n.starts_with('.'))
        .count();
    assert_eq!(finished, dirs, "each whole run is in the log as finished");
    assert!(log.iter().any(|e| e["state"] == "aborted"), "{log:#?}");
    let leftovers = std::fs::read_dir(runs.join(".audit/pending"))
        .unwrap()
        .count();
    assert_eq!(leftovers, 0);
}

#[test]
fn an_exported_log_verifies_on_another_machine_and_proofs_stand_alone() {
    let place = Place::new();
    let bundle = bundle(&place);
    let id = triaged(&place, &bundle, &[]);
    triaged(&place, &bundle, &[]);
    let out = place.join("export");
    let out = out.to_str().unwrap();
    let exported = json(&place, &["audit", "export", out]);
    let public = exported["public_key"].as_str().unwrap();
    on(&place, &["audit", "export", out])
        .ends(2)
        .says("not empty");
    let proof = on(&place, &["audit", "prove", &id, "--json"]).ends(0).out;

    let there = Place::new();
    let check = |more: &[&str]| {
        let mut args = vec!["audit", "verify", "--public", public];
        args.extend(more);
        there.run(&args)
    };
    check(&["--export", out]).ends(0);
    let file = there.write("proof.json", &proof);
    check(&["--proof", file.to_str().unwrap()]).ends(0);
    for (from, to) in [("\"index\": 0", "\"index\": 1"), ("finished", "aborted")] {
        assert!(proof.contains(from));
        let file = there.write("altered.json", proof.replace(from, to));
        check(&["--proof", file.to_str().unwrap()]).ends(5);
    }
    // A later log continues what was exported; a log that was begun again does not.
    let kept = format!("{out}/checkpoint");
    triaged(&place, &bundle, &[]);
    on(&place, &["audit", "verify", "--since", &kept]).ends(0);
    on(&place, &["audit", "consistency", &kept]).ends(0);
    on(&place, &["audit", "consistency", "1", "3"]).ends(0);
    on(&place, &["audit", "consistency", "3", "1"]).ends(2);
    std::fs::remove_dir_all(place.runs()).unwrap();
    triaged(&place, &bundle, &[]);
    on(&place, &["audit", "verify", "--since", &kept]).ends(5);
    let entries = format!("{out}/entries.jsonl");
    let text = std::fs::read_to_string(&entries).unwrap();
    std::fs::write(&entries, text.replace("finished", "finishes")).unwrap();
    check(&["--export", out]).ends(5);
}

#[test]
fn attestations_hold_and_say_so_when_they_do_not() {
    let place = Place::new();
    let id = triaged(&place, &bundle(&place), &[]);
    on(&place, &["attest", "verify", &id]).ends(0);
    let shown = json(&place, &["attest", "show", &id]);
    let names: Vec<_> = shown[0]["subject"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["bundle", "playbook", "guest", "binary", "report.json"]
    );
    assert_eq!(shown[0]["predicate"]["result"], "PASSED");
    assert_eq!(shown[1]["predicate"]["verificationResult"], "PASSED");
    let dir = place.runs().join(&id);
    for (file, from, to) in [
        ("report.json", "confidence", "confidense"),
        ("record.json", "\"seed\": 0", "\"seed\": 1"),
        ("verdict.json", "accepted", "accepteb"),
        ("attestation.intoto.jsonl", "\"sig\":\"", "\"sig\":\"A"),
    ] {
        let path = dir.join(file);
        let whole = std::fs::read_to_string(&path).unwrap();
        assert!(whole.contains(from), "{file}");
        std::fs::write(&path, whole.replace(from, to)).unwrap();
        let ended = on(&place, &["attest", "verify", &id]).ends(5);
        assert!(ended.out.contains("WRONG"), "{}", ended.out);
        std::fs::write(&path, whole).unwrap();
    }
    let other = place.join("other.pem");
    let other = other.to_str().unwrap();
    let made = place
        .run(&["audit", "key", "--new", other, "--json"])
        .ends(0);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let public = made["public_key"].as_str().unwrap();
    on(&place, &["attest", "verify", &id, "--public", public]).ends(5);
    let ended = on(&place, &["attest", "verify", &id, "--person", public]).ends(5);
    assert!(ended.out.contains("nobody has signed off"), "{}", ended.out);
}

#[test]
fn a_person_signs_on_the_same_envelope_and_the_log_covers_it() {
    use narrowroom::keys::Key;
    use narrowroom::{attest, audit};
    let place = Place::new();
    let id = triaged(&place, &bundle(&place), &[]);
    let dir = place.runs().join(&id);
    let kept = place.join(".local/share/narrowroom/keys/program.pem");
    let program = || Key::load(&kept).unwrap();
    let person = Key::load_or_create(Some(&place.join("person.pem"))).unwrap();
    let by = attest::SignOff {
        name: "R. Viewer".into(),
        time: "2026-01-01T00:00:00Z".into(),
        shown_sha256: audit::sha256(b"what was shown"),
    };
    assert!(
        attest::sign_off(&dir, &program(), &by).is_err(),
        "not the program's own key"
    );
    let envelope = attest::sign_off(&dir, &person, &by).unwrap();
    let review = b"{\"schema\":\"narrowroom.review/v1\",\"state\":\"approved\"}\n".to_vec();
    let files = [("review.json", review), (attest::FILE, envelope)];
    audit::reviewed(&place.runs(), &dir, program(), &files).unwrap();
    holds(&place);
    let public = person.public_hex();
    let ended = on(&place, &["attest", "verify", &id, "--person", &public]).ends(0);
    assert!(ended.out.contains("sign-off"), "{}", ended.out);
    assert!(ended.out.contains("2 of 2 signatures"), "{}", ended.out);
    let fixed = [("report.json", b"{}".to_vec())];
    assert!(audit::reviewed(&place.runs(), &dir, program(), &fixed).is_err());
    std::fs::write(dir.join("review.json"), "{}").unwrap();
    assert!(wrong(&place).contains("review.json"));
}

#[test]
fn a_run_is_repeated_byte_for_byte_also_when_its_bundle_moved() {
    let place = Place::new();
    let bundle = bundle(&place);
    let id = triaged(&place, &bundle, &["--seed", "7", "--ticket", "it is slow"]);
    on(&place, &["rerun", &id]).ends(2).says("ticket");
    on(&place, &["rerun", &id, "--ticket", "it is fast"])
        .ends(2)
        .says("ticket");
    let ended = on(&place, &["rerun", &id, "--ticket", "it is slow"]).ends(0);
    assert!(ended.out.starts_with("identical"), "{}", ended.out);
    let moved = place.join("moved.tar.gz");
    std::fs::rename(&bundle, &moved).unwrap();
    let args = ["rerun", &id, "--ticket", "it is slow"];
    on(&place, &args).ends(3).says("--bundle");
    let mut args = args.to_vec();
    args.extend(["--bundle", moved.to_str().unwrap()]);
    let ended = on(&place, &args).ends(0);
    assert!(ended.out.starts_with("identical"), "{}", ended.out);
    std::fs::write(&moved, pack(&[("b/messages", b"other\n")])).unwrap();
    on(&place, &args).ends(3).says("sha256");
    holds(&place);
}

#[test]
fn a_diff_names_findings_and_settings_and_fits_the_terminal() {
    let place = Place::new();
    let two = "Jan  1 00:00:01 host kernel: EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0\n";
    let a = triaged(&place, &bundle(&place), &[]);
    let b = place.write(
        "c.tar.gz",
        pack(&[("b/messages", &[LINE, LINE, two.as_bytes()].concat())]),
    );
    let b = triaged(&place, &b, &["--seed", "3", "--max-tokens", "99"]);
    let ended = on(&place, &["diff", &a, &b]).ends(0);
    for words in [
        "seed: 0 → 3",
        "max-tokens: 40000 → 99",
        "bundle sha256",
        "another result from other inputs",
    ] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    assert!(
        ended.out.lines().all(|line| line.chars().count() <= 80),
        "{}",
        ended.out
    );
    let found = json(&place, &["diff", &a, &b]);
    let count = |field: &str| found[field].as_array().unwrap().len();
    assert!(count("new") + count("changed") > 0, "{found:#}");
    assert_eq!(found["same_report"], false);
    on(&place, &["diff", &a, &b, "--exit-code"]).ends(5);
    let ended = on(&place, &["diff", &a, &a, "--exit-code"]).ends(0);
    assert!(ended.out.contains("the same result from the same inputs"));
    // The other way round, new is gone.
    let back = json(&place, &["diff", &b, &a]);
    assert_eq!(back["gone"], found["new"]);
}

/// The shipped playbook for hosts with a step that draws its words.
fn drawing_playbook(place: &Place) -> PathBuf {
    let shipped = include_str!("../playbooks/linux-host.toml");
    let (head, write) = shipped.split_once("id = \"write\"").unwrap();
    let limit = "max_seconds = 300";
    assert!(write.contains(limit));
    let write = write.replacen(
        limit,
        "max_seconds = 300\nsampling = { temperature = 1.2 }",
        1,
    );
    place.write("drawing.toml", format!("{head}id = \"write\"{write}"))
}

#[test]
fn another_seed_draws_other_words_and_the_diff_shows_nothing_else() {
    let place = Place::new();
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
    let playbook = drawing_playbook(&place);
    let bundle = bundle(&place);
    let run = |seed: &str| {
        let args = ["--playbook", playbook.to_str().unwrap(), "--seed", seed];
        place.triage(&bundle, &args).0.ends(0);
        let log = json(&place, &["audit", "list"]);
        log.as_array().unwrap().last().unwrap()["run"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let (one, again) = (run("1"), run("1"));
    let record = json(&place, &["show", &one, "--record"]);
    let sampling = record["model"]["sampling"].as_str().unwrap();
    assert!(sampling.contains("temperature 1.2"), "{sampling}");
    let same = json(&place, &["diff", &one, &again]);
    for none in ["settings", "exchanges", "new", "gone", "changed", "outcome"] {
        assert_eq!(same[none], serde_json::json!([]), "{none}: {same:#}");
    }
    // Over three seeds a model that draws at this temperature does not say the same thing.
    let mut drawn = 0;
    let mut last = String::new();
    for seed in ["2", "3"] {
        last = run(seed);
        let other = json(&place, &["diff", &one, &last]);
        let settings: Vec<_> = other["settings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["what"].as_str().unwrap())
            .collect();
        // The words of the sampling may name the seed, too.
        assert!(
            settings
                .iter()
                .all(|what| ["sampling", "seed"].contains(what))
                && settings.contains(&"seed"),
            "{other:#}"
        );
        assert_eq!(other["new"], serde_json::json!([]));
        assert_eq!(other["gone"], serde_json::json!([]));
        for change in other["changed"].as_array().unwrap() {
            for one in change["changes"].as_array().unwrap() {
                // The model words the first finding and may quote one more line for it.
                assert!(
                    ["root cause", "evidence"].contains(&one["what"].as_str().unwrap()),
                    "{other:#}"
                );
            }
        }
        drawn += usize::from(!other["exchanges"].as_array().unwrap().is_empty());
    }
    assert!(drawn > 0, "two other seeds, and the same words each time");
    let shown = on(&place, &["diff", &one, &last]).ends(0).out;
    assert!(shown.contains("seed: 1 → 3"), "{shown}");
    assert!(
        shown.lines().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    on(&place, &["rerun", &one]).ends(0);
    holds(&place);
}

/// Every kept beginning of a prompt below the place's models: name and bytes.
fn kept_prefixes(place: &Place) -> Vec<(PathBuf, Vec<u8>)> {
    let models = place.join(".local/share/narrowroom/models");
    let mut all = Vec::new();
    for model in std::fs::read_dir(models).unwrap() {
        let Ok(files) = std::fs::read_dir(model.unwrap().path().join("prefix")) else {
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            all.push((path, bytes));
        }
    }
    all.sort();
    all
}

#[test]
fn a_playbooks_fixed_words_are_kept_and_nothing_of_a_bundle_is() {
    let place = Place::new();
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
    let bundle = bundle(&place);
    let run = |bundle: &Path, more: &[&str]| {
        let (ended, report) = place.triage(bundle, more);
        ended.ends(0);
        let log = json(&place, &["audit", "list"]);
        let id = log.as_array().unwrap().last().unwrap()["run"].clone();
        let record = json(&place, &["show", id.as_str().unwrap(), "--record"]);
        let read = record["model"]["prefill_tokens"].as_u64().unwrap();
        (report, read)
    };
    assert!(kept_prefixes(&place).is_empty());
    let (first, read_first) = run(&bundle, &[]);
    let kept = kept_prefixes(&place);
    assert!(!kept.is_empty());
    let (again, read_again) = run(&bundle, &[]);
    assert_eq!(first, again, "what was kept changes no word of the report");
    assert!(
        read_again < read_first,
        "{read_again} of {read_first} tokens"
    );
    assert_eq!(kept_prefixes(&place), kept, "computed once");

    // Whatever the bundle and the ticket say, the same bytes are made.
    let word = b"Jan  1 00:00:00 zebra4711 kernel: Out of memory: Killed process 9 (zebra4711)\n";
    let other = place.write("other.tar.gz", pack(&[("b/messages", word)]));
    std::fs::remove_dir_all(kept[0].0.parent().unwrap()).unwrap();
    run(&other, &["--ticket", "zebra4711 is slow"]);
    assert_eq!(kept_prefixes(&place), kept);

    // One that was altered is not used, and is made anew.
    let mut altered = kept[0].1.clone();
    altered[100] ^= 1;
    std::fs::write(&kept[0].0, altered).unwrap();
    assert_eq!(run(&bundle, &[]).0, first);
    assert_eq!(kept_prefixes(&place), kept);
    holds(&place);
}

/// A review that has begun lies in the run directory and is no part of the run; whatever else appears
/// there is found.
#[test]
fn a_review_that_has_begun_is_a_note_and_no_damage() {
    let place = Place::new();
    let id = triaged(&place, &bundle(&place), &[]);
    let dir = place.runs().join(&id);
    for begun in [
        ".review.draft.json",
        ".review.json.4711.partial",
        "..review.draft.json.4711.partial",
        ".attestation.intoto.jsonl.1.partial",
    ] {
        std::fs::write(dir.join(begun), "{").unwrap();
        let done = holds(&place);
        assert!(done["notes"].to_string().contains(begun), "{done}");
        on(&place, &["attest", "verify", &id]).ends(0);
        std::fs::remove_file(dir.join(begun)).unwrap();
    }
    for foreign in [
        ".hidden",
        ".report.json.4711.partial",
        ".review.json.x.partial",
        "review.draft.json",
    ] {
        std::fs::write(dir.join(foreign), "{").unwrap();
        let said = wrong(&place);
        assert!(said.contains(foreign), "{said}");
        std::fs::remove_file(dir.join(foreign)).unwrap();
    }
}

#[test]
fn a_run_of_a_newer_version_or_a_damaged_one_is_refused_by_name() {
    let place = Place::new();
    let id = triaged(&place, &bundle(&place), &[]);
    let dir = place.runs().join(&id);
    for (file, from, to, says) in [
        (
            "record.json",
            "narrowroom.record/v1",
            "narrowroom.record/v2",
            "newer narrowroom",
        ),
        (
            "report.json",
            "narrowroom.report/v1",
            "narrowroom.report/v12",
            "newer narrowroom",
        ),
        (
            "verdict.json",
            "narrowroom.verdict/v1",
            "other/v1",
            "no such document",
        ),
        ("record.json", "\"seed\"", "\"sead\"", "damaged"),
        ("record.json", "{", "", "damaged"),
    ] {
        let path = dir.join(file);
        let whole = std::fs::read_to_string(&path).unwrap();
        assert!(whole.contains(from), "{file} {from}");
        std::fs::write(&path, whole.replacen(from, to, 1)).unwrap();
        let ended = on(&place, &["show", &id]).ends(3).says(says).says(file);
        assert!(ended.err.contains("hint"), "{}", ended.err);
        std::fs::write(&path, whole).unwrap();
    }
    let path = dir.join("transcript.jsonl");
    std::fs::write(&path, "{\n").unwrap();
    on(&place, &["show", &id]).ends(3).says("line 1 is damaged");
    std::fs::remove_file(&path).unwrap();
    on(&place, &["show", &id])
        .ends(3)
        .says("transcript.jsonl")
        .says("missing");
}

/// A file system of a given size, in a namespace of its own; sizes from "nothing fits" to "all fits".
#[test]
fn on_a_full_disk_a_run_is_whole_or_absent_and_the_log_recovers() {
    let place = Place::new();
    let bundle = bundle(&place);
    // The key is made outside.
    place.run(&["audit", "key"]).ends(0);
    let script = r#"
        mkdir -p "$1"
        for size in 8k 40k 90k 140k 180k 240k 400k 2m; do
            mount -t tmpfs -o size=$size,mode=0700 none "$1" || exit 90
            code=0
            "$2" triage "$3" --no-model --quiet --runs "$1" >/dev/null 2>"$4" || code=$?
            [ $code = 0 ] || [ $code = 6 ] || { echo "size $size: exit $code"; cat "$4"; exit 91; }
            [ $code = 0 ] || grep -q 'no space' "$4" || { echo "size $size:"; cat "$4"; exit 92; }
            for dir in "$1"/[a-z0-9]*; do
                [ -d "$dir" ] || continue
                [ "$(ls "$dir" | wc -l)" = 8 ] || { echo "size $size: torn run"; ls -l "$dir"; exit 93; }
            done
            # With room again the next run finishes what was begun.
            mount -o remount,size=8m "$1" || exit 94
            "$2" triage "$3" --no-model --quiet --runs "$1" >/dev/null || exit 95
            "$2" audit verify --runs "$1" || exit 96
            echo "size $size exit $code"
            umount "$1"
        done
    "#;
    let mut command = std::process::Command::new("unshare");
    command
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            "sh",
        ])
        .arg(place.join("disk"))
        .arg(env!("CARGO_BIN_EXE_narrowroom"))
        .arg(&bundle)
        .arg(place.join("err"))
        .env("HOME", place.path())
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME");
    let ended = Ended::of(command.output().expect("unshare of util-linux")).ends(0);
    assert!(ended.out.contains("size 8k exit 6"), "{}", ended.out);
    assert!(ended.out.contains("size 2m exit 0"), "{}", ended.out);
}

#[test]
fn tenants_are_apart_and_the_log_shows_it() {
    let place = Place::new();
    let bundle = bundle(&place);
    let a = triaged(&place, &bundle, &["--tenant", "alpha"]);
    let b = triaged(&place, &bundle, &["--tenant", "beta"]);
    triaged(&place, &bundle, &[]);
    assert!(
        place
            .runs()
            .join("tenants/alpha")
            .join(&a)
            .join("record.json")
            .exists()
    );
    assert!(
        place
            .runs()
            .join("tenants/beta")
            .join(&b)
            .join("record.json")
            .exists()
    );
    on(&place, &["show", &a]).ends(0);
    assert_eq!(
        json(&place, &["runs", "--tenant", "alpha"])
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(json(&place, &["runs"]).as_array().unwrap().len(), 3);
    let shown = json(&place, &["audit", "prove", "--tenant", "alpha"]);
    assert_eq!(
        shown["others"],
        serde_json::json!(["beta", "runs without a tenant"])
    );
    let run = &shown["runs"][0];
    assert_eq!(run["problems"], serde_json::json!([]));
    let zones: Vec<_> = run["reach"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["zone"].as_str().unwrap(), r["write"].as_bool().unwrap()))
        .collect();
    assert_eq!(
        zones,
        [("unpack", true), ("room", false), ("verify", false)]
    );
    for root in run["reach"].as_array().unwrap() {
        assert_eq!(
            root["host"],
            format!("<runs>/tenants/alpha/.{a}.partial/tree")
        );
    }
    on(&place, &["audit", "prove", "--tenant", "alpha"]).ends(0);
    for bad in ["../x", "A", "a/b", ""] {
        place
            .triage(&bundle, &["--no-model", "--tenant", bad])
            .0
            .ends(2);
    }
    on(&place, &["rerun", &a]).ends(0);
    assert_eq!(
        json(&place, &["runs", "--tenant", "alpha"])
            .as_array()
            .unwrap()
            .len(),
        2
    );
    // An answer from an altered log is no answer.
    let path = place.runs().join(".audit/entries.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, whole.replace("tenants/alpha", "tenants/alpho")).unwrap();
    on(&place, &["audit", "prove", "--tenant", "alpha"]).ends(5);
}

/// Data of B is planted where the host can read it; a room of A that was taken over tries every way.
#[cfg(feature = "layer-mutation")]
#[test]
fn a_hostile_room_of_one_tenant_cannot_read_data_of_another() {
    use narrowroom::room::hostile;
    let place = Place::new();
    let bundle = bundle(&place);
    let b = triaged(&place, &bundle, &["--tenant", "beta"]);
    let planted = place
        .runs()
        .join("tenants/beta")
        .join(&b)
        .join("report.json");
    let outside = place.write("beta-data.txt", "belongs to beta");
    let log = place.runs().join(".audit/entries.jsonl");
    let files = [&planted, &outside, &log]
        .map(|path| path.to_str().unwrap())
        .join(":");
    // The positive control: outside of a seal the same attempts read all three.
    let control = hostile::attempts(&files);
    let read = |notes: &[String], way: &str| {
        notes
            .iter()
            .filter(|note| note.contains(way) && note.contains(": READ "))
            .count()
    };
    assert_eq!(read(&control, "its name"), 3, "{control:#?}");
    assert_eq!(read(&control, "the root of the process"), 3, "{control:#?}");

    let ended = Ended::of(
        place
            .program()
            .args([
                "triage",
                bundle.to_str().unwrap(),
                "--no-model",
                "--quiet",
                "--json",
            ])
            .args([
                "--tenant",
                "alpha",
                "--runs",
                place.runs().to_str().unwrap(),
            ])
            .env(hostile::VARIABLE, &files)
            .output()
            .unwrap(),
    );
    ended.ends(0);
    let shown = json(&place, &["audit", "prove", "--tenant", "alpha"]);
    let a = shown["runs"][0]["run"].as_str().unwrap().to_owned();
    let record = json(&place, &["show", &a, "--record"]);
    let notes: Vec<String> = record["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note.as_str().unwrap().to_owned())
        .filter(|note| note.starts_with("hostile room"))
        .collect();
    assert_eq!(notes.len(), control.len(), "every attempt was made");
    for note in &notes {
        // Not "any error": the file is not there, or Landlock refuses the way.
        assert!(
            note.ends_with(": errno 2") || note.ends_with(": errno 13"),
            "{note}"
        );
    }
    on(&place, &["audit", "prove", "--tenant", "alpha"]).ends(0);
}
