//! `narrowroom unpack BUNDLE --out DIR`: the sealed unpacker alone, a safe `tar x` for anyone.

use super::{block_on, print, print_json, terminal};
use crate::bundle::{Entry, Skipped};
use crate::error::{ExitCode, Result};
use crate::files;
use crate::limits::Limits;
use crate::report::escape;
use crate::seal::Layer;
use crate::triage::{Extracted, Request};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Left-out entries that are printed for a person; all are in the JSON.
const SHOWN: usize = 50;

/// Unpack an archive safely: the parsers run as a WebAssembly guest in a sealed process.
///
/// Reads tar (plain, gzip, bzip2, xz, zstd), zip, a lone compressed log, or a folder; archives inside
/// are opened beside themselves, into NAME!/. Links are listed and never made, permissions and owners
/// are not taken over.
#[derive(Args)]
pub struct Unpack {
    /// The archive or folder; - reads standard input
    bundle: PathBuf,
    /// Where to unpack to: a directory that does not exist or is empty
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print what was written and what was left out as JSON
    #[arg(long)]
    json: bool,
    /// Go on although this layer of the seal cannot be enforced
    #[arg(long, value_name = "LAYER")]
    allow_weaker_seal: Vec<Layer>,
    #[command(flatten)]
    limits: Limits,
}

#[derive(Serialize)]
struct Answer<'a> {
    sha256: &'a str,
    bytes: u64,
    out: String,
    unpacked_bytes: u64,
    files: &'a [Entry],
    left_out: &'a [Skipped],
    weaker_seal: Vec<String>,
}

impl Unpack {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let out = std::path::absolute(&self.out).unwrap_or_else(|_| self.out.clone());
        let request = Request {
            bundle: self.bundle,
            runs: out.clone(),
            threads: 1,
            limits: self.limits,
            allow_weaker: self.allow_weaker_seal,
            ..Request::default()
        };
        let mut line = terminal::Line::new(request.limits.max_seconds, self.json);
        let done = block_on(crate::triage::unpack(&request, &out, &mut line))?;
        line.clear();
        let weaker = request.allow_weaker.iter().map(ToString::to_string);
        if self.json {
            print_json(&Answer {
                sha256: &done.sha256,
                bytes: done.bytes,
                out: files::shown(&out),
                unpacked_bytes: done.index.total_bytes(),
                files: &done.index.entries,
                left_out: &done.index.skipped,
                weaker_seal: weaker.collect(),
            })?;
        } else {
            print(&text(
                &done,
                &files::shown(&out),
                &weaker.collect::<Vec<_>>(),
            ))?;
        }
        Ok(ExitCode::Done)
    }
}

fn text(done: &Extracted, out: &str, weaker: &[String]) -> String {
    let links = |entry: &&Entry| entry.link_to.is_some();
    let (all, links) = (
        done.index.entries.len(),
        done.index.entries.iter().filter(links).count(),
    );
    let mut text = String::new();
    for skipped in done.index.skipped.iter().take(SHOWN) {
        text.push_str(&format!(
            "left out  {}\n          {}\n",
            escape::terminal(&skipped.name),
            escape::terminal(&skipped.reason)
        ));
    }
    let left_out = done.index.skipped.len();
    if left_out > SHOWN {
        text.push_str(&format!(
            "… and {} more; --json lists all\n",
            left_out - SHOWN
        ));
    }
    for layer in weaker {
        text.push_str(&format!("WEAKER SEAL: {layer} was allowed to be missing\n"));
    }
    let probes: usize = done.seals.iter().map(|proof| proof.probes.len()).sum();
    text.push_str(&format!(
        "unpacked  {} files, {} bytes, into {out}\nlinks     {links} listed, none made\nsealed    {probes} probes as expected\nsha256    {}\nleft out  {left_out}\n",
        all - links,
        done.index.total_bytes(),
        done.sha256
    ));
    text
}
