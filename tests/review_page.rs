//! The page's server over loopback: who is let in, and which rules hold whatever a client sends.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test client over loopback, and the files it made itself"
)]

mod support;

#[allow(dead_code, reason = "the generator is a program of its own, too")]
#[path = "../fixtures/pack.rs"]
mod pack;

#[path = "support/page.rs"]
mod page;

use page::Served;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::Place;

/// A place with one run of a fixture, made without a model; its id.
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
        .find(|name| !name.starts_with('.') && place.runs().join(name).join("record.json").exists())
        .expect("a run");
    (place, id)
}

fn review_of(place: &Place, id: &str) -> Value {
    let text = std::fs::read_to_string(place.runs().join(id).join("review.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn only_the_page_itself_is_let_in() {
    let (place, id) = run_of("oom-kill");
    let served = Served::start(&place, &[&id]);
    let host = served.host.as_str();
    // The positive control: the page as a browser asks for it.
    let page = served.page().is(200);
    let head = page.head.to_ascii_lowercase();
    for part in [
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "x-frame-options: deny",
        "frame-ancestors 'none'",
        "default-src 'none'",
        "script-src 'sha256-",
        "base-uri 'none'",
        "form-action 'none'",
        "cross-origin-opener-policy: same-origin",
    ] {
        assert!(head.contains(part), "{part}: {head}");
    }
    assert!(!head.contains("unsafe"), "{head}");
    assert!(!head.contains("access-control"), "{head}");

    // A wrong token is the same as no page at all.
    for path in [
        "/".to_owned(),
        "/guess/".into(),
        format!("/{}/", "0".repeat(64)),
        served.token.clone(),
    ] {
        let path = if path.starts_with('/') {
            path
        } else {
            format!("/{path}")
        };
        served
            .request("GET", &path, &[("Host", host)], "")
            .is(404)
            .says("there is nothing here");
    }
    // Another host: a name pointed at this address.
    let port = host.rsplit(':').next().unwrap();
    for other in [
        format!("attacker.example:{port}"),
        format!("localhost:{port}"),
        "127.0.0.1".into(),
    ] {
        served
            .request("GET", &served.path(""), &[("Host", &other)], "")
            .is(421);
    }
    served.request("GET", &served.path(""), &[], "").is(421);
    // Another site, in a frame, or by a script.
    served
        .request(
            "GET",
            &served.path(""),
            &[("Host", host), ("Sec-Fetch-Site", "cross-site")],
            "",
        )
        .is(403);
    served
        .request(
            "GET",
            &served.path(""),
            &[
                ("Host", host),
                ("Sec-Fetch-Site", "same-origin"),
                ("Sec-Fetch-Dest", "iframe"),
            ],
            "",
        )
        .is(403);
    let sitting = served.sit();
    let undo = json!({"act": "undo"}).to_string();
    let act = |origin: &str, kind: &str, method: &str, sitting: &str| {
        served.request(
            method,
            &served.path("act"),
            &[
                ("Host", host),
                ("Origin", origin),
                ("Content-Type", kind),
                ("X-Sitting", sitting),
            ],
            &undo,
        )
    };
    let own = format!("http://{host}");
    // The control: it is let in, and the rules say that there is nothing to undo.
    act(&own, "application/json", "POST", &sitting.id)
        .is(409)
        .says("nothing to undo");
    act(
        "http://attacker.example",
        "application/json",
        "POST",
        &sitting.id,
    )
    .is(403);
    act("null", "application/json", "POST", &sitting.id).is(403);
    act(&own, "text/plain", "POST", &sitting.id).is(415);
    for method in ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"] {
        act(&own, "application/json", method, &sitting.id).is(405);
    }
    act(&own, "application/json", "POST", "another window")
        .is(409)
        .says("another window");
    // A state that a GET could change does not exist.
    let query = served.path("act?act=undo");
    served.request("GET", &query, &[("Host", host)], "").is(404);
}

#[test]
fn what_is_too_large_too_slow_or_no_act_changes_nothing() {
    let (place, id) = run_of("oom-kill");
    let mut served = Served::start(&place, &[&id]);
    let sitting = served.sit();
    let before = review_of(&place, &id);
    // Declared too large, and too large without saying so.
    let origin = format!("http://{}", served.host);
    let headers = |more: &str| {
        format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nContent-Type: application/json\r\nX-Sitting: {}\r\n{more}\r\n\r\n",
            served.path("act"),
            served.host,
            sitting.id
        )
    };
    let large = "x".repeat(300 << 10);
    let declared = headers(&format!("Content-Length: {}", large.len())) + &large;
    served.raw(declared.as_bytes()).is(413);
    let chunked = headers("Transfer-Encoding: chunked")
        + &format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    served.raw(chunked.as_bytes()).is(413);
    // A head without end, and too many headers.
    let endless = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nX-Long: {}\r\n\r\n",
        served.host,
        "y".repeat(64 << 10)
    );
    let answer = served.raw(endless.as_bytes());
    assert!(matches!(answer.status, 0 | 400 | 431), "{answer:?}");
    let many = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\n{}\r\n",
        served.host,
        "A: b\r\n".repeat(500)
    );
    let answer = served.raw(many.as_bytes());
    assert!(matches!(answer.status, 0 | 400 | 431), "{answer:?}");
    // What is no act.
    for body in [
        "",
        "{}",
        "[]",
        "null",
        "{\"act\":\"sign\"}",
        "{\"act\":\"undo\",\"more\":1}",
        "\u{0}",
        "{\"act\":",
    ] {
        let text = headers(&format!("Content-Length: {}", body.len())) + body;
        let answer = served.raw(text.as_bytes());
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
    }
    // Clients that say nothing more are dropped while others are served.
    let began = Instant::now();
    let mut slow: Vec<TcpStream> = (0..20)
        .map(|n| {
            let mut stream = TcpStream::connect(&served.host).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(30)))
                .unwrap();
            let begun = match n % 2 {
                0 => format!("GET {} HT", served.path("")),
                _ => headers("Content-Length: 100") + "{",
            };
            stream.write_all(begun.as_bytes()).unwrap();
            stream
        })
        .collect();
    served.page().is(200);
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "others wait for the slow ones"
    );
    for stream in &mut slow {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        let text = String::from_utf8_lossy(&rest).into_owned();
        assert!(text.is_empty() || text.contains(" 408 "), "{text}");
    }
    assert!(began.elapsed() < Duration::from_secs(25));
    assert!(served.runs());
    assert_eq!(review_of(&place, &id), before, "nothing was written down");
}

#[test]
fn the_rules_of_a_review_hold() {
    let (place, id) = run_of("multi-fault");
    let served = Served::start(&place, &[&id]);
    let sitting = served.sit();
    let claims = &sitting.claims;
    assert!(claims.len() >= 3, "{claims:?}");
    assert_eq!(claims.last().unwrap().id, "overall");
    let (one, two) = (&claims[0], &claims[1]);
    // Before it was seen.
    sitting
        .accept(one)
        .is(409)
        .says("to the end of its evidence");
    sitting
        .reject(one, "a good reason")
        .is(409)
        .says("to the end of its evidence");
    sitting
        .approve("A. Reviewer")
        .is(409)
        .says("approval is not open");
    // What was shown must be what is there.
    let forged = page::Panel {
        shown: "0".repeat(64),
        ..one.clone()
    };
    sitting.see(&forged).is(409);
    sitting
        .see(&page::Panel {
            version: 7,
            ..one.clone()
        })
        .is(409)
        .says("another version");
    sitting
        .see(&page::Panel {
            id: "finding-99".into(),
            ..one.clone()
        })
        .is(409)
        .says("no such claim");
    sitting.see(one).is(200);
    // A reason is a reason.
    for reason in ["", "   ", "no", "\n\t"] {
        sitting.reject(one, reason).is(409).says("reason");
    }
    sitting
        .reject(one, "x".repeat(5_000).as_str())
        .is(409)
        .says("longer");
    sitting.accept(one).is(200);
    sitting.see(two).is(200);
    sitting
        .reject(two, "the node is fine; this is yesterday's message")
        .is(200);
    sitting.approve("A. Reviewer").is(409).says("not seen");
    // Undo takes the last decision back and stays in the history.
    let answer = sitting.act(&json!({"act": "undo"})).is(200).json();
    assert_eq!(answer["claims"][1]["decision"], Value::Null);
    assert_eq!(answer["claims"][0]["decision"], "accept");
    sitting
        .reject(two, "the node is fine; this is yesterday's message")
        .is(200);
    sitting.act(&json!({"act": "comment", "claim": one.id, "text": "checked with the password hunter2-Xk93jd8"})).is(200);
    sitting
        .act(&json!({"act": "comment", "claim": "nothing", "text": "x"}))
        .is(409);
    for claim in &claims[2..] {
        sitting.see(claim).is(200);
        sitting.accept(claim).is(200);
    }
    sitting.approve("").is(409).says("your name");
    sitting.approve("two\nlines").is(409).says("one line");
    let answer = sitting.approve("A. Reviewer").is(200).json();
    assert_eq!(answer["signed"]["outcome"], "approved");
    assert_eq!(answer["signed"]["name"], "A. Reviewer");
    assert!(
        answer["reply"].as_str().unwrap().contains("Kind regards"),
        "{answer}"
    );
    let (code, said) = served.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("approved by A. Reviewer"), "{said}");
    let review = review_of(&place, &id);
    assert_eq!(review["state"], "approved");
    let history = review["history"].to_string();
    for event in ["opened", "seen", "decided", "undone", "commented"] {
        assert!(history.contains(event), "{event}");
    }
    let runs = place.runs();
    place
        .run(&["review", "--check", &id, "--runs", runs.to_str().unwrap()])
        .ends(0);
}

#[test]
fn a_rejected_report_needs_a_reason_and_gives_no_reply() {
    let (place, id) = run_of("oom-kill");
    let served = Served::start(&place, &[&id]);
    let sitting = served.sit();
    sitting
        .act(&json!({"act": "reject-report", "name": "A. Reviewer", "note": " "}))
        .is(409)
        .says("reason");
    let answer = sitting
        .act(&json!({"act": "reject-report", "name": "A. Reviewer", "note": "the wrong bundle was sent"}))
        .is(200)
        .json();
    assert_eq!(answer["signed"]["outcome"], "rejected");
    assert_eq!(answer["reply"], Value::Null);
    assert_eq!(served.end().0, 0);
    let runs = place.runs();
    place
        .run(&["reply", &id, "--runs", runs.to_str().unwrap()])
        .ends(5)
        .says("rejected this report");
}

#[test]
fn the_findings_are_nowhere_before_the_hypothesis() {
    let (place, id) = run_of("oom-kill");
    let report: Value = serde_json::from_str(
        &std::fs::read_to_string(place.runs().join(&id).join("report.json")).unwrap(),
    )
    .unwrap();
    let first_finding = &report["findings"][0];
    let secrets = [
        first_finding["title"].as_str().unwrap(),
        first_finding["cause"].as_str().unwrap(),
        first_finding["evidence"][0]["path"].as_str().unwrap(),
        first_finding["commands"][0]["command"].as_str().unwrap(),
    ];
    let served = Served::start(&place, &[&id, "--hypothesis-first"]);
    let first = served.sit();
    assert!(first.claims.is_empty());
    for words in secrets {
        assert!(!first.html.contains(words), "{words} is on the page");
    }
    let state = served
        .request(
            "GET",
            &served.path("state"),
            &[("Host", &served.host), ("X-Sitting", &first.id)],
            "",
        )
        .is(200);
    assert_eq!(state.json()["claims"], json!([]));
    let guess = page::Panel {
        id: "finding-1".into(),
        version: 1,
        shown: "0".repeat(64),
    };
    first.see(&guess).is(409).says("write what you believe");
    first.act(&json!({"act": "hypothesis", "text": ""})).is(409);
    first
        .act(&json!({"act": "hypothesis", "text": "I believe that memory ran out"}))
        .is(200);
    let second = served.sit();
    assert!(!second.claims.is_empty());
    assert!(
        second.html.contains(secrets[2]),
        "the control: now it is there"
    );
    second
        .act(&json!({"act": "hypothesis", "text": "now that I know"}))
        .is(409);
    second.accept_all();
    second.approve("A. Reviewer").is(409).says("agrees");
    let answer = second
        .act(&json!({"act": "approve", "name": "A. Reviewer", "agreement": "yes"}))
        .is(200)
        .json();
    assert_eq!(answer["signed"]["agreement"], "yes");
    served.end();
    let review = review_of(&place, &id);
    assert!(
        review["history"]
            .to_string()
            .contains("I believe that memory ran out")
    );
}

#[test]
fn one_reviewer_at_a_time_and_a_newer_window_takes_over() {
    let (place, id) = run_of("oom-kill");
    let served = Served::start(&place, &[&id]);
    let older = served.sit();
    let newer = served.sit();
    older.see(&older.claims[0]).is(409).says("another window");
    newer.see(&newer.claims[0]).is(200);
    let runs = place.runs();
    place
        .run(&["review", &id, "--runs", runs.to_str().unwrap()])
        .ends(2)
        .says("being reviewed by somebody");
    // Interrupted: what was decided is kept, what was seen is looked at again.
    newer.accept(&newer.claims[0]).is(200);
    let pid = rustix::process::Pid::from_raw(i32::try_from(served.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let (code, said) = served.end();
    assert_eq!(code, 130, "{said}");
    assert!(said.contains("1 of"), "{said}");
    let served = Served::start(&place, &[&id]);
    let sitting = served.sit();
    let state = served
        .request(
            "GET",
            &served.path("state"),
            &[("Host", &served.host), ("X-Sitting", &sitting.id)],
            "",
        )
        .is(200)
        .json();
    assert_eq!(state["claims"][0]["decision"], "accept");
    assert_eq!(state["claims"][0]["seen"], false);
}

#[test]
fn an_edit_is_verified_again_and_one_that_does_not_hold_keeps_approval_closed() {
    let (place, id) = run_of("oom-kill");
    let bundle = place.join("oom-kill.tar.gz");
    let served = Served::start(&place, &[&id, "--bundle", bundle.to_str().unwrap()]);
    let sitting = served.sit();
    let one = &sitting.claims[0];
    sitting.see(one).is(200);
    let edit = |sitting: &page::Sitting, claim: &page::Panel, change: Value, reason: &str| {
        sitting.act(&json!({"act": "edit", "claim": claim.id, "version": claim.version, "reason": reason, "change": change}))
    };
    let keep = json!({"finding": {"title": null, "root_cause": null, "evidence": [0, 1, 2, 3], "commands": [{"keep": 0}]}});
    let mut invented = keep.clone();
    invented["finding"]["root_cause"] = json!(
        "The pod payments-7f9c4d5b6-x2x9k in namespace billing-prod took the memory of the node."
    );
    edit(&sitting, one, invented.clone(), "")
        .is(409)
        .says("reason");
    let answer = edit(&sitting, one, invented, "I think it is the other one")
        .is(200)
        .json();
    assert_eq!(answer["claims"][0]["version"], 2);
    assert_eq!(answer["claims"][0]["word"], "edit refused", "{answer}");
    let again = served.sit();
    assert!(again.html.contains("payments-7f9c4d5b6-x2x9k"));
    assert!(
        again.html.contains("stands nowhere in the bundle"),
        "the verifier's reason is shown"
    );
    let one = &again.claims[0];
    again.see(one).is(200);
    again
        .accept(one)
        .is(409)
        .says("did not go through the verifier");
    // A destructive command does not pass either.
    let mut destructive = keep.clone();
    destructive["finding"]["commands"] =
        json!([{"command": "kubectl delete namespace shop", "why": "start over"}]);
    edit(&again, one, destructive, "it is quicker").is(200);
    let third = served.sit();
    assert!(
        third.html.contains("it is destructive"),
        "the verifier's reason is shown"
    );
    // Undone twice: the report's own words, seen and not decided.
    third.act(&json!({"act": "undo"})).is(200);
    third.act(&json!({"act": "undo"})).is(200);
    let fourth = served.sit();
    let one = &fourth.claims[0];
    assert_eq!(one.version, 1);
    let mut honest = keep;
    honest["finding"]["title"] =
        json!("A container was killed because it used more memory than its limit");
    fourth.see(one).is(200);
    let answer = edit(&fourth, one, honest, "clearer words").is(200).json();
    assert_eq!(
        answer["claims"][0]["version"], 4,
        "a number is never given twice: {answer}"
    );
    assert_eq!(answer["claims"][0]["verified"], true, "{answer}");
    let fifth = served.sit();
    fifth.accept_all();
    let answer = fifth.approve("A. Reviewer").is(200).json();
    // The text is broken into lines.
    let reply = answer["reply"].as_str().unwrap();
    let reply = reply.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(reply.contains("used more memory than its limit"), "{reply}");
    served.end();
}

#[test]
fn without_the_bundle_an_edit_is_kept_as_not_verified_until_the_bundle_is_there() {
    let (place, id) = run_of("oom-kill");
    let runs = place.runs();
    // The record knows where the bundle lay; it is not there any more.
    let (bundle, away) = (place.join("oom-kill.tar.gz"), place.join("moved.tar.gz"));
    std::fs::rename(&bundle, &away).expect("the bundle moves");
    {
        let served = Served::start(&place, &[&id]);
        let sitting = served.sit();
        for claim in &sitting.claims {
            sitting.see(claim).is(200);
        }
        let one = &sitting.claims[0];
        let change = json!({"finding": {"title": "A container was killed because it used more memory than its limit", "evidence": [0, 1, 2], "commands": []}});
        let answer = sitting
            .act(&json!({"act": "edit", "claim": one.id, "version": 1, "reason": "clearer words", "change": change}))
            .is(200)
            .json();
        assert_eq!(answer["claims"][0]["word"], "not verified", "{answer}");
        let sitting = served.sit();
        let one = &sitting.claims[0];
        sitting.see(one).is(200);
        sitting
            .accept(one)
            .is(409)
            .says("did not go through the verifier");
        let closed = sitting
            .act(&json!({"act": "verify", "claim": one.id}))
            .is(409);
        assert!(closed.body.contains("--bundle"), "{}", closed.body);
    }
    // Another bundle is refused before anything is shown.
    pack::pack_all(place.path(), &["host-oom".to_owned()]).unwrap();
    let other = place.join("host-oom.tar.gz");
    place
        .run(&[
            "review",
            &id,
            "--bundle",
            other.to_str().unwrap(),
            "--runs",
            runs.to_str().unwrap(),
        ])
        .ends(3)
        .says("not the bundle of this run");
    let served = Served::start(&place, &[&id, "--bundle", away.to_str().unwrap()]);
    let sitting = served.sit();
    sitting.accept_all();
    sitting.approve("A. Reviewer").is(200);
    served.end();
    place
        .run(&["review", "--check", &id, "--runs", runs.to_str().unwrap()])
        .ends(0);
}
