//! The review in a real pseudo-terminal: keys in, screen out, the terminal given back as it was.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

#[allow(dead_code, reason = "the generator is a program of its own, too")]
#[path = "../fixtures/pack.rs"]
mod pack;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::Place;

/// The program in a terminal of 80 columns and 24 rows.
struct Driven {
    child: Child,
    keys: File,
    screen: Arc<Mutex<Vec<u8>>>,
    theirs: OwnedFd,
}

/// Both ends of a new pseudo-terminal.
fn pair() -> (OwnedFd, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the pointers are to two integers and a size that live through the call; no name and no
    // settings are asked for.
    let made = unsafe {
        libc::openpty(
            &mut ours,
            &mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            &size,
        )
    };
    assert_eq!(made, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the call above gave two descriptors that nobody else owns.
    unsafe { (OwnedFd::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

impl Driven {
    fn start(place: &Place, args: &[&str]) -> Self {
        let (ours, theirs) = pair();
        let end = || Stdio::from(theirs.try_clone().expect("a descriptor"));
        let child = place
            .program()
            .args(args)
            .env("TERM", "xterm-256color")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .expect("the program starts");
        let screen = Arc::new(Mutex::new(Vec::new()));
        let mut output = File::from(ours.try_clone().expect("a descriptor"));
        let into = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read) = output.read(&mut buffer) {
                if read == 0 {
                    break;
                }
                into.lock().unwrap().extend_from_slice(&buffer[..read]);
            }
        });
        Self {
            child,
            keys: File::from(ours),
            screen,
            theirs,
        }
    }

    /// What was written to the terminal so far, without its control sequences.
    fn text(&self) -> String {
        let bytes = self.screen.lock().unwrap().clone();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let sequences = regex::Regex::new("\x1b\\[[0-9;?]*[A-Za-z]").unwrap();
        sequences.replace_all(&text, " ").into_owned()
    }

    /// Waits until `words` appear. Only for the first screen: later ones send only what changed.
    #[track_caller]
    fn until(&self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let spaced = regex::Regex::new(
            &words
                .split(' ')
                .map(regex::escape)
                .collect::<Vec<_>>()
                .join(r"\s+"),
        )
        .unwrap();
        while Instant::now() < deadline {
            if spaced.is_match(&self.text()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        panic!("{words:?} did not appear:\n{}", self.text());
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("keys");
        // One draw each: what comes to its end on the screen is written down between two keys.
        std::thread::sleep(Duration::from_millis(250));
    }

    fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                std::thread::sleep(Duration::from_millis(100));
                return (status.code().unwrap_or(-1), self.text());
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        let _ = self.child.kill();
        panic!("it did not end:\n{}", self.text());
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn wait_for(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not come");
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn run_of(name: &str) -> (Place, String) {
    let place = Place::new();
    pack::pack_all(place.path(), &[name.to_owned()]).expect("the fixture packs");
    place
        .triage(&place.join(&format!("{name}.tar.gz")), &["--no-model"])
        .0
        .ends(0);
    let id = place
        .run_entries()
        .into_iter()
        .find(|name| !name.starts_with('.'))
        .expect("a run");
    (place, id)
}

#[test]
fn a_review_is_signed_with_the_keyboard_and_the_terminal_is_given_back() {
    let (place, id) = run_of("healthy-cluster");
    let runs = place.runs();
    let runs = runs.to_str().unwrap();
    let mut driven = Driven::start(&place, &["review", "--terminal", &id, "--runs", runs]);
    driven.until("approval closed");
    let claims = {
        let report = std::fs::read_to_string(place.runs().join(&id).join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        report["findings"].as_array().unwrap().len() + 1
    };
    let draft = place.runs().join(&id).join(".review.draft.json");
    let decided = |wanted: usize| {
        wait_for(&format!("{wanted} decisions"), || {
            std::fs::read_to_string(&draft)
                .is_ok_and(|text| text.matches("\"decision\": \"accept\"").count() == wanted)
        });
    };
    let seen = || {
        std::fs::read_to_string(&draft)
            .map_or(0, |text| text.matches("\"event\": \"seen\"").count())
    };
    for n in 1..=claims {
        for _ in 0..80 {
            if seen() >= n {
                break;
            }
            driven.press(" ");
        }
        driven.press("a");
        decided(n);
    }
    for keys in ["s", "a", "A. Reviewer\r", "\r"] {
        driven.press(keys);
    }
    wait_for("the signature", || {
        std::fs::read_to_string(place.runs().join(&id).join("review.json"))
            .is_ok_and(|text| text.contains("\"state\": \"approved\""))
    });
    driven.press("x");
    let raw = Arc::clone(&driven.screen);
    let theirs = driven.theirs.try_clone().expect("a descriptor");
    let (code, text) = driven.end();
    assert_eq!(code, 0, "{text}");
    let settings = rustix::termios::tcgetattr(theirs.as_fd()).expect("its settings");
    let echoes = rustix::termios::LocalModes::ICANON | rustix::termios::LocalModes::ECHO;
    assert!(
        settings.local_modes.contains(echoes),
        "lines and echo are back"
    );
    let raw = String::from_utf8_lossy(&raw.lock().unwrap()).into_owned();
    assert!(
        raw.contains("\x1b[?1049h") && raw.contains("\x1b[?1049l"),
        "the screen before is given back"
    );
    place
        .run(&["review", "--check", &id, "--runs", runs])
        .ends(0);
    place.run(&["reply", &id, "--runs", runs]).ends(0);
}

#[test]
fn leaving_keeps_what_was_decided_and_no_terminal_is_said_so() {
    let (place, id) = run_of("oom-kill");
    let runs = place.runs();
    let runs = runs.to_str().unwrap();
    place
        .run(&["review", "--terminal", &id, "--runs", runs])
        .ends(2)
        .says("not a terminal");
    let mut driven = Driven::start(&place, &["review", "--terminal", &id, "--runs", runs]);
    driven.until("approval closed");
    driven.press("c");
    driven.press("a comment\r");
    driven.press("q");
    let (code, text) = driven.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("not signed"), "{text}");
    let kept = std::fs::read_to_string(place.runs().join(&id).join(".review.draft.json")).unwrap();
    assert!(kept.contains("a comment"));
}
