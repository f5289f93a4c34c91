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
        let red = found["proofs"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|proof| proof["probes"].as_array().unwrap())
            .filter(|probe| {
                probe["held"] == false && probe["layers"].to_string().contains(layer.name())
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
    }
}

#[test]
fn the_same_build_holds_when_nothing_is_dropped() {
    let place = Place::new();
    let runs = place.runs();
    place
        .run(&["doctor", "--runs", runs.to_str().unwrap()])
        .ends(0);
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
