//! A secret that was planted in a bundle appears nowhere: not in what a run writes, prints, signs or serves, and not
//! when its workers or the program itself are killed in the middle.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

#[allow(dead_code, reason = "this test uses a part of it")]
#[path = "support/page.rs"]
mod page;
mod support;

#[allow(dead_code, reason = "the generator is a program of its own, too")]
#[path = "../fixtures/pack.rs"]
mod pack;

use page::Served;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{Ended, Place};

/// A token of the right form and checksum that nobody was ever given.
const TOKEN: &str = concat!("gh", "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17");
/// In a settings file; in every log line without a word that tells what it is.
const PASSWORD: &str = "Tr0ub4dorEleven";
/// The same, short.
const SHORT: &str = "q7!zk";
/// Known from a rotated log that is compressed.
const ZIPPED: &str = "Tr0ub4dorTwelve";
/// Known from a process's environment, a binary file.
const BINARY: &str = "Tr0ub4dorThirteen";
/// In the customer's words.
const TICKET: &str = "Tr0ub4dorFourteen";

const PLANTED: [&str; 6] = [TOKEN, PASSWORD, SHORT, ZIPPED, BINARY, TICKET];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

/// A host's bundle out of `fixture` with secrets in the name of its top folder, in every line of its logs, in its
/// settings, in a compressed and in a binary file, and in the name of an entry that is refused. `filler` is how many
/// bytes of further log there are.
fn bundle(place: &Place, fixture: &str, filler: usize) -> PathBuf {
    bundle_of(place, fixture, filler, |line| {
        format!("{line} [{PASSWORD} {SHORT} {ZIPPED} {BINARY} {TOKEN}]\n")
    })
}

/// As [`bundle`], each line of the logs as `line` makes it.
fn bundle_of(
    place: &Place,
    fixture: &str,
    filler: usize,
    line: impl Fn(&str) -> String,
) -> PathBuf {
    pack::pack_all(place.path(), &[fixture.to_owned()]).expect("the fixture packs");
    let from = place.join(&format!("{fixture}.tar.gz"));
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(
        std::fs::File::open(&from).unwrap(),
    ));
    let top = format!("sosreport-{TOKEN}");
    let mut out = tar::Builder::new(Vec::new());
    let mut add = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        out.append_data(&mut header, path, content).unwrap();
    };
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        if content.is_empty() {
            continue;
        }
        let (_, rest) = path.split_once('/').expect("a top folder");
        if rest.starts_with("var/log") || rest.contains("dmesg") {
            let text = String::from_utf8(content).unwrap();
            content = text.lines().map(&line).collect::<String>().into_bytes();
        }
        add(&format!("{top}/{rest}"), &content);
    }
    add(
        &format!("{top}/etc/app/app.env"),
        format!("DB_PASSWORD={PASSWORD}\nADMIN_PASSWORD={SHORT}\n").as_bytes(),
    );
    add(
        &format!("{top}/var/log/app.log.1.gz"),
        &gzip(format!("login with password={ZIPPED}\n").as_bytes()),
    );
    add(
        &format!("{top}/proc/77/environ"),
        format!("HOME=/\0API_PASSWORD={BINARY}\0").as_bytes(),
    );
    if filler > 0 {
        let line = format!("2026-01-01T00:00:00Z app worker idle, session {PASSWORD}\n");
        add(
            &format!("{top}/var/log/filler.log"),
            line.repeat(filler / line.len()).as_bytes(),
        );
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    out.append_link(&mut link, format!("{top}/of-{TOKEN}"), "/etc/passwd")
        .unwrap();
    std::fs::remove_file(from).unwrap();
    place.write("case.tar.gz", gzip(&out.into_inner().expect("the archive")))
}

/// Where a planted value, its first eight or its last eight characters stand in `bytes`: its name and what stands
/// before it.
fn planted(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    PLANTED.iter().find_map(|value| {
        let (head, tail) = (value.len().min(8), value.len().saturating_sub(8));
        let at = text
            .find(&value[..head])
            .or_else(|| text.find(&value[tail..]))?;
        let from = text[..at].char_indices().rev().take(60).last();
        let start = from.map_or(at, |(start, _)| start);
        Some(format!("{value} after {:?}", &text[start..at]))
    })
}

/// Every file below `dir` but the bundles themselves, hidden ones too.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for item in std::fs::read_dir(dir).unwrap() {
        let item = item.unwrap();
        let path = item.path();
        if item.file_type().unwrap().is_dir() {
            all.extend(files(&path));
        } else if path.extension().is_none_or(|end| end != "gz") {
            all.push(path);
        }
    }
    all
}

/// No file that anything wrote in `place` holds a planted value, in its content or its name.
#[track_caller]
fn nowhere(place: &Place, when: &str) {
    for path in files(place.path()) {
        let name = path.to_string_lossy();
        assert_eq!(planted(name.as_bytes()), None, "{when}: the name {name}");
        if let Ok(bytes) = std::fs::read(&path) {
            assert_eq!(planted(&bytes), None, "{when}: {name}");
        }
    }
}

#[track_caller]
fn quiet(ended: &Ended, what: &str) {
    assert_eq!(planted(ended.out.as_bytes()), None, "{what}, printed");
    assert_eq!(planted(ended.err.as_bytes()), None, "{what}, told");
}

/// The search itself finds what is there.
#[test]
fn the_search_of_these_tests_finds_a_value() {
    let place = Place::new();
    std::fs::create_dir(place.join(".hidden")).unwrap();
    place.write(".hidden/x.json", format!("\"{SHORT}\""));
    assert!(std::panic::catch_unwind(|| nowhere(&place, "control")).is_err());
    let place = Place::new();
    place.write(&format!("of-{TOKEN}"), "");
    assert!(std::panic::catch_unwind(|| nowhere(&place, "control")).is_err());
}

#[test]
fn a_planted_secret_is_in_nothing_that_a_run_writes_prints_or_serves() {
    let place = Place::new();
    let path = bundle(&place, "host-oom", 0);
    let (file, runs) = (path.to_str().unwrap(), place.runs());
    let runs = runs.to_str().unwrap();
    let ticket = format!("it stopped; we log in with password={TICKET}");
    let arguments = [
        "triage",
        file,
        "--no-model",
        "--ticket",
        &ticket,
        "--runs",
        runs,
    ];
    let ended = place.run(&arguments).ends(0);
    quiet(&ended, "triage");
    let ended = place.run(&[&arguments[..], &["--json"]].concat()).ends(0);
    quiet(&ended, "triage --json");
    // The positive control: lines that hold the values were shown, and the file names too.
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["outcome"], "findings");
    let cited = report["findings"][0]["evidence"][0]["path"]
        .as_str()
        .unwrap();
    assert!(
        cited.starts_with("sosreport-‹secret:github-token:"),
        "{cited}"
    );
    let ids = place.run_entries();
    assert_eq!(ids.len(), 2);
    let id = ids[0].as_str();
    let record: Value = serde_json::from_str(
        &std::fs::read_to_string(place.runs().join(id).join("record.json")).unwrap(),
    )
    .unwrap();
    let contexts = record["contexts"].to_string();
    for kind in ["password", "github-token"] {
        let mark = format!("‹secret:{kind}:");
        assert!(contexts.contains(&mark), "{kind}: {contexts}");
    }
    assert!(
        record["skipped"]
            .to_string()
            .contains("of-‹secret:github-token:")
    );
    nowhere(&place, "after triage");

    let with_runs = |arguments: &[&str]| {
        let ended = place.run(&[arguments, &["--runs", runs]].concat());
        quiet(&ended, &arguments.join(" "));
        ended
    };
    for form in ["terminal", "json", "markdown", "html", "sarif"] {
        with_runs(&["show", id, "--format", form]).ends(0);
    }
    for part in [
        "--record",
        "--verdict",
        "--transcript",
        "--seal",
        "--timings",
    ] {
        with_runs(&["show", id, part]).ends(0);
        with_runs(&["show", id, part, "--json"]).ends(0);
    }
    let packet = with_runs(&["packet", id]).ends(0);
    assert!(packet.out.contains("‹secret:"), "{}", packet.out);
    with_runs(&["diff", id, &ids[1]]).ends(0);
    with_runs(&["diff", id, &ids[1], "--json"]).ends(0);
    with_runs(&["rerun", id, "--ticket", &ticket]).ends(0);
    with_runs(&["runs", "--json"]).ends(0);
    with_runs(&["audit", "list", "--json"]).ends(0);

    // What another says about the bundle, with the values in it.
    let answer = json!({
        "schema": "narrowroom.answer/v1", "tool": "other",
        "text": format!("The indexer was killed by the kernel. It logged {PASSWORD} and {SHORT}. The host gone-{ZIPPED} is down."),
        "citations": [{"path": format!("sosreport-{TOKEN}/var/log/syslog"), "line_start": 1, "quote": BINARY}],
        "commands": [{"command": format!("mysql -p{PASSWORD} -e 'DROP TABLE x'"), "why": format!("as {TOKEN}")}],
    });
    let given = Place::new();
    for (name, text, more) in [
        ("answer.json", answer.to_string(), None),
        (
            "answer.txt",
            answer["text"].as_str().unwrap().to_owned(),
            Some("--text"),
        ),
        ("broken.json", answer.to_string().replace('}', "]"), None),
    ] {
        let name = given.write(name, text);
        let mut arguments = vec!["verify", name.to_str().unwrap(), "--bundle", file];
        arguments.extend(more);
        let told = with_runs(&arguments);
        assert!([0, 3, 5].contains(&told.code), "{} {}", told.code, told.err);
        let told = with_runs(&[&arguments[..], &["--json"]].concat());
        assert!([0, 3, 5].contains(&told.code));
    }

    let served = Served::start(&place, &[id, "--bundle", file]);
    let page = served.page().is(200);
    assert_eq!(planted(page.body.as_bytes()), None, "the page");
    assert!(page.body.contains("‹secret:"));
    let sitting = served.sit();
    sitting.accept_all();
    let answer = sitting.approve("A. Reviewer").is(200);
    assert_eq!(planted(answer.body.as_bytes()), None, "the approval");
    let (code, said) = served.end();
    assert_eq!((code, planted(said.as_bytes())), (0, None));
    with_runs(&["reply", id]).ends(0);
    with_runs(&["reply", id, "--json"]).ends(0);
    nowhere(&place, "at the end");
}

#[test]
fn a_value_that_a_quote_cuts_in_two_is_hidden_too() {
    // Quotes hold at most 400 characters of a line.
    for (value, kept) in [(PASSWORD, 8), (PASSWORD, 14), (TOKEN, 9), (TOKEN, 25)] {
        let place = Place::new();
        let path = bundle_of(&place, "host-oom", 0, |line| {
            let room = 400_usize.saturating_sub(line.chars().count() + kept + 1);
            format!("{line} {}{value} and more\n", ".".repeat(room))
        });
        let (file, runs) = (path.to_str().unwrap(), place.runs());
        let runs = runs.to_str().unwrap();
        let ended = place
            .run(&["triage", file, "--no-model", "--json", "--runs", runs])
            .ends(0);
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        let quotes = report["findings"].to_string();
        assert!(quotes.contains("oom_score_adj:0 ....."), "{quotes}");
        quiet(&ended, "triage");
        nowhere(&place, "after triage");
        let written = place
            .runs()
            .join(place.run_entries().remove(0))
            .join("report.json");
        place
            .run(&["verify", written.to_str().unwrap(), "--bundle", file])
            .ends(0);
    }
}

#[test]
fn with_the_model_the_prompts_and_answers_hold_no_secret() {
    let place = Place::new();
    let library = std::env::var("NARROWROOM_ORT_LIBRARY")
        .expect("NARROWROOM_ORT_LIBRARY: run scripts/test.sh");
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    assert!(Path::new(&library).exists());
    let models = Place::new();
    models.run(&["model", "import", &model]).ends(0);
    let path = bundle(&place, "host-oom", 0);
    let data = models.join(".local/share");
    let runs = place.runs();
    let triage = Ended::of(
        place
            .program()
            .env("XDG_DATA_HOME", data)
            .args(["triage", path.to_str().unwrap(), "--ticket"])
            .arg(format!("it stopped; we log in with password={TICKET}"))
            .args(["--threads", "2", "--runs", runs.to_str().unwrap()])
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    )
    .ends(0);
    quiet(&triage, "triage");
    let id = place.run_entries().pop().unwrap();
    let transcript =
        std::fs::read_to_string(place.runs().join(&id).join("transcript.jsonl")).unwrap();
    // The positive control: the model was shown lines and paths that hold them.
    assert!(
        transcript.contains("oom_score_adj:0") && transcript.contains("sosreport-‹secret:"),
        "{transcript}"
    );
    nowhere(&place, "with the model");
}

/// Processes that `pid` started, and those started by them.
fn children(pid: u32) -> Vec<u32> {
    let direct = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let direct: Vec<u32> = direct
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    let further: Vec<u32> = direct.iter().flat_map(|child| children(*child)).collect();
    direct.into_iter().chain(further).collect()
}

/// The processes of the worker of `zone` that `pid` runs, the sealed one last.
fn worker(pid: u32, zone: &str) -> Vec<u32> {
    let wanted = format!("__worker\0{zone}\0");
    let is_one = |pid: &u32| {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.contains(&wanted))
    };
    children(pid).into_iter().filter(is_one).collect()
}

/// Starts a triage in an own directory where core files may be written without a limit.
fn start(place: &Place, bundle: &Path) -> std::process::Child {
    let temporary = place.join("tmp");
    std::fs::create_dir_all(&temporary).unwrap();
    Command::new("sh")
        .args(["-c", "ulimit -c \"$(ulimit -H -c)\" && exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_narrowroom"))
        .arg("triage")
        .arg(bundle)
        .args(["--no-model", "--json", "--runs"])
        .arg(place.runs())
        .current_dir(place.path())
        .env("HOME", place.path())
        .env("TMPDIR", temporary)
        .env_remove("XDG_DATA_HOME")
        .env_remove("XDG_STATE_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Sends a signal twice: the handler for stack overflows takes a first SIGSEGV from outside for a stray one.
fn signal(pid: u32, number: i32) {
    for _ in 0..2 {
        let done = Command::new("kill")
            .args([format!("-{number}"), pid.to_string()])
            .stderr(Stdio::null())
            .status();
        assert!(done.is_ok());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_killed_worker_leaves_nothing_of_the_bundle() {
    let bundles = Place::new();
    let path = bundle(&bundles, "host-oom", 24 << 20);
    let mut hit = 0;
    for (zone, number, wait) in [
        ("unpack", 9, 0),
        ("unpack", 11, 40),
        ("room", 11, 0),
        ("room", 9, 60),
        ("room", 6, 250),
        ("verify", 9, 0),
        ("verify", 11, 120),
    ] {
        let place = Place::new();
        let child = start(&place, &path);
        let deadline = Instant::now() + Duration::from_secs(60);
        while worker(child.id(), zone).is_empty() {
            assert!(
                Instant::now() < deadline,
                "{zone}: the worker was not there"
            );
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait));
        // The sealed process is the first one of its namespace, so that from outside only SIGKILL reaches it; the
        // others go to the process that waits for it.
        let found = worker(child.id(), zone);
        let target = if number == 9 {
            found.last()
        } else {
            found.first()
        };
        if let Some(target) = target {
            signal(*target, number);
        }
        let ended = Ended::of(child.wait_with_output().unwrap());
        let when = format!("{zone} worker, signal {number} after {wait} ms");
        quiet(&ended, &when);
        nowhere(&place, &when);
        if ended.code != 0 {
            hit += 1;
            // A bug, a broken seal, a limit, an interruption: any of the documented ends, with words.
            let documented = [1, 4, 6, 130].contains(&ended.code);
            assert!(documented, "{when}: {} {}", ended.code, ended.err);
            assert!(ended.err.contains("error"), "{when}: {}", ended.err);
            assert_eq!(place.run_entries(), Vec::<String>::new(), "{when}");
        }
    }
    assert!(hit >= 5, "only {hit} workers were hit while they worked");
}

#[test]
fn when_the_program_itself_crashes_the_next_run_takes_the_rest_away() {
    let bundles = Place::new();
    let path = bundle(&bundles, "host-oom", 24 << 20);
    let place = Place::new();
    let child = start(&place, &path);
    let deadline = Instant::now() + Duration::from_secs(60);
    while worker(child.id(), "room").is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let workers = children(child.id());
    assert!(!workers.is_empty());
    signal(child.id(), 11);
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.signal(), Some(11));
    assert!(!ended.status.core_dumped());
    assert_eq!(planted(&ended.stdout), None);
    assert_eq!(planted(&ended.stderr), None);
    // Its workers end with it.
    while workers
        .iter()
        .any(|pid| Path::new(&format!("/proc/{pid}/cwd")).exists())
    {
        assert!(Instant::now() < deadline, "a worker lives on");
        std::thread::sleep(Duration::from_millis(5));
    }
    let small = bundle(&bundles, "host-disk-full", 0);
    place.triage(&small, &["--no-model"]).0.ends(0);
    nowhere(&place, "after the next run");
    assert_eq!(place.run_entries().len(), 1);
}
