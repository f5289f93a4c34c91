//! Compiles the archive parsers' WebAssembly guest to native code, so that the program needs no
//! compiler at run time and never makes memory executable after it is sealed.
//!
//! The guest's bytes are committed; their hash is checked here, and `sandbox/build-guest.sh --check`
//! rebuilds them from source.

#![expect(
    clippy::disallowed_methods,
    reason = "a build script reads the checkout and writes to OUT_DIR"
)]

use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::{env, fs};

#[path = "src/bundle/unpack/engine.rs"]
mod engine;

fn main() {
    let root =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let (wasm, hash) = (
        root.join("sandbox/guest.wasm"),
        root.join("sandbox/guest.wasm.sha256"),
    );
    let hostile = root.join("sandbox/hostile.wat");
    for input in [&wasm, &hash, &hostile] {
        println!("cargo::rerun-if-changed={}", input.display());
    }

    let bytes = fs::read(&wasm)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", wasm.display()));
    let committed = fs::read_to_string(&hash)
        .unwrap_or_else(|error| panic!("failed to read {}: {error}", hash.display()));
    let committed = committed.split_whitespace().next().unwrap_or_default();
    let found: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        found,
        committed,
        "{} is not the guest whose hash is committed; rebuild it with sandbox/build-guest.sh",
        wasm.display()
    );
    println!("cargo::rustc-env=NARROWROOM_GUEST_SHA256={found}");

    // Naming the target keeps the result free of the build machine's own CPU features.
    let mut config = engine::config();
    config
        .target(&target)
        .expect("Cranelift does not know this target");
    config
        .strategy(wasmtime::Strategy::Cranelift)
        .cranelift_opt_level(wasmtime::OptLevel::Speed);
    let engine = wasmtime::Engine::new(&config).expect("failed to set up the compiler");
    // The hostile guest is for the host's own tests; the program does not include it.
    let hostile = fs::read(&hostile).expect("failed to read sandbox/hostile.wat");
    for (name, source) in [("guest.cwasm", bytes), ("hostile.cwasm", hostile)] {
        let compiled = engine
            .precompile_module(&source)
            .expect("failed to compile a guest");
        fs::write(out.join(name), compiled).expect("failed to write a compiled guest");
    }
}
