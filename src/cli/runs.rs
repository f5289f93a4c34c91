//! `narrowroom runs` and `narrowroom show RUN`.

use super::{RunsDir, print, print_json, terminal};
use crate::error::{ExitCode, Result};
use crate::keys::Key;
use crate::record;
use crate::report::escape;
use crate::tenant::Tenant;
use clap::Args;
use std::path::PathBuf;

/// List the runs that were made, the newest first.
#[derive(Args)]
pub struct Runs {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
    /// Remove this run's directory for good; the audit log keeps that it was there and was removed
    #[arg(long, value_name = "RUN", conflicts_with_all = ["tenant", "json"])]
    remove: Option<String>,
    /// The key that signs the log [default: one that the program makes and keeps]
    #[arg(long, value_name = "FILE", requires = "remove")]
    key: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Runs {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let dir = self.runs.path();
        if let Some(run) = &self.remove {
            let key = match &self.key {
                Some(path) => Key::load(path)?,
                None => Key::load_or_create(None)?,
            };
            let entry = crate::audit::remove(&dir, &record::find(&dir, run)?, key)?;
            print(&format!(
                "removed {}; entry {} of the audit log says so\n",
                entry.run, entry.index
            ))?;
            return Ok(ExitCode::Done);
        }
        let mut rows = Vec::new();
        for (tenant, home) in record::homes(&dir)? {
            if self.tenant.is_some() && self.tenant != tenant {
                continue;
            }
            for id in record::ids(&home)? {
                match record::load_record(&home.join(&id)) {
                    Ok(record) => rows.push(record),
                    Err(error) => eprintln!("warning: {}", escape::terminal(&error.chain())),
                }
            }
        }
        rows.sort_by(|a, b| b.started.cmp(&a.started).then_with(|| a.id.cmp(&b.id)));
        if self.json {
            let short: Vec<_> = rows
                .iter()
                .map(|r| serde_json::json!({"id": r.id, "key": r.key, "started": r.started, "tenant": r.tenant, "bundle": r.bundle.name, "bundle_sha256": r.bundle.sha256, "profile": r.bundle.profile, "playbook": r.playbook.id, "model": r.model.as_ref().map(|m| &m.name), "outcome": r.outcome, "exit": r.exit}))
                .collect();
            print_json(&short)?;
            return Ok(ExitCode::Done);
        }
        if rows.is_empty() {
            print("no runs yet; make one with: narrowroom triage BUNDLE\n")?;
            return Ok(ExitCode::Done);
        }
        let mut out = format!(
            "{:<11} {:<20} {:<22} {}\n",
            "RUN", "STARTED", "OUTCOME", "BUNDLE"
        );
        for row in rows {
            let outcome = serde_json::to_value(row.outcome)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default();
            let tenant = row
                .tenant
                .as_ref()
                .map(|tenant| format!(" ({tenant})"))
                .unwrap_or_default();
            let name: String = escape::terminal(&format!("{}{tenant}", row.bundle.name))
                .chars()
                .take(24)
                .collect();
            out.push_str(&format!(
                "{:<11} {:<20} {:<22} {name}\n",
                row.id, row.started, outcome
            ));
        }
        print(&out)?;
        Ok(ExitCode::Done)
    }
}

/// Show a run: report, record, exact prompts and raw outputs.
#[derive(Args)]
pub struct Show {
    /// Id of the run, or its beginning
    run: String,
    /// The record: hashes, settings, seal proof, timings
    #[arg(long, group = "part")]
    record: bool,
    /// The verdict, claim by claim
    #[arg(long, group = "part")]
    verdict: bool,
    /// The exact prompts and raw outputs, masked
    #[arg(long, group = "part")]
    transcript: bool,
    /// The proof of the seal, probe by probe
    #[arg(long, group = "part")]
    seal: bool,
    /// Where time and memory went
    #[arg(long, group = "part")]
    timings: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    /// The report in this form; HTML and Markdown as the person left it, when one has signed
    #[arg(long, value_name = "FORMAT", group = "part", conflicts_with = "json")]
    format: Option<Format>,
    /// Print pseudonyms for addresses, e-mails and names of hosts, the same one for the same value
    /// throughout the run; names of files in the bundle included
    #[arg(long)]
    pseudonyms: bool,
    #[command(flatten)]
    runs: RunsDir,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For this terminal
    Terminal,
    /// The report's own form, narrowroom.report/v1
    Json,
    /// Markdown
    Markdown,
    /// One file for a browser; prints well
    Html,
    /// SARIF 2.1.0
    Sarif,
}

impl Show {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let dir = record::find(&self.runs.path(), &self.run)?;
        let mut run = record::load(&dir)?;
        let mut view = crate::triage::view(&run);
        // The signature is over the report as it was made.
        let warning = crate::review::apply(&dir, &run, &mut view);
        if self.pseudonyms {
            let mut pseudonyms = run.pseudonyms()?;
            run = run.with(&mut pseudonyms)?;
            view = pseudonyms.over(&view)?;
        }
        if self.format == Some(Format::Sarif) {
            print_json(&crate::report::sarif::of_report(&run.report))?;
        } else if self.json || self.record {
            match () {
                () if self.verdict => print_json(&run.verdict)?,
                () if self.transcript => print_json(&run.transcript)?,
                () if self.seal => print_json(&run.record.seals)?,
                () if self.timings => {
                    let record = &run.record;
                    print_json(
                        &serde_json::json!({"timings": record.timings, "workers": record.workers, "model": record.model}),
                    )?;
                }
                () if self.record => print_json(&run.record)?,
                () => print_json(&run.report)?,
            }
        } else if self.verdict {
            print(&super::verify::text(&run.verdict))?;
        } else if self.transcript {
            for exchange in &run.transcript {
                print(&format!(
                    "── {} #{} · {} tokens read, {} written, {} ms, {} · {}\n{}\n── output\n{}\n\n",
                    escape::terminal(&exchange.step),
                    exchange.attempt,
                    exchange.prompt_tokens,
                    exchange.output_tokens,
                    exchange.millis,
                    escape::terminal(&exchange.stop),
                    escape::terminal(&exchange.result),
                    block(&exchange.prompt),
                    block(&exchange.output)
                ))?;
            }
            if run.transcript.is_empty() {
                print("no model was asked in this run\n")?;
            }
        } else if self.timings {
            let record = &run.record;
            let model = record.model.as_ref();
            print(&super::timings::text(
                model,
                &record.timings,
                &record.workers,
            ))?;
        } else if self.seal {
            for proof in &run.record.seals {
                print(&super::doctor::proof_text(proof))?;
            }
        } else if let Some(Format::Json) = self.format {
            print_json(&run.report)?;
        } else {
            if let Some(warning) = warning {
                eprintln!("warning: {}", escape::terminal(&warning));
            }
            match self.format {
                Some(Format::Html) => return whole(&crate::report::html::render(&view)),
                Some(Format::Markdown) => return whole(&crate::report::markdown::render(&view)),
                _ => {}
            }
            view.files = vec![crate::report::view::OutputFile {
                what: "this report as a page".into(),
                path: dir.join("report.html").to_string_lossy().into_owned(),
            }];
            print(&crate::report::terminal::render(&view, terminal::colour()))?;
        }
        Ok(ExitCode::Done)
    }
}

fn whole(text: &str) -> Result<ExitCode> {
    print(text).map(|()| ExitCode::Done)
}

/// Text of several lines made safe for a terminal, its line ends kept.
fn block(text: &str) -> String {
    text.split('\n')
        .map(escape::terminal)
        .collect::<Vec<_>>()
        .join("\n")
}
