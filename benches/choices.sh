#!/usr/bin/env bash
# How a model is best asked for a root cause: benches/choices.sh NARROWROOM CORPUS MODEL OUT [eval options]
#   benches/choices.sh target/release/narrowroom CORPUS qwen2.5-coder-0.5b /tmp/choices
# Runs the model alone on a labelled corpus (eval --model-only) once for each way of asking: the likelihood of each cause,
# the number of one as JSON written freely, under a grammar from the first token, and under one after some free words.
# Prints per way, for cases with one fault and more than one candidate: replies in the form asked for, those whose root cause
# came first, and those in the right form with a wrong cause first.
set -euo pipefail
program=$(realpath "$1") corpus=$2 model=$3 out=$4
shift 4
mkdir -p "$out"
for how in likelihood free constrained draft; do
    choose=(--choose "$how")
    [ "$how" = likelihood ] && choose=()
    "$program" eval "$corpus" --model "$model" --model-only --without draft,write --out "$out/$how" "${choose[@]}" "$@" \
        >"$out/$how.txt" 2>"$out/$how.log" || { tail -5 "$out/$how.log" >&2; exit 1; }
done
python3 - "$out" <<'P'
import json, pathlib, statistics, sys

out = pathlib.Path(sys.argv[1])
print(f"{'asked for':<13}{'asked':>7}{'in form':>9}{'first right':>13}{'in form, wrong':>16}{'median s':>10}")
for how in ["likelihood", "free", "constrained", "draft"]:
    cases = json.loads((out / how / "eval.json").read_text())["cases"]
    # A case with fewer than two candidates gives nothing to ask about.
    asked = [case for case in cases if case["kind"] == "positive" and case["tokens"][0] > 0]
    right = [case["hit_rank"] == 1 for case in asked]
    form = [how == "likelihood" or any(note.endswith("in the form asked for") for note in case["notes"]) for case in asked]
    wrong = sum(good and not hit for good, hit in zip(form, right))
    seconds = statistics.median(case["millis"] / 1000 for case in asked)
    print(f"{how:<13}{len(asked):>7}{sum(form):>9}{sum(right):>13}{wrong:>16}{seconds:>10.1f}")
P
