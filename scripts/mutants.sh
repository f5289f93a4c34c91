#!/usr/bin/env bash
# Mutation tests of the verifier and of the scanner: scripts/mutants.sh [cargo-mutants options]
#   scripts/mutants.sh --all [src/secrets src/verify/judge] all mutants, or those of some folders, in minutes: mutants/
#   scripts/mutants.sh --check                              whether these crates compile, as CI asks
#   scripts/mutants.sh --list                               the mutants
#   scripts/mutants.sh --shard 0/8                          an eighth of them
#   scripts/mutants.sh -f 'src/verify/judge/*.rs'           those of some files
# The whole crate takes a minute a mutant. So src/verify and src/secrets are copied, with the few modules they need,
# into a crate of their own, where a mutant takes seconds. Its tests are the unit tests of these folders; what only the
# whole-program tests see is not counted as caught. Needs cargo-mutants: cargo install --locked cargo-mutants
set -euo pipefail
cd "$(dirname "$0")/.."
work=${WORK:-target/mutants}
rm -rf "$work/crate"
mkdir -p "$work/crate/src/bundle" "$work/crate/tests"
cp Cargo.lock "$work/crate/"
cp -r src/verify src/secrets "$work/crate/src/"
cp src/bundle/{decode,index,path,testing,tree}.rs "$work/crate/src/bundle/"
cp tests/verify.rs "$work/crate/tests/"
cp src/error.rs src/report/model.rs src/signals/injection.rs "$work/crate/src/"
# Fewer random cases: a mutant that lives through these lives through more of them too, almost always.
export PROPTEST_CASES=64

cat > "$work/crate/src/lib.rs" <<'LIB'
#![allow(dead_code)]
pub mod bundle {
    mod decode;
    pub mod index;
    pub mod path;
    #[cfg(test)]
    pub mod testing;
    pub mod tree;
    pub use index::{Entry, FileKind, Index, Skipped};
    pub use path::BundlePath;
    pub use tree::{Text, Tree};
}
pub mod error;
#[path = "model.rs"]
pub mod report;
#[path = "injection.rs"]
pub mod signals;
pub mod secrets;
pub mod verify;
LIB

{
    printf '[package]\nname = "mutants"\nversion = "0.0.0"\nedition = "2024"\nautotests = false\n[workspace]\n[dependencies]\n'
    sed -n '/^\[dependencies\]/,/^\[build-dep/p' Cargo.toml | grep -E '^(aho-corasick|base64|brush-parser|cap-std|clap|flate2|hex|libc|memmap2|regex|schemars|serde|serde-saphyr|serde_json|sha2|thiserror|toml|unicode-normalization|zeroize) '
    printf '[dev-dependencies]\n'
    sed -n '/^\[dev-dependencies\]/,$p' Cargo.toml | grep -E '^(proptest|tempfile|insta) '
    printf '[profile.dev]\ndebug = false\nincremental = true\n[profile.dev.package."*"]\nopt-level = 2\n'
} > "$work/crate/Cargo.toml"

out=$(realpath "$work")
switch=$(realpath mutants)
cd "$work/crate"
case ${1:-} in
--check)
    cargo test --quiet --locked --manifest-path "$switch/Cargo.toml"
    exec cargo check --tests
    ;;
--all)
    shift
    # Of the modules that are only there because these two need them, the tests are elsewhere.
    [ $# -gt 0 ] || set -- src/secrets src/verify
    cargo mutants --dir . --list --json > "$out/list.json"
    rm -rf "$out/switched"
    exec cargo run --quiet --release --locked --manifest-path "$switch/Cargo.toml" -- . "$out/list.json" "$out/switched" "$@"
    ;;
esac
exec cargo mutants --dir . --output "$out" --in-place --timeout 60 "$@"
