//! The answer must not hang on accidents: the order of files in the archive, names of pods and
//! namespaces, the time of collection, the name of the top folder. Over every fixture, all families.
//!
//! The changes are made to the unpacked files and the signals are asked directly, so that all fixtures
//! can be tried; the order of the archive's entries goes through the whole program.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

#[allow(dead_code, reason = "the generator is a program of its own, too")]
#[path = "../fixtures/pack.rs"]
mod pack;

use narrowroom::bundle::Tree;
use narrowroom::signals::{Analysis, Role};
use narrowroom::{playbook, profile, signals};
use regex::{Captures, Regex};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use support::Place;

/// From this strength on a cause is a finding.
const FINDING: f64 = 0.5;

struct Fixture {
    name: String,
    root: String,
    files: pack::Files,
    expect: toml::Table,
}

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bundles");
    let mut dirs: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("fixtures")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    dirs.sort();
    assert!(dirs.len() >= 28, "fixtures are missing");
    dirs.iter()
        .map(|dir| {
            let (root, files) = pack::build(dir).expect("the fixture packs");
            let expect = std::fs::read_to_string(dir.join("expect.toml")).expect("expect.toml");
            Fixture {
                name: dir.file_name().unwrap().to_string_lossy().into_owned(),
                root,
                files,
                expect: expect.parse().expect("TOML"),
            }
        })
        .collect()
}

/// The signals of a bundle that holds `files` under `root`.
fn analyse(root: &str, files: &pack::Files) -> Analysis {
    let folder = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let full = folder.path().join(root).join(path);
        std::fs::create_dir_all(full.parent().unwrap()).expect("folders");
        std::fs::write(full, text).expect("a file");
    }
    let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority())
        .expect("the folder");
    let tree = Tree::new(
        dir.try_clone().expect("the folder"),
        Tree::index_dir(&dir).expect("an index"),
    );
    let profile = profile::recognise(&tree);
    let (_, causes) = playbook::shipped(playbook::for_profile(profile.name.as_str()))
        .and_then(|bound| bound.parse())
        .expect("a playbook");
    let ticket = tree
        .get("ticket.txt")
        .and_then(|entry| tree.text(entry).ok().flatten());
    signals::analyse(
        &tree,
        &profile,
        &causes,
        ticket.as_ref().map(|text| text.as_str()),
    )
}

/// Causes with their strengths in thousandths.
type Found = Vec<(String, i64)>;

/// The causes that would be findings.
fn causes(analysis: &Analysis) -> Found {
    let mut found: Found = analysis
        .signals
        .iter()
        .filter(|signal| signal.role == Role::Cause && signal.strength >= FINDING)
        .map(|signal| {
            (
                signal.cause.clone(),
                (signal.strength * 1000.0).round() as i64,
            )
        })
        .collect();
    // Equals stand in the order of their names, which a renaming changes.
    found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    found
}

/// Each fixture with the causes found in it as it is.
static UNCHANGED: LazyLock<Vec<(Fixture, Found)>> = LazyLock::new(|| {
    fixtures()
        .into_iter()
        .map(|fixture| {
            let found = causes(&analyse(&fixture.root, &fixture.files));
            (fixture, found)
        })
        .collect()
});

/// Each fixture gives the same causes after `change`, which must change something.
fn unchanged_by(change: impl Fn(&Fixture) -> (String, pack::Files)) {
    let mut changed = 0;
    for (fixture, before) in UNCHANGED.iter() {
        let (root, files) = change(fixture);
        if root == fixture.root && files == fixture.files {
            continue;
        }
        changed += 1;
        let after = causes(&analyse(&root, &files));
        assert_eq!(*before, after, "{}", fixture.name);
    }
    assert!(changed >= 20, "only {changed} fixtures were changed");
}

fn everywhere(fixture: &Fixture, change: &dyn Fn(&str) -> String) -> (String, pack::Files) {
    let files = fixture
        .files
        .iter()
        .map(|(path, text)| (change(path), change(text)))
        .collect();
    (fixture.root.clone(), files)
}

#[test]
fn every_fixture_s_answer_is_found_by_the_signals() {
    // What only a playbook of its own looks for is tested with that playbook.
    for fixture in fixtures()
        .iter()
        .filter(|fixture| fixture.expect.get("playbook").is_none())
    {
        let analysis = analyse(&fixture.root, &fixture.files);
        let top = analysis
            .signals
            .iter()
            .find(|signal| signal.role == Role::Cause && signal.strength >= FINDING);
        let kind = fixture.expect["kind"].as_str().unwrap();
        let name = &fixture.name;
        if kind != "findings" {
            assert!(top.is_none(), "{name}: {:?}", top.map(|top| &top.title));
            let symptom = analysis
                .signals
                .iter()
                .any(|signal| signal.role == Role::Symptom);
            assert!(
                kind == "healthy" || symptom || !analysis.missing.is_empty(),
                "{name}: neither a symptom nor anything missing"
            );
            continue;
        }
        let top = top.unwrap_or_else(|| panic!("{name}: nothing was found"));
        let quotes: Vec<&str> = top.evidence.iter().map(|e| e.quote.as_str()).collect();
        let said = format!(
            "{}\n{}\n{:?}\n{}",
            top.title,
            top.statement,
            top.subject,
            quotes.join("\n")
        );
        for words in fixture
            .expect
            .get("cause")
            .and_then(|c| c.as_array())
            .into_iter()
            .flatten()
        {
            let form = Regex::new(&format!("(?i){}", words.as_str().unwrap())).unwrap();
            assert!(form.is_match(&said), "{name}: {form} is not in\n{said}");
        }
        let decisive = fixture
            .expect
            .get("decisive")
            .and_then(|list| list.as_array());
        if let Some(lines) = decisive {
            let cited = lines.iter().any(|line| {
                let form = Regex::new(line["regex"].as_str().unwrap()).unwrap();
                top.evidence.iter().any(|evidence| {
                    evidence.path.ends_with(line["path"].as_str().unwrap())
                        && form.is_match(&evidence.quote)
                })
            });
            assert!(cited, "{name}: no decisive line among {:?}", top.evidence);
        }
    }
}

#[test]
fn the_top_folder_s_name_does_not_matter() {
    unchanged_by(|fixture| ("case-4711".to_owned(), fixture.files.clone()));
}

#[test]
fn names_of_namespaces_do_not_matter() {
    let names = Regex::new(r"\b(?:shop|tools|payments|billing|media|docs|ml)\b").unwrap();
    unchanged_by(|fixture| {
        everywhere(fixture, &|text| {
            names
                .replace_all(text, |found: &Captures| format!("{}x", &found[0]))
                .into_owned()
        })
    });
}

#[test]
fn hashes_in_names_of_pods_do_not_matter() {
    const LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";
    let hashes =
        Regex::new(r"-([bcdf-hj-np-tv-xz2-9]{8,10})-([bcdf-hj-np-tv-xz2-9]{5})(\b|_)").unwrap();
    let turn = |text: &str| -> String {
        text.chars()
            .map(|c| {
                let Some(at) = LETTERS.find(c) else { return c };
                // Letters stay letters and digits digits: what makes a hash stays one.
                let (from, len) = if c.is_ascii_digit() { (20, 7) } else { (0, 20) };
                char::from(LETTERS.as_bytes()[from + (at - from + 3) % len])
            })
            .collect()
    };
    unchanged_by(|fixture| {
        everywhere(fixture, &|text| {
            hashes
                .replace_all(text, |found: &Captures| {
                    format!("-{}-{}{}", turn(&found[1]), turn(&found[2]), &found[3])
                })
                .into_owned()
        })
    });
}

#[test]
fn the_year_of_collection_does_not_matter() {
    // Every style in which the fixtures write a year: ISO, web servers, kubectl, certificates.
    let years = Regex::new(
        r"\b(?P<y>20\d\d)(?P<after>[-/]\d\d[-/]\d\d)|(?P<before>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[/ ])(?P<z>20\d\d)|(?P<clock>\d\d:\d\d:\d\d )(?P<w>20\d\d)\b",
    )
    .unwrap();
    unchanged_by(|fixture| {
        everywhere(fixture, &|text| {
            years
                .replace_all(text, |found: &Captures| {
                    let group = |name: &str| found.name(name).map_or("", |part| part.as_str());
                    let year: i32 = format!("{}{}{}", group("y"), group("z"), group("w"))
                        .parse()
                        .unwrap();
                    // Four years: leap days stay where they are.
                    format!(
                        "{}{}{}{}",
                        group("before"),
                        group("clock"),
                        year + 4,
                        group("after")
                    )
                })
                .into_owned()
        })
    });
}

#[test]
fn the_order_of_the_archive_does_not_matter() {
    let place = Place::new();
    for name in ["multi-fault", "image-pull", "service-selector-typo"] {
        let fixture = fixtures().into_iter().find(|f| f.name == name).unwrap();
        let mut files: Vec<(String, &[u8])> = fixture
            .files
            .iter()
            .map(|(path, text)| (format!("{}/{path}", fixture.root), text.as_bytes()))
            .collect();
        let mut answers = Vec::new();
        for turn in 0..2 {
            let entries: Vec<(&str, &[u8])> = files
                .iter()
                .map(|(path, text)| (path.as_str(), *text))
                .collect();
            let bundle = place.write(&format!("{name}-{turn}.tar.gz"), support::pack(&entries));
            let (ended, report) = place.triage(&bundle, &["--no-model"]);
            ended.ends(0);
            answers.push((
                report["findings"].clone(),
                report["missing"].clone(),
                report["outcome"].clone(),
            ));
            // Nothing is where it was.
            files.reverse();
            let middle = files.len() / 3;
            files.rotate_left(middle);
        }
        assert_eq!(answers[0], answers[1], "{name}");
    }
}

#[test]
fn five_hundred_faults_at_once_are_ranked_in_bounded_time_and_the_same_each_time() {
    let mut files = pack::Files::new();
    let mut rows = String::from("NAMESPACE   NAME   READY   STATUS   RESTARTS   AGE\n");
    for n in 0..500 {
        rows.push_str(&format!(
            "team-{n}   app-{n}-7d9c6b5f4d-m2xkq   0/1   CrashLoopBackOff   {n} (2m ago)   3h\n"
        ));
        if n % 5 < 2 {
            files.insert(
                format!("kubectl/logs/team-{n}/app-{n}-7d9c6b5f4d-m2xkq.log"),
                format!("starting\nError: SETTING_{n} is not set\n"),
            );
        }
    }
    files.insert("kubectl/get-pods-A.txt".into(), rows);
    let started = std::time::Instant::now();
    let first = analyse("many", &files);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    assert_eq!(first, analyse("many", &files));
    assert!(
        first.missing.len() <= 40,
        "{} things are asked for",
        first.missing.len()
    );
    assert_eq!(first.signals[0].cause, "container-missing-env-variable");
}

#[test]
fn hostile_files_neither_panic_nor_take_long_nor_hide_the_fault() {
    let mut files = pack::Files::new();
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nkind: Pod\nconditions:\n- *g\n";
    files.insert("kubectl/bomb.yaml".into(), bomb.into());
    files.insert(
        "kubectl/deep.json".into(),
        format!("{{\"kind\": \"Pod\", \"a\": {}", "[".repeat(2_000_000)),
    );
    files.insert(
        "kubectl/one-line.json".into(),
        format!(
            "{{\"kind\":\"PodList\",\"items\":[{}]}}",
            "{\"metadata\":{\"name\":\"x\"}},".repeat(400_000)
        ),
    );
    files.insert(
        "kubectl/logs/shop/long.log".into(),
        format!("ERROR {}\n", "timeout 500 GET /x ".repeat(600_000)),
    );
    files.insert(
        "kubectl/describe-odd.txt".into(),
        format!(
            "Name:         x\nNamespace:    y\n{}",
            "  ".repeat(3_000).to_string() + "Key: value\n"
        ),
    );
    files.insert("outputs/answers.txt".into(), "Error: \n".repeat(2_900));
    files.insert(
        "outputs/traces.json".into(),
        format!(
            "{{\"traceID\": \"1\",\n\"spans\": [\n{}]}}",
            "{\"name\": \"n\", \"duration\": -1e308},\n".repeat(20_000)
        ),
    );
    files.insert(
        "outputs/lag.json".into(),
        "{\n\"a\": 1,\n\"lag\": 99999999999999999999999999\n}".into(),
    );
    files.insert(
        "kubectl/logs/shop/web-7d9c6b5f4d-m2xkq.log".into(),
        "\u{1b}[31mERROR\u{1b}[0m DATABASE_URL is not set\n".into(),
    );
    files.insert(
        "kubectl/get-pods-shop.txt".into(),
        "NAME                   READY   STATUS             RESTARTS   AGE\nweb-7d9c6b5f4d-m2xkq   0/1     CrashLoopBackOff   9          1h\n".into(),
    );
    let started = std::time::Instant::now();
    let analysis = analyse("hostile", &files);
    assert!(started.elapsed().as_secs() < 120, "{:?}", started.elapsed());
    assert!(
        analysis
            .signals
            .iter()
            .any(|signal| signal.cause == "container-missing-env-variable"
                && signal.strength >= FINDING),
        "{:?}",
        analysis
            .signals
            .iter()
            .map(|s| (&s.title, s.strength))
            .collect::<Vec<_>>()
    );
    assert!(!analysis.not_examined.is_empty());
}
