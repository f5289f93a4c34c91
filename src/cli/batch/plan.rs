//! `narrowroom batch plan`.

use crate::batch::{
    self, Manifest, ModelPin, PlanRequest, Program, Settings, TenantFrom, show_bytes,
};
use crate::cli::{playbook::refuse_problems, print, print_json, triage::choose_model};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::model::Manifest as ModelManifest;
use crate::report::wording::short_hash;
use crate::triage::ModelChoice;
use clap::Args;
use std::path::{Path, PathBuf};

/// Write the manifest.
#[derive(Args)]
pub struct Plan {
    /// A folder of bundles, or a text file with the path of a bundle a line
    from: PathBuf,
    /// Whose a bundle is: parent-dir, name-regex:PATTERN with a group over the path, or one NAME for all
    #[arg(long, value_name = "RULE")]
    tenant_from: Option<TenantFrom>,
    /// Shards that separate processes or machines can work on
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    shards: u32,
    /// Write the manifest here; an existing one is never changed
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Shipped playbook or path of one [default: chosen by each bundle's layout]
    #[arg(long, value_name = "NAME|FILE")]
    playbook: Option<String>,
    /// Imported model, by name or beginning of its sha256 [default: the first imported one]
    #[arg(long, value_name = "NAME", conflicts_with = "no_model")]
    model: Option<String>,
    /// Stop at the answer of the signals
    #[arg(long)]
    no_model: bool,
    /// Seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads of the model for one bundle
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Memory that one worker may use, enforced [default: 1GiB; with a model 512MiB and its keys and values more]
    #[arg(long, value_name = "SIZE", value_parser = batch::parse_bytes)]
    worker_memory: Option<u64>,
    /// Print what was planned as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: Limits,
}

impl Plan {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let playbook = self
            .playbook
            .as_deref()
            .map(crate::playbook::load)
            .transpose()?;
        let playbook = playbook.map(|(bound, _)| bound);
        if let Some(bound) = &playbook {
            refuse_problems(bound)?;
        }
        let choice = match self.no_model {
            true => None,
            false => Some(choose_model(self.model.as_deref())?),
        };
        let mut limits = self.limits;
        let mut worker = 1_u64 << 30;
        let mut model = None;
        let mut library_sha256 = None;
        if let Some(choice) = &choice {
            let known = ModelManifest::read(&choice.dir)?;
            if limits.context > known.trained_context {
                return Err(Error::usage(format!(
                    "{} reads at most {} tokens, not {}",
                    crate::report::escape::terminal(&known.name),
                    known.trained_context,
                    limits.context
                ))
                .hint("plan with a smaller --context; it is never cut down silently"));
            }
            worker += (512 << 20) + known.cache_bytes_per_token() * u64::from(limits.context);
            library_sha256 = Some(library_hash(choice)?);
            model = Some(ModelPin {
                name: known.name,
                sha256: choice.sha256.clone(),
            });
        }
        limits.max_memory = limits.max_memory.min(self.worker_memory.unwrap_or(worker));
        let planned = batch::plan(&PlanRequest {
            from: self.from,
            tenant: self.tenant_from,
            shards: self.shards,
            settings: Settings {
                model,
                playbook,
                seed: self.seed,
                threads: self.threads,
                limits,
            },
            program: Program {
                version: env!("CARGO_PKG_VERSION").into(),
                binary_sha256: crate::triage::own_hash()?,
                library_sha256,
            },
        })?;
        let manifest = &planned.manifest;
        write_manifest(&self.out, manifest)?;
        for path in planned.left_out.iter().take(5) {
            eprintln!(
                "warning: {} is not called like an archive and was left out",
                files::shown(path)
            );
        }
        if planned.left_out.len() > 5 {
            eprintln!(
                "warning: {} more files were left out",
                planned.left_out.len() - 5
            );
        }
        let bytes: u64 = manifest.items.iter().map(|item| item.bytes).sum();
        let tenants: std::collections::BTreeSet<_> = manifest
            .items
            .iter()
            .filter_map(|item| item.tenant.as_ref())
            .collect();
        if self.json {
            print_json(&serde_json::json!({
                "manifest": manifest.digest, "bundles": manifest.items.len(), "bytes": bytes,
                "tenants": tenants.len(), "shards": manifest.shards, "left_out": planned.left_out.len(),
            }))?;
            return Ok(ExitCode::Done);
        }
        let model =
            manifest
                .settings
                .model
                .as_ref()
                .map_or("none, signals only".to_owned(), |model| {
                    format!(
                        "{} {}",
                        crate::report::escape::terminal(&model.name),
                        short_hash(&model.sha256)
                    )
                });
        print(&format!(
            "{} bundles, {}, tenants {}, shards {}\nmodel    {model}\nworker   {} of memory, {} {}\nmanifest {}\n         {}\n",
            manifest.items.len(),
            show_bytes(bytes),
            tenants.len(),
            manifest.shards,
            show_bytes(manifest.settings.limits.max_memory),
            manifest.settings.threads,
            if manifest.settings.threads == 1 {
                "thread"
            } else {
                "threads"
            },
            files::shown(&self.out),
            manifest.digest,
        ))?;
        Ok(ExitCode::Done)
    }
}

/// A manifest is written once; planning the same again is no error.
fn write_manifest(out: &Path, manifest: &Manifest) -> Result<()> {
    if !files::exists(out) {
        return files::write_whole(out, &crate::record::pretty(manifest)?);
    }
    match Manifest::read(out) {
        Ok(old) if old.digest == manifest.digest => Ok(()),
        _ => Err(Error::usage(format!(
            "{} is there already and differs",
            files::shown(out)
        ))
        .hint("a manifest is never changed: name another file with --out, or remove that one")),
    }
}

/// SHA-256 of the inference library.
///
/// # Errors
/// A usage error when it cannot be read.
pub fn library_hash(choice: &ModelChoice) -> Result<String> {
    files::sha256(&choice.library).or_fail(
        ExitCode::Usage,
        format!(
            "failed to read the library {}",
            files::shown(&choice.library)
        ),
    )
}
