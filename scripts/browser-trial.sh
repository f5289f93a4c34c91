#!/usr/bin/env bash
# Drives the review page in a headless Chromium: the rules of a review, text planted in every field
# of a bundle, widths and themes, and the printed report. Installs what it needs: Chromium and Node
# from Debian's packages where they are missing, playwright-core from npm into target/.
#
#   scripts/browser-trial.sh [DIRECTORY FOR SCREENSHOTS]
#
# Environment: NARROWROOM and PACK_FIXTURES (built programs; else they are built), CHROMIUM (another
# browser).
set -euo pipefail
cd "$(dirname "$0")/.."

readonly playwright=1.56.1
shots=${1:-target/browser/shots}

missing=()
if [ -z "${CHROMIUM:-}" ]; then
  command -v chromium >/dev/null 2>&1 || missing+=(chromium)
fi
command -v node >/dev/null 2>&1 || missing+=(nodejs)
command -v npm >/dev/null 2>&1 || missing+=(npm)
if [ "${#missing[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: these are missing: ${missing[*]}" >&2
    echo " hint: install them with your package manager and run this again" >&2
    exit 2
  fi
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
export CHROMIUM=${CHROMIUM:-$(command -v chromium)}

mkdir -p target/browser "$shots"
if [ ! -d target/browser/node_modules/playwright-core ] ||
  ! grep -q "\"version\": \"$playwright\"" target/browser/node_modules/playwright-core/package.json; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --prefix target/browser --no-audit --no-fund --ignore-scripts --silent "playwright-core@$playwright"
fi

target=${CARGO_TARGET_DIR:-target}
[ -n "${PACK_FIXTURES:-}" ] && [ -n "${NARROWROOM:-}" ] || ./scripts/build.sh --quiet
pack=$(realpath "${PACK_FIXTURES:-$target/release/examples/pack-fixtures}")
NARROWROOM_BIN=$(realpath "${NARROWROOM:-$target/release/narrowroom}")
export NARROWROOM_BIN

bundles=$(mktemp -d)
trap 'rm -rf -- "$bundles"' EXIT
"$pack" "$bundles" crashloop-bad-config multi-fault logs-missing >/dev/null
BUNDLES=$bundles SHOTS=$(realpath "$shots") PLAYWRIGHT=$(realpath target/browser/node_modules/playwright-core/index.mjs) \
  timeout 600 node --test --test-reporter=spec ${ONLY:+--test-name-pattern="$ONLY"} tests/browser/review.mjs
