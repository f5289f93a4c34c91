//! The guard through the command line, on real Git repositories: what stops a commit, what does not,
//! what is said, and that no part of a value gets out.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Ended, Place};

/// A GitHub token whose checksum holds; put together here so that this file holds none.
fn token() -> String {
    ["gh", "p_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"].concat()
}
const PASSWORD: &str = "Wr0ng-Horse-77";

struct Repository {
    place: Place,
}

impl Repository {
    fn new() -> Self {
        let new = Self {
            place: Place::new(),
        };
        std::fs::create_dir(new.dir()).unwrap();
        new.git(&["init", "-q", "-b", "main"]);
        new.git(&["config", "user.name", "Test"]);
        new.git(&["config", "user.email", "test@example.org"]);
        new
    }
    fn dir(&self) -> PathBuf {
        self.place.join("repo")
    }
    fn git_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .args(args)
            .current_dir(self.dir())
            .env("HOME", self.place.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null());
        command
    }
    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        let ended = Ended::of(self.git_command(args).output().expect("git starts"));
        ended.ends(0).out
    }
    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.dir().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    fn stage(&self, name: &str, content: impl AsRef<[u8]>) {
        self.write(name, content);
        self.git(&["add", "--", name]);
    }
    fn commit(&self, words: &str) {
        self.git(&["commit", "-q", "--no-verify", "-m", words]);
    }
    fn guard_command(&self, args: &[&str]) -> Command {
        let mut command = self.place.program();
        command
            .arg("guard")
            .args(args)
            .current_dir(self.dir())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("GIT_DIR")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null());
        command
    }
    fn guard(&self, args: &[&str]) -> Ended {
        Ended::of(
            self.guard_command(args)
                .output()
                .expect("the program starts"),
        )
    }
    /// The report of a scan, and the exit code.
    fn scan(&self, args: &[&str]) -> (i32, Value) {
        let mut all = vec!["--no-model", "--json"];
        all.extend(args);
        let ended = self.guard(&all);
        let report = serde_json::from_str(&ended.out)
            .unwrap_or_else(|why| panic!("{why}: {}\n{}", ended.out, ended.err));
        (ended.code, report)
    }
    fn pipe(&self, args: &[&str], input: &[u8]) -> Ended {
        use std::io::Write;
        let mut child = self
            .guard_command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The program may refuse before it has read everything.
        let _ = child.stdin.take().unwrap().write_all(input);
        Ended::of(child.wait_with_output().unwrap())
    }
}

/// Rule, path, line, column of each finding.
fn places(report: &Value) -> Vec<(String, String, u64, u64)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| {
            (
                text(&f["rule"]),
                text(&f["path"]),
                f["line"].as_u64().unwrap(),
                f["column"].as_u64().unwrap(),
            )
        })
        .collect()
}

fn said(report: &Value) -> Vec<(String, String)> {
    report["not_examined"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| {
            (
                n["path"].as_str().unwrap().to_owned(),
                n["what"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

fn at(rule: &str, path: &str, line: u64, column: u64) -> (String, String, u64, u64) {
    (rule.into(), path.into(), line, column)
}

fn what(path: &str, what: &str) -> (String, String) {
    (path.into(), what.into())
}

/// Every file below, with its content.
fn all_files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(at) = pending.pop() {
        for item in std::fs::read_dir(at).unwrap() {
            let item = item.unwrap();
            if item.file_type().unwrap().is_dir() {
                pending.push(item.path());
            } else if item.file_type().unwrap().is_file() {
                found.push((item.path(), std::fs::read(item.path()).unwrap()));
            }
        }
    }
    found
}

/// No stretch of eight characters of `value` stands in `text`.
#[track_caller]
fn nothing_of(value: &str, text: &str) {
    for at in 0..value.len() - 7 {
        let part = &value[at..at + 8];
        assert!(!text.contains(part), "{part:?} of the value is in: {text}");
    }
}

#[test]
fn a_planted_token_stops_a_real_commit_and_nothing_of_it_gets_out() {
    let repository = Repository::new();
    repository.guard(&["install"]).ends(0);
    repository.stage(
        "src/app.py",
        format!("import os\n\ntoken = \"{}\"\n", token()),
    );
    repository.stage("ok.txt", "fine\n");
    let before: Vec<PathBuf> = all_files(repository.place.path())
        .into_iter()
        .map(|(path, _)| path)
        .collect();
    let ended = Ended::of(
        repository
            .git_command(&["commit", "-m", "x"])
            .output()
            .unwrap(),
    );
    assert_ne!(ended.code, 0);
    let shown = format!("{}{}", ended.out, ended.err);
    assert!(
        shown.contains("src/app.py:3:10") && shown.contains("github-token"),
        "{shown}"
    );
    nothing_of(&token(), &shown);
    // No commit was made, and no file that was written since holds the value.
    assert_ne!(
        repository
            .git_command(&["rev-parse", "-q", "--verify", "HEAD"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(0)
    );
    for (path, content) in all_files(repository.place.path()) {
        if !before.contains(&path) {
            nothing_of(&token(), &String::from_utf8_lossy(&content));
        }
    }
    // The positive control: without the token the same commit goes through.
    repository.stage("src/app.py", "import os\n\ntoken = os.environ[\"TOKEN\"]\n");
    repository.git(&["commit", "-q", "-m", "x"]);
}

#[test]
fn every_output_form_keeps_the_value_back() {
    let repository = Repository::new();
    let named = format!("keys/{}.txt", token());
    repository.stage(&named, format!("password: {PASSWORD}\n"));
    repository.stage(
        "a.env",
        format!(
            "DB_PASSWORD={PASSWORD}\nOTHER_PASSWORD={PASSWORD} # narrowroom:allow password {PASSWORD} is for tests\n"
        ),
    );
    for args in [
        &["--no-model"][..],
        &["--no-model", "--json"],
        &["--no-model", "--sarif"],
        &["--no-model", "--write-baseline", "b.json"],
        &["--no-model", "--show-accepted", "--no-baseline"],
    ] {
        let ended = repository.guard(args);
        let code = if args.contains(&"--write-baseline") {
            0
        } else {
            7
        };
        assert_eq!(ended.code, code, "{args:?} {}", ended.err);
        nothing_of(PASSWORD, &format!("{}{}", ended.out, ended.err));
        nothing_of(&token(), &format!("{}{}", ended.out, ended.err));
    }
    let baseline = std::fs::read_to_string(repository.dir().join("b.json")).unwrap();
    nothing_of(PASSWORD, &baseline);
    nothing_of(&token(), &baseline);
}

#[test]
fn only_what_is_added_counts() {
    let repository = Repository::new();
    repository.stage("conf.yml", format!("password: {PASSWORD}\nname: x\n"));
    repository.commit("old");
    repository.stage("conf.yml", format!("password: {PASSWORD}\nname: y\n"));
    assert_eq!(repository.scan(&[]).0, 0);
    repository.stage(
        "conf.yml",
        format!("a: b\npassword: {PASSWORD}\nname: y\nsecond_password: {PASSWORD}2\n"),
    );
    let (code, report) = repository.scan(&["--staged"]);
    assert_eq!(
        (code, places(&report)),
        (7, vec![at("password", "conf.yml", 4, 18)])
    );
    // Unstaged changes are not looked at.
    repository.write("conf.yml", "gone\n");
    assert_eq!(repository.scan(&["--staged"]).0, 7);
}

#[test]
fn a_new_repository_a_deleted_file_a_rename_and_a_mode_change() {
    let repository = Repository::new();
    assert_eq!(repository.scan(&[]).0, 0);
    repository.stage("a.yml", format!("password: {PASSWORD}\n"));
    assert_eq!(repository.scan(&[]).0, 7, "nothing is committed yet");
    repository.stage("b.sh", "echo hi\n");
    repository.stage("c.txt", "one\ntwo\nthree\nfour\nfive\nsix\n");
    repository.commit("first");
    repository.git(&["rm", "-q", "a.yml"]);
    repository.git(&["update-index", "--chmod=+x", "b.sh"]);
    repository.git(&["mv", "c.txt", "d.txt"]);
    let (code, report) = repository.scan(&[]);
    assert_eq!(code, 0);
    assert_eq!(report["counts"]["files"], 3);
    assert_eq!(report["counts"]["nothing_added"], 3);
}

#[test]
fn unusual_content_is_searched_or_said() {
    let repository = Repository::new();
    let secret = format!("password: {PASSWORD}\r\n");
    let wide: Vec<u8> = [0xFF, 0xFE]
        .into_iter()
        .chain(secret.encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    repository.stage("wide.txt", wide);
    repository.stage("crlf.txt", format!("x\r\n{secret}"));
    repository.stage(
        "latin.txt",
        [b"caf\xe9\n".as_slice(), secret.as_bytes()].concat(),
    );
    repository.stage("end.txt", secret.trim_end());
    repository.stage(
        "line.txt",
        format!(
            "{}password: {PASSWORD} {}",
            "x ".repeat(3 << 20),
            "y ".repeat(1000)
        ),
    );
    repository.stage("marked.pem", format!("password: {PASSWORD}\n"));
    repository.stage(".gitattributes", "*.pem binary -diff\n");
    repository.stage("blob.bin", b"\x7fELF\0\0\0password: Wr0ng-Horse-77\n");
    repository.stage("big.dat", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n");
    repository.stage("tab\tand \"quote\" ä.txt", &secret);
    std::os::unix::fs::symlink("/nowhere", repository.dir().join("link")).unwrap();
    repository.git(&["add", "link"]);
    let (code, report) = repository.scan(&[]);
    assert_eq!(code, 7);
    assert_eq!(
        places(&report),
        [
            at("password", "crlf.txt", 2, 11),
            at("password", "end.txt", 1, 11),
            at("password", "latin.txt", 2, 11),
            at("password", "line.txt", 1, (6 << 20) + 11),
            at("password", "marked.pem", 1, 11),
            at("password", "tab\tand \"quote\" ä.txt", 1, 11),
            at("password", "wide.txt", 1, 11),
        ]
    );
    assert_eq!(
        said(&report),
        [
            what("big.dat", "lfs-pointer"),
            what("blob.bin", "binary"),
            what("latin.txt", "part")
        ]
    );
}

/// `text` in base64.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[test]
fn encodings_in_encodings_are_opened_to_a_small_depth() {
    let repository = Repository::new();
    let plain = format!("db_password: {PASSWORD}\nmode: live\n");
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut zip, plain.as_bytes()).unwrap();
    let zipped = zip.finish().unwrap();
    let twice = base64(base64(plain.as_bytes()).as_bytes());
    repository.stage("twice.yml", format!("x: 1\nblob: {twice}\n"));
    repository.stage("zipped.yml", format!("blob: {}\n", base64(&zipped)));
    let big: Vec<u8> = [0xFE, 0xFF]
        .into_iter()
        .chain(plain.encode_utf16().flat_map(u16::to_be_bytes))
        .collect();
    repository.stage("wide.txt", big);
    // Far too deep, and a bomb: both end, and soon.
    let mut deep = plain.clone();
    for _ in 0..24 {
        deep = base64(deep.as_bytes());
    }
    repository.stage("deep.yml", format!("blob: {deep}\n"));
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..256 {
        std::io::Write::write_all(&mut bomb, &[b'a'; 1 << 20]).unwrap();
    }
    repository.stage(
        "bomb.yml",
        format!("blob: {}\n", base64(&bomb.finish().unwrap())),
    );
    let began = std::time::Instant::now();
    let ended = repository.guard(&["--no-model", "--json"]).ends(7);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    nothing_of(PASSWORD, &format!("{}{}", ended.out, ended.err));
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        places(&report),
        [
            at("password", "twice.yml", 2, 7),
            at("password", "wide.txt", 1, 14),
            at("password", "zipped.yml", 1, 7),
        ]
    );
}

#[test]
fn a_secret_in_the_name_of_a_file_is_found_and_not_shown() {
    let repository = Repository::new();
    repository.stage(&format!("keys/{}.txt", token()), "fine\n");
    let baseline = repository.place.join("baseline.json");
    for form in [&["--json"][..], &["--sarif"], &[]] {
        let ended = repository.guard(&[&["--no-model"], form].concat()).ends(7);
        nothing_of(&token(), &format!("{}{}", ended.out, ended.err));
        assert!(ended.out.contains("github-token"), "{}", ended.out);
    }
    let ended = repository.guard(&["--no-model", "keys"]).ends(7);
    nothing_of(&token(), &format!("{}{}", ended.out, ended.err));
    let baseline = baseline.to_str().unwrap();
    repository
        .guard(&["--no-model", "--write-baseline", baseline])
        .ends(0);
    nothing_of(&token(), &std::fs::read_to_string(baseline).unwrap());
    repository
        .guard(&["--no-model", "--baseline", baseline])
        .ends(0);
    // Taking such a file away is no finding.
    repository.commit("kept");
    repository.git(&["rm", "-q", "-r", "keys"]);
    let (code, report) = repository.scan(&[]);
    assert_eq!((code, places(&report)), (0, vec![]));
}

#[test]
fn text_made_to_keep_the_patterns_busy_ends_soon() {
    let repository = Repository::new();
    for (name, text) in [
        ("keys", "password=".repeat(20_000)),
        ("quotes", "token:\"".repeat(20_000)),
        ("spaces", format!("password{}x", " ".repeat(2 << 20))),
        ("urls", "https://a:".repeat(20_000)),
        ("heads", "-----BEGIN PRIVATE KEY-----".repeat(40_000)),
        ("kinds", "kind: Secret\ndata:\n  a: b\n".repeat(20_000)),
        (
            "json",
            format!("{}\"Secret\"", "{\"kind\":".repeat(100_000)),
        ),
        ("tokens", format!("gh{}", "p_".repeat(1 << 20))),
    ] {
        let repository_file = format!("{name}.txt");
        repository.stage(&repository_file, text);
        let began = std::time::Instant::now();
        let (code, report) = repository.scan(&[&repository_file]);
        assert!([0, 7].contains(&code), "{name}: {report:#}");
        // Generous: an unoptimised build on a busy machine.
        assert!(
            began.elapsed().as_secs() < 60,
            "{name}: {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn a_submodule_and_an_unfinished_merge_are_said() {
    let repository = Repository::new();
    repository.stage("a", "1\n");
    repository.commit("a");
    let head = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},sub", head.trim()),
    ]);
    let (code, report) = repository.scan(&[]);
    assert_eq!((code, said(&report)), (0, vec![what("sub", "submodule")]));
    repository.commit("sub");
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.stage("a", "2\n");
    repository.commit("b");
    repository.git(&["checkout", "-q", "main"]);
    repository.stage("a", "3\n");
    repository.commit("c");
    let _ = repository
        .git_command(&["merge", "other"])
        .output()
        .unwrap();
    assert!(said(&repository.scan(&[]).1).contains(&what("a", "unmerged")));
}

#[test]
fn a_range_sees_what_was_added_and_taken_out_again_and_what_a_merge_slips_in() {
    let repository = Repository::new();
    repository.stage("a", "1\n2\n3\n");
    repository.commit("start");
    repository.git(&["branch", "base"]);
    repository.stage("conf.yml", format!("password: {PASSWORD}\n"));
    repository.commit("leak");
    repository.git(&["rm", "-q", "conf.yml"]);
    repository.commit(&format!("undo, it was {}", token()));
    let (code, report) = repository.scan(&["--range", "base..main"]);
    assert_eq!(code, 7);
    let found = places(&report);
    assert!(
        found.contains(&at("password", "conf.yml", 1, 11)),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|(rule, path, ..)| rule == "github-token" && path.starts_with("(message of ")),
        "{found:?}"
    );
    assert!(report["findings"][0]["commit"].as_str().unwrap().len() == 12);
    assert_eq!(report["counts"]["commits"], 2);

    repository.git(&["checkout", "-q", "-b", "side", "base"]);
    repository.stage("b", "side\n");
    repository.commit("side");
    repository.git(&["merge", "-q", "--no-commit", "--no-ff", "main"]);
    repository.stage("b", format!("side\npassword: {PASSWORD}3\n"));
    repository.commit("merge");
    let (code, report) = repository.scan(&["--range", "HEAD^..HEAD", "--no-baseline"]);
    assert_eq!(code, 7, "{report:#}");
    assert!(
        places(&report).contains(&at("password", "b", 2, 11)),
        "{report:#}"
    );
}

#[test]
fn settings_that_execute_are_not_obeyed() {
    let repository = Repository::new();
    let proof = repository.place.join("executed");
    let run = format!("sh -c 'touch {}; cat' --", proof.display());
    for (name, value) in [
        ("diff.external", run.as_str()),
        ("core.fsmonitor", &run),
        ("core.pager", &run),
        ("pager.diff", &run),
        ("diff.evil.textconv", &run),
        ("diff.evil.command", &run),
    ] {
        repository.git(&["config", name, value]);
    }
    repository.write("a.yml", format!("password: {PASSWORD}\n"));
    repository.write(".gitattributes", "*.yml diff=evil\n");
    let _ = repository
        .git_command(&["-c", "core.fsmonitor=false", "add", "-A"])
        .output()
        .unwrap();
    let _ = std::fs::remove_file(&proof);
    let mut command = repository.guard_command(&["--no-model"]);
    command
        .env("GIT_EXTERNAL_DIFF", &run)
        .env("GIT_PAGER", &run);
    let ended = Ended::of(command.output().unwrap());
    assert_eq!(ended.code, 7, "{}", ended.err);
    assert!(repository.guard(&["--no-model", "."]).code == 7);
    assert!(!proof.exists(), "a setting of the repository was executed");
    // The positive control: Git itself would have obeyed.
    let _ = repository
        .git_command(&["diff", "--cached"])
        .output()
        .unwrap();
    assert!(proof.exists());
}

#[test]
fn accepted_findings_are_counted_and_listed() {
    let repository = Repository::new();
    repository.stage(
        "a.yml",
        format!("password: {PASSWORD} # narrowroom:allow password sample account of the docs\nother_password: {PASSWORD}x # narrowroom:allow password\n"),
    );
    repository.stage("fixtures/b.yml", format!("password: {PASSWORD}\n"));
    repository.write(".narrowroomignore", "/fixtures/\n");
    let (code, report) = repository.scan(&[]);
    assert_eq!(
        (code, places(&report)),
        (7, vec![at("password", "a.yml", 2, 17)])
    );
    assert_eq!(
        report["suppressed"][0]["reason"],
        "sample account of the docs"
    );
    assert_eq!(said(&report), [what("fixtures/b.yml", "ignored")]);
    assert!(report["notes"].to_string().contains("gives no reason"));
    // What is left is accepted by a baseline, which later runs find by themselves.
    repository
        .guard(&[
            "--no-model",
            "--write-baseline",
            ".narrowroom-baseline.json",
        ])
        .ends(0);
    let (code, report) = repository.scan(&[]);
    assert_eq!(
        (code, report["suppressed"].as_array().unwrap().len()),
        (0, 2)
    );
    assert_eq!(repository.scan(&["--no-baseline"]).0, 7);
    let shown = repository
        .guard(&["--no-model", "--show-accepted"])
        .ends(0)
        .out;
    assert!(
        shown.contains("by the baseline") && shown.contains("sample account of the docs"),
        "{shown}"
    );
    // Another value at the accepted place is a finding again.
    repository.commit("accepted");
    repository.stage("a.yml", format!("password: {PASSWORD} # narrowroom:allow password sample account of the docs\nother_password: A-Real-One-Now-9 # narrowroom:allow password\n"));
    let (code, report) = repository.scan(&[]);
    assert_eq!(code, 7, "{report:#}");
    assert!(report["notes"].to_string().contains("has changed"));
}

#[test]
fn paths_are_searched_whole() {
    let repository = Repository::new();
    repository.stage("src/a.yml", format!("password: {PASSWORD}\n"));
    repository.commit("a");
    repository.write("src/new.yml", format!("x: 1\npassword: {PASSWORD}\n"));
    repository.write(".gitignore", "secret.env\n");
    repository.write("secret.env", format!("PASSWORD={PASSWORD}\n"));
    let (_, report) = repository.scan(&["."]);
    let paths: Vec<_> = places(&report)
        .into_iter()
        .map(|(_, path, ..)| path)
        .collect();
    assert_eq!(paths, ["src/a.yml", "src/new.yml"]);
    assert!(said(&report).iter().any(|(_, what)| what == "ignored"));
    assert_eq!(
        repository.scan(&["secret.env"]).0,
        7,
        "named, it is searched"
    );
    repository.guard(&["nowhere"]).ends(2).says("nowhere");
    // Outside of any repository, too.
    let outside = repository.place.join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("x.yml"), format!("password: {PASSWORD}\n")).unwrap();
    std::os::unix::fs::symlink("x.yml", outside.join("link")).unwrap();
    let mut command = repository.guard_command(&["--no-model", "--json", "."]);
    let ended = Ended::of(command.current_dir(&outside).output().unwrap());
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(
        (ended.code, places(&report)),
        (7, vec![at("password", "x.yml", 1, 11)])
    );
    assert_eq!(said(&report), [what("link", "unreadable")]);
}

#[test]
fn patches_on_standard_input() {
    let repository = Repository::new();
    let patch = format!(
        "From 1234 Mon Sep 17 00:00:00 2001\nSubject: x\n\n---\ndiff --git a/a.yml b/a.yml\nnew file mode 100644\n--- /dev/null\n+++ b/a.yml\n@@ -0,0 +1,2 @@\n+x: 1\n+password: {PASSWORD}\n-- \n2.47\n"
    );
    let ended = repository
        .pipe(&["--stdin", "--no-model", "--json"], patch.as_bytes())
        .ends(7);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(places(&report), [at("password", "a.yml", 2, 11)]);
    assert!(report["notes"].to_string().contains("belong to no file"));
    repository.pipe(&["--stdin", "--no-model"], b"").ends(0);
    repository
        .pipe(&["--stdin", "--no-model"], b"hello\n")
        .ends(3)
        .says("not a patch");
    let cut = patch.split("+password").next().unwrap();
    repository
        .pipe(&["--stdin", "--no-model"], cut.as_bytes())
        .ends(3)
        .says("damaged");
    repository
        .pipe(&["--stdin", "--no-model"], &[0xFF; 100_000])
        .ends(3);
}

#[test]
fn usage_errors_name_the_way_out() {
    let repository = Repository::new();
    repository
        .guard(&["--range", "nope..nada"])
        .ends(2)
        .says("git says");
    repository
        .guard(&["--range=--output=/tmp/x"])
        .ends(2)
        .says("not a range");
    repository
        .guard(&["--baseline", "nowhere.json"])
        .ends(2)
        .says("--write-baseline");
    repository.write("bad.json", "{}");
    repository
        .guard(&["--baseline", "bad.json"])
        .ends(2)
        .says("baseline");
    repository.guard(&["--staged", "--stdin"]).ends(2);
    let mut command = repository.guard_command(&["--no-model"]);
    Ended::of(command.current_dir("/").output().unwrap())
        .ends(2)
        .says("no Git repository");
}

#[test]
fn remarks_block_only_when_asked() {
    let repository = Repository::new();
    repository.stage("install.sh", "curl -s https://example.org/x | sudo bash\n");
    repository.stage("a.py", "def f():\n    breakpoint()\n");
    let (code, report) = repository.scan(&[]);
    let rules: Vec<_> = report["remarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["rule"].as_str().unwrap())
        .collect();
    assert_eq!((code, rules), (0, vec!["debug-left-over", "risky-command"]));
    assert_eq!(repository.scan(&["--strict"]).0, 7);
    // A value that is known from elsewhere is masked in the quoted line, and in a file's name.
    repository.stage("conf.yml", format!("password: {PASSWORD}\n"));
    repository.stage(
        &format!("{PASSWORD}.sh"),
        format!("chmod 777 /srv/{PASSWORD} \n"),
    );
    for form in ["--json", "--sarif", "--no-baseline"] {
        let ended = repository.guard(&["--no-model", form]).ends(7);
        assert!(ended.out.contains("chmod"), "{}", ended.out);
        nothing_of(PASSWORD, &ended.out);
    }
}

#[test]
fn a_remark_on_an_account_does_not_print_its_number() {
    let repository = Repository::new();
    let (iban, card) = ("DE02 1203 0000 0000 2020 51", "4539 5787 6362 1486");
    repository.stage("tests/people.csv", format!("1,{iban}\n2,{card}\n"));
    for form in ["--json", "--sarif", "--no-baseline"] {
        let ended = repository.guard(&["--no-model", form]).ends(0);
        assert!(ended.out.contains("private-data"), "{}", ended.out);
        assert!(
            !ended.out.contains(iban) && !ended.out.contains(card),
            "{}",
            ended.out
        );
    }
}

#[test]
fn the_hook_keeps_what_was_there() {
    let repository = Repository::new();
    let hooks = repository.dir().join("my hooks");
    repository.git(&["config", "core.hooksPath", "my hooks"]);
    std::fs::create_dir(&hooks).unwrap();
    let earlier = "#!/bin/sh\necho earlier >&2\ntest ! -e stop\n";
    let hook = hooks.join("pre-commit");
    std::fs::write(&hook, earlier).unwrap();
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();

    repository.guard(&["install"]).ends(2).says("--force");
    assert_eq!(std::fs::read_to_string(&hook).unwrap(), earlier);
    let text = repository.guard(&["install", "--force"]).ends(0).out;
    assert!(
        text.contains("runs first") && text.contains("core.hooksPath"),
        "{text}"
    );
    repository.guard(&["install"]).ends(0);

    repository.stage("a", "fine\n");
    let ended = Ended::of(
        repository
            .git_command(&["commit", "-q", "-m", "a"])
            .output()
            .unwrap(),
    )
    .ends(0);
    assert!(ended.err.contains("earlier"));
    repository.stage("b.yml", format!("password: {PASSWORD}\n"));
    assert_ne!(
        repository
            .git_command(&["commit", "-q", "-m", "b"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(0)
    );
    repository.stage("b.yml", "fine: 1\n");
    repository.write("stop", "");
    assert_ne!(
        repository
            .git_command(&["commit", "-q", "-m", "b"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(0),
        "the earlier hook still decides"
    );

    repository.guard(&["uninstall"]).ends(0);
    assert_eq!(std::fs::read_to_string(&hook).unwrap(), earlier);
    repository
        .guard(&["uninstall"])
        .ends(2)
        .says("no hook of narrowroom");
}

#[test]
fn sarif_has_what_the_standard_asks() {
    let repository = Repository::new();
    repository.stage("a b.yml", format!("password: {PASSWORD}\npassword: {PASSWORD}1 # narrowroom:allow password sample for the docs\n"));
    repository.stage("x.sh", "chmod 777 x\n");
    let ended = repository.guard(&["--no-model", "--sarif"]).ends(7);
    let log: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"];
        assert!(
            !place["artifactLocation"]["uri"]
                .as_str()
                .unwrap()
                .contains(' ')
        );
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
    }
    assert_eq!(
        results[0]["partialFingerprints"]["narrowroom/v1"]
            .as_str()
            .unwrap()
            .len(),
        32
    );
    assert_eq!(results[1]["suppressions"][0]["kind"], "inSource");
}

#[test]
fn a_large_change_is_searched_whole_and_soon() {
    let repository = Repository::new();
    let line = "an ordinary line of a log, with nothing in it that anybody would want to keep to himself\n";
    let mut patch = String::new();
    for file in 0..20 {
        let lines = 60_000;
        patch.push_str(&format!("diff --git a/{file}.log b/{file}.log\nnew file mode 100644\n--- /dev/null\n+++ b/{file}.log\n@@ -0,0 +1,{lines} @@\n"));
        for number in 1..=lines {
            patch.push('+');
            if number == lines {
                patch.push_str(&format!("password: {PASSWORD}\n"));
            } else {
                patch.push_str(line);
            }
        }
    }
    assert!(patch.len() > 100 << 20);
    let ended = repository
        .pipe(&["--stdin", "--no-model", "--json"], patch.as_bytes())
        .ends(7);
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(places(&report).len(), 20);
    assert_eq!(report["counts"]["added_lines"], 20 * 60_000);
}

#[test]
fn without_a_model_it_says_how_to_get_one() {
    let repository = Repository::new();
    repository.stage("a.txt", "fine\n");
    let ended = repository.guard(&[]).ends(0);
    assert!(
        ended.out.contains("no model is imported") && ended.out.contains("model import"),
        "{}",
        ended.out
    );
    let (_, report) = repository.scan(&[]);
    assert_eq!(report["review"]["state"], "off");
}

/// The model that `scripts/test.sh` fetches, imported into this test's own store.
fn with_model(place: &Place) {
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
}

#[test]
fn a_review_happens_in_the_room_on_masked_text_and_leaves_nothing_behind() {
    let repository = Repository::new();
    with_model(&repository.place);
    repository.stage(
        "app/app.py",
        format!("password = \"{PASSWORD}\"\ndef f(x):\n    print(\"value\", x, \"{PASSWORD}\")\n"),
    );
    // A playbook that takes every suspicion for right, so that there is a remark whatever the model thinks.
    let shipped = repository
        .place
        .run(&["playbook", "show", "diff-review"])
        .ends(0)
        .out;
    let eager = shipped.replace("threshold = ", "threshold = -10.0 # ");
    let playbook = repository.place.write("eager.toml", eager);
    let runs = repository.place.runs();
    let args = [
        "--staged",
        "--json",
        "--runs",
        runs.to_str().unwrap(),
        "--playbook",
        playbook.to_str().unwrap(),
    ];
    let ended = repository.guard(&args).ends(7);
    nothing_of(PASSWORD, &format!("{}{}", ended.out, ended.err));
    let report: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(report["review"]["state"], "done", "{report:#}");
    assert!(report["review"]["judged"].as_u64().unwrap() >= 1);
    assert!(
        report["review"]["model"]["prefill_tokens"]
            .as_u64()
            .unwrap()
            > 50
    );
    let remark = &report["remarks"][0];
    assert_eq!(
        (&remark["by"], &remark["path"], &remark["line"]),
        (&"model".into(), &"app/app.py".into(), &3.into()),
        "{report:#}"
    );
    assert!(
        remark["quote"]
            .as_str()
            .unwrap()
            .contains("‹secret:password:1›"),
        "{remark:#}"
    );
    assert!(
        repository.place.run_entries().is_empty(),
        "{:?}",
        repository.place.run_entries()
    );

    // A remark alone does not stop a commit. What a rule has remarked on the model does not say again.
    for (line, by) in [
        ("print(x)  # look", "model"),
        ("print(\"XXX remove this\", x)", "rule"),
    ] {
        repository.stage("app/app.py", format!("def f(x):\n    {line}\n"));
        let ended = repository.guard(&args).ends(0);
        let report: Value = serde_json::from_str(&ended.out).unwrap();
        assert_eq!(report["remarks"].as_array().unwrap().len(), 1, "{report:#}");
        assert_eq!(report["remarks"][0]["by"], by, "{report:#}");
    }
    let strict: Vec<&str> = args.iter().copied().chain(["--strict"]).collect();
    repository.guard(&strict).ends(7);
}
