//! Test builds only: a room that was taken over tries to read files of the host that it was never
//! granted. What it met goes into the record's notes, so that a test can show that nothing was read.
//!
//! The same attempts outside a seal are the positive control.

use rustix::fs::{CWD, Mode, OFlags};

/// Names the files, separated by `:`; set for the room only, by a test.
pub const VARIABLE: &str = "NARROWROOM_TEST_HOSTILE_ROOM";

/// What a test may pass on to the workers.
pub const VARIABLES: [&str; 3] = [
    VARIABLE,
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
