#!/usr/bin/env bash
# Runs every test. What they need beside cargo is fetched first: the inference library and the
# smallest model (98 MB). Nothing is skipped: a test that cannot run fails.
set -euo pipefail
cd "$(dirname "$0")/.."

./scripts/install-deps.sh
NARROWROOM_ORT_LIBRARY=$(./scripts/fetch.sh runtime)
NARROWROOM_TEST_MODEL=$(./scripts/fetch.sh model smollm2-135m)
export NARROWROOM_ORT_LIBRARY NARROWROOM_TEST_MODEL
cargo test --release --locked --no-fail-fast --features layer-mutation "$@"
