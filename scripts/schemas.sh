#!/usr/bin/env bash
# Writes schemas/*.json from the program's types; with --check fails when a committed one is old.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/build.sh --quiet
out=schemas
if [ "${1:-}" = --check ]; then out=$(mktemp -d); trap 'rm -rf "$out"' EXIT; fi
for kind in report verdict adapter record review playbook catalogue audit batch merged guard; do
  ./target/release/narrowroom schema "$kind" >"$out/$kind.schema.json"
done
if [ "$out" != schemas ]; then
  diff -ru schemas "$out" || { echo "error: schemas/ is not current" >&2; echo " hint: run scripts/schemas.sh and commit" >&2; exit 1; }
  echo "schemas are current"
fi
