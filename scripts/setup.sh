#!/usr/bin/env bash
# From a fresh clone to a verified report: installs what is missing (Debian, Ubuntu), fetches the
# inference library and the default model, builds, and triages a bundle made from fixtures/.
set -euo pipefail
cd "$(dirname "$0")/.."

model=${NARROWROOM_MODEL:-qwen2.5-coder-0.5b}
say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
[ -t 2 ] || say() { printf '\n%s\n' "$*" >&2; }

./scripts/install-deps.sh

say "1/4 inference library (ONNX Runtime)"
./scripts/fetch.sh runtime >/dev/null

say "2/4 building"
./scripts/build.sh

say "3/4 model $model"
if ! ./target/release/narrowroom model list --json | grep -q "\"$model\""; then
  gguf=$(./scripts/fetch.sh model "$model")
  ./target/release/narrowroom model import "$gguf"
fi

say "4/4 a bundle from fixtures/, triaged"
mkdir -p target/fixtures
./target/release/examples/pack-fixtures target/fixtures crashloop-bad-config
./target/release/narrowroom triage target/fixtures/crashloop-bad-config.tar.gz --out report.html
printf '\nThe page is report.html. Next: ./target/release/narrowroom triage YOUR-BUNDLE.tar.gz\n'
