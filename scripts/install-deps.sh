#!/usr/bin/env bash
# Installs what building and fetching need and what this machine lacks. Debian and Ubuntu; elsewhere
# it says what is missing. Everything else comes with cargo.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need cc gcc
need strace strace
need curl curl
need python3 python3
# Collecting is tested with the real one.
need kubectl kubernetes-client
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)

if [ "${#missing[@]}" -gt 0 ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: these are missing: ${missing[*]}" >&2
    echo " hint: install them with your package manager and run this again" >&2
    exit 2
  fi
  sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq "${missing[@]}" >/dev/null
fi

if ! command -v cargo >/dev/null 2>&1; then
  echo "error: Rust is missing" >&2
  echo " hint: install it with rustup (https://rustup.rs), version 1.95 or newer" >&2
  exit 2
fi
