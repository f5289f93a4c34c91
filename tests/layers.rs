//! Each layer of the seal matters: a build that drops one has a red probe or no proof at all, and
//! triage ends with exit code 4. Needs `--features layer-mutation`, which `scripts/test.sh` gives.
#![cfg(feature = "layer-mutation")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use narrowroom::seal::Layer;
use serde_json::Value;
use support::{Ended, Place, pack};

const DROP: &str = "NARROWROOM_TEST_DROP_LAYER";

#[test]
fn without_any_one_layer_a_probe_turns_red_and_triage_is_unsealed() {
    for layer in Layer::ALL {
        let place = Place::new();
        let runs = place.runs();
        let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
        let doctor = Ended::of(
            place
                .program()
                .args(["doctor", "--json", "--runs", runs.to_str().unwrap()])
                .env(DROP, layer.name())
                .output()
                .unwrap(),
        )
        .ends(4);
        let found: Value = serde_json::from_str(&doctor.out).unwrap();
        // The look at a layer's state does not count: something must have been done that it refuses.
        let red = found["proofs"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|proof| proof["probes"].as_array().unwrap())
            .filter(|probe| {
                probe["held"] == false
                    && probe["layers"].to_string().contains(layer.name())
                    && !probe["name"].as_str().unwrap().starts_with("state-")
            })
            .count();
        let problems = found["problems"].to_string();
        // Without no_new_privs neither Landlock nor seccomp can be installed: there is no room to probe.
        assert!(
            red > 0 || (layer == Layer::NoNewPrivs && !problems.is_empty()),
            "{layer}: {problems}"
        );
        let triage = Ended::of(
            place
                .program()
                .args([
                    "triage",
                    bundle.to_str().unwrap(),
                    "--no-model",
                    "--runs",
                    runs.to_str().unwrap(),
                ])
                .env(DROP, layer.name())
                .output()
                .unwrap(),
        )
        .ends(4);
        assert!(triage.err.contains("hint"), "{layer}: {}", triage.err);
        assert!(place.run_entries().is_empty(), "{layer}: nothing is kept");
        println!("layers: without {layer} {red} probes are red, and nothing runs");
    }
    println!("layers: {0} of {0} mutations caught", Layer::ALL.len());
}

#[test]
fn the_same_build_holds_when_nothing_is_dropped() {
    let place = Place::new();
    let runs = place.runs();
    place
        .run(&["doctor", "--runs", runs.to_str().unwrap()])
        .ends(0);
}

/// What a kernel with an older Landlock leaves to the other layers, as the proof says it.
#[test]
fn older_landlocks_hold_and_say_what_they_do_not_cover() {
    for (abi, lacks) in [
        (1, Some("not truncation, TCP")),
        (2, Some("not truncation, TCP")),
        (3, Some("not TCP")),
        (4, Some("not device ioctls")),
        (5, Some("not abstract sockets and signals")),
        (6, None),
        (7, None),
        (99, None),
    ] {
        let place = Place::new();
        let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
        let runs = place.runs();
        let with = |args: &[&str]| {
            Ended::of(
                place
                    .program()
                    .args(args)
                    .args(["--runs", runs.to_str().unwrap()])
                    .env("NARROWROOM_TEST_LANDLOCK_ABI", abi.to_string())
                    .output()
                    .unwrap(),
            )
        };
        let found: Value = serde_json::from_str(&with(&["doctor", "--json"]).ends(0).out).unwrap();
        for proof in found["proofs"].as_array().unwrap() {
            let landlock = proof["layers"]
                .as_array()
                .unwrap()
                .iter()
                .find(|layer| layer["layer"] == "landlock")
                .unwrap();
            let detail = landlock["detail"].as_str().unwrap();
            assert_eq!(landlock["enforced"], true);
            match lacks {
                Some(words) => assert!(detail.contains(words), "ABI {abi}: {detail}"),
                None => assert!(!detail.contains("not "), "ABI {abi}: {detail}"),
            }
        }
        with(&["triage", bundle.to_str().unwrap(), "--no-model"]).ends(0);
    }
}

#[test]
fn a_kernel_without_landlock_fails_closed_unless_that_is_allowed_by_name() {
    let place = Place::new();
    let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    let runs = place.runs();
    let triage = |more: &[&str]| {
        Ended::of(
            place
                .program()
                .args(["triage", bundle.to_str().unwrap(), "--no-model"])
                .args(["--runs", runs.to_str().unwrap()])
                .args(more)
                .env("NARROWROOM_TEST_LANDLOCK_ABI", "0")
                .output()
                .unwrap(),
        )
    };
    triage(&[]).ends(4).says("--allow-weaker-seal=landlock");
    triage(&["--allow-weaker-seal=seccomp"]).ends(4);
    assert!(place.run_entries().is_empty());
    let weaker = triage(&["--allow-weaker-seal=landlock"]).ends(0);
    assert!(
        weaker.out.to_uppercase().contains("WEAKER"),
        "{}",
        weaker.out
    );
}

/// The six namespaces, which a container without user namespaces cannot give.
const NAMESPACES: [&str; 6] = [
    "user-namespace",
    "network-namespace",
    "pid-namespace",
    "ipc-namespace",
    "mount-namespace",
    "uts-namespace",
];

/// As in most containers: no further user namespace may be made, and the privileges that the other
/// ones need are not there. `unshare` and `setpriv` are util-linux's.
fn in_a_container(place: &Place, args: &[&str]) -> Ended {
    use std::io::{Read, Write};
    use std::process::Stdio;
    // The second shell is started when its user is root inside, and so has the privileges of root.
    let first = "echo ready; read go; exec sh -c \"$0\" \"$@\"";
    let second = "echo 0 > /proc/sys/user/max_user_namespaces && \
                  exec setpriv --bounding-set=-sys_admin,-sys_resource \"$0\" \"$@\"";
    let mut child = std::process::Command::new("unshare")
        .args(["--user", "sh", "-c", first, second])
        .arg(env!("CARGO_BIN_EXE_narrowroom"))
        .args(args)
        .args(["--runs", place.runs().to_str().unwrap()])
        .env("HOME", place.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare and setpriv of util-linux are there");
    let mut ready = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    assert_eq!(&ready, b"ready\n");
    let proc = |file: &str| format!("/proc/{}/{file}", child.id());
    // A container of root's has every user; that of an ordinary user has one, who is root inside.
    let (users, groups) = if rustix::process::geteuid().is_root() {
        ("0 0 65536".to_owned(), "0 0 65536".to_owned())
    } else {
        std::fs::write(proc("setgroups"), "deny").unwrap();
        (
            format!("0 {} 1", rustix::process::geteuid().as_raw()),
            format!("0 {} 1", rustix::process::getegid().as_raw()),
        )
    };
    std::fs::write(proc("uid_map"), users).unwrap();
    std::fs::write(proc("gid_map"), groups).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    Ended::of(child.wait_with_output().unwrap())
}

#[test]
fn a_container_without_user_namespaces_fails_closed_unless_each_layer_is_allowed_by_name() {
    let place = Place::new();
    let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    let triage = ["triage", bundle.to_str().unwrap(), "--no-model"];
    let refused = in_a_container(&place, &triage).ends(4);
    for layer in NAMESPACES {
        assert!(refused.err.contains(layer), "{layer}: {}", refused.err);
    }
    assert!(place.run_entries().is_empty());

    // A lone user's container has no second user that root could become.
    let alone = !rustix::process::geteuid().is_root();
    let alone: &[&str] = if alone {
        &["--allow-weaker-seal=capabilities"]
    } else {
        &[]
    };
    let triage: Vec<&str> = triage.iter().chain(alone).copied().collect();
    let flags = NAMESPACES.map(|layer| format!("--allow-weaker-seal={layer}"));
    for (layer, left_out) in NAMESPACES.iter().zip(&flags) {
        let mut args = triage.to_vec();
        let some = flags.iter().filter(|flag| *flag != left_out);
        args.extend(some.map(String::as_str));
        in_a_container(&place, &args).ends(4).says(layer);
    }
    let mut args = triage.to_vec();
    args.extend(flags.iter().map(String::as_str));
    let weaker = in_a_container(&place, &args).ends(0);
    assert!(
        weaker.out.to_uppercase().contains("WEAKER"),
        "{}",
        weaker.out
    );

    // What remains is in the record, layer by layer, and was attempted.
    let id = place.run_entries().pop().unwrap();
    let runs = place.runs();
    let record = place
        .run(&["show", &id, "--record", "--runs", runs.to_str().unwrap()])
        .ends(0);
    let record: Value = serde_json::from_str(&record.out).unwrap();
    for seal in record["seals"].as_array().unwrap() {
        for layer in seal["layers"].as_array().unwrap() {
            let name = layer["layer"].as_str().unwrap();
            let there =
                !NAMESPACES.contains(&name) && !alone.iter().any(|flag| flag.ends_with(name));
            assert_eq!(layer["enforced"], there, "{layer}");
            assert_eq!(layer["waived"], !there, "{layer}");
        }
    }
}

/// The seal of an ordinary user is the same one.
#[test]
fn an_ordinary_user_gets_the_whole_seal() {
    use std::os::unix::process::CommandExt;
    let place = Place::new();
    let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    let runs = place.runs();
    let as_user = |args: &[&str]| {
        let mut program = place.program();
        if rustix::process::geteuid().is_root() {
            program.uid(1234).gid(1234);
        }
        Ended::of(
            program
                .args(args)
                .args(["--runs", runs.to_str().unwrap()])
                .output()
                .unwrap(),
        )
    };
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(place.path(), Some(1234), Some(1234)).unwrap();
    }
    let found: Value = serde_json::from_str(&as_user(&["doctor", "--json"]).ends(0).out).unwrap();
    for proof in found["proofs"].as_array().unwrap() {
        for layer in proof["layers"].as_array().unwrap() {
            assert_eq!(layer["enforced"], true, "{layer}");
        }
    }
    as_user(&["triage", bundle.to_str().unwrap(), "--no-model"]).ends(0);
    for layer in Layer::ALL {
        let mut program = place.program();
        if rustix::process::geteuid().is_root() {
            program.uid(1234).gid(1234);
        }
        Ended::of(
            program
                .args(["doctor", "--runs", runs.to_str().unwrap()])
                .env(DROP, layer.name())
                .output()
                .unwrap(),
        )
        .ends(4);
    }
}

#[test]
fn an_allowed_weaker_seal_goes_on_and_says_so_in_words_nobody_can_overlook() {
    let place = Place::new();
    let runs = place.runs();
    let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    let args = [
        "triage",
        bundle.to_str().unwrap(),
        "--no-model",
        "--runs",
        runs.to_str().unwrap(),
        "--allow-weaker-seal=uts-namespace",
    ];
    let ended = Ended::of(
        place
            .program()
            .args(args)
            .env(DROP, "uts-namespace")
            .output()
            .unwrap(),
    )
    .ends(0)
    .says("warning: the seal may lack");
    assert!(ended.out.to_uppercase().contains("WEAKER"), "{}", ended.out);
    let other = Ended::of(
        place
            .program()
            .args(args)
            .env(DROP, "landlock")
            .output()
            .unwrap(),
    );
    other.ends(4);
}
