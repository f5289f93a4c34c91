#!/usr/bin/env bash
# kill -9 at many random points of a batch: resumed each time, nothing run twice, nothing lost, the
# same merged bytes as of a batch left in peace. Prints the counts; ends with an error if any differs.
# Usage: benches/batch-kill.sh [BUNDLES] [KILLS]      (60 and 50 by default)
set -euo pipefail
cd "$(dirname "$0")/.."
bundles=${1:-60} kills=${2:-50}
target=${CARGO_TARGET_DIR:-target}
[ -n "${PACK_FIXTURES:-}" ] && [ -n "${NARROWROOM:-}" ] || ./scripts/build.sh --quiet
program=$(realpath "${NARROWROOM:-$target/release/narrowroom}")
pack=$(realpath "${PACK_FIXTURES:-$target/release/examples/pack-fixtures}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work; unset XDG_STATE_HOME XDG_DATA_HOME || true

"$pack" "$work/fixtures" >/dev/null
fixtures=("$work"/fixtures/*.tar.gz)
for n in $(seq 0 $((bundles - 1))); do
  dir="$work/in/tenant-$((n % 5))"
  mkdir -p "$dir"
  cp "${fixtures[$((n % ${#fixtures[@]}))]}" "$dir/case-$n.tar.gz"
done
"$program" batch plan "$work/in" --tenant-from parent-dir --no-model --out "$work/m.json" >/dev/null
# Replaces the shell that it is started in, so that the process in the background is the batch itself.
# It may end with 5: the verifier rejected some output, which is a result too.
batch() { exec "$program" batch run "$work/m.json" --out "$1" --workers 2 --cpus 2 --memory 4GiB --quiet >/dev/null; }
seconds() { date +%s.%N; }

began=$(seconds)
(batch "$work/calm" 2>/dev/null) || [ $? -eq 5 ]
calm=$(echo "$(seconds) $began" | awk '{print $1 - $2}')
"$program" batch merge "$work/m.json" "$work/calm" --out "$work/calm.jsonl" >/dev/null
echo "left in peace: $bundles bundles in $calm s"

results() { find "$work/out" -path '*/results/[0-9a-f]*.json' 2>/dev/null | wc -l; }
runs() { find "$work/out/runs" -name record.json -not -path '*.partial/*' 2>/dev/null | wc -l; }
: >"$work/seen"
done_kills=0 mid_item=0
# The pauses share out the time that the batch takes, so that the kills fall all over it.
RANDOM=4711
while [ "$done_kills" -lt "$kills" ]; do
  (batch "$work/out" 2>/dev/null) & pid=$!
  sleep "$(awk -v c="$calm" -v k="$kills" -v r=$RANDOM 'BEGIN {printf "%.4f", c / k * 2 * r / 32767}')"
  claimed=$(find "$work/out/claims" -name '[0-9a-f]*.json' 2>/dev/null | wc -l)
  if ! kill -9 "$pid" 2>/dev/null; then wait "$pid" || true; echo "the batch was over after $done_kills kills"; break; fi
  wait "$pid" 2>/dev/null || true
  done_kills=$((done_kills + 1))
  [ "$claimed" -gt 0 ] && mid_item=$((mid_item + 1))
  # Every result ever seen must still be there, byte for byte.
  if [ -s "$work/seen" ]; then sha256sum --check --quiet --strict "$work/seen" || { echo "error: a result was lost or changed" >&2; exit 1; }; fi
  find "$work/out" -path '*/results/[0-9a-f]*.json' -exec sha256sum {} + >"$work/seen" 2>/dev/null || true
done
(batch "$work/out" 2>/dev/null) || [ $? -eq 5 ]
"$program" batch merge "$work/m.json" "$work/out" --out "$work/merged.jsonl" >/dev/null
total_runs=$(runs) total_results=$(results)
attempts=$("$program" batch status "$work/m.json" "$work/out" --json | python3 -c 'import json,sys; print(sum(r["attempts"] for r in json.load(sys.stdin)["rows"]))')
twice=$(find "$work/out/runs" -name record.json -exec python3 -c '
import collections, json, sys
names = collections.Counter()
for path in sys.argv[1:]:
    bundle = json.load(open(path))["bundle"]
    names[bundle["name"]] += 1
print(sum(1 for n in names.values() if n > 1))' {} +)
left=$(find "$work/out" -name '*.partial' | wc -l)
same=differs; cmp -s "$work/calm.jsonl" "$work/merged.jsonl" && same=identical
echo "killed: $done_kills times, $mid_item of them with a bundle under way; $attempts starts for $bundles bundles"
echo "results: $total_results of $bundles; runs: $total_runs; bundles run twice: $twice; left over: $left; merged: $same"
[ "$total_results" -eq "$bundles" ] && [ "$total_runs" -eq "$bundles" ] && [ "$twice" -eq 0 ] && [ "$left" -eq 0 ] && [ "$same" = identical ]
