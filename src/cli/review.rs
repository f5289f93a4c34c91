//! `narrowroom review` and `narrowroom reply`.

use super::{RunsDir, block_on, print, print_json, terminal};
use crate::error::{Context, Error, ExitCode, Result};
use crate::keys::PublicKey;
use crate::limits::Limits;
use crate::record;
use crate::report::escape;
use crate::review::queue::{Filter, Row, Stage};
use crate::review::stats::{Counts, Judged, Stats};
use crate::review::{
    Checked, Opening, SignOff, SignedOutcome, Standing, Surface, queue, reply, serve, stats,
};
use crate::seal::Layer;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Review a run claim by claim, on a page of this machine only or in the terminal, and sign it.
#[derive(Args)]
pub struct Review {
    /// Id of the run, or its beginning
    #[arg(required_unless_present_any = ["queue", "stats"], conflicts_with_all = ["queue", "stats"])]
    run: Option<String>,
    /// Review in this terminal instead of on a page
    #[arg(long, conflicts_with_all = ["queue", "stats", "check"])]
    terminal: bool,
    /// Write what you believe before the findings are shown; the record keeps both
    #[arg(long)]
    hypothesis_first: bool,
    /// The bundle of the run: an edited claim is verified against it again
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Your name, to begin with
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// File of the Ed25519 key to sign with [default: your own, made at the first signature]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File of the key that signs the audit log [default: the program's own]
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
    /// With --check: the public key it must be signed with, 64 hex digits or a PEM file
    #[arg(long, value_name = "KEY", requires = "check")]
    by: Option<String>,
    /// Take a signed review up again, with the reason; the signature stays in its history
    #[arg(long, value_name = "REASON")]
    reopen: Option<String>,
    /// End after this many minutes without an act
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=1440))]
    idle_minutes: u64,
    /// Say whether the signature of the run still stands
    #[arg(long, group = "mode")]
    check: bool,
    /// List the runs, those that wait for a person first
    #[arg(long, group = "mode")]
    queue: bool,
    /// Show how far people and model agree, over time
    #[arg(long, group = "mode")]
    stats: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// Go on although this layer of the seal cannot be enforced
    #[arg(long, value_name = "LAYER")]
    allow_weaker_seal: Vec<Layer>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    runs: RunsDir,
    #[command(flatten)]
    limits: Limits,
}

impl Review {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let runs = self.runs.path();
        if self.queue {
            return list(&runs, &self.filter, self.json);
        }
        if self.stats {
            let stats = stats::of(
                &runs,
                self.filter
                    .tenant
                    .as_ref()
                    .map(crate::tenant::Tenant::as_str),
                warn,
            )?;
            match self.json {
                true => print_json(&stats)?,
                false => print(&stats_text(&stats))?,
            }
            return Ok(ExitCode::Done);
        }
        let dir = record::find(&runs, self.run.as_deref().unwrap_or_default())?;
        if self.check {
            return check(&dir, self.by.as_deref(), self.json);
        }
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let opening = Opening {
            dir,
            runs,
            bundle: self.bundle.map(absolute),
            key: self.key.map(absolute),
            log_key: self.log_key.map(absolute),
            name: self.name,
            hypothesis_first: self.hypothesis_first,
            reopen: self.reopen,
            surface: match self.terminal {
                true => Surface::Terminal,
                false => Surface::Page,
            },
            limits: self.limits,
            allow_weaker: self.allow_weaker_seal,
        };
        let idle = Duration::from_secs(60 * self.idle_minutes);
        match self.terminal {
            true => in_terminal(opening, idle),
            false => on_page(opening, idle, self.json),
        }
    }
}

fn on_page(opening: Opening, idle: Duration, json: bool) -> Result<ExitCode> {
    let minutes = idle.as_secs() / 60;
    let run = opening.dir.clone();
    let closing = block_on(serve::serve(opening, idle, |url, desk| {
        if json {
            return print_json(&serde_json::json!({ "run": desk.run().record.id, "url": url }));
        }
        print(&format!(
            "Review of {}, run {}:\n\n  {url}\n\nOpen this address in a browser on this machine. It holds a secret: whoever has it\ncan review. The page ends with your signature, after {minutes} minutes without an act, or\nwith Ctrl-C.\n",
            escape::terminal(&desk.run().record.bundle.name),
            desk.run().record.id
        ))
    }))?;
    if closing.refused > 0 {
        eprintln!(
            "warning: {} requests were turned away (wrong address, origin or method, or against the rules)",
            closing.refused
        );
    }
    let id = run
        .file_name()
        .map(|name| escape::terminal(&name.to_string_lossy()))
        .unwrap_or_default();
    finish(
        closing.signed.as_ref(),
        closing.ended == serve::Ended::Idle,
        closing.ended == serve::Ended::Interrupted,
        (closing.decided, closing.claims),
        &id,
    )
}

fn in_terminal(opening: Opening, idle: Duration) -> Result<ExitCode> {
    let id = opening
        .dir
        .file_name()
        .map(|name| escape::terminal(&name.to_string_lossy()))
        .unwrap_or_default();
    let closing = block_on(crate::review::terminal::run(
        opening,
        idle,
        terminal::colour(),
    ))?;
    finish(
        closing.signed.as_ref(),
        closing.idle,
        false,
        (closing.decided, closing.claims),
        &id,
    )
}

/// How a review ended, on standard error; its result is in the run's directory.
fn finish(
    signed: Option<&SignOff>,
    idle: bool,
    interrupted: bool,
    (decided, claims): (usize, usize),
    id: &str,
) -> Result<ExitCode> {
    if let Some(signed) = signed {
        eprintln!("{}", signed_text(signed));
        if signed.outcome == SignedOutcome::Approved {
            eprintln!("The reply to the customer: narrowroom reply {id}");
        }
        return Ok(ExitCode::Done);
    }
    let left = format!("not signed; {decided} of {claims} claims are decided and kept");
    let again = format!("go on with: narrowroom review {id}");
    match (idle, interrupted) {
        (true, _) => Err(Error::limit(format!("nobody did anything; {left}")).hint(again)),
        (_, true) => Err(Error::new(ExitCode::Interrupted, format!("stopped; {left}")).hint(again)),
        _ => {
            eprintln!("{left}; {again}");
            Ok(ExitCode::Done)
        }
    }
}

fn signed_text(signed: &SignOff) -> String {
    let word = match signed.outcome {
        SignedOutcome::Approved => "approved",
        SignedOutcome::Rejected => "rejected",
    };
    format!(
        "{word} by {} at {}\n  what was shown  sha256 {}\n  key             {}",
        escape::terminal(&signed.name),
        escape::terminal(&signed.at),
        escape::terminal(&signed.digest),
        escape::terminal(&signed.key)
    )
}

fn check(dir: &Path, by: Option<&str>, json: bool) -> Result<ExitCode> {
    let by = by
        .map(|by| {
            let path = Path::new(by);
            match crate::files::exists(path) {
                true => PublicKey::parse(&crate::files::read_text(path).or_fail(
                    ExitCode::Usage,
                    format!("failed to read the key {}", crate::files::shown(path)),
                )?),
                false => PublicKey::parse(by),
            }
        })
        .transpose()?;
    let checked = crate::review::check(dir, by.as_ref())?;
    if json {
        print_json(&checked)?;
    } else {
        print(&check_text(&checked))?;
    }
    match checked.standing {
        Standing::Valid => Ok(ExitCode::Done),
        Standing::Unsigned => Err(Error::usage("this run is not signed").hint(format!(
            "review it with: narrowroom review {}",
            escape::terminal(&checked.run)
        ))),
        Standing::Invalid => Err(Error::refused("the signature does not stand").hint(
            "what was signed is not what is there now: do not rely on it; a new review signs again",
        )),
    }
}

fn check_text(checked: &Checked) -> String {
    let mut out = match checked.standing {
        Standing::Valid => "valid: everything that was signed is as it was\n".to_owned(),
        Standing::Unsigned => "not signed\n".to_owned(),
        Standing::Invalid => "INVALID\n".to_owned(),
    };
    for problem in &checked.problems {
        out.push_str(&format!("  {}\n", escape::terminal(problem)));
    }
    if let Some(signed) = &checked.sign_off {
        out.push_str(&format!("{}\n", signed_text(signed)));
    }
    out
}

fn warn(error: &Error) {
    eprintln!("warning: {}", escape::terminal(&error.chain()));
}

fn list(runs: &Path, filter: &Filter, json: bool) -> Result<ExitCode> {
    let rows = queue::rows(runs, filter, warn)?;
    if json {
        print_json(&rows)?;
    } else if rows.is_empty() {
        print("no run is like that; list all with: narrowroom review --queue\n")?;
    } else {
        print(&queue_text(&rows))?;
    }
    Ok(ExitCode::Done)
}

fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// The queue in 80 columns.
fn queue_text(rows: &[Row]) -> String {
    let mut out = format!(
        "{:<11} {:<15} {:<12} {:>4} {:<8} {}\n",
        "RUN", "REVIEW", "OUTCOME", "CONF", "VERDICT", "BUNDLE"
    );
    for row in rows {
        let review = match row.review {
            Stage::Begun => format!("begun {}/{}", row.decided, row.claims),
            stage => word(&stage),
        };
        let outcome = word(&row.outcome).replace("insufficient-evidence", "insufficient");
        let confidence = row
            .confidence
            .map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        let verdict = word(&row.verdict).replace("accepted-with-changes", "changed");
        let bundle = match &row.tenant {
            Some(tenant) => format!("{tenant}/{}", row.bundle),
            None => row.bundle.clone(),
        };
        let bundle: String = escape::terminal(&bundle).chars().take(25).collect();
        out.push_str(&format!(
            "{:<11} {review:<15} {outcome:<12} {confidence:>4} {verdict:<8} {bundle}\n",
            row.run
        ));
    }
    out
}

fn stats_text(stats: &Stats) -> String {
    if stats.all.runs == 0 {
        return "no run is signed yet; review one with: narrowroom review RUN\n".to_owned();
    }
    let percent = |judged: &Judged| {
        judged
            .agreement()
            .map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
    };
    let line = |name: &str, counts: &Counts| {
        format!(
            "{name:<10} {:>5} {:>9} {:>9}   {:>8} {:>7} {:>9}   {:>6}\n",
            counts.runs,
            counts.approved,
            counts.rejected,
            counts.findings.accepted,
            counts.findings.edited,
            counts.findings.rejected,
            percent(&counts.first)
        )
    };
    let mut out = format!(
        "{:<10} {:>5} {:>9} {:>9}   {:>8} {:>7} {:>9}   {:>6}\n",
        "", "runs", "approved", "rejected", "findings", "edited", "rejected", "first"
    );
    out.push_str(&format!(
        "{:<10} {:>5} {:>9} {:>9}   {:>8} {:>7} {:>9}   {:>6}\n",
        "", "", "", "", "accepted", "", "", "agreed"
    ));
    for (month, counts) in &stats.months {
        out.push_str(&line(month, counts));
    }
    out.push_str(&line("all", &stats.all));
    out.push_str("\nstated confidence, and how often people accepted the finding as it was\n");
    for band in stats
        .confidence
        .iter()
        .filter(|band| band.findings.total() > 0)
    {
        out.push_str(&format!(
            "  {:.1} to {:.1}: stated {:.2} on average, accepted {} of {}\n",
            band.from,
            band.to,
            band.stated.unwrap_or(0.0),
            band.findings.accepted,
            band.findings.total()
        ));
    }
    for (name, judged) in [
        ("worded by the model", &stats.worded_by_model),
        ("worded by a rule", &stats.worded_by_rule),
    ] {
        if judged.total() > 0 {
            out.push_str(&format!(
                "{name}: accepted {} of {} as they were\n",
                judged.accepted,
                judged.total()
            ));
        }
    }
    let hypotheses = &stats.all.hypotheses;
    if hypotheses.yes + hypotheses.partly + hypotheses.no > 0 {
        out.push_str(&format!(
            "own hypothesis before the findings: agreed {}, in part {}, not {}\n",
            hypotheses.yes, hypotheses.partly, hypotheses.no
        ));
    }
    out
}

/// Print the draft of the reply to the customer, once the run is approved and signed.
#[derive(Args)]
pub struct Reply {
    /// Id of the run, or its beginning
    run: String,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Print its parts as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

/// Forms of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Plain text
    Text,
    /// Markdown
    Markdown,
}

impl Reply {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let dir = record::find(&self.runs.path(), &self.run)?;
        let reply = reply::load(&dir)?;
        match (self.json, self.format) {
            (true, _) => print_json(&reply)?,
            (false, Format::Text) => print(&reply.text())?,
            (false, Format::Markdown) => print(&reply.markdown())?,
        }
        Ok(ExitCode::Done)
    }
}
