//! The seal on this machine: every layer in force, every probe as expected, fails closed.

#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use serde_json::Value;
use support::{Place, pack};

#[test]
fn doctor_lists_each_layer_and_each_probe_with_its_errno() {
    let place = Place::new();
    let runs = place.runs();
    let ended = place
        .run(&["doctor", "--json", "--runs", runs.to_str().unwrap()])
        .ends(0);
    let found: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(found["survey"]["layers"].as_array().unwrap().len(), 12);
    let proofs = found["proofs"].as_array().unwrap();
    assert_eq!(
        proofs.len(),
        4,
        "three zones, and the room once more when it is narrowed"
    );
    for proof in proofs {
        for layer in proof["layers"].as_array().unwrap() {
            assert_eq!(layer["enforced"], true, "{layer}");
        }
        let probes = proof["probes"].as_array().unwrap();
        assert!(probes.len() >= 15, "{} probes", probes.len());
        for probe in probes {
            assert_eq!(probe["held"], true, "{probe}");
            let got = probe["got"].as_str().unwrap();
            assert!(
                got.starts_with('E') || got.starts_with("SUCCEEDED") || got == "IN FORCE",
                "an errno by name: {probe}"
            );
        }
    }
    assert!(place.run_entries().is_empty());
    let probes: usize = proofs
        .iter()
        .map(|proof| proof["probes"].as_array().unwrap().len())
        .sum();
    println!("seal: {probes} probes in {} proofs, all held", proofs.len());
}

#[test]
fn what_is_denied_inside_succeeds_outside() {
    let place = Place::new();
    let runs = place.runs();
    let ended = place.run(&["doctor", "--json", "--runs", runs.to_str().unwrap()]);
    let found: Value = serde_json::from_str(&ended.out).unwrap();
    let controls = found["controls"].as_array().unwrap();
    let open = controls
        .iter()
        .filter(|control| control["open"] == true)
        .count();
    assert!(
        controls.len() >= 20 && open * 10 >= controls.len() * 8,
        "{open} of {} succeed outside: {controls:#?}",
        controls.len()
    );
    println!(
        "seal: {open} of {} acts that are denied inside succeed outside",
        controls.len()
    );
}

#[test]
fn a_worker_started_by_hand_does_nothing() {
    let place = Place::new();
    let ended = place.run(&["__worker", "unpack"]);
    assert!(
        ended.out.contains("started by narrowroom itself"),
        "{}",
        ended.out
    );
}

#[test]
fn the_record_holds_a_proof_for_every_worker() {
    let place = Place::new();
    let bundle = place.write("b.tar.gz", pack(&[("b/a.log", b"a line\n")]));
    let runs = place.runs();
    place.triage(&bundle, &["--no-model"]).0.ends(0);
    let id = place.run_entries().pop().unwrap();
    let record: Value = serde_json::from_str(
        &place
            .run(&["show", &id, "--record", "--runs", runs.to_str().unwrap()])
            .ends(0)
            .out,
    )
    .unwrap();
    let zones: Vec<&str> = record["seals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seal| seal["zone"].as_str().unwrap())
        .collect();
    assert_eq!(zones, ["unpack", "room", "verify"]);
    assert_eq!(record["workers"].as_array().unwrap().len(), 3);
}
