#!/usr/bin/env bash
# Checks the attestation of a fresh run with independent implementations from PyPI: securesystemslib
# for the envelopes, in-toto-attestation for the statements; then again when a person has signed, whose
# signature must be on every envelope. They are installed into a virtual
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

"$venv/bin/python" tests/sign_off.py "A. Reviewer" "$bin" review "$run" --json --runs "$work/runs"
person=$work/data/narrowroom/keys/person.pem
"$bin" audit key --key "$person" --pem >"$work/person.pem"
"$venv/bin/python" tests/attest_check.py "$work/runs/$run" "$work/program.pem" "$work/person.pem"
"$bin" attest verify "$run" --person "$work/person.pem" --runs "$work/runs"
"$bin" audit verify --runs "$work/runs" | tail -n 1
# The control: another person's key has signed nothing.
"$bin" audit key --new "$work/other.key" --pem >"$work/other.pem"
if "$venv/bin/python" tests/attest_check.py "$work/runs/$run" "$work/program.pem" "$work/other.pem" 2>/dev/null; then
  echo "error: a key that signed nothing was accepted" >&2
  exit 1
fi
