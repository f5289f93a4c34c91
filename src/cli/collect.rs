//! `narrowroom collect`.

use super::{block_on, print, print_json};
use crate::collect::{self, Cluster, Limits, Manifest, Source, Watch};
use crate::error::ExitCode;
use crate::error::{Error, Result};
use crate::files;
use crate::report::escape;
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Collect a bundle on the customer's side: reads only, masks secrets at the source.
#[derive(Args)]
pub struct Collect {
    /// Namespace to collect, through your own kubectl; may be given several times
    #[arg(
        long,
        short,
        value_name = "NAME",
        required_unless_present = "host",
        conflicts_with = "host"
    )]
    namespace: Vec<String>,
    /// Collect this Linux host instead
    #[arg(long)]
    host: bool,
    /// Write the bundle here, a .tar.gz; an existing file is not overwritten
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Print what would be asked, and end
    #[arg(long)]
    dry_run: bool,
    /// Leave out a kind of object, such as configmaps, nodes or logs
    #[arg(long, value_name = "KIND")]
    without: Vec<String>,
    /// The kubectl to use
    #[arg(long, value_name = "PROGRAM", default_value = "kubectl")]
    kubectl: String,
    /// kubeconfig for kubectl
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<String>,
    /// Context for kubectl
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Lines of each container's log, from its end
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20_000,
        help_heading = "Limits"
    )]
    tail: u64,
    /// Size of everything before packing; it is held in memory
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = crate::batch::parse_bytes, help_heading = "Limits")]
    max_bytes: u64,
    /// Size of one answer
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = crate::batch::parse_bytes, help_heading = "Limits")]
    max_file_bytes: u64,
    /// Seconds for everything
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 600,
        help_heading = "Limits"
    )]
    max_seconds: u64,
    /// Seconds for one question
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        help_heading = "Limits"
    )]
    question_seconds: u64,
    /// Print the bundle's manifest as JSON
    #[arg(long)]
    json: bool,
    /// Show neither the questions nor progress
    #[arg(long, short)]
    quiet: bool,
}

impl Collect {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        let limits = Limits {
            max_bytes: self.max_bytes,
            max_file_bytes: self.max_file_bytes,
            max_seconds: self.max_seconds,
            question_seconds: self.question_seconds,
        };
        let (source, words) = if self.host {
            (Source::Host, "a Linux host".to_owned())
        } else {
            let words = format!("Kubernetes, namespace {}", self.namespace.join(", "));
            let cluster = Cluster {
                kubectl: self.kubectl,
                kubeconfig: self.kubeconfig,
                context: self.context,
                namespaces: self.namespace,
                without: self.without,
                tail: self.tail,
                request_seconds: self.question_seconds,
            };
            cluster.check()?;
            (Source::Cluster(cluster), words)
        };
        let listed = questions(&source);
        if self.dry_run {
            if self.json {
                print_json(&listed)?
            } else {
                print(&list(&listed))?
            }
            return Ok(ExitCode::Done);
        }
        let out = self.out.ok_or_else(|| Error::usage("--out is missing"))?;
        let name = folder(&out)?;
        if files::exists(&out) {
            return Err(
                Error::usage(format!("{} is there already", files::shown(&out)))
                    .hint("name another file with --out"),
            );
        }
        if !self.quiet {
            eprint!("{}", list(&listed));
        }
        let mut line = Line(!self.quiet && std::io::stderr().is_terminal());
        let gathered = block_on(collect::gather(&source, &limits, &mut line))?;
        line.clear();
        let packed = collect::pack(gathered, &words, &name, collect::seconds_now(), &limits)?;
        files::write_whole(&out, &packed.archive)?;
        if self.json {
            print_json(&packed.manifest)?;
        } else {
            print(&summary(
                &packed.manifest,
                &out,
                packed.archive.len() as u64,
            ))?;
        }
        Ok(ExitCode::Done)
    }
}

/// The questions, those about logs by their form.
fn questions(source: &Source) -> Vec<String> {
    match source {
        Source::Host => collect::host_questions()
            .iter()
            .map(collect::Question::shown)
            .collect(),
        Source::Cluster(cluster) => {
            let mut all: Vec<String> = collect::cluster_questions(cluster)
                .iter()
                .map(collect::Question::shown)
                .collect();
            for namespace in &cluster.namespaces {
                let form = collect::log_questions(cluster, namespace, None);
                all.extend(
                    form.iter()
                        .map(|question| question.shown().replace('\'', "")),
                );
            }
            all
        }
    }
}

fn list(questions: &[String]) -> String {
    let mut out = format!(
        "{} questions, all of them only read; secrets are never asked for:\n",
        questions.len()
    );
    for question in questions {
        out.push_str(&format!("  {}\n", escape::terminal(question)));
    }
    out
}

/// The folder inside the archive, from the file's name.
fn folder(out: &Path) -> Result<String> {
    let name = out
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let stem = name
        .strip_suffix(".tar.gz")
        .or_else(|| name.strip_suffix(".tgz"));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    stem.filter(|stem| !stem.is_empty() && !stem.starts_with('.') && stem.chars().all(plain))
        .map(str::to_owned)
        .ok_or_else(|| {
            Error::usage(format!(
                "{} is not a good name for a bundle",
                files::shown(out)
            ))
            .hint("letters, digits, '-', '_' and '.', ending in .tar.gz")
        })
}

fn summary(manifest: &Manifest, out: &Path, bytes: u64) -> String {
    let mut text = format!(
        "{} files, {} packed, in {}\n",
        manifest.files.len(),
        crate::report::wording::size(bytes),
        files::shown(out)
    );
    let masked: u64 = manifest.masked.values().sum();
    if masked > 0 {
        let kinds: Vec<_> = manifest
            .masked
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        text.push_str(&format!(
            "{masked} secrets were masked: {}\n",
            kinds.join(", ")
        ));
    }
    if !manifest.shortened.is_empty() {
        text.push_str(&format!(
            "{} answers were longer than a limit and are not whole\n",
            manifest.shortened.len()
        ));
    }
    let missing: Vec<_> = manifest
        .not_collected
        .iter()
        .filter(|refused| !refused.path.is_empty())
        .collect();
    if !missing.is_empty() {
        text.push_str(&format!(
            "{} could not be collected (collect.json in the bundle lists all):\n",
            missing.len()
        ));
        for refused in missing.iter().take(10) {
            let why: String = escape::terminal(refused.why.lines().next().unwrap_or_default());
            let row = format!("  {}: {why}", escape::terminal(&refused.path));
            text.push_str(&row.chars().take(160).collect::<String>());
            text.push('\n');
        }
    }
    text.push_str("look into it before you hand it on: tar tzf, zless\n");
    text
}

/// How far it is, on one line of a terminal.
struct Line(bool);

impl Line {
    fn clear(&self) {
        if self.0 {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Watch for Line {
    fn asked(&mut self, done: usize, all: usize) {
        if self.0 {
            let _ = write!(
                std::io::stderr(),
                "\r\x1b[K{done} of {all} questions answered"
            );
            let _ = std::io::stderr().flush();
        }
    }
}
