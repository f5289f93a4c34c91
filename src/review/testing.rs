//! A run to review, written into a temporary directory without running anything. All names are made up.

use super::desk::{Desk, Opening};
use super::model::Surface;
use crate::limits::Limits;
use crate::record::{Record, Run, pretty};
use crate::report::{
    Command, CommandClass, Evidence, Finding, Missing, NotExamined, Outcome, Report,
};
use crate::verify::{
    ClaimVerdict, Counts, Mode, Rule, Status, VERDICT_SCHEMA, Verdict, VerdictOutcome,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Id of the run.
pub const RUN: &str = "k3v9x2m7qd";

fn finding(rank: u32, title: &str, confidence: f64, line: u64, quote: &str) -> Finding {
    Finding {
        rank,
        cause: "config-invalid".into(),
        title: title.into(),
        root_cause: "The value \"2O\" of POOL_MAX is not a number.".into(),
        subject: None,
        confidence,
        evidence: vec![Evidence {
            path: "logs/shop/checkout.log".into(),
            line_start: line,
            line_end: line,
            quote: quote.into(),
        }],
        commands: vec![
            Command {
                command: "kubectl -n shop get pods".into(),
                why: "Shows whether it still restarts".into(),
                class: Some(CommandClass::ReadOnly),
            },
            Command {
                command: "kubectl -n shop rollout restart deploy/checkout".into(),
                why: "Starts it again".into(),
                class: Some(CommandClass::ChangesState),
            },
        ],
    }
}

/// The run.
pub fn run() -> Run {
    let report = Report {
        schema: crate::report::SCHEMA.into(),
        run: "0011223344556677".into(),
        outcome: Outcome::Findings,
        bundle: crate::report::BundleFacts {
            sha256: "b".repeat(64),
            profile: "troubleshoot".into(),
            files: 12,
        },
        findings: vec![
            finding(
                1,
                "checkout does not start: POOL_MAX is not a number",
                0.91,
                12,
                "POOL_MAX",
            ),
            finding(
                2,
                "checkout is restarted again and again",
                0.4,
                20,
                "Back-off restarting",
            ),
        ],
        missing: vec![Missing {
            what: "the previous log of checkout".into(),
            why: "it would show when the value changed".into(),
            path: None,
        }],
        not_examined: vec![NotExamined {
            what: "var/log/*.gz (4 files)".into(),
            why: "compressed".into(),
        }],
    };
    let claim = |place: &str, finding: Option<u32>, rule, status, reason: &str| ClaimVerdict {
        place: place.into(),
        finding,
        rule,
        status,
        reason: reason.into(),
        matched: None,
        excerpt: None,
        span: None,
    };
    let verdict = Verdict {
        schema: VERDICT_SCHEMA.into(),
        mode: Mode::Filter,
        outcome: VerdictOutcome::Accepted,
        counts: Counts::default(),
        policy: None,
        claims: vec![
            claim(
                "/outcome",
                None,
                Rule::Outcome,
                Status::Ok,
                "the outcome fits",
            ),
            claim(
                "/findings/0/evidence/0/quote",
                Some(1),
                Rule::Quote,
                Status::Ok,
                "verbatim",
            ),
            claim(
                "/findings/0/root_cause",
                Some(1),
                Rule::Grounding,
                Status::Ok,
                "the evidence speaks about it",
            ),
            claim(
                "/findings/1/evidence/0/quote",
                Some(2),
                Rule::Quote,
                Status::Ok,
                "verbatim",
            ),
            claim(
                "/findings/1/title",
                Some(2),
                Rule::Name,
                Status::Flagged,
                "\"again\" was computed",
            ),
        ],
    };
    let lines = |first: u64, marked: u64, text: &str| {
        let lines: Vec<String> = (0..21)
            .map(|n| match first + n == marked {
                true => text.to_owned(),
                false => format!(
                    "2026-03-11T02:11:{n:02}Z INFO  checkout says line {}",
                    first + n
                ),
            })
            .collect();
        json!({"path": "logs/shop/checkout.log", "first_line": first, "lines": lines, "marked": [marked, marked]})
    };
    let record: Record = serde_json::from_value(json!({
        "schema": crate::record::SCHEMA,
        "id": RUN,
        "key": "0011223344556677",
        "started": "2026-03-11T02:16:40Z",
        "version": "0.1.0",
        "binary_sha256": "a".repeat(64),
        "guest_sha256": "c".repeat(64),
        "library_sha256": null,
        "bundle": {"name": "customer-123.tar.gz", "sha256": "b".repeat(64), "bytes": 4_404_020, "files": 12, "unpacked_bytes": 9, "profile": "troubleshoot", "profile_why": []},
        "playbook": {"id": "kubernetes", "version": "1.0.0", "sha256": "d".repeat(64)},
        "model": null,
        "settings": {"seed": 0, "threads": 1, "use_model": false, "ticket_sha256": null, "limits": Limits::default()},
        "seals": [],
        "weaker_seal": [],
        "timings": [],
        "workers": [],
        "notes": [],
        "origins": [],
        "signals": 4,
        "secrets_masked": {},
        "injections": [],
        "skipped": [],
        "contexts": [
            lines(2, 12, "2026-03-11T02:11:02Z FATAL config: invalid value for POOL_MAX: \"2O\""),
            lines(10, 20, "Warning  BackOff  Back-off restarting failed container"),
        ],
        "outcome": "findings",
        "exit": 0
    }))
    .expect("a record");
    Run {
        record,
        report,
        verdict,
        transcript: vec![],
    }
}

/// A runs directory with one run in it.
pub struct Place {
    pub home: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self::with(&run())
    }

    pub fn with(run: &Run) -> Self {
        let place = Self {
            home: tempfile::tempdir().expect("a temporary directory"),
        };
        let dir = place.dir();
        crate::files::make_dir(&dir).expect("the run's directory");
        let review = super::pending(RUN);
        for (name, bytes) in [
            ("record.json", pretty(&run.record)),
            ("report.json", pretty(&run.report)),
            ("verdict.json", pretty(&run.verdict)),
            ("review.json", pretty(&review)),
            ("transcript.jsonl", Ok(vec![])),
            ("report.html", Ok(vec![])),
            ("report.md", Ok(vec![])),
        ] {
            place.write(name, &bytes.expect("JSON"));
        }
        place
    }

    pub fn runs(&self) -> PathBuf {
        self.home.path().join("runs")
    }
    pub fn dir(&self) -> PathBuf {
        self.runs().join(RUN)
    }
    pub fn write(&self, name: &str, bytes: &[u8]) {
        crate::files::write_whole(&self.dir().join(name), bytes).expect("a file of the run");
    }
    pub fn key(&self) -> PathBuf {
        self.home.path().join("person.pem")
    }
    pub fn opening(&self, surface: Surface) -> Opening {
        // Keys of their own: tests must not touch those of the person who runs them.
        let log = self.home.path().join("log.pem");
        crate::keys::Key::load_or_create(Some(&log)).expect("a key");
        Opening {
            dir: self.dir(),
            runs: self.runs(),
            bundle: None,
            key: Some(self.key()),
            log_key: Some(log),
            name: None,
            hypothesis_first: false,
            reopen: None,
            surface,
            limits: Limits::default(),
            allow_weaker: vec![],
        }
    }
    pub fn desk(&self, surface: Surface) -> Desk {
        wait(Desk::open(self.opening(surface))).expect("the desk opens")
    }
}

/// Runs a future to its end.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// Replaces a piece of a file.
pub fn alter(path: &Path, from: &str, to: &str) {
    let text = crate::files::read_text(path).expect("the file");
    assert!(text.contains(from), "{from:?} is not in {}", path.display());
    crate::files::write_whole(path, text.replacen(from, to, 1).as_bytes()).expect("written");
}
