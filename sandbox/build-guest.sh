#!/bin/sh
# Builds the archive parsers' guest: sandbox/guest -> sandbox/guest.wasm and its hash.
#
#   sandbox/build-guest.sh            build and replace the committed bytes
#   sandbox/build-guest.sh --check    build and compare with them; exit 1 if they differ
#   --toolchain rustup|debian         choose it; see below
#   --keep DIR                        keep the unpacked Debian toolchain in DIR and use it again
#   NARROWROOM_DEBIAN_MIRROR=URL      take Debian from there instead of from this machine's own
#                                     mirror: a snapshot, once trixie has moved on to newer versions
#
# The reference toolchain is Rust's own release below with its wasm32-unknown-unknown target, by
# rustup: the same bytes on every x86-64 Linux machine. Where rustup cannot have it, Debian 13's
# (trixie) rustc and wasm-ld of exactly the versions below take its place: unpacked into a folder
# and run through their own loader, nothing is installed. That builds the same program in other
# bytes, again the same everywhere. guest.wasm.toolchain says which of the two the committed bytes
# are from; only that one compares exactly.
set -eu

RELEASE=1.95.0
DEBIAN_RUST=1.85.1+dfsg1-1+deb13u1
DEBIAN_LLVM=1:19.1.7-3+b1
TARGET=wasm32-unknown-unknown

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
check=false choice='' keep=''
while [ $# -gt 0 ]; do
    case $1 in
        --check) check=true ;;
        --toolchain) choice=${2:?--toolchain needs rustup or debian}; shift ;;
        --keep) keep=${2:?--keep needs a folder}; shift ;;
        *) echo "build-guest: unknown argument $1; see the head of $0" >&2; exit 2 ;;
    esac
    shift
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# Finds or installs the release with its target; sets RUSTUP_TOOLCHAIN.
have_rustup() {
    command -v rustup >/dev/null 2>&1 || return 1
    for name in "$RELEASE" $(rustup toolchain list | cut -d' ' -f1); do
        case $(RUSTUP_AUTO_INSTALL=0 rustup run "$name" rustc -V 2>/dev/null) in
            "rustc $RELEASE "*) RUSTUP_TOOLCHAIN=$name; break ;;
        esac
    done
    if [ -z "${RUSTUP_TOOLCHAIN:-}" ]; then
        rustup toolchain install "$RELEASE" --profile minimal --no-self-update >&2 || return 1
        RUSTUP_TOOLCHAIN=$RELEASE
    fi
    export RUSTUP_TOOLCHAIN
    rustup target list --installed | grep -qx "$TARGET" || rustup target add "$TARGET" >&2
}

# Debian's toolchain, unpacked into $1.
fetch_debian() {
    command -v apt-get >/dev/null 2>&1 || { echo "build-guest: Debian's toolchain needs apt-get" >&2; return 1; }
    root=$1 apt=$work/apt
    mkdir -p "$root" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/state" "$work/debs"
    : >"$apt/state/status"
    mirror=${NARROWROOM_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m1 -E '/debian/?$' || true)}
    [ -n "$mirror" ] || { echo "build-guest: no Debian mirror is configured here; name one in NARROWROOM_DEBIAN_MIRROR" >&2; return 1; }
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$apt/sources.list"
    set -- -qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -o "Dir::State=$apt/state" \
        -o "Dir::State::status=$apt/state/status" -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" \
        -o APT::Sandbox::User=root -o APT::Architecture=amd64
    apt-get "$@" update
    # What the compiler and the linker need at run time, without gcc and the host's standard library.
    needed=$(apt-cache "$@" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances \
        "libstd-rust-1.85=$DEBIAN_RUST" "lld-19=$DEBIAN_LLVM" | grep '^[a-z]' | grep -vE '^(libstd-rust-1.85|lld-19|libllvm19)$' | sort -u)
    # shellcheck disable=SC2086
    (cd "$work/debs" && apt-get "$@" download $needed "rustc=$DEBIAN_RUST" "libstd-rust-1.85=$DEBIAN_RUST" "libstd-rust-dev-wasm32=$DEBIAN_RUST" "lld-19=$DEBIAN_LLVM" "libllvm19=$DEBIAN_LLVM")
    for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$root"; done
    loader="exec '$root/usr/lib64/ld-linux-x86-64.so.2' --library-path '$root/usr/lib/x86_64-linux-gnu:$root/usr/lib/llvm-19/lib'"
    printf '#!/bin/sh\n%s --argv0 rustc "%s/usr/bin/rustc" --sysroot "%s/usr" "$@"\n' "$loader" "$root" "$root" >"$root/rustc"
    printf '#!/bin/sh\n%s --argv0 wasm-ld "%s/usr/lib/llvm-19/bin/lld" "$@"\n' "$loader" "$root" >"$root/wasm-ld"
    chmod +x "$root/rustc" "$root/wasm-ld"
}

unset RUSTUP_TOOLCHAIN
if [ -z "$choice" ]; then
    if have_rustup; then choice=rustup; else choice=debian; fi
fi
case $choice in
    rustup)
        have_rustup || { echo "build-guest: rustup cannot provide Rust $RELEASE with $TARGET here; use --toolchain debian" >&2; exit 1; }
        toolchain="rustup: $(rustc -V)"
        ;;
    debian)
        root=${keep:-$work/root}
        [ -x "$root/rustc" ] || fetch_debian "$root"
        RUSTC=$root/rustc CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$root/wasm-ld
        export RUSTC CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER
        toolchain="Debian trixie: rustc $DEBIAN_RUST, lld-19 $DEBIAN_LLVM"
        ;;
    *) echo "build-guest: --toolchain is rustup or debian" >&2; exit 2 ;;
esac
echo "build-guest: toolchain is $toolchain" >&2

# Built from a copy, with every path of this machine mapped away, so that none can reach the bytes.
cp -R "$here/guest" "$work/guest"
rm -rf "$work/guest/target"
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_RUSTFLAGS RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER
cargo fetch --quiet --manifest-path "$work/guest/Cargo.toml" --locked >&2
RUSTFLAGS="--remap-path-prefix=$work/guest=/guest"
for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    RUSTFLAGS="$RUSTFLAGS --remap-path-prefix=$crates=/crates"
done
export RUSTFLAGS
CARGO_TARGET_DIR="$work/target" cargo build --manifest-path "$work/guest/Cargo.toml" --release --locked --target $TARGET >&2
built=$work/target/$TARGET/release/narrowroom_guest.wasm
hash=$(sha256sum "$built" | cut -d' ' -f1)

if ! $check; then
    cp "$built" "$here/guest.wasm"
    chmod 644 "$here/guest.wasm"
    echo "$hash  guest.wasm" >"$here/guest.wasm.sha256"
    echo "$toolchain" >"$here/guest.wasm.toolchain"
    echo "build-guest: wrote guest.wasm, sha256 $hash" >&2
    [ "$choice" = rustup ] || echo "build-guest: this is not the reference toolchain; prefer Rust $RELEASE by rustup for what is committed" >&2
    exit 0
fi
committed=$(cut -d' ' -f1 "$here/guest.wasm.sha256")
if [ "$(sha256sum "$here/guest.wasm" | cut -d' ' -f1)" != "$committed" ]; then
    echo "build-guest: guest.wasm does not have the hash in guest.wasm.sha256" >&2
    exit 1
fi
if [ "$hash" = "$committed" ]; then
    echo "build-guest: the rebuilt guest is the committed one, sha256 $hash"
    exit 0
fi
echo "build-guest: the rebuilt guest differs: $hash, committed $committed" >&2
with=$(cat "$here/guest.wasm.toolchain")
[ "$toolchain" = "$with" ] || echo "build-guest: the committed one was built with '$with', so other bytes are expected here and nothing is proved" >&2
exit 1
