//! Every reader of foreign bytes, fed with damaged ones: nothing panics, nothing takes for ever,
//! nothing is written outside. A short run on the seeds here and on the inputs kept under
//! `fuzz/corpus/<target>/`; `scripts/fuzz.sh` makes the long one.
//!
//! A mutation runner in safe Rust, without instrumentation: it runs wherever the tests run. An input
//! that breaks a target is written to `fuzz/found/` and named; mended, it belongs into the corpus.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

#[path = "support/archives.rs"]
mod archives;

#[path = "../fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use targets::{ALL, MAX_BYTES, Target};

/// No input of these sizes may take a reader longer than this, on a busy machine.
const TOO_LONG: Duration = Duration::from_secs(20);

/// Seconds a target is tried: `NARROWROOM_FUZZ_SECONDS`, by default few.
fn seconds() -> u64 {
    std::env::var("NARROWROOM_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2)
}

/// xorshift64* (Vigna).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or(0) % end.max(1)
    }
    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Numbers at the edges of formats.
const EDGES: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 62,
    u64::MAX / 2,
    1 << 63,
    u64::MAX,
];

/// A damaged copy of one input, sometimes with a part of another one.
fn damage(dice: &mut Dice, seeds: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = dice.of(seeds).clone();
    for _ in 0..=dice.below(6) {
        let length = bytes.len();
        let at = dice.below(length + 1);
        match dice.below(10) {
            0 if length > 0 => bytes[at.min(length - 1)] ^= 1 << dice.below(8),
            1 if length > 0 => bytes[at.min(length - 1)] = u8::try_from(dice.below(256)).unwrap(),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + dice.below(64)).min(length);
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + dice.below(512)).min(length);
                let part = bytes[at..end].to_vec();
                for _ in 0..=dice.below(4) {
                    bytes.splice(at..at, part.iter().copied());
                }
            }
            5 => {
                let number = dice.of(EDGES).to_le_bytes();
                let width = *dice.of(&[1, 2, 4, 8]);
                let end = (at + width).min(length);
                bytes.splice(at..end, number[..width].iter().copied());
            }
            6 => {
                let number = dice.of(EDGES).to_string();
                bytes.splice(at..at, number.into_bytes());
            }
            7 if !words.is_empty() => {
                let word = *dice.of(words);
                bytes.splice(at..at, word.bytes());
            }
            8 => {
                let other = dice.of(seeds).clone();
                let from = dice.below(other.len() + 1);
                let end = (from + dice.below(2048)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            _ => {
                let byte = *dice.of(b"\0\n\r\t\x1b{}[]\"'\\:,- \xff\xc3\xe2");
                let many = *dice.of(&[1, 2, 70, 3000]);
                bytes.splice(at..at, std::iter::repeat_n(byte, many));
            }
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

/// Tries `target` on the seeds, on what is kept, and on damaged copies of both.
fn fuzz(target: &Target) {
    let Target {
        name,
        seeds,
        words,
        read,
    } = target;
    let mut seeds = seeds();
    let mut kept: Vec<_> = std::fs::read_dir(folder("corpus").join(name))
        .map(|items| items.map(|item| item.unwrap().path()).collect())
        .unwrap_or_default();
    kept.sort();
    seeds.extend(kept.iter().map(|path| std::fs::read(path).unwrap()));
    // The same inputs in every short run, others in a long one.
    let extra = std::env::var("NARROWROOM_FUZZ_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ extra.unwrap_or(0_u64));
    let (mut tried, mut longest) = (0_u64, Duration::ZERO);
    let whole = seeds.len() as u64;
    let mut end = Instant::now() + Duration::from_secs(seconds());
    // Whole inputs first, then at least as many damaged ones however slow the machine is.
    while tried < 2 * whole || Instant::now() < end {
        let input = match seeds.get(usize::try_from(tried).unwrap()) {
            Some(seed) => seed.clone(),
            None => damage(&mut dice, &seeds, words),
        };
        if tried == whole {
            end = Instant::now() + Duration::from_secs(seconds());
        }
        let start = Instant::now();
        let held = catch_unwind(AssertUnwindSafe(|| read(&input)));
        let took = start.elapsed();
        if held.is_err() || took > TOO_LONG {
            let path = folder("found").join(format!("{name}-{tried}"));
            std::fs::create_dir_all(folder("found")).unwrap();
            std::fs::write(&path, &input).unwrap();
            panic!(
                "{name}: input {tried} broke it or took {took:?}: {}",
                path.display()
            );
        }
        longest = longest.max(took);
        tried += 1;
    }
    println!(
        "fuzz: {name}: {tried} inputs from {} seeds, the longest took {longest:?}",
        seeds.len()
    );
}

fn named(name: &str) {
    let target = ALL.iter().find(|target| target.name == name);
    fuzz(target.unwrap_or_else(|| panic!("no target {name}")));
}

#[test]
fn the_unpacker_refuses_or_unpacks() {
    named("unpack");
}

#[test]
fn recognisers_and_readers_of_logs_yaml_and_json_end() {
    named("bundle");
}

#[test]
fn the_reader_of_model_files_refuses_or_reads() {
    named("gguf");
}

#[test]
fn readers_of_reports_playbooks_and_frames_refuse_or_read() {
    for name in ["report", "playbook", "frame"] {
        named(name);
    }
}

#[test]
fn the_judge_of_commands_always_has_an_answer() {
    named("command");
}

#[test]
fn masks_texts_and_grammars_take_any_line() {
    named("mask");
}

#[test]
fn a_target_that_breaks_is_found() {
    let control = Target {
        name: "control",
        seeds: || vec![b"abc".to_vec()],
        words: &["boom"],
        read: |bytes| assert!(!bytes.windows(4).any(|window| window == b"boom")),
    };
    let found = catch_unwind(|| fuzz(&control));
    assert!(found.is_err(), "the runner must be able to find something");
    for item in std::fs::read_dir(folder("found")).unwrap() {
        let path = item.unwrap().path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("control-"))
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    let _ = std::fs::remove_dir(folder("found"));
}
