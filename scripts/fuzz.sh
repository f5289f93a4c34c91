#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes with libFuzzer, which follows what each input reaches:
#
#   scripts/fuzz.sh [SECONDS for each target, 300] [TARGET…]
#
# Begins with the inputs of fuzz/targets.rs and those kept in fuzz/corpus/TARGET, and goes on where the last run ended.
# Prints how many inputs were tried, how much code they reached and the longest time that one took. What breaks a reader
# is written to fuzz/found/TARGET-… and the script ends with 1. Needs the stable compiler and a C++ compiler.
# `cargo test --test fuzz` tries the same readers without libFuzzer, for seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-300}
shift || true
all=(unpack bundle gguf report playbook frame command mask)
[ $# -gt 0 ] && all=("$@")

work=$(realpath -m "${CARGO_TARGET_DIR:-target}/fuzz")
host=$(rustc -vV | sed -n 's/^host: //p')
# LLVM's own coverage pass. With --target the flags are for what is fuzzed alone, not for build scripts.
RUSTFLAGS="--cfg fuzzing -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=3 \
-C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
-C llvm-args=-sanitizer-coverage-trace-compares" \
    cargo build --release --locked --manifest-path fuzz/Cargo.toml --target "$host" --target-dir "$work"
program=$work/$host/release/narrowroom-fuzz

found=0
for target in "${all[@]}"; do
    export NARROWROOM_FUZZ_TARGET=$target
    here=$work/targets/$target
    rm -rf "$here/seeds"
    mkdir -p "$here/corpus" fuzz/found
    NARROWROOM_FUZZ_SEEDS=$here "$program" 2>"$here/log" || { cat "$here/log"; exit 1; }
    kept=()
    [ -d "fuzz/corpus/$target" ] && kept=("fuzz/corpus/$target")
    status=0
    "$program" "$here/corpus" "$here/seeds" "${kept[@]}" -dict="$here/words" -max_len=65536 -max_total_time="$seconds" \
        -timeout=20 -rss_limit_mb=3000 -print_final_stats=1 -artifact_prefix="fuzz/found/$target-" >"$here/log" 2>&1 || status=$?
    number() { sed -n "s/^stat::$1: *//p" "$here/log" | tail -1; }
    reached=$(grep -ao 'cov: [0-9]*' "$here/log" | tail -1 | tr -dc 0-9)
    echo "fuzz: $target: $(number number_of_executed_units) inputs in $seconds s, ${reached:-?} edges reached," \
        "$(number new_units_added) inputs kept, the longest took $(number slowest_unit_time_sec) s"
    if [ "$status" -ne 0 ]; then
        found=1
        echo "fuzz: $target: BROKEN, see $here/log"
        grep -a -m3 'panicked at\|ERROR: \|SUMMARY: ' "$here/log" || true
    fi
done
rmdir fuzz/found 2>/dev/null || true
exit $found
