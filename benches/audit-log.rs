//! The cost of an append to a short and to a long log, and of verifying the long one.
//!
//!   cargo bench --bench audit-log -- [ENTRIES] [DIRECTORY]
//!
//! 100,000 entries by default, in a temporary directory. On a disk each append waits for it several
//! times; a directory in memory (/dev/shm) shows the work alone.
#![allow(
    clippy::disallowed_methods,
    reason = "a bench handles the files it made itself"
)]

use narrowroom::audit::{Entry, Log, verify};
use narrowroom::keys::Key;
use std::time::Instant;

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let entries: u64 = words
        .first()
        .and_then(|n| n.parse().ok())
        .unwrap_or(100_000);
    let parent = words.get(1).map_or_else(std::env::temp_dir, Into::into);
    let runs = parent.join(format!("narrowroom-audit-log-{}", std::process::id()));
    let key = Key::generate().expect("a key");
    let window = (entries / 10).clamp(1, 1_000);
    let (mut first, mut last) = (0.0, 0.0);
    for n in 0..entries {
        let entry = entry(n);
        let started = Instant::now();
        Log::append(&runs, &key, entry).expect("an append");
        let took = started.elapsed().as_secs_f64();
        if n < window {
            first += took;
        }
        if n >= entries - window {
            last += took;
        }
    }
    let micros = |sum: f64| sum / window as f64 * 1e6;
    println!(
        "append: {:.0} µs each for the first {window} of {entries} entries, {:.0} µs for the last {window}",
        micros(first),
        micros(last)
    );
    let tip = runs.join(".audit/tip.json");
    std::fs::remove_file(tip).expect("the kept end of the log");
    let started = Instant::now();
    Log::append(&runs, &key, entry(entries)).expect("an append");
    println!(
        "append that reads the whole log: {:.0} ms",
        started.elapsed().as_secs_f64() * 1e3
    );
    let started = Instant::now();
    let done = verify(&runs, Some((key.public(), "bench".into())), &[])
        .expect("it can be read")
        .expect("it is there");
    assert!(done.holds(), "{:?}", done.findings);
    println!(
        "verify: {:.2} s for {} entries",
        started.elapsed().as_secs_f64(),
        done.entries
    );
    std::fs::remove_dir_all(&runs).expect("our own directory");
}

/// An entry of usual length, for a run that was refused: no directory is compared.
fn entry(n: u64) -> Entry {
    let value = serde_json::json!({
        "schema": narrowroom::audit::entry::SCHEMA,
        "index": 0, "time": "", "kind": "run", "run": format!("{n:010}"),
        "started": "2026-01-01T00:00:00Z", "state": "failed", "exit": 3, "stage": "room",
        "bundle_sha256": "0".repeat(64), "binary_sha256": "0".repeat(64),
        "reach": [{
            "zone": "unpack", "host": format!("<runs>/.{n:010}.partial/tree"), "inside": "/tree",
            "write": true, "proved": true,
        }],
    });
    serde_json::from_value(value).expect("an entry")
}
