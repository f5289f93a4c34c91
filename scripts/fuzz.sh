#!/usr/bin/env bash
# Fuzzes every reader of foreign bytes for longer than the tests do:
#
#   scripts/fuzz.sh [SECONDS per target, 300] [SEED, the time]
#
# Prints how many inputs were tried and the longest time that one took; ends with an error and leaves
# the input in fuzz/found if one breaks a reader.
set -euo pipefail
cd "$(dirname "$0")/.."
export NARROWROOM_FUZZ_SECONDS=${1:-300} NARROWROOM_FUZZ_SEED=${2:-$(date +%s)}
echo "seed $NARROWROOM_FUZZ_SEED"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
cargo test --release --locked --test fuzz -- --nocapture >"$log" 2>&1 || status=$?
# The control must break; it is not told.
grep -a '^fuzz: \|broke it\|^error' "$log" | grep -v 'control: input' || true
exit $status
