#!/usr/bin/env bash
# Builds the ears of the bench (tests/bench/ears/src/bin/hear.rs) for arm64 on an x86-64 Debian and counts what they execute under qemu, so that what
# listening costs on a Raspberry Pi can be estimated without one. Everything goes to .deps/arm64.
# usage: tools/arm64.sh build | tools/arm64.sh count MODEL SOUND LANGUAGES SECONDS     `count` tells instructions on standard output
set -euo pipefail
cd "$(dirname "$0")/.."
arm=$PWD/.deps/arm64
root=$arm/root
hear=$arm/target/aarch64-unknown-linux-gnu/release/hear

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'arm64: %s\n' "$*" >&2; exit 1; }

build() {
  [ "$(dpkg --print-architecture)" = amd64 ] || die "only from an x86-64 Debian"
  mkdir -p "$arm/debs" "$arm/lists/partial" "$arm/lib"
  packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)
  missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    say "installing ${missing[*]}"
    $sudo apt-get install -qy --no-install-recommends "${missing[@]}" >"$arm/apt.log" 2>&1 || die "apt-get install failed; see $arm/apt.log"
  fi
  # A compiler with the library of both: unpacked, not installed, for the one of rustup has no arm64 unless it is fetched.
  if [ ! -x "$root/usr/bin/rustc" ]; then
    say "fetching Debian's Rust compiler with its library for arm64"
    apt=(apt-get -q -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o "Dir::State::Lists=$arm/lists")
    "${apt[@]}" update >"$arm/apt.log" 2>&1 || die "apt-get update failed; see $arm/apt.log"
    version=$(apt-cache -o "Dir::State::Lists=$arm/lists" show rustc-web | sed -n 's/^Version: \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    llvm=$(apt-cache -o "Dir::State::Lists=$arm/lists" show "libstd-rust-web-$version" | grep -o 'libllvm[0-9]*' | head -n 1)
    (cd "$arm/debs" && "${apt[@]}" download rustc-web "libstd-rust-web-$version" libstd-rust-web-dev libstd-rust-web-dev:arm64 "$llvm" >>"$arm/apt.log" 2>&1) ||
      die "apt-get download failed; see $arm/apt.log"
    for deb in "$arm"/debs/*.deb; do dpkg-deb -x "$deb" "$root"; rm "$deb"; done
  fi
  if [ ! -s "$arm/lib/libvosk.so" ]; then
    say "fetching libvosk for arm64"
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --platform manylinux2014_aarch64 -d "$arm/vosk" vosk==0.3.45
    python3 -m zipfile -e "$arm"/vosk/*.whl "$arm/vosk/x"
    mv "$arm/vosk/x/vosk/libvosk.so" "$arm/lib/"
    (cd "$arm/debs" && apt-get -q -o APT::Architectures::=amd64 -o APT::Architectures::=arm64 -o "Dir::State::Lists=$arm/lists" \
      download libatomic1:arm64 libstdc++6:arm64 libgcc-s1:arm64 libc6:arm64 >>"$arm/apt.log" 2>&1) || die "apt-get download failed; see $arm/apt.log"
    for deb in "$arm"/debs/*.deb; do dpkg-deb -x "$deb" "$arm/pi"; rm "$deb"; done
  fi
  say "building the ears for arm64"
  LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu RUSTC=$root/usr/bin/rustc RUSTFLAGS= VOSK_LIB_DIR=$arm/lib CARGO_TARGET_DIR=$arm/target \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
    CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C link-arg=-Wl,--allow-shlib-undefined -C link-arg=-Wl,-rpath,$arm/lib" \
    cargo build --release --locked --package ears --no-default-features --bin hear --target aarch64-unknown-linux-gnu
  gcc -O2 -shared -fPIC -o "$arm/count.so" tools/count_instructions.c
}

count() {
  [ -x "$hear" ] || die "run tools/arm64.sh build first"
  qemu-aarch64 -L "$arm/pi" -plugin "$arm/count.so" -E "LD_LIBRARY_PATH=$arm/lib" "$hear" "$@" 2>&1 >/dev/null | sed -n 's/^instructions //p'
}

case ${1:-} in
  build) build ;;
  count) shift; count "$@" ;;
  *) die "usage: tools/arm64.sh build | count MODEL SOUND LANGUAGES SECONDS" ;;
esac
