//! A review served by the program, and a client that says exactly what a test wants said.
#![allow(clippy::disallowed_types, reason = "a test client over loopback")]

use super::Place;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

/// A review that runs; stopped when it is dropped.
pub struct Served {
    child: Child,
    _out: BufReader<ChildStdout>,
    pub host: String,
    pub token: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        self
    }
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.body.contains(words),
            "{words:?} is not in {}",
            self.body
        );
        self
    }
}

impl Served {
    /// Starts `review` with these arguments and waits for its address.
    pub fn start(place: &Place, args: &[&str]) -> Self {
        let runs = place.runs();
        let mut child = place
            .program()
            .args(["review", "--json", "--runs", runs.to_str().unwrap()])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        let mut text = String::new();
        while !text.contains('}') {
            let mut line = String::new();
            if out.read_line(&mut line).expect("its output can be read") == 0 {
                let mut said = String::new();
                if let Some(mut err) = child.stderr.take() {
                    let _ = err.read_to_string(&mut said);
                }
                let _ = child.wait();
                panic!("the review did not start: {said}");
            }
            text.push_str(&line);
        }
        let told: Value = serde_json::from_str(&text).expect("its address");
        let url = told["url"].as_str().expect("a URL");
        let (host, token) = url
            .strip_prefix("http://")
            .and_then(|rest| rest.trim_end_matches('/').split_once('/'))
            .expect("http://HOST/TOKEN/");
        Self {
            host: host.to_owned(),
            token: token.to_owned(),
            child,
            _out: out,
        }
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end: the exit code and what it said on standard error.
    pub fn end(mut self) -> (i32, String) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                let mut said = String::new();
                if let Some(mut err) = self.child.stderr.take() {
                    let _ = err.read_to_string(&mut said);
                }
                return (status.code().unwrap_or(-1), said);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the review did not end");
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// Sends these bytes and reads to the end of the answer.
    pub fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.host).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a time-out");
        // It may answer and close before all is sent.
        let _ = stream.write_all(request);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
        Answer {
            status: head
                .split(' ')
                .nth(1)
                .and_then(|code| code.parse().ok())
                .unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    /// A request with these headers beside none.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.raw(text.as_bytes())
    }

    pub fn path(&self, rest: &str) -> String {
        format!("/{}/{rest}", self.token)
    }

    /// The page, as a browser asks for it.
    pub fn page(&self) -> Answer {
        self.request("GET", &self.path(""), &[("Host", &self.host)], "")
    }

    /// Loads the page: the id of this sitting, and what each claim's markup hashes to.
    pub fn sit(&self) -> Sitting<'_> {
        let page = self.page().is(200);
        let attribute = |text: &str, name: &str| {
            text.split_once(&format!("{name}=\""))
                .and_then(|(_, rest)| rest.split_once('"'))
                .map(|(value, _)| value.to_owned())
                .unwrap_or_default()
        };
        let id = page
            .body
            .split_once("name=\"sitting\" content=\"")
            .and_then(|(_, rest)| rest.split_once('"'))
            .expect("the sitting")
            .0
            .to_owned();
        let claims = page
            .body
            .split("<article class=\"panel\"")
            .skip(1)
            .map(|part| Panel {
                id: attribute(part, "id"),
                version: attribute(part, "data-version").parse().expect("a version"),
                shown: attribute(part, "data-shown"),
            })
            .collect();
        Sitting {
            served: self,
            id,
            claims,
            html: page.body,
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A claim on the page.
#[derive(Debug, Clone)]
pub struct Panel {
    pub id: String,
    pub version: u64,
    pub shown: String,
}

/// One load of the page.
pub struct Sitting<'a> {
    served: &'a Served,
    pub id: String,
    pub claims: Vec<Panel>,
    pub html: String,
}

impl Sitting<'_> {
    /// Sends an act as the page does.
    pub fn act(&self, act: &Value) -> Answer {
        let origin = format!("http://{}", self.served.host);
        self.served.request(
            "POST",
            &self.served.path("act"),
            &[
                ("Host", &self.served.host),
                ("Origin", &origin),
                ("Content-Type", "application/json"),
                ("X-Sitting", &self.id),
            ],
            &act.to_string(),
        )
    }
    pub fn see(&self, claim: &Panel) -> Answer {
        self.act(&json!({"act": "seen", "claim": claim.id, "version": claim.version, "shown": claim.shown}))
    }
    pub fn accept(&self, claim: &Panel) -> Answer {
        self.act(&json!({"act": "accept", "claim": claim.id, "version": claim.version}))
    }
    pub fn reject(&self, claim: &Panel, reason: &str) -> Answer {
        self.act(&json!({"act": "reject", "claim": claim.id, "version": claim.version, "reason": reason}))
    }
    /// Sees and accepts every claim.
    pub fn accept_all(&self) {
        for claim in &self.claims {
            self.see(claim).is(200);
            self.accept(claim).is(200);
        }
    }
    pub fn approve(&self, name: &str) -> Answer {
        self.act(&json!({"act": "approve", "name": name}))
    }
}
