#!/usr/bin/env bash
# How fast a model writes what it has to write: benches/replies.sh NARROWROOM MODEL OUT [bench options]
#   benches/replies.sh target/release/narrowroom qwen2.5-coder-1.5b /tmp/replies --against llama.cpp -r 1
# Triages the fixtures with the model, gathers what it wrote in their transcripts, and writes the same replies once more
# after the same prompts: here as in a run, where what is quoted is guessed ahead and confirmed, and in llama.cpp one token
# after the other. What a grammar forces in a run is not counted.
set -euo pipefail
program=$(realpath "$1") model=$2 out=$3
shift 3
[ ! -e "$out/runs" ] || { echo "error: $out holds the runs of another time; name an empty folder" >&2; exit 2; }
mkdir -p "$out"
cd "$(dirname "$0")/.."
for bundle in fixtures/bundles/*/; do
    "$program" triage "$bundle" --model "$model" --runs "$out/runs" >/dev/null 2>"$out/triage.log" || {
        cat "$out/triage.log" >&2
        exit 1
    }
done
# Every sixth: all of them take an hour in five rounds.
cat "$out"/runs/*/transcript.jsonl | awk 'NR % 6 == 1' >"$out/written.jsonl"
wc -l <"$out/written.jsonl" | sed 's/$/ replies/'
"$program" model bench "$model" -p 16 -n 16 --written "$out/written.jsonl" "$@"
