//! `kill -9` at random points of a batch: resumed each time, nothing run twice, nothing lost, the
//! same merged bytes as of a batch that was left in peace. `benches/batch-kill.sh` does the same with
//! 60 bundles and 50 kills.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

#[path = "support/batches.rs"]
mod batches;
mod support;

use batches::{batch, json, leftovers, merged, planned, results, runs, start};
use std::collections::BTreeMap;
use std::time::Duration;
use support::Place;

const BUNDLES: usize = 12;

/// A number from 0 below `below`, of a fixed sequence (Marsaglia's xorshift64).
fn next(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % below
}

#[test]
fn killed_at_random_points_it_ends_as_if_it_had_not_been() {
    let place = Place::new();
    planned(&place, BUNDLES, "1");
    let run = [
        "run",
        "m.json",
        "--workers",
        "2",
        "--cpus",
        "2",
        "--memory",
        "4GiB",
        "--out",
    ];
    let began = std::time::Instant::now();
    batch(&place, &[&run[..], &["calm"]].concat()).ends(0);
    let calm = began.elapsed();
    let expected = merged(&place, &["calm"]);

    let out = place.join("out");
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let mut kept: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut about: BTreeMap<String, String> = BTreeMap::new();
    let mut kills = 0;
    while results(&out).len() < BUNDLES && kills < 40 {
        let mut child = start(&place, &[&run[..], &["out"]].concat());
        let micros = next(
            &mut state,
            u64::try_from(calm.as_micros() / 3).unwrap().max(1),
        );
        std::thread::sleep(Duration::from_micros(micros));
        // Only this process: what it started must end by itself.
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let (now, runs_now) = (results(&out), runs(&out));
        for (name, bytes) in &kept {
            assert_eq!(
                now.get(name),
                Some(bytes),
                "a result was lost or changed after kill {kills}"
            );
        }
        for (id, bundle) in &about {
            assert_eq!(
                runs_now.get(id),
                Some(bundle),
                "a run was lost after kill {kills}"
            );
        }
        let mut bundles: Vec<_> = runs_now.values().collect();
        bundles.sort();
        bundles.dedup();
        assert_eq!(
            bundles.len(),
            runs_now.len(),
            "a bundle was run twice before kill {kills}"
        );
        (kept, about) = (now, runs_now);
    }
    assert!(
        kills >= 3,
        "the batch was over after {kills} kills: it was never interrupted"
    );
    batch(&place, &[&run[..], &["out"]].concat()).ends(0);
    assert_eq!(runs(&out).len(), BUNDLES, "after {kills} kills");
    assert_eq!(results(&out).len(), BUNDLES);
    assert_eq!(merged(&place, &["out"]), expected, "after {kills} kills");
    assert_eq!(leftovers(&out), Vec::<std::path::PathBuf>::new());
}

#[test]
fn killed_between_the_run_and_its_result_the_run_is_adopted() {
    let place = Place::new();
    planned(&place, 3, "1");
    let run = ["run", "m.json", "--out", "out"];
    batch(&place, &run).ends(0);
    let out = place.join("out");
    let (name, bytes) = results(&out).pop_first().unwrap();
    let result: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let before = runs(&out);
    // As it is on disk after the run was renamed into place and before its result was.
    let claim = serde_json::json!({
        "schema": "narrowroom.batch-claim/v1", "manifest": result["manifest"], "item": result["item"],
        "run": result["run"]["id"], "attempt": 1,
    });
    std::fs::write(out.join("claims").join(&name), claim.to_string()).unwrap();
    std::fs::remove_file(out.join("results").join(&name)).unwrap();
    let status = batch(&place, &["status", "m.json", "out", "--json"]).ends(0);
    assert!(
        status.out.contains("\"state\": \"started\""),
        "{}",
        status.out
    );
    batch(&place, &run).ends(0);
    assert_eq!(before, runs(&out), "it was run again");
    assert_eq!(json(&out.join("results").join(&name)), result);
    assert!(!out.join("claims").join(&name).exists());
}

#[test]
fn a_signal_ends_it_politely_and_keeps_what_is_finished() {
    let place = Place::new();
    planned(&place, BUNDLES, "1");
    let mut child = start(&place, &["run", "m.json", "--out", "out", "--workers", "1"]);
    let since = std::time::Instant::now();
    while results(&place.join("out")).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept = results(&place.join("out"));
    assert!((1..BUNDLES).contains(&kept.len()), "{}", kept.len());
    assert_eq!(
        leftovers(&place.join("out")),
        Vec::<std::path::PathBuf>::new()
    );
    batch(&place, &["run", "m.json", "--out", "out"]).ends(0);
    merged(&place, &["out"]);
}
