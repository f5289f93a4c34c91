//! `narrowroom doctor`: what this machine can enforce, tried now.

use super::{RunsDir, block_on, print, print_json};
use crate::bundle::unpack::Unpacker;
use crate::error::{Error, ExitCode, Result};
use crate::files::{self, Scratch};
use crate::limits::Limits;
use crate::model::{Runtime, Store};
use crate::report::escape;
use crate::room::Worker;
use crate::room::protocol::{Boot, FromWorker};
use crate::seal::{self, ControlReport, Layer, SealProof, Survey, Zone};
use clap::Args;
use serde::Serialize;

/// Show what this machine can enforce, with the probes run now.
#[derive(Args)]
pub struct Doctor {
    /// Print as JSON: each layer, each probe with its errno, library and models
    #[arg(long)]
    json: bool,
    /// List every probe, not only the failed ones
    #[arg(long)]
    probes: bool,
    #[command(flatten)]
    runs: RunsDir,
}

#[derive(Serialize)]
struct Findings {
    version: &'static str,
    guest_sha256: &'static str,
    survey: Survey,
    proofs: Vec<SealProof>,
    controls: Vec<ControlReport>,
    library: Part,
    models: Part,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Part {
    ok: bool,
    detail: String,
    advice: Option<String>,
}

impl Doctor {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let survey = seal::survey();
        let (mut proofs, mut problems) = (Vec::new(), Vec::new());
        for zone in Zone::ALL {
            match block_on(trial(zone, &self.runs)) {
                Ok(made) => proofs.extend(made),
                Err(error) => problems.push(format!(
                    "{}{}",
                    error.chain(),
                    error
                        .hint
                        .map(|hint| format!(" ({hint})"))
                        .unwrap_or_default()
                )),
            }
        }
        problems.extend(proofs.iter().flat_map(|proof| {
            proof
                .failures()
                .into_iter()
                .map(|failure| format!("{} worker: {failure}", proof.zone))
        }));
        let scratch = Scratch::create(&self.runs.path(), &crate::record::new_id())?;
        let controls = seal::controls(scratch.path())?;
        drop(scratch);
        let found = Findings {
            version: env!("CARGO_PKG_VERSION"),
            guest_sha256: Unpacker::guest_sha256(),
            survey,
            proofs,
            controls,
            library: part(library()),
            models: part(models()),
            problems,
        };
        if self.json {
            print_json(&found)?
        } else {
            print(&text(&found, self.probes))?
        }
        Ok(if found.problems.is_empty() {
            ExitCode::Done
        } else {
            ExitCode::Unsealed
        })
    }
}

async fn trial(zone: Zone, runs: &RunsDir) -> Result<Vec<SealProof>> {
    let scratch = Scratch::create(&runs.path(), &crate::record::new_id())?;
    let boot = Boot {
        tree: scratch.path().to_owned(),
        model: None,
        library: None,
        limits: Limits::default(),
        allow_weaker: vec![],
        name: String::new(),
        open_streams: false,
    };
    let mut worker = Worker::trial(zone, &boot)?;
    worker.finish_input();
    let mut proofs = Vec::new();
    while let Some(frame) = worker.next().await? {
        if let FromWorker::Sealed(proof) | FromWorker::Narrowed(proof) = frame {
            proofs.push(*proof);
        }
    }
    worker.end().await?;
    if proofs.is_empty() {
        return Err(Error::unsealed(format!("the {zone} worker gave no proof")));
    }
    Ok(proofs)
}

fn part(found: Result<String>) -> Part {
    match found {
        Ok(detail) => Part {
            ok: true,
            detail,
            advice: None,
        },
        Err(error) => Part {
            ok: false,
            detail: error.chain(),
            advice: error.hint,
        },
    }
}

fn library() -> Result<String> {
    let path = Store::of_user()?.library()?;
    let runtime = Runtime::load(&path)?;
    Ok(format!(
        "{} {}, sha256 {}…",
        files::shown(&path),
        runtime.version().unwrap_or("(not a pinned build)"),
        &runtime.library_sha256[..16]
    ))
}

fn models() -> Result<String> {
    let store = Store::of_user()?;
    let models = store.list()?;
    if models.is_empty() {
        return Err(Error::usage("no model is imported").hint(
            "run scripts/fetch.sh model qwen2.5-coder-0.5b, then narrowroom model import FILE",
        ));
    }
    Ok(models
        .iter()
        .map(|(id, manifest)| {
            format!(
                "{} ({}, {}…)",
                escape::terminal(&manifest.name),
                manifest.file_quantisation,
                &id.as_str()[..8]
            )
        })
        .collect::<Vec<_>>()
        .join("; "))
}

fn text(found: &Findings, all: bool) -> String {
    let mut out = format!(
        "narrowroom {} on kernel {}, Landlock ABI {}\n\nlayers of the seal\n",
        found.version, found.survey.kernel, found.survey.landlock_abi
    );
    for layer in &found.survey.layers {
        let mark = if layer.available { "ok  " } else { "MISSING" };
        out.push_str(&format!(
            "  {mark} {:<18} {}\n",
            layer.layer.name(),
            escape::terminal(&layer.detail)
        ));
        if let Some(advice) = &layer.advice {
            out.push_str(&format!("       mend: {}\n", escape::terminal(advice)));
        }
    }
    out.push_str("\nproof, one sealed process a zone\n");
    for proof in &found.proofs {
        if all {
            out.push_str(&proof_text(proof));
        } else {
            out.push_str(&summary(proof));
        }
    }
    let open = found.controls.iter().filter(|control| control.open).count();
    out.push_str(&format!(
        "  controls: {open} of {} of the same attempts succeed outside the seal\n",
        found.controls.len()
    ));
    for (name, part) in [("library", &found.library), ("models", &found.models)] {
        out.push_str(&format!(
            "\n{name}\n  {} {}\n",
            if part.ok { "ok  " } else { "MISSING" },
            escape::terminal(&part.detail)
        ));
        if let Some(advice) = &part.advice {
            out.push_str(&format!("       mend: {}\n", escape::terminal(advice)));
        }
    }
    if found.problems.is_empty() {
        out.push_str("\nThe seal holds in every zone.\n");
    } else {
        out.push_str("\nThe seal does not hold; triage ends with exit code 4:\n");
        for problem in &found.problems {
            out.push_str(&format!("  - {}\n", escape::terminal(problem)));
        }
    }
    out
}

fn summary(proof: &SealProof) -> String {
    let (layers, held) = (
        proof.layers.iter().filter(|layer| layer.enforced).count(),
        proof.probes.iter().filter(|probe| probe.held).count(),
    );
    format!(
        "  {:<7} {:<9} {layers} of {} layers, {held} of {} probes as expected, {:.1} ms\n",
        proof.zone.name(),
        serde_json::to_value(proof.stage)
            .ok()
            .and_then(|stage| stage.as_str().map(str::to_owned))
            .unwrap_or_default(),
        Layer::ALL.len(),
        proof.probes.len(),
        proof.elapsed_micros as f64 / 1_000.0
    )
}

/// A proof, probe by probe.
pub fn proof_text(proof: &SealProof) -> String {
    let mut out = summary(proof);
    for layer in &proof.layers {
        let mark = match (layer.enforced, layer.waived) {
            (true, _) => "in force",
            (false, true) => "MISSING, allowed by the user",
            (false, false) => "MISSING",
        };
        out.push_str(&format!(
            "    layer {:<18} {mark}: {}\n",
            layer.layer.name(),
            escape::terminal(&layer.detail)
        ));
    }
    for probe in &proof.probes {
        let thread = if probe.thread == seal::ProbeThread::Second {
            " (second thread)"
        } else {
            ""
        };
        out.push_str(&format!(
            "    {} {:<28} {}{thread}\n",
            if probe.held { "ok " } else { "RED" },
            escape::terminal(&probe.name),
            escape::terminal(&probe.got)
        ));
    }
    out
}
