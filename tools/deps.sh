#!/usr/bin/env bash
# Installs what Hark is built with, and nothing twice: Debian packages, libvosk, and (where Debian's are too old) meson and abseil.
# usage: tools/deps.sh [run|test]     `test` adds the peers that the end-to-end tests talk to.
# Everything that is not a Debian package goes to .deps/ beside this project; delete it to start afresh.
set -euo pipefail
cd "$(dirname "$0")/.."
want=${1:-run}
deps=$PWD/.deps
mkdir -p "$deps/lib" "$deps/include" "$deps/src"

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'deps: %s\n' "$*" >&2; exit 1; }

# --- Debian packages -------------------------------------------------------------------------------------------------
packages=(build-essential cmake pkg-config clang libclang-dev git
  python3 python3-venv python3-pip ca-certificates
  libasound2-dev libpulse-dev libssl-dev espeak-ng)
[ "$want" = run ] || packages+=(pulseaudio pulseaudio-utils mosquitto mosquitto-clients baresip-core sip-tester flite sox)

missing=()
if command -v dpkg-query >/dev/null; then
  for p in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
  done
fi
if [ ${#missing[@]} -gt 0 ]; then
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  command -v apt-get >/dev/null || die "no apt-get here; install by hand: ${missing[*]}"
  [ -z "$sudo" ] || command -v sudo >/dev/null || die "not root and no sudo; run as root: apt-get install ${missing[*]}"
  say "installing Debian packages: ${missing[*]}"
  $sudo apt-get update -q
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi
command -v cargo >/dev/null || die "no Rust toolchain: install rustup (1.91 or newer is needed), then run make again"

# --- Python environment for meson, ninja and the downloads -------------------------------------------------------------
venv=$deps/venv
if [ ! -x "$venv/bin/ninja" ] || [ ! -x "$venv/bin/meson" ]; then
  say "making a Python environment with meson and ninja in .deps/venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" -q --disable-pip-version-check install 'setuptools<80' wheel meson==1.7.0 ninja==1.13.0
fi
pip=("$venv/bin/pip" -q --disable-pip-version-check)

# --- libvosk, out of the PyPI wheel ------------------------------------------------------------------------------------
if [ ! -s "$deps/lib/libvosk.so" ]; then
  case "$(uname -m)" in
    x86_64)         platform=manylinux2010_x86_64    sum=25e025093c4399d7278f543568ed8cc5460ac3a4bf48c23673ace1e25d26619f ;;
    aarch64)        platform=manylinux2014_aarch64   sum=54efb47dd890e544e9e20f0316413acec7f8680d04ec095c6140ab4e70262704 ;;
    armv7l)         platform=linux_armv7l            sum=4221f83287eefe5abbe54fc6f1da5774e9e3ffcbbdca1705a466b341093b072e ;;
    *) die "no libvosk for $(uname -m): x86_64, aarch64 and armv7l only" ;;
  esac
  say "fetching libvosk 0.3.45 ($platform)"
  rm -rf "$deps/src/vosk"; mkdir -p "$deps/src/vosk"
  "${pip[@]}" download --no-deps --only-binary=:all: --platform "$platform" --python-version 3 --implementation py --abi none \
    -d "$deps/src/vosk" vosk==0.3.45
  echo "$sum  $(echo "$deps"/src/vosk/*.whl)" | sha256sum -c --quiet - || die "the vosk wheel is not the one we know (sha256); nothing was installed"
  "$venv/bin/python" -m zipfile -e "$deps"/src/vosk/*.whl "$deps/src/vosk/x"
  cp "$deps/src/vosk/x/vosk/libvosk.so" "$deps/lib/libvosk.so.tmp" && mv "$deps/lib/libvosk.so.tmp" "$deps/lib/libvosk.so"
  rm -rf "$deps/src/vosk"
fi

# --- abseil for webrtc-audio-processing, where Debian's is older than 20240722 ------------------------------------------
if ! pkg-config --atleast-version=20240722 absl_base 2>/dev/null && [ ! -e "$deps/lib/pkgconfig/absl_base.pc" ]; then
  sum=44a8502dd5de653ae6a73e2de50a401d84184f0331d0ac3daeb044e66d5c5054
  say "building abseil (about a minute)"
  rm -rf "$deps/src/absl"; mkdir -p "$deps/src/absl"
  "${pip[@]}" download --no-deps --no-build-isolation --no-binary=:all: -d "$deps/src/absl" grpcio==1.68.1
  echo "$sum  $deps/src/absl/grpcio-1.68.1.tar.gz" | sha256sum -c --quiet - || die "the grpcio source is not the one we know (sha256); nothing was built"
  tar -xzf "$deps/src/absl/grpcio-1.68.1.tar.gz" -C "$deps/src/absl" --strip-components=1 grpcio-1.68.1/third_party/abseil-cpp
  log=$deps/src/absl.log
  # That copy comes without its CMake files, so its sources are compiled here, into one archive that all of abseil's names point to.
  ( cd "$deps/src/absl/third_party/abseil-cpp"
    find absl -name '*.cc' | grep -vE '_test|benchmark|mock|test_|matchers' | sort >sources &&
    xargs -P "$(nproc)" -n 1 sh -c 'g++ -std=c++17 -O2 -fPIC -I. -c "$1" -o "$(echo "$1" | tr / _).o"' sh <sources &&
    ar rcs libabsl_strings.a ./*.o &&
    find absl \( -name '*.h' -o -name '*.inc' \) -exec cp --parents {} "$deps/include/" \;
  ) >"$log" 2>&1 || { tail -30 "$log" >&2; die "abseil did not build; the whole log is in $log"; }
  mkdir -p "$deps/lib/pkgconfig"
  cp "$deps/src/absl/third_party/abseil-cpp/libabsl_strings.a" "$deps/lib/"
  for name in flags strings numeric synchronization bad_optional_access base; do
    printf 'prefix=%s\nName: absl_%s\nDescription: abseil, built by tools/deps.sh\nVersion: 20240722\nLibs: -L${prefix}/lib -labsl_strings -lpthread\nCflags: -I${prefix}/include\n' \
      "$deps" "$name" >"$deps/lib/pkgconfig/absl_$name.pc"
  done
  rm -rf "$deps/src/absl"
fi
