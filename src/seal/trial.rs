//! A seal for its own sake: enters, closes, proves and, in the room, narrows; does no work.

#![expect(
    clippy::disallowed_methods,
    reason = "makes the directories that a trial grants"
)]

use std::path::Path;

use super::close::close;
use super::enter::enter;
use super::namespaces::worker_owner;
use super::plan::{Layer, Mount, SealPlan, Zone};
use super::proof::SealProof;
use crate::error::{Context, ExitCode, Result};

/// Seals this process as `zone` does, with nothing to read and nothing to do, and returns the
/// proofs of each stage. For `doctor` and for tests; to be called first thing in a process that
/// was started for it. `scratch` is an empty directory of the host that the caller removes.
///
/// # Errors
/// Those of [`enter`], [`close`] and [`super::Sealed::narrow`]; a proof that does not hold is
/// returned as it is.
pub fn trial(zone: Zone, scratch: &Path, allow_weaker: &[Layer]) -> Result<Vec<SealProof>> {
    let mut plan = SealPlan::new(zone);
    plan.allow_weaker = allow_weaker.to_vec();
    let grant = |name: &str| -> Result<Mount> {
        let host = scratch.join(name);
        std::fs::create_dir(&host).or_fail(
            ExitCode::Unsealed,
            format!("failed to create {}", host.display()),
        )?;
        if let Some((uid, gid)) = worker_owner() {
            std::os::unix::fs::chown(&host, Some(uid), Some(gid)).or_fail(
                ExitCode::Unsealed,
                format!("failed to hand over {}", host.display()),
            )?;
        }
        Ok(Mount::new(host, format!("/{name}")))
    };
    match zone {
        Zone::Unpack => plan.write_dirs.push(grant("out")?),
        Zone::Room => plan.read_dirs.extend([grant("tree")?, grant("model")?]),
        Zone::Verify => plan.read_dirs.push(grant("tree")?),
    }
    let sealed = close(enter(&plan)?)?;
    let mut proofs = vec![sealed.prove()];
    if zone == Zone::Room {
        proofs.push(sealed.narrow()?);
    }
    Ok(proofs)
}
