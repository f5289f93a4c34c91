//! `narrowroom audit list`.

use crate::audit;
use crate::cli::{RunsDir, print, print_json};
use crate::error::{ExitCode, Result};
use crate::record::word;
use crate::report::escape;
use crate::tenant::Tenant;
use clap::Args;

/// List what ran.
#[derive(Args)]
pub struct List {
    /// Only this tenant's
    #[arg(long, value_name = "NAME")]
    tenant: Option<Tenant>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl List {
    pub(super) fn run(self) -> Result<ExitCode> {
        let mut entries = audit::demand(&self.runs.path())?.entries()?;
        if let Some(tenant) = &self.tenant {
            entries.retain(|entry| entry.tenant.as_ref() == Some(tenant));
        }
        if self.json {
            return print_json(&entries).map(|()| ExitCode::Done);
        }
        let mut out = format!(
            "{:>5} {:<20} {:<10} {:<11} {:>4}  {}\n",
            "ENTRY", "TIME", "RUN", "STATE", "EXIT", "WHAT"
        );
        for entry in &entries {
            let what = match (entry.kind, &entry.outcome) {
                (audit::Kind::Run, Some(outcome)) => outcome.clone(),
                (audit::Kind::Run, None) => format!("stopped at {}", entry.stage),
                (kind, _) => word(&kind),
            };
            let tenant = entry
                .tenant
                .as_ref()
                .map(|tenant| format!(" ({tenant})"))
                .unwrap_or_default();
            let exit = entry.exit.map_or("-".to_owned(), |exit| exit.to_string());
            out.push_str(&format!(
                "{:>5} {:<20} {:<10} {:<11} {:>4}  {}\n",
                entry.index,
                escape::terminal(&entry.time),
                escape::terminal(&entry.run),
                word(&entry.state),
                exit,
                escape::terminal(&format!("{what}{tenant}"))
            ));
        }
        print(&out).map(|()| ExitCode::Done)
    }
}
