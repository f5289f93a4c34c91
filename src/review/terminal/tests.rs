//! The screen at 80 columns and 24 rows, key by key.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

use super::super::desk::Desk;
use super::super::model::{Decision, Surface};
use super::super::testing::{Place, wait};
use super::app::{App, Flow};
use super::{act, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

struct Screen {
    terminal: Terminal<TestBackend>,
    app: App,
    left: bool,
}

impl Screen {
    fn new(desk: Desk) -> Self {
        let mut screen = Self {
            terminal: Terminal::new(TestBackend::new(80, 24)).unwrap(),
            app: App::new(desk, false),
            left: false,
        };
        screen.settle();
        screen
    }

    /// Draws until nothing more comes to its end, as the real loop does.
    fn settle(&mut self) {
        loop {
            self.terminal
                .draw(|frame| draw::screen(frame, &mut self.app))
                .unwrap();
            match self.app.now_seen() {
                Some(seen) => wait(act(&mut self.app, seen)),
                None => return,
            }
        }
    }

    fn press(&mut self, code: KeyCode) {
        match self.app.key(KeyEvent::new(code, KeyModifiers::NONE)) {
            Flow::Stay => {}
            Flow::Leave => self.left = true,
            Flow::Act(action) => wait(act(&mut self.app, *action)),
        }
        self.settle();
    }

    fn keys(&mut self, text: &str) {
        for c in text.chars() {
            self.press(KeyCode::Char(c));
        }
    }

    fn shown(&self) -> String {
        let buffer = self.terminal.backend().buffer();
        (0..buffer.area.height)
            .map(|y| {
                let line: String = (0..buffer.area.width)
                    .map(|x| buffer[(x, y)].symbol())
                    .collect();
                // The place of the test's own directory changes.
                let line = line.split("failed to read").next().unwrap_or_default();
                let line = match line.contains("/attestation.intoto.jsonl") {
                    true => "[the attestation]",
                    false => line,
                };
                line.trim_end().to_owned() + "\n"
            })
            .collect()
    }
}

#[test]
fn a_claim_stands_beside_its_evidence_in_80_by_24() {
    let place = Place::new();
    let mut screen = Screen::new(place.desk(Surface::Terminal));
    insta::assert_snapshot!("claim", screen.shown());
    screen.keys("?");
    insta::assert_snapshot!("help", screen.shown());
    screen.keys("x");
    screen.keys("jj");
    insta::assert_snapshot!("gaps", screen.shown());
    screen.keys("v");
    insta::assert_snapshot!("more", screen.shown());
}

#[test]
fn a_whole_review_by_keys() {
    let place = Place::new();
    let mut screen = Screen::new(place.desk(Surface::Terminal));
    // Not read to its end yet.
    screen.keys("a");
    assert!(
        screen.app.bad && screen.app.message.contains("to the end"),
        "{}",
        screen.app.message
    );
    for _ in 0..8 {
        if screen.app.current().unwrap().seen.is_some() {
            break;
        }
        screen.press(KeyCode::Char(' '));
    }
    assert_eq!(
        screen.app.at, 0,
        "reading on stays with the claim until it is read"
    );
    screen.keys("r");
    screen.press(KeyCode::Enter);
    assert!(
        screen.app.bad && screen.app.message.contains("reason"),
        "{}",
        screen.app.message
    );
    screen.keys("a");
    assert_eq!(screen.app.at, 1, "after a decision the next claim is shown");
    for _ in 0..8 {
        if screen.app.current().unwrap().seen.is_some() {
            break;
        }
        screen.press(KeyCode::Char(' '));
    }
    screen.keys("r");
    screen.keys("it follows from the first");
    insta::assert_snapshot!("reason", screen.shown());
    screen.press(KeyCode::Enter);
    let decided = screen.app.desk.state().claims[1].decided.clone().unwrap();
    assert_eq!(
        (decided.decision, decided.reason.as_str()),
        (Decision::Reject, "it follows from the first")
    );
    screen.keys("u");
    assert!(screen.app.desk.state().claims[1].decided.is_none());
    screen.keys("kr");
    screen.keys("it follows from the first");
    screen.press(KeyCode::Enter);
    for _ in 0..4 {
        screen.press(KeyCode::PageDown);
        screen.press(KeyCode::Tab);
    }
    screen.keys("c");
    screen.keys("asked the customer for it");
    screen.press(KeyCode::Enter);
    screen.keys("a");
    screen.keys("s");
    insta::assert_snapshot!("sign", screen.shown());
    screen.keys("a");
    screen.keys("A. Reviewer");
    screen.press(KeyCode::Enter);
    screen.press(KeyCode::Enter);
    let signed = screen
        .app
        .desk
        .state()
        .signed
        .clone()
        .expect("it is signed");
    assert_eq!(signed.name, "A. Reviewer");
    assert!(
        signed
            .shown
            .claims
            .iter()
            .all(|claim| claim.shown.is_some())
    );
    screen.keys("q");
    assert!(screen.left);
    drop(screen);
    assert_eq!(
        super::super::check(&place.dir(), None).unwrap().standing,
        super::super::Standing::Valid
    );
}

#[test]
fn the_findings_are_not_on_the_screen_before_the_hypothesis() {
    let place = Place::new();
    let mut opening = place.opening(Surface::Terminal);
    opening.hypothesis_first = true;
    let desk = wait(Desk::open(opening)).unwrap();
    let mut screen = Screen::new(desk);
    assert!(!screen.shown().contains("POOL_MAX"), "{}", screen.shown());
    screen.press(KeyCode::Enter);
    assert!(screen.app.desk.state().hypothesis.is_none());
    screen.keys("a wrong setting");
    screen.press(KeyCode::Enter);
    assert_eq!(
        screen.app.desk.state().hypothesis.as_deref(),
        Some("a wrong setting")
    );
    assert!(screen.shown().contains("POOL_MAX"));
}

#[test]
fn an_edit_without_the_bundle_is_kept_as_not_verified() {
    let place = Place::new();
    let mut screen = Screen::new(place.desk(Surface::Terminal));
    while screen.app.current().unwrap().seen.is_none() {
        screen.press(KeyCode::Char(' '));
    }
    screen.keys("e");
    screen.keys(" at all");
    for _ in 0..4 {
        screen.press(KeyCode::Enter);
    }
    screen.keys("clearer");
    screen.press(KeyCode::Enter);
    let one = &screen.app.desk.state().claims[0];
    assert_eq!(one.word(), "not verified");
    assert!(
        one.current()
            .content
            .title()
            .ends_with("is not a number at all")
    );
    insta::assert_snapshot!("edited", screen.shown());
}

#[test]
fn hostile_text_and_a_small_screen_do_no_harm() {
    let mut run = super::super::testing::run();
    run.report.findings[0].title = "\u{1b}[2J\u{202e}x\u{7}".into();
    run.record.bundle.name = "\u{1b}]0;owned\u{7}".repeat(20);
    let place = Place::with(&run);
    let mut screen = Screen::new(place.desk(Surface::Terminal));
    let shown = screen.shown();
    assert!(
        !shown.contains(['\u{1b}', '\u{202e}', '\u{7}']),
        "{shown:?}"
    );
    assert!(shown.contains("\\u{1b}[2J"));
    for (width, height) in [(59, 24), (80, 15), (1, 1), (200, 60), (60, 16)] {
        screen.terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        screen.settle();
    }
}

#[test]
fn what_cannot_be_written_down_is_said_once_and_not_tried_for_ever() {
    let place = Place::new();
    let mut screen = Screen::new(place.desk(Surface::Terminal));
    // The run's directory is gone: nothing can be kept.
    std::fs::rename(place.dir(), place.runs().join("elsewhere")).unwrap();
    for _ in 0..8 {
        screen.press(KeyCode::Char(' '));
    }
    assert!(screen.app.bad, "{}", screen.app.message);
    assert!(screen.app.current().unwrap().seen.is_none());
}
