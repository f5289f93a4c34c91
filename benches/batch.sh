#!/usr/bin/env bash
# Throughput of a batch with 1 and 2 workers, and memory of a worker; ratios, measured in one go.
# A bundle whose output the verifier rejects counts as worked through.
# Usage: benches/batch.sh [BUNDLES] [MODEL]      (24 bundles without a model by default)
set -euo pipefail
cd "$(dirname "$0")/.."
bundles=${1:-24} model=${2:-}
target=${CARGO_TARGET_DIR:-target}
[ -n "${PACK_FIXTURES:-}" ] && [ -n "${NARROWROOM:-}" ] || ./scripts/build.sh --quiet
program=$(realpath "${NARROWROOM:-$target/release/narrowroom}")
pack=$(realpath "${PACK_FIXTURES:-$target/release/examples/pack-fixtures}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$pack" "$work/fixtures" >/dev/null
fixtures=("$work"/fixtures/*.tar.gz)
mkdir "$work/in"
for n in $(seq 0 $((bundles - 1))); do cp "${fixtures[$((n % ${#fixtures[@]}))]}" "$work/in/case-$n.tar.gz"; done
choice=(--no-model); [ -n "$model" ] && choice=(--model "$model")
"$program" batch plan "$work/in" "${choice[@]}" --out "$work/m.json"
first=
for workers in 1 2; do
  began=$(date +%s.%N)
  "$program" batch run "$work/m.json" --out "$work/out-$workers" --workers $workers --cpus 2 --quiet >/dev/null 2>&1 || [ $? -eq 5 ]
  took=$(echo "$(date +%s.%N) $began" | awk '{print $1 - $2}')
  first=${first:-$took}
  peak=$(python3 -c 'import json,sys; print(round(json.load(open(sys.argv[1]))["peak_kib"] / 1024))' "$work/out-$workers/summary.json")
  awk -v w=$workers -v t="$took" -v f="$first" -v n="$bundles" -v p="$peak" \
    'BEGIN {printf "%d worker%s: %.2f s, %.2f bundles/s, %.2f times 1 worker, at most %d MiB resident in a worker\n", w, (w > 1 ? "s" : ""), t, n / t, f / t, p}'
done
python3 - "$work" <<'PY'
import glob, json, sys
sums = {}
for path in glob.glob(sys.argv[1] + "/out-1/runs/*/record.json"):
    for name, millis in json.load(open(path))["timings"]:
        sums.setdefault(name, []).append(millis)
print("medians of a bundle in ms, 1 worker:", ", ".join(
    "%s %d" % (name, sorted(values)[len(values) // 2]) for name, values in sums.items()))
PY
