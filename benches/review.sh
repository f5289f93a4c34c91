#!/usr/bin/env bash
# How good the guard's review by a model is: 40 changes with a line that should be remarked on, and the same 40 with a
# harmless line in its place.
#   benches/review.sh MODEL|none [NARROWROOM]     prints, for each kind, how many of either were remarked on, and seconds a change
# Remarks that the rules make without a model are counted apart.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 benches/review/measure.py "$1" "$(realpath "${2:-target/release/narrowroom}")"
