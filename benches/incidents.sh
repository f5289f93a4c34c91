#!/usr/bin/env bash
# Triages every case of a labelled corpus and scores the reports.
#   benches/incidents.sh CORPUS RESULTS [triage options…]     e.g. ../shared/incidents/dev out --no-model
# CORPUS holds <id>/bundle.tar.gz and <id>/truth.json, its parent holds score.py. RESULTS gets one report a
# case, and times.tsv: case, exit code, wall seconds. A case that ends with 3 (refused) has no report.
set -euo pipefail
corpus=$1 results=$2
shift 2
program=${NARROWROOM:-$(dirname "$0")/../target/release/narrowroom}
mkdir -p "$results/runs"
: >"$results/times.tsv"
for case in "$corpus"/*/; do
  id=$(basename "$case")
  started=$(date +%s.%N)
  status=0
  "$program" triage "$case/bundle.tar.gz" --json --quiet --runs "$results/runs" "$@" \
    >"$results/$id.json" 2>"$results/$id.err" || status=$?
  printf '%s\t%s\t%.2f\n' "$id" "$status" "$(awk -v a="$started" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')" >>"$results/times.tsv"
  [ -s "$results/$id.json" ] || rm -f "$results/$id.json"
  [ -s "$results/$id.err" ] || rm -f "$results/$id.err"
done
sort -k3 -n -t"$(printf '\t')" "$results/times.tsv" | awk -F'\t' '{t[NR]=$3; c[$2]++} END {printf "wall seconds: median %.2f, p90 %.2f, max %.2f; exit codes:", t[int((NR+1)/2)], t[int(NR*0.9+0.5)], t[NR]; for (k in c) printf " %s×%d", k, c[k]; print ""}'
python3 "$(dirname "$corpus")/score.py" "$corpus" "$results"
