//! What the kernel sees: after its seal a worker makes no connection, starts no program and opens
//! nothing outside its own directories. Needs `strace`, which `scripts/install-deps.sh` installs.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use support::{Place, pack};

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
    std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let (pid, rest) = line.split_once(' ')?;
            let (name, _) = rest.trim_start().split_once('(')?;
            Some(Call {
                pid: pid.parse().ok()?,
                name: name.to_owned(),
                text: rest.trim_start().to_owned(),
            })
        })
        .collect()
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
    judge(&calls, 3);
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
