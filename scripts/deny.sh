#!/usr/bin/env bash
# Licences, banned crates and sources by cargo-deny, installed into target/ when it is missing. The
# advisory database lives on a host of its own: where that cannot be reached, this says so.
set -euo pipefail
cd "$(dirname "$0")/.."
tool=cargo-deny
if ! command -v "$tool" >/dev/null 2>&1; then
  tool=target/tools/bin/cargo-deny
  [ -x "$tool" ] || cargo install --quiet --locked --root target/tools cargo-deny@0.20.2
fi
"$tool" --log-level error check licenses bans sources
if "$tool" --log-level error check advisories 2>target/advisories.log; then
  echo "advisories ok"
elif grep -qiE 'failed to fetch|unable to fetch|could not resolve|failed to load advisory' target/advisories.log; then
  echo "warning: the advisory database could not be fetched, so advisories were NOT checked" >&2
else
  cat target/advisories.log >&2
  exit 1
fi
