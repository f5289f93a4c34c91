//! `narrowroom batch status` and `narrowroom batch merge`.

use crate::batch::{self, Manifest, MergeRequest, Summary};
use crate::cli::{print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::files;
use clap::Args;
use std::path::{Path, PathBuf};

/// Show how far a batch is.
#[derive(Args)]
pub struct Status {
    /// The manifest
    manifest: PathBuf,
    /// Directories of the batch, those of all shards
    #[arg(required = true, value_name = "OUT")]
    out: Vec<PathBuf>,
    /// Only this tenant's bundles
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Write the summary here too: .html, .md or .json by its ending
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let manifest = Manifest::read(&self.manifest)?;
        let summary = batch::summarise(&manifest, &self.out, None, self.tenant.as_deref())?;
        if let Some(path) = &self.write {
            write_summary(path, &summary, None)?;
        }
        if self.json {
            print_json(&summary)?
        } else {
            print(&batch::text(&summary))?
        }
        Ok(ExitCode::Done)
    }
}

/// Writes a summary in the form that the file's ending names.
///
/// # Errors
/// A usage error for another ending, and as [`files::write_error`].
pub fn write_summary(path: &Path, summary: &Summary, runs: Option<&str>) -> Result<()> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => files::write_whole(path, batch::html(summary, runs).as_bytes()),
        Some("md" | "markdown") => files::write_whole(path, batch::markdown(summary).as_bytes()),
        Some("json") => files::write_whole(path, &crate::record::pretty(summary)?),
        _ => Err(Error::usage(format!(
            "failed to write {}: its ending is not .html, .md or .json",
            files::shown(path)
        ))
        .hint("name a file with one of these endings")),
    }
}

/// Merge the results into one file.
#[derive(Args)]
pub struct Merge {
    /// The manifest
    manifest: PathBuf,
    /// Directories of the batch, those of all shards
    #[arg(required = true, value_name = "OUT")]
    from: Vec<PathBuf>,
    /// Write the merged results here, as JSON Lines
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only this tenant's bundles
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// Merge although bundles have no result; the file names them
    #[arg(long)]
    allow_gaps: bool,
    /// Print what was merged as JSON
    #[arg(long)]
    json: bool,
}

impl Merge {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let manifest = Manifest::read(&self.manifest)?;
        let request = MergeRequest {
            from: &self.from,
            tenant: self.tenant.as_deref(),
            allow_gaps: self.allow_gaps,
        };
        let (bytes, head) = batch::merge(&manifest, &request)?;
        files::write_whole(&self.out, &bytes)?;
        if self.json {
            print_json(&head)?;
        } else {
            let gaps = match head.gaps {
                0 => String::new(),
                n => format!(", {n} of them without a result"),
            };
            print(&format!(
                "{} bundles merged into {}{gaps}\n",
                head.items,
                files::shown(&self.out)
            ))?;
        }
        Ok(ExitCode::Done)
    }
}
