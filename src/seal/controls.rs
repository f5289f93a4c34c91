//! Positive controls: the same probes in a process without a seal, where they must get through.

#![expect(
    clippy::disallowed_methods,
    reason = "lays out and clears its scratch directory"
)]

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::outside::Outside;
use super::plan::{ProcessLimits, Zone};
use super::probes::{self, Outcome, SUCCESS, Scene};
use super::proof::Stage;
use super::{descriptors, namespaces, sys};
use crate::error::{Context, ExitCode, Result};

/// How one probe fares without a seal.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct ControlReport {
    /// Name of the probe, as in a proof.
    pub name: String,
    /// What was attempted.
    pub attempt: String,
    /// What an unsealed process met: `SUCCEEDED`, or the name of an error.
    pub got: String,
    /// Whether the kernel did what was asked or looked at the arguments: then a denial inside
    /// comes from the seal. False where this machine or this user cannot do it anyway.
    pub open: bool,
}

/// Runs every probe in an unsealed child process. `scratch` is an empty directory; files are made
/// in it and removed again.
///
/// # Errors
/// [`ExitCode::Unsealed`] when this process has more than one thread, so cannot be forked safely,
/// or when `scratch` cannot be written.
pub fn controls(scratch: &Path) -> Result<Vec<ControlReport>> {
    namespaces::demand_one_thread()?;
    let scene = lay_out(scratch).or_fail(
        ExitCode::Unsealed,
        format!("failed to write in {}", scratch.display()),
    )?;
    let (read, write) =
        rustix::pipe::pipe().or_fail(ExitCode::Unsealed, "failed to make a pipe")?;
    // SAFETY: `demand_one_thread` made sure that this process has one thread.
    let child = unsafe { sys::fork() }
        .map_err(sys::os_error)
        .or_fail(ExitCode::Unsealed, "failed to fork")?;
    if child == 0 {
        drop(read);
        let sent = send(&run(&scene), write);
        sys::exit_now(i32::from(sent.is_err()));
    }
    drop(write);
    let mut json = Vec::new();
    let received = std::fs::File::from(read).read_to_end(&mut json);
    let ended = sys::wait(child).map_err(sys::os_error);
    clear(scratch);
    received.or_fail(ExitCode::Unsealed, "failed to hear from the controls")?;
    ended.or_fail(ExitCode::Unsealed, "failed to wait for the controls")?;
    serde_json::from_slice(&json).or_fail(ExitCode::Unsealed, "the controls did not finish")
}

fn lay_out(scratch: &Path) -> std::io::Result<Scene> {
    let (tree, out) = (scratch.join("tree"), scratch.join("out"));
    let not_granted = scratch.join("file");
    std::fs::create_dir(&tree)?;
    std::fs::create_dir(&out)?;
    std::fs::write(&not_granted, b"")?;
    Ok(Scene {
        zone: Zone::Room,
        own_root: true,
        read: vec![tree],
        write: vec![out],
        not_granted,
        pids: (std::process::id(), std::os::unix::process::parent_id()),
        landlock_abi: u32::MAX,
        outside: Outside::lay(),
        // Outside of a namespace of its own, that probe would rename the machine.
        own_users: false,
        inherited_fd: descriptors::open_canary()?,
        open_files: ProcessLimits::of(Zone::Room).open_files,
    })
}

fn clear(scratch: &Path) {
    let _ = std::fs::remove_file(scratch.join("file"));
    let _ = std::fs::remove_dir(scratch.join("tree"));
    let _ = std::fs::remove_dir(scratch.join("out"));
}

fn run(scene: &Scene) -> Vec<ControlReport> {
    let list = probes::list(scene, Stage::Closed)
        .into_iter()
        .chain(probes::first(scene))
        .chain(probes::early(scene));
    // The one probe that would leave the scratch directory; `create2-0` does the same inside it.
    list.filter(|probe| probe.name != "create-in-root")
        .map(|probe| {
            let outcome = (probe.run)();
            let open = match &outcome {
                Outcome::Answer(errno) => *errno == SUCCESS || probe.open.contains(errno),
                Outcome::CouldNotRun(_) => false,
            };
            let got = outcome.words();
            ControlReport {
                name: probe.name,
                attempt: probe.attempt,
                got,
                open,
            }
        })
        .collect()
}

fn send(reports: &[ControlReport], pipe: OwnedFd) -> std::io::Result<()> {
    serde_json::to_writer(std::fs::File::from(pipe), reports).map_err(std::io::Error::from)
}
