//! What the kernel sees: after its seal a worker makes no connection, starts no program and opens
//! nothing outside its own directories. Needs `strace`, which `scripts/install-deps.sh` installs.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;
#[path = "support/tiny.rs"]
mod tiny;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use support::{Place, pack};
use tiny::Tiny;

/// One traced call: process, name, arguments, result.
struct Call {
    pid: u32,
    name: String,
    text: String,
}

fn trace(place: &Place, args: &[&str]) -> Vec<Call> {
    let log = place.join("trace");
    let status = Command::new("strace")
        .args([
            "-f",
            "-q",
            "-o",
            log.to_str().unwrap(),
            "-e",
            "trace=network,execve,execveat,open,openat,openat2,creat,seccomp,prctl,write",
        ])
        .args(["-s", "64", env!("CARGO_BIN_EXE_narrowroom")])
        .args(args)
        .env("HOME", place.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("strace is installed: scripts/install-deps.sh");
    assert!(status.success(), "{status}");
    let mut calls: Vec<Call> = Vec::new();
    // A call that another process interrupts is shown in two lines: both are one call.
    let mut begun: BTreeMap<u32, usize> = BTreeMap::new();
    for line in std::fs::read_to_string(&log).unwrap().lines() {
        let Some((pid, rest)) = line.split_once(' ') else {
            continue;
        };
        let (Ok(pid), rest) = (pid.parse(), rest.trim_start()) else {
            continue;
        };
        if rest.starts_with("<... ") {
            if let Some(at) = begun.remove(&pid) {
                calls[at].text.push_str(rest);
            }
            continue;
        }
        let Some((name, _)) = rest.split_once('(') else {
            continue;
        };
        if rest.ends_with("<unfinished ...>") {
            begun.insert(pid, calls.len());
        }
        calls.push(Call {
            pid,
            name: name.to_owned(),
            text: rest.to_owned(),
        });
    }
    calls
}

/// The calls of each process after it sent its last proof, which is the large first frame.
fn after_proof(calls: &[Call]) -> BTreeMap<u32, Vec<&Call>> {
    let mut proved: BTreeMap<u32, usize> = BTreeMap::new();
    for (at, call) in calls.iter().enumerate() {
        if call.name == "write"
            && (call.text.contains("{\\\"sealed\\\":") || call.text.contains("{\\\"narrowed\\\":"))
        {
            proved.entry(call.pid).or_insert(at);
        }
    }
    proved
        .into_iter()
        .map(|(pid, at)| {
            (
                pid,
                calls[at..].iter().filter(|call| call.pid == pid).collect(),
            )
        })
        .collect()
}

fn judge(calls: &[Call], workers: usize) {
    let after = after_proof(calls);
    assert_eq!(after.len(), workers, "a proof a worker");
    let network = [
        "socket",
        "socketpair",
        "connect",
        "bind",
        "listen",
        "accept",
        "sendto",
        "sendmsg",
        "recvfrom",
        "recvmsg",
    ];
    for calls in after.values() {
        let mut narrowing = false;
        for call in calls {
            // The room proves a second time, after it was narrowed: those attempts are refused ones.
            narrowing |= call.name == "seccomp";
            let refused = call.text.contains("= -1 E");
            if network.contains(&call.name.as_str()) || call.name.starts_with("exec") {
                assert!(narrowing && refused, "{}", call.text);
            }
            if call.name.starts_with("open") || call.name == "creat" {
                let inside = ["\"/tree", "\"/model", "\"/out"]
                    .iter()
                    .any(|dir| call.text.contains(dir))
                    || (call.name == "openat2" && !call.text.contains("AT_FDCWD"))
                    || call.text.contains("openat(3,")
                    || !call.text.contains("AT_FDCWD, \"/");
                assert!(inside || refused, "{}", call.text);
            }
        }
    }
    // A positive control: the trace would have shown it, for the coordinator does execute.
    assert!(
        calls
            .iter()
            .any(|call| call.name == "execve" && call.text.contains("= 0"))
    );
}

#[test]
fn signals_only() {
    let place = Place::new();
    let bundle = place.write(
        "b.tar.gz",
        pack(&[
            ("b/var/log/a.log", b"2024-01-01 00:00:00 ERROR a line\n"),
            ("b/date", b"Mon Jan 1 00:00:00 UTC 2024\n"),
        ]),
    );
    let runs = place.runs();
    judge(
        &trace(
            &place,
            &[
                "triage",
                bundle.to_str().unwrap(),
                "--no-model",
                "--runs",
                runs.to_str().unwrap(),
            ],
        ),
        3,
    );
}

#[test]
fn with_the_model_and_its_library_nothing_is_collected() {
    let place = Place::new();
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
    let log = b"2024-05-01T10:00:00Z INFO starting\n2024-05-01T10:00:01Z FATAL listen tcp 0.0.0.0:8080: bind: address already in use\n";
    let pods = br#"{"kind":"PodList","apiVersion":"v1","items":[{"kind":"Pod","metadata":{"name":"web-0","namespace":"shop"},"spec":{"containers":[{"name":"web","image":"web:1"}]},"status":{"phase":"Running","containerStatuses":[{"name":"web","ready":false,"restartCount":9,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1,"reason":"Error"}}}]}}]}"#;
    let bundle = place.write(
        "b.tar.gz",
        pack(&[
            ("b/cluster-resources/pods/shop.json", pods.as_slice()),
            (
                "b/cluster-resources/pods/logs/shop/web-0/web.log",
                log.as_slice(),
            ),
        ]),
    );
    let runs = place.runs();
    let calls = trace(
        &place,
        &[
            "triage",
            bundle.to_str().unwrap(),
            "--runs",
            runs.to_str().unwrap(),
        ],
    );
    judge(&calls, 4);
    for call in &calls {
        for mark in [
            "/tmp/.ses",
            ".cache/Microsoft",
            "/etc/machine-id",
            "machine-id",
            "/sys/class/dmi",
        ] {
            assert!(!call.text.contains(mark), "{}", call.text);
        }
    }
}

#[test]
fn an_import_opens_its_model_and_its_store_and_nothing_else() {
    let place = Place::new();
    let model = place.write("m.gguf", Tiny::new("qwen3", "qwen2").gguf());
    let calls = trace(&place, &["model", "import", model.to_str().unwrap()]);
    let confined = calls.iter().position(|call| call.name == "seccomp");
    let after = &calls[confined.expect("the import is confined")..];
    let own = place.path().to_str().unwrap();
    let mut opened = 0;
    for call in after {
        assert!(
            !matches!(
                call.name.as_str(),
                "socket" | "connect" | "execve" | "execveat"
            ),
            "{}",
            call.text
        );
        let failed = call.text.contains(" = -1 ");
        if call.name.starts_with("open") && !failed {
            assert!(call.text.contains(own), "{}", call.text);
            opened += 1;
        }
    }
    assert!(opened > 5, "the trace shows what is opened: {opened}");
}

/// The calls that a sealed worker was refused while it worked, as (zone, call), outside of proofs.
/// Zones are told apart by their argument on the command line.
fn refused(place: &Place, args: &[&str]) -> std::collections::BTreeSet<(String, String)> {
    let log = place.join("refused");
    let status = Command::new("strace")
        .args(["-f", "-q", "-o", log.to_str().unwrap(), "-s", "64"])
        .arg(env!("CARGO_BIN_EXE_narrowroom"))
        .args(args)
        .env("HOME", place.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("strace is installed: scripts/install-deps.sh");
    assert!(status.success(), "{status}");
    let text = std::fs::read_to_string(&log).unwrap();
    let (mut zone_of, mut proved) = (BTreeMap::new(), BTreeMap::new());
    let mut found = std::collections::BTreeSet::new();
    for line in text.lines() {
        let Some((pid, call)) = line.split_once(' ') else {
            continue;
        };
        let call = call.trim_start();
        let pid: u32 = pid.parse().unwrap();
        if let Some(zone) = ["unpack", "room", "verify"]
            .into_iter()
            .find(|zone| call.starts_with("execve(") && call.contains(&format!("\"{zone}\"]")))
        {
            zone_of.insert(pid, zone);
        }
        if ["fork(", "vfork(", "clone(", "clone3(", "<... clone"]
            .iter()
            .any(|name| call.starts_with(name))
            && let Some(child) = call
                .rsplit("= ")
                .next()
                .and_then(|id| id.trim().parse::<u32>().ok())
            && let Some(zone) = zone_of.get(&pid).copied()
        {
            zone_of.insert(child, zone);
            if let Some(state) = proved.get(&pid).copied() {
                proved.insert(child, state);
            }
        }
        // A proof is over when its frame is sent; the room's second one begins with its new filter.
        if call.starts_with("write(")
            && (call.contains("{\\\"sealed\\\":") || call.contains("{\\\"narrowed\\\":"))
        {
            proved.insert(pid, true);
        }
        if call.starts_with("seccomp(") {
            proved.insert(pid, false);
        }
        // Threads share a filter and the state of their process's proof.
        if proved.get(&pid) == Some(&true)
            && call.contains("= -1 EPERM")
            && let Some((name, _)) = call.trim_start_matches("<... ").split_once(['(', ' '])
        {
            let zone = zone_of.get(&pid).copied().unwrap_or("?");
            found.insert((zone.to_owned(), name.to_owned()));
        }
    }
    assert_eq!(
        proved.values().filter(|held| **held).count().min(3),
        3,
        "three proofs were seen"
    );
    found
}

/// Calls that a library tries, is refused, and copes without. Another one that turns up here is
/// what a new kernel or a new library wants: then work may fail far from the cause.
const COPES_WITHOUT: &[(&str, &str)] = &[
    // The inference library sets flags of a file of its model that the file has anyway.
    ("room", "fcntl"),
    // The standard library asks how many processors there are; one thread works here.
    ("verify", "sched_getaffinity"),
];

#[test]
fn no_zone_needs_a_call_that_its_list_does_not_grant() {
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    let place = Place::new();
    place.run(&["model", "import", &model]).ends(0);
    let log = b"2024-05-01T10:00:01Z FATAL listen tcp 0.0.0.0:8080: bind: address already in use\n";
    let bundle = place.write(
        "b.tar.gz",
        pack(&[("b/var/log/messages", log.as_slice()), ("b/date", b"x\n")]),
    );
    let runs = place.runs();
    let runs = runs.to_str().unwrap();
    let found = refused(
        &place,
        &["triage", bundle.to_str().unwrap(), "--runs", runs],
    );
    let unknown: Vec<_> = found
        .iter()
        .filter(|(zone, call)| !COPES_WITHOUT.contains(&(zone, call)))
        .collect();
    assert!(
        unknown.is_empty(),
        "refused while working: {unknown:?}. Where the work needs such a call, grant it in sandbox/seccomp \
         with a comment that says what for, and write sweep.json again; where it copes without, name it here"
    );
}
