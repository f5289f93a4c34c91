#!/usr/bin/env bash
# The long drills, with counts: hostile archives, takeovers, layers left out, system calls, kills at
# random points, full disks, short resources.
#
#   scripts/drills.sh [KILLS, 240]
#
# Needs what scripts/test.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
export NARROWROOM_DRILL_KILLS=${1:-240}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
drill() { cargo test --release --locked --features layer-mutation "$@" -- --nocapture >>"$log" 2>&1 || status=$?; }
drill --lib bundle::unpack::
drill --lib seal::
for name in seal layers takeover drills; do drill --test "$name"; done
grep -aoE '(archives|seal|sweep|layers|takeover|drills): [a-z0-9].*' "$log" || true
[ $status -eq 0 ] || { grep -a 'panicked at\|FAILED' "$log" >&2; tail -5 "$log" >&2; }
exit $status
