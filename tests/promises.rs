//! Promises that are about the program itself: what is not in it, and what its documents say.

#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use std::path::Path;
use support::Place;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names of the packages that the lock file brings in.
fn packages() -> Vec<String> {
    read("Cargo.lock")
        .lines()
        .filter_map(|line| line.strip_prefix("name = \""))
        .map(|name| name.trim_end_matches('"').to_owned())
        .collect()
}

#[test]
fn no_network_client_is_in_the_dependency_tree() {
    let packages = packages();
    assert!(
        packages.iter().any(|name| name == "tokio"),
        "the lock file is read"
    );
    for banned in [
        "reqwest",
        "ureq",
        "curl",
        "isahc",
        "attohttpc",
        "minreq",
        "surf",
        "h2",
        "quinn",
        "rustls",
        "native-tls",
        "openssl",
        "tungstenite",
        "tonic",
        "hickory-resolver",
    ] {
        assert!(
            !packages.iter().any(|name| name == banned),
            "{banned} is in the tree"
        );
    }
    // hyper serves the review page on loopback; its client is a feature of its own.
    let features = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "features,normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let features = String::from_utf8_lossy(&features.stdout).into_owned();
    assert!(
        features.contains("hyper feature \"server\""),
        "the features are read: {features}"
    );
    for client in ["hyper feature \"client", "hyper-util feature \"client"] {
        assert!(!features.contains(client), "{client} is in the tree");
    }
    assert!(
        read("deny.toml").contains("deny = [\"client\""),
        "cargo-deny guards the same promise"
    );
}

#[test]
fn the_shipped_program_holds_no_wasm_compiler() {
    let manifest = read("Cargo.toml");
    let (before, _) = manifest.split_once("[build-dependencies]").unwrap();
    assert!(
        !before.contains("cranelift"),
        "the compiler belongs to the build only"
    );
}

#[test]
fn the_exit_codes_of_readme_and_help_are_those_of_the_program() {
    use narrowroom::error::ExitCode;
    let codes = [
        (ExitCode::Done, 0),
        (ExitCode::Bug, 1),
        (ExitCode::Usage, 2),
        (ExitCode::InputRefused, 3),
        (ExitCode::Unsealed, 4),
        (ExitCode::Rejected, 5),
        (ExitCode::LimitReached, 6),
        (ExitCode::SecretsFound, 7),
        (ExitCode::Interrupted, 130),
    ];
    for (code, number) in codes {
        assert_eq!(code.code(), number);
    }
    let help = Place::new()
        .run(&["--help"])
        .ends(0)
        .out
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for words in [
        "0 done",
        "1 a bug",
        "2 usage",
        "3 input refused",
        "4 the seal",
        "5 the verifier rejected",
        "6 a limit",
        "7 secrets",
        "130 interrupted",
    ] {
        assert!(help.contains(words), "{words}: {help}");
    }
    let readme = read("README.md")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for words in [
        "0 done",
        "1 a bug",
        "2 usage",
        "3 input refused",
        "4 not sealed",
        "5 rejected",
        "6 a limit",
        "7 secrets",
        "130 interrupted",
    ] {
        assert!(readme.contains(words), "{words}");
    }
}

/// The functions of a test file, or of the module at the end of a source file, that are tests.
fn tests_of(path: &str) -> Vec<String> {
    let text = read(path);
    let mut lines = text.lines().map(str::trim);
    let mut found = Vec::new();
    while let Some(line) = lines.next() {
        if line == "#[test]" {
            found.extend(
                lines
                    .by_ref()
                    .find_map(|line| line.strip_prefix("fn "))
                    .and_then(|rest| rest.split_once('('))
                    .map(|(name, _)| name.to_owned()),
            );
        }
    }
    assert!(!found.is_empty(), "{path} holds no test");
    found
}

#[test]
fn every_test_that_security_md_names_exists() {
    let text = read("SECURITY.md");
    let (_, promises) = text.split_once("## Promises").unwrap();
    let (promises, risks) = promises.split_once("## What remains").unwrap();
    let mut named = 0;
    let rows = promises
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise |"));
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let tests: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        assert!(
            tests.iter().any(|test| test.contains("::")),
            "a promise that no test guards: {row}"
        );
        for test in tests {
            match test.split_once("::") {
                Some((path, name)) => assert!(
                    tests_of(path).iter().any(|found| found == name),
                    "{test} is named but not there"
                ),
                None => drop(read(test)),
            }
            named += 1;
        }
    }
    assert!(named > 40, "the tables are read: {named}");
    for row in risks.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{row}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{row}");
    }
}

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    let tests = tests_of("tests/promises.rs");
    assert!(tests.contains(&"a_test_that_does_not_exist_is_noticed".to_owned()));
    assert!(
        !tests.contains(&"tests_of".to_owned()),
        "a helper is no test"
    );
}

#[test]
fn every_command_of_the_readme_is_one_that_the_program_knows() {
    let readme = read("README.md");
    let place = Place::new();
    let mut seen = 0;
    let mut fenced = false;
    for line in readme.lines() {
        fenced ^= line.starts_with("```");
        if !fenced || !(line.starts_with("narrowroom ") || line.contains("| narrowroom ")) {
            continue;
        }
        let words: Vec<&str> = line
            .split("narrowroom ")
            .nth(1)
            .unwrap()
            .split('#')
            .next()
            .unwrap()
            .split('|')
            .next()
            .unwrap()
            .split_whitespace()
            .collect();
        let Some(command) = words.first() else {
            continue;
        };
        let mut args = vec![*command];
        let parent = place.run(&[*command, "--help"]).ends(0).out;
        args.extend(words.get(1).filter(|_| parent.contains("\nCommands:")));
        args.push("--help");
        let help = place.run(&args).ends(0).out;
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{flag} of {line:?} is not in the help");
        }
        seen += 1;
    }
    assert!(seen >= 10, "the commands are read: {seen}");
}

#[test]
fn the_shipped_schemas_are_current() {
    let place = Place::new();
    for kind in ["report", "verdict", "record", "playbook", "catalogue"] {
        let made = place.run(&["schema", kind]).ends(0).out;
        assert_eq!(
            made,
            read(&format!("schemas/{kind}.schema.json")),
            "run scripts/schemas.sh"
        );
    }
}

#[test]
fn completions_and_the_manual_page_are_made() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            place
                .run(&["completions", shell])
                .ends(0)
                .out
                .contains("narrowroom")
        );
    }
    assert!(place.run(&["man"]).ends(0).out.contains(".TH"));
}

#[test]
fn wrong_arguments_end_with_two() {
    let place = Place::new();
    place.run(&["triage"]).ends(2);
    place
        .run(&["triage", "x.tar.gz", "--allow-weaker-seal=walls"])
        .ends(2);
    place.run(&["show", "zzz"]).ends(2).says("there is no run");
    place
        .run(&["triage", "x.tar.gz", "--no-model", "--playbook", "nope"])
        .ends(2)
        .says("known: kubernetes");
}
