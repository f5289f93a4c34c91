#!/usr/bin/env bash
# Runs one bundle N times and says whether every report and verdict is the same, byte for byte.
#   benches/repeat.sh N BUNDLE [triage options, such as --no-model]
# NARROWROOM: the program [target/release/narrowroom]. RUNS: where the runs go [a temporary directory].
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: benches/repeat.sh N BUNDLE [triage options]" >&2; exit 2; }
count=$1 bundle=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
bin=${NARROWROOM:-${CARGO_TARGET_DIR:-$root/target}/release/narrowroom}
runs=${RUNS:-}
if [ -z "$runs" ]; then
  runs=$(mktemp -d)
  trap 'rm -rf "$runs"' EXIT
fi

times=()
for ((n = 1; n <= count; n++)); do
  before=$(date +%s%N)
  code=0
  "$bin" triage "$bundle" --quiet --json --runs "$runs" "$@" >/dev/null || code=$?
  # 5: the verifier rejected it; that has to be repeatable as well.
  [ $code = 0 ] || [ $code = 5 ] || exit $code
  times+=($((($(date +%s%N) - before) / 1000000)))
done

different() { find "$runs" -name "$1" -not -path '*/.*' -exec sha256sum {} + | cut -d' ' -f1 | sort | uniq -c | sort -rn; }
reports=$(different report.json)
verdicts=$(different verdict.json)
echo "$count runs: $(wc -l <<<"$reports") different reports, $(wc -l <<<"$verdicts") different verdicts"
sorted=$(printf '%s\n' "${times[@]:1}" | sort -n)
middle=$(sed -n "$((($(wc -l <<<"$sorted") + 1) / 2))p" <<<"$sorted")
echo "first run ${times[0]} ms, median of the others ${middle:-0} ms"
"$bin" audit verify --runs "$runs" | tail -1
if [ "$(wc -l <<<"$reports")" != 1 ] || [ "$(wc -l <<<"$verdicts")" != 1 ]; then
  echo "$reports"
  exit 1
fi
