//! Test builds only: sealed processes that were taken over. A room tries to read files of the host
//! that it was never granted, a worker of each zone tries every way out ([`acts`]), and a room lies
//! to the coordinator ([`lies`]). What they met is told, so that a test can count what got through.
//!
//! The same attempts outside a seal are the positive control.

pub mod acts;
pub mod lies;

use rustix::fs::{CWD, Mode, OFlags};

use super::boot::{Out, plan};
use super::protocol::{Boot, FromWorker};
use crate::error::{Context, ExitCode, Result};
use crate::seal::{self, Zone};

/// Prefix of a zone's name for a worker that tries to get out.
pub const TAKEOVER: &str = "takeover-";
/// Carries the targets of such a worker.
pub const TARGETS: &str = "NARROWROOM_TEST_TARGETS";

/// Seals this process as `zone` does, then tries every act: in this thread, where the zone has
/// threads in a second one, and in the room once more when it is narrowed. Frames: the proof, then
/// one list of what was met for each round. Without a zone, nothing is sealed.
///
/// # Errors
/// When the seal does not close.
pub fn takeover(zone: Option<Zone>, boot: &Boot, out: &mut Out) -> Result<()> {
    let failed = "the targets are missing";
    let targets = std::env::var(TARGETS).or_fail(ExitCode::Bug, failed)?;
    let targets: acts::Targets = serde_json::from_str(&targets).or_fail(ExitCode::Bug, failed)?;
    let Some(zone) = zone else {
        return out.raw(&acts::attempt_each_alone(&targets));
    };
    let sealed = seal::close(seal::enter(&plan(zone, boot))?)?;
    let proof = sealed.prove();
    out.send(&FromWorker::Sealed(Box::new(proof.clone())))?;
    proof.demand()?;
    out.raw(&acts::attempt_all(&targets))?;
    if zone == Zone::Room {
        let round = || {
            let targets = targets.clone();
            let thread = std::thread::spawn(move || acts::attempt_all(&targets));
            thread.join().unwrap_or_default()
        };
        out.raw(&round())?;
        sealed.narrow()?.demand()?;
        out.raw(&acts::attempt_all(&targets))?;
    }
    Ok(())
}

/// Names the files, separated by `:`; set for the room only, by a test.
pub const VARIABLE: &str = "NARROWROOM_TEST_HOSTILE_ROOM";

/// What a test may pass on to the workers.
pub const VARIABLES: [&str; 4] = [
    VARIABLE,
    lies::VARIABLE,
    "NARROWROOM_TEST_DROP_LAYER",
    "NARROWROOM_TEST_LANDLOCK_ABI",
];

/// Every attempt on every file: how, and what it met (`READ` with the number of bytes, or an errno).
pub fn attempts(files: &str) -> Vec<String> {
    files
        .split(':')
        .filter(|file| !file.is_empty())
        .flat_map(ways)
        .map(|(way, path)| format!("hostile room: {way} {path}: {}", read(&path)))
        .collect()
}

/// The ways to the file `path`, absolute.
fn ways(path: &str) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("its name", path.to_owned()),
        (
            "up from the tree",
            format!("/tree/../../../../../../../..{path}"),
        ),
        (
            "up from the model",
            format!("/model/../../../../../../../..{path}"),
        ),
        ("the root of the process", format!("/proc/self/root{path}")),
        (
            "the root of the first process",
            format!("/proc/1/root{path}"),
        ),
        ("the working directory", format!("/proc/self/cwd/..{path}")),
    ];
    // A descriptor that somebody forgot to close may be a directory to climb from.
    all.extend((3..32).map(|fd| ("a descriptor", format!("/dev/fd/{fd}/../../../..{path}"))));
    all
}

fn read(path: &str) -> String {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
    let mut buffer = [0_u8; 4096];
    match opened.and_then(|file| rustix::io::read(file, &mut buffer)) {
        Ok(bytes) => format!("READ {bytes} bytes"),
        Err(error) => format!("errno {}", error.raw_os_error()),
    }
}

/// What the environment of this room asks for, attempted now.
pub fn notes() -> Vec<String> {
    std::env::var(VARIABLE).map_or_else(|_| vec![], |files| attempts(&files))
}
