#!/usr/bin/env bash
# Checks the attestation of a fresh run with independent implementations from PyPI: securesystemslib
# for the envelopes, in-toto-attestation for the statements. They are installed into a virtual
# environment (VENV, else a temporary one). NARROWROOM: the program [target/release/narrowroom].
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${NARROWROOM:-${CARGO_TARGET_DIR:-target}/release/narrowroom}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
venv=${VENV:-$work/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check \
  'securesystemslib[crypto]==1.6.0' 'in-toto-attestation==0.9.3'

mkdir "$work/bundle"
echo 'Jan  1 00:00:00 host kernel: Out of memory: Killed process 1 (java)' >"$work/bundle/messages"
tar -C "$work" -czf "$work/bundle.tar.gz" bundle
export HOME=$work XDG_DATA_HOME=$work/data
"$bin" triage "$work/bundle.tar.gz" --no-model --quiet --runs "$work/runs" >/dev/null
"$bin" audit key --pem >"$work/program.pem"
run=$("$bin" runs --json --runs "$work/runs" | "$venv/bin/python" -c 'import json,sys; print(json.load(sys.stdin)[0]["id"])')
"$venv/bin/python" tests/attest_check.py "$work/runs/$run" "$work/program.pem"
"$bin" attest verify "$run" --runs "$work/runs"
