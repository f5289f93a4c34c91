//! `narrowroom audit prove`: a run's inclusion, or what a tenant's runs could reach.

use super::Public;
use crate::audit;
use crate::cli::{RunsDir, print, print_json};
use crate::error::{Error, ExitCode, Result};
use crate::keys::PublicKey;
use crate::record::word;
use crate::report::escape;
use crate::report::wrap::wrap;
use crate::tenant::Tenant;
use clap::Args;
use std::path::Path;

/// Prove something from the log.
#[derive(Args)]
#[command(group(clap::ArgGroup::new("of").required(true).args(["run", "tenant"])))]
pub struct Prove {
    /// Id of a run, or its beginning: prove that it is in the log
    run: Option<String>,
    /// List what each run of this tenant could reach, and show that it was no other's data
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
    #[command(flatten)]
    public: Public,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Prove {
    pub(super) fn run(self) -> Result<ExitCode> {
        let runs = self.runs.path();
        if let Some(tenant) = &self.tenant {
            return apart(&runs, tenant, self.public.get()?, self.json);
        }
        let proofs = audit::prove_inclusion(&runs, self.run.as_deref().unwrap_or_default())?;
        if self.json {
            return print_json(&proofs).map(|()| ExitCode::Done);
        }
        for proof in &proofs {
            let entry = audit::Entry::parse(&proof.entry)?;
            print(&format!(
                "run {} is entry {}: {} {}\nleaf\n{}\nhashes, from the leaf up\n{}\ncheckpoint\n{}\n",
                escape::terminal(&entry.run),
                proof.index,
                escape::terminal(&entry.time),
                word(&entry.state),
                escape::terminal(&proof.entry),
                proof.hashes.join("\n"),
                proof
                    .checkpoint
                    .split('\n')
                    .map(escape::terminal)
                    .collect::<Vec<_>>()
                    .join("\n"),
            ))?;
        }
        Ok(ExitCode::Done)
    }
}

fn apart(
    runs: &Path,
    tenant: &Tenant,
    public: Option<(PublicKey, String)>,
    json: bool,
) -> Result<ExitCode> {
    let shown = audit::isolation(runs, tenant, public)?;
    let exit = if shown.holds() {
        ExitCode::Done
    } else {
        ExitCode::Rejected
    };
    if json {
        return print_json(&shown).map(|()| exit);
    }
    let mut out = String::new();
    for run in &shown.runs {
        out.push_str(&format!(
            "run {}  entry {}  {}\n",
            escape::terminal(&run.run),
            run.index,
            word(&run.state)
        ));
        if let Some(sha256) = &run.bundle_sha256 {
            out.push_str(&format!("  read     bundle {sha256}\n"));
        }
        for (root, meaning) in run.reach.iter().zip(&run.meaning) {
            out.push_str(&format!(
                "  {:<8} {} {} as {}\n",
                escape::terminal(&root.zone),
                if root.write { "wrote" } else { "could read" },
                escape::terminal(&root.host),
                escape::terminal(&root.inside)
            ));
            out.push_str(&format!("           {}\n", escape::terminal(meaning)));
        }
        if run.reach.is_empty() {
            out.push_str("  no worker was sealed: nothing was read\n");
        }
        for problem in &run.problems {
            for (at, line) in wrap(&escape::terminal(problem), 68).iter().enumerate() {
                let mark = if at == 0 {
                    "  NOT SHOWN "
                } else {
                    "            "
                };
                out.push_str(&format!("{mark}{line}\n"));
            }
        }
    }
    if shown.runs.is_empty() {
        return Err(
            Error::usage(format!("the audit log has no run of {tenant}"))
                .hint("list them with: narrowroom audit list"),
        );
    }
    let others = if shown.others.is_empty() {
        "anybody else, of whom the log has no run".to_owned()
    } else {
        shown.others.join(", ")
    };
    let verdict = if !shown.holds() {
        "NOT SHOWN: a run of"
    } else {
        "shown: no run of"
    };
    out.push_str("Nothing is kept from one run to the next: each worker has its own memory, and\nonly the unpacker writes, into its own scratch. `narrowroom audit verify` checks\nthat the log says what was signed.\n");
    let sentence = format!(
        "{verdict} {tenant} could reach data of {} ({} in the log)",
        escape::terminal(&others),
        shown.runs.len()
    );
    out.push_str(&wrap(&sentence, 80).join("\n"));
    out.push('\n');
    print(&out).map(|()| exit)
}
