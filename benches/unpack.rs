//! Unpacking beside GNU tar, alternating, on archives made here or named on the command line:
//! `cargo bench --bench unpack -- [ARCHIVE.tar.gz …]`. Set `TMPDIR` to choose the disk.
//!
//! Both write every file; narrowroom also hashes the archive and each file. Read the ratios: on a
//! busy machine the times themselves mean little.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark starts the program it compares with"
)]

#[path = "../tests/support/archives.rs"]
mod archives;

use archives::{Tar, gzip, many_empty_files};
use narrowroom::bundle::unpack::{UnpackLimits, Unpacker};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Rounds of each program on each archive; the median is printed.
const ROUNDS: usize = 5;

fn main() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let named: Vec<PathBuf> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .map(PathBuf::from)
        .collect();
    let archives = if named.is_empty() {
        make(scratch.path())
    } else {
        named
    };
    println!(
        "{:<28} {:>12} {:>10} {:>7}",
        "archive", "narrowroom", "GNU tar", "ratio"
    );
    for archive in &archives {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(timed(scratch.path(), |out| narrowroom(archive, out)));
            theirs.push(timed(scratch.path(), |out| gnu_tar(archive, out)));
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        println!(
            "{name:<28} {:>10.2} s {:>8.2} s {:>6.2}x",
            ours.as_secs_f64(),
            theirs.as_secs_f64(),
            ours.as_secs_f64() / theirs.as_secs_f64()
        );
    }
}

/// One file of 200 MB that compresses like a log, and 20,000 empty files.
fn make(folder: &Path) -> Vec<PathBuf> {
    let mut log = Vec::with_capacity(201 << 20);
    let mut state = 1_u64;
    while log.len() < 200_000_000 {
        // A linear congruential generator (Knuth, MMIX): any bytes that do not repeat will do.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let line = format!(
            "2026-01-01T{:02}:{:02}:00Z level=info request={:016x} path=/api/v1/items status=200\n",
            state >> 59,
            (state >> 53) % 60,
            state
        );
        log.extend_from_slice(line.as_bytes());
    }
    let size = log.len() as u64;
    let made = [
        (
            "one-200-mb-file.tar.gz",
            Tar::new()
                .header(archives::Header::new(b'0', b"bundle/a.log", size, b""))
                .padded(&log)
                .end(),
        ),
        ("20000-empty-files.tar.gz", many_empty_files(20_000)),
    ];
    made.into_iter()
        .map(|(name, bytes)| {
            let path = folder.join(name);
            std::fs::write(&path, gzip(&bytes)).expect("an archive can be written");
            path
        })
        .collect()
}

fn timed(scratch: &Path, run: impl FnOnce(&Path)) -> Duration {
    let out = tempfile::tempdir_in(scratch).expect("a temporary directory");
    let start = Instant::now();
    run(out.path());
    start.elapsed()
}

fn narrowroom(archive: &Path, out: &Path) {
    let input = std::fs::File::open(archive).expect("the archive opens");
    let dir = cap_std::fs::Dir::open_ambient_dir(out, cap_std::ambient_authority())
        .expect("the directory opens");
    let unpacker = Unpacker::new(UnpackLimits::default()).expect("the guest loads");
    unpacker
        .run(input, dir, &mut |_| {})
        .expect("the archive unpacks");
}

fn gnu_tar(archive: &Path, out: &Path) {
    let status = Command::new("tar")
        .arg("-xzf")
        .arg(archive)
        .arg("-C")
        .arg(out)
        .status()
        .expect("tar starts");
    assert!(status.success());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
