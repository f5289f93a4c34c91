//! One program for every target: `NARROWROOM_FUZZ_TARGET` names it. With `NARROWROOM_FUZZ_SEEDS` it
//! writes the target's own inputs and its dictionary into that folder and ends.
#![no_main]
#![allow(
    clippy::disallowed_methods,
    reason = "a fuzzer handles the files it made itself"
)]

#[path = "../../tests/support/archives.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod archives;
#[path = "../targets.rs"]
mod targets;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use targets::Target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("NARROWROOM_FUZZ_TARGET").unwrap_or_default();
    let names = || {
        targets::ALL
            .iter()
            .map(|target| target.name)
            .collect::<Vec<_>>()
    };
    let found = targets::ALL.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("set NARROWROOM_FUZZ_TARGET to one of {:?}", names()))
});

/// Writes what the target begins with.
fn write(folder: PathBuf) {
    std::fs::create_dir_all(folder.join("seeds")).expect("a folder for the inputs");
    for (number, seed) in (TARGET.seeds)().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seeds/{number}")), seed).expect("an input");
    }
    let words: String = TARGET
        .words
        .iter()
        .map(|word| {
            let escaped: String = word.bytes().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("\"{escaped}\"\n")
        })
        .collect();
    std::fs::write(folder.join("words"), words).expect("the dictionary");
}

fuzz_target!(
    init: {
        if let Some(folder) = std::env::var_os("NARROWROOM_FUZZ_SEEDS") {
            write(folder.into());
            std::process::exit(0);
        }
    },
    |bytes: &[u8]| {
        if bytes.len() <= targets::MAX_BYTES {
            (TARGET.read)(bytes);
        }
    }
);
