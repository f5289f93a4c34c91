//! Zone 1: the archive arrives on standard input, one directory may be written.

use super::boot::{Out, open_tree, plan};
use super::protocol::{Boot, FromWorker, Progress};
use crate::bundle::unpack::{UnpackLimits, Unpacker};
use crate::error::{Context, ExitCode, Result};
use crate::seal::{self, Zone};
use std::os::fd::AsFd;

/// Entries per frame.
const BATCH: usize = 2_000;

pub fn run(boot: &Boot, out: &mut Out) -> Result<()> {
    let limits = UnpackLimits {
        total_bytes: boot.limits.max_bytes,
        files: boot.limits.max_files,
        file_bytes: boot.limits.max_file_bytes,
        inner_streams: boot.open_streams,
        ..UnpackLimits::default()
    };
    let unpacker = Unpacker::new(limits)?.called(&boot.name);
    let entered = seal::enter(&plan(Zone::Unpack, boot))?;
    let sealed = seal::close(entered)?;
    let proof = sealed.prove();
    out.send(&FromWorker::Sealed(Box::new(proof.clone())))?;
    proof.demand()?;
    let dir = open_tree(&sealed)?;
    let input = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .or_fail(ExitCode::Bug, "failed to take over the bundle")?;
    let unpacked = unpacker.run(input.into(), dir, &mut |progress| {
        let _ = out.send(&FromWorker::Progress(Progress::Unpack {
            files: progress.files,
            bytes: progress.bytes_out,
        }));
    })?;
    for part in unpacked.index.entries.chunks(BATCH) {
        out.send(&FromWorker::Entries(part.to_vec()))?;
    }
    for part in unpacked.index.skipped.chunks(BATCH) {
        out.send(&FromWorker::Skipped(part.to_vec()))?;
    }
    out.send(&FromWorker::Unpacked {
        sha256: unpacked.archive_sha256,
        bytes: unpacked.archive_bytes,
    })
}
