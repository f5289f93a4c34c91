//! What each run of a tenant could reach, from the signed log, and whether that could be another's.

use super::entry::{Entry, Kind, State};
use super::export::demand;
use super::log::FOLDER;
use super::verify::log_itself;
use crate::error::{Error, ExitCode, Result};
use crate::keys::PublicKey;
use crate::tenant::{TENANTS, Tenant};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Component, Path};

/// What runs without a tenant are called among the others.
const NOBODY: &str = "runs without a tenant";

/// One run and what its sealed workers could reach.
#[derive(Debug, Clone, Serialize)]
pub struct RunReach {
    /// Its id.
    pub run: String,
    /// Position in the log.
    pub index: u64,
    /// How it ended.
    pub state: State,
    /// SHA-256 of the archive that zone 1 had as its standard input: what the run read.
    pub bundle_sha256: Option<String>,
    /// Every root that a worker's mounts and Landlock rules made reachable.
    pub reach: Vec<super::entry::Reach>,
    /// What each root is, in the order of `reach`.
    pub meaning: Vec<String>,
    /// Why this run is not shown to be apart; empty when it is.
    pub problems: Vec<String>,
}

/// The answer for one tenant.
#[derive(Debug, Clone, Serialize)]
pub struct Isolation {
    /// Whose.
    pub tenant: Tenant,
    /// Every run of this tenant in the log.
    pub runs: Vec<RunReach>,
    /// Everybody else in the log; runs without a tenant are one of them.
    pub others: Vec<String>,
}

impl Isolation {
    /// Whether no run could reach another's data.
    pub fn holds(&self) -> bool {
        self.runs.iter().all(|run| run.problems.is_empty())
    }
}

/// Lists for each run of `tenant` what it could reach, and whether that is its own.
///
/// # Errors
/// When there is no log, or it is not what was signed: `public` as for [`super::verify()`].
pub fn isolation(
    runs: &Path,
    tenant: &Tenant,
    public: Option<(PublicKey, String)>,
) -> Result<Isolation> {
    let (log, entries) = log_itself(&demand(runs)?, public, &[])?;
    if !log.holds() {
        return Err(Error::new(
            ExitCode::Rejected,
            "the audit log is not what was signed: nothing can be shown from it",
        )
        .hint("narrowroom audit verify names the place"));
    }
    let own = |entry: &&Entry| entry.tenant.as_ref() == Some(tenant);
    let others: BTreeSet<String> = entries
        .iter()
        .filter(|entry| !own(entry))
        .map(|entry| {
            entry
                .tenant
                .as_ref()
                .map_or_else(|| NOBODY.to_owned(), ToString::to_string)
        })
        .collect();
    let removed: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Removed)
        .map(|entry| entry.run.as_str())
        .collect();
    let reached = entries
        .iter()
        .filter(own)
        .filter(|entry| entry.kind == Kind::Run)
        .map(|entry| one(runs, tenant, entry, removed.contains(entry.run.as_str())))
        .collect();
    Ok(Isolation {
        tenant: tenant.clone(),
        runs: reached,
        others: others.into_iter().collect(),
    })
}

fn one(runs: &Path, tenant: &Tenant, entry: &Entry, removed: bool) -> RunReach {
    let (mut meaning, mut problems) = (Vec::new(), Vec::new());
    for root in &entry.reach {
        match judge(runs, tenant, entry, root) {
            Ok(what) => meaning.push(what),
            Err(why) => {
                meaning.push(why.clone());
                problems.push(format!("zone {}: {}: {why}", root.zone, root.host));
            }
        }
    }
    if entry.state == State::Finished && entry.reach.is_empty() {
        problems.push("the log names no root for it".into());
    }
    if entry.state == State::Finished && !removed {
        match crate::record::load_record(&Tenant::home(Some(tenant), runs).join(&entry.run)) {
            Err(error) => problems.push(format!("its record cannot be read: {}", error.chain())),
            Ok(record) => {
                let said: BTreeSet<_> = super::entry::reach(runs, &record.seals)
                    .into_iter()
                    .collect();
                let logged: BTreeSet<_> = entry.reach.iter().cloned().collect();
                if said != logged {
                    problems.push("its record names other roots than the log".into());
                }
            }
        }
    }
    RunReach {
        run: entry.run.clone(),
        index: entry.index,
        state: entry.state,
        bundle_sha256: entry.bundle_sha256.clone(),
        reach: entry.reach.clone(),
        meaning,
        problems,
    }
}

/// What a root is, or why it is not shown to be apart.
fn judge(
    runs: &Path,
    tenant: &Tenant,
    entry: &Entry,
    root: &super::entry::Reach,
) -> std::result::Result<String, String> {
    if !root.proved {
        return Err("the seal was weaker than it should be: not shown".into());
    }
    let path = Path::new(&root.host);
    if path
        .components()
        .any(|part| matches!(part, Component::ParentDir | Component::CurDir))
    {
        return Err("the path climbs: not shown".into());
    }
    if let Ok(inside) = path.strip_prefix(super::entry::RUNS) {
        let own = Path::new(TENANTS)
            .join(tenant.as_str())
            .join(format!(".{}.partial", entry.run));
        return if inside.starts_with(&own) && inside != own {
            Ok("this run's own scratch, removed at its end".into())
        } else if inside.starts_with(FOLDER) || inside.as_os_str().is_empty() {
            Err("it holds every tenant's entries".into())
        } else {
            Err("it is not this run's own".into())
        };
    }
    if runs.starts_with(path) {
        return Err("it contains the runs of everybody".into());
    }
    if root.write {
        return Err("it could be written and outlives the run".into());
    }
    Ok("the imported model, read only; made before any bundle was read".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::entry::Reach;

    #[test]
    fn only_a_runs_own_scratch_and_the_read_only_model_are_apart() {
        let tenant: Tenant = "a".parse().unwrap();
        let mut entry = crate::audit::log::tests::entry("r1");
        entry.tenant = Some(tenant.clone());
        let judged = |host: &str, write: bool, proved: bool| {
            let root = Reach {
                zone: "room".into(),
                host: host.into(),
                inside: "/tree".into(),
                write,
                proved,
            };
            judge(Path::new("/srv/runs"), &tenant, &entry, &root)
        };
        judged("<runs>/tenants/a/.r1.partial/tree", true, true).unwrap();
        judged("/home/x/models/1", false, true).unwrap();
        for (host, write, proved) in [
            ("<runs>/tenants/a/.r1.partial/tree", true, false),
            ("<runs>/tenants/a/.r2.partial/tree", false, true),
            ("<runs>/tenants/a/.r1.partial/../../b", false, true),
            ("<runs>/tenants/a", false, true),
            ("<runs>/tenants/b/.r1.partial/tree", false, true),
            ("<runs>/tenants", false, true),
            ("<runs>/", false, true),
            ("<runs>/.audit", false, true),
            ("/srv", false, true),
            ("/srv/runs", false, true),
            ("/home/x/models/1", true, true),
        ] {
            assert!(judged(host, write, proved).is_err(), "{host}");
        }
    }
}
