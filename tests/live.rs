//! What a person sees while the model works: the signals' answer, verified, within a second, and the final
//! report in its place. Nothing of it where nobody looks.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

#[allow(dead_code, reason = "the generator is a program of its own, too")]
#[path = "../fixtures/pack.rs"]
mod pack;

use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::process::Stdio;
use std::time::Instant;
use support::Place;

/// A pseudo-terminal of 80 columns and 24 rows: the program's end, and ours.
fn terminal() -> (OwnedFd, std::fs::File) {
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let (mut ours, mut theirs) = (0, 0);
    // SAFETY: both numbers are written before they are used, the name and settings may be null, and `size`
    // outlives the call.
    let made = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(made, 0, "a pseudo-terminal");
    // SAFETY: openpty gave these two descriptors to us and to nobody else.
    unsafe {
        (
            OwnedFd::from_raw_fd(theirs),
            std::fs::File::from_raw_fd(ours),
        )
    }
}

#[test]
fn the_signals_answer_stands_first_verified_and_the_final_report_takes_its_place() {
    let place = Place::new();
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
    pack::pack_all(place.path(), &["oom-kill".to_owned()]).expect("the fixture packs");
    let bundle = place.join("oom-kill.tar.gz");
    let runs = place.runs();
    let (theirs, mut ours) = terminal();
    let mut child = place
        .program()
        .args([
            "triage",
            bundle.to_str().unwrap(),
            "--runs",
            runs.to_str().unwrap(),
        ])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs)
        .spawn()
        .expect("the program starts");
    let started = Instant::now();
    let (mut seen, mut first) = (String::new(), None);
    let mut buffer = [0; 4096];
    // The last reader of a closed terminal gets an error instead of an end.
    while let Ok(read) = ours.read(&mut buffer) {
        if read == 0 {
            break;
        }
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        if first.is_none() && seen.contains("not yet checked by the model") {
            first = Some(started.elapsed());
        }
    }
    assert!(child.wait().unwrap().success(), "{seen}");
    let first = first.unwrap_or_else(|| panic!("no preliminary answer: {seen}"));
    println!(
        "the preliminary answer stood after {first:?}, the run took {:?}",
        started.elapsed()
    );
    assert!(first < started.elapsed(), "it stood before the end");
    let (before, after) = seen.split_once("not yet checked by the model").unwrap();
    assert!(
        !before.contains("OOM"),
        "nothing is shown before the verifier let it through: {before}"
    );
    let rows = after
        .split_once("\x1b[J")
        .map(|(up, _)| up.rsplit("\x1b[").next().unwrap_or("").to_owned());
    let rows: usize = rows
        .and_then(|up| up.strip_suffix('A')?.parse().ok())
        .unwrap_or_else(|| panic!("the block is taken away: {after:?}"));
    assert!((2..=21).contains(&rows), "{rows}");
    let last = after.rsplit("\x1b[J").next().unwrap();
    assert!(
        last.contains("confidence") && !last.contains("not yet checked"),
        "{last}"
    );
}

#[test]
fn where_nobody_looks_only_the_final_report_is_printed() {
    let place = Place::new();
    let model =
        std::env::var("NARROWROOM_TEST_MODEL").expect("NARROWROOM_TEST_MODEL: run scripts/test.sh");
    place.run(&["model", "import", &model]).ends(0);
    pack::pack_all(place.path(), &["oom-kill".to_owned()]).expect("the fixture packs");
    let bundle = place.join("oom-kill.tar.gz");
    let ended = place
        .run(&[
            "triage",
            bundle.to_str().unwrap(),
            "--runs",
            place.runs().to_str().unwrap(),
        ])
        .ends(0);
    assert!(!ended.out.contains("not yet checked") && !ended.out.contains('\x1b'));
    assert!(!ended.err.contains("not yet checked"), "{}", ended.err);
}
