#!/usr/bin/env bash
# Builds the program and the packer of the project's own fixtures. In one command: apart, cargo compiles the library twice,
# because the packer is an example and brings other features of shared dependencies. Options go to cargo; NARROWROOM_FEATURES
# names features, so that checks can use what the tests have built.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --locked --bin narrowroom --example pack-fixtures ${NARROWROOM_FEATURES:+--features "$NARROWROOM_FEATURES"} "$@"
