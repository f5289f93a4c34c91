//! Bad input: a clear message, the documented exit code, nothing left behind.

#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use support::{Place, pack};

fn refused(name: &str, bytes: &[u8], words: &str) {
    let place = Place::new();
    let bundle = place.write(name, bytes);
    let (ended, _) = place.triage(&bundle, &["--no-model"]);
    let ended = ended.ends(3).says(words);
    assert!(
        ended.out.is_empty(),
        "nothing goes to standard output: {}",
        ended.out
    );
    assert!(
        ended.err.contains("error: ") && ended.err.contains(" hint: "),
        "what, where and what to do:\n{}",
        ended.err
    );
    assert_eq!(
        place.run_entries(),
        Vec::<String>::new(),
        "a refused bundle leaves nothing"
    );
}

#[test]
fn a_file_that_is_no_archive_is_refused() {
    refused(
        "notes.pdf",
        b"these are my notes, not an archive\n"
            .repeat(100)
            .as_slice(),
        "neither a tar nor a zip archive",
    );
}

#[test]
fn an_empty_file_is_refused() {
    refused("empty.tar.gz", b"", "empty");
}

#[test]
fn a_truncated_archive_is_refused() {
    let mut noise = Vec::new();
    let mut state = 1_u32;
    for _ in 0..200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        noise.push((state >> 24) as u8);
    }
    let whole = pack(&[("b/noise.bin", &noise), ("b/end.txt", b"end\n")]);
    refused("cut.tar.gz", &whole[..whole.len() / 2], "cut off");
}

#[test]
fn an_archive_without_files_is_refused() {
    refused("none.tar.gz", &pack(&[]), "no file");
}

#[test]
fn a_wrong_checksum_is_refused() {
    let mut bytes = pack(&[(
        "b/a.log",
        b"2024-01-01 00:00:00 INFO all is well\n"
            .repeat(50)
            .as_slice(),
    )]);
    let at = bytes.len() - 8;
    bytes[at] ^= 0x5a;
    refused("crc.tar.gz", &bytes, "checksum");
}

#[test]
fn a_missing_bundle_and_an_empty_directory_are_told_apart() {
    let place = Place::new();
    let (ended, _) = place.triage(&place.join("nowhere.tar.gz"), &["--no-model"]);
    ended.ends(3).says("failed to open the bundle");
    let empty = place.join("empty");
    std::fs::create_dir(&empty).expect("a directory");
    let (ended, _) = place.triage(&empty, &["--no-model"]);
    ended.ends(3).says("holds no files");
}

#[test]
fn limits_stop_the_run_with_their_own_code() {
    let place = Place::new();
    let many: Vec<(String, Vec<u8>)> = (0..50)
        .map(|n| (format!("b/{n}.log"), b"a line\n".to_vec()))
        .collect();
    let files: Vec<(&str, &[u8])> = many
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
        .collect();
    let bundle = place.write("many.tar.gz", pack(&files));
    for limit in [
        ["--max-files", "10"],
        ["--max-bytes", "100"],
        ["--max-file-bytes", "3"],
    ] {
        let (ended, _) = place.triage(&bundle, &["--no-model", limit[0], limit[1]]);
        assert!(
            matches!(ended.code, 3 | 6),
            "{limit:?}: {} {}",
            ended.code,
            ended.err
        );
        assert!(
            ended.err.contains("limit") && ended.err.contains("hint"),
            "{limit:?}: {}",
            ended.err
        );
        assert_eq!(place.run_entries(), Vec::<String>::new());
    }
    let (ended, _) = place.triage(&bundle, &["--no-model"]);
    ended.ends(0);
}

#[test]
fn a_runs_directory_that_cannot_be_written_is_a_usage_error() {
    let place = Place::new();
    let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    place.write("runs", "a file where a directory should be");
    let (ended, _) = place.triage(&bundle, &["--no-model"]);
    ended.ends(2).says("--runs DIR");
}

#[test]
fn a_missing_model_says_how_to_get_one() {
    let place = Place::new();
    let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    let (ended, _) = place.triage(&bundle, &[]);
    ended.ends(2).says("scripts/fetch.sh");
}

#[test]
fn a_bundle_of_binary_files_gives_an_honest_report() {
    let place = Place::new();
    let bundle = place.write(
        "bin.tar.gz",
        pack(&[
            ("b/core.1", &[0, 159, 146, 150, 0, 1, 2, 3]),
            ("b/core.2", &[0; 4096]),
        ]),
    );
    let (ended, report) = place.triage(&bundle, &["--no-model"]);
    ended.ends(0);
    assert!(
        report["not_examined"].to_string().contains("binary"),
        "{report}"
    );
    assert_ne!(report["outcome"], "findings");
}

#[test]
fn a_name_that_attacks_the_terminal_is_left_out_and_listed() {
    let place = Place::new();
    let mut bytes = pack(&[("b/a.log", b"a line\n")]);
    // tar's Builder refuses nothing here: the control character goes in through the raw name.
    bytes = pack(&[("b/a.log", b"a line\n"), ("b/\u{1b}[2Jevil.log", b"x\n")])
        .into_iter()
        .chain(bytes.drain(..0))
        .collect();
    let bundle = place.write("esc.tar.gz", bytes);
    let runs = place.runs();
    let ended = place
        .run(&[
            "triage",
            bundle.to_str().unwrap(),
            "--no-model",
            "--runs",
            runs.to_str().unwrap(),
        ])
        .ends(0);
    assert!(!ended.out.contains('\u{1b}') && !ended.err.contains('\u{1b}'));
    let listed = place
        .run(&["runs", "--json", "--runs", runs.to_str().unwrap()])
        .ends(0);
    let id = serde_json::from_str::<serde_json::Value>(&listed.out).unwrap()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let record = place
        .run(&["show", &id, "--record", "--runs", runs.to_str().unwrap()])
        .ends(0);
    let record: serde_json::Value = serde_json::from_str(&record.out).unwrap();
    assert!(
        record["skipped"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("control character"),
        "{}",
        record["skipped"]
    );
}

#[test]
fn ctrl_c_leaves_nothing() {
    use std::os::unix::process::ExitStatusExt;
    let place = Place::new();
    let big = b"2024-01-01 00:00:00 INFO a perfectly ordinary line of a log that goes on and on\n"
        .repeat(400_000);
    let bundle = place.write(
        "big.tar.gz",
        pack(&[("b/a.log", &big), ("b/b.log", &big), ("b/c.log", &big)]),
    );
    for delay in [5, 40, 120, 300] {
        let runs = place.runs();
        // On a busy machine an earlier one may have been done before its signal came.
        let before = place.run_entries();
        let mut child = place
            .program()
            .args([
                "triage",
                bundle.to_str().unwrap(),
                "--no-model",
                "--json",
                "--runs",
                runs.to_str().unwrap(),
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let status = child.wait().unwrap();
        if status.code() == Some(0) {
            continue;
        }
        // Before its handler stands the signal itself ends it; after that the documented code does.
        assert!(
            status.code() == Some(130) || status.signal() == Some(2),
            "{status:?}"
        );
        let mut left = place.run_entries();
        left.retain(|name| !before.contains(name));
        left.retain(|name| !name.starts_with('.') || status.code() == Some(130));
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_relative_runs_directory_and_bundle_are_those_of_the_caller() {
    let place = Place::new();
    place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    let args = [
        "triage",
        "b.tar.gz",
        "--no-model",
        "--json",
        "--runs",
        "here",
    ];
    let output = place
        .program()
        .args(args)
        .current_dir(place.path())
        .output()
        .unwrap();
    support::Ended::of(output).ends(0);
    assert_eq!(
        std::fs::read_dir(place.join("here")).unwrap().count(),
        2,
        "the run and the audit log are kept there"
    );
}
