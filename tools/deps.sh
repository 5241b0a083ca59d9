#!/usr/bin/env bash
# Installs what Hark is built and run with, and nothing twice: Debian packages, libvosk, and (where Debian's are too old) meson and abseil.
# usage: tools/deps.sh [run|test|ears]     `test` adds the peers that the end-to-end tests talk to, `ears` those that `make bench-ears` compares.
# Debian 12 and 13, Raspberry Pi OS of the same age; x86-64, arm64 and armhf (ARMv7). As root, or with sudo.
# Everything that is not a Debian package goes to .deps/ beside this project; delete it to start afresh. Nothing else is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
want=${1:-run}
deps=$PWD/.deps
mkdir -p "$deps/bin" "$deps/lib" "$deps/include" "$deps/src"
export PATH=$deps/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'deps: %s\n' "$*" >&2; exit 1; }

# Whether version $1 is $2 or newer.
at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

case $want in run | test | ears) ;; *) die "usage: tools/deps.sh [run|test|ears]" ;; esac

# --- The Rust toolchain, first: without it the rest is for nothing -------------------------------------------------------
rust_needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
command -v cargo >/dev/null || die "no Rust toolchain; install rustup, then 'rustup default stable' (Rust $rust_needed or newer is needed), and run make again"
rust_here=$(rustc --version | cut -d ' ' -f 2)
at_least "$rust_here" "$rust_needed" || die "Rust $rust_here is too old: $rust_needed or newer is needed; 'rustup update stable' brings it (Debian's own rustc is too old)"

# --- Debian packages -----------------------------------------------------------------------------------------------------
packages=(build-essential cmake pkg-config clang libclang-dev git ninja-build python3 python3-pip ca-certificates
  libasound2-dev libpulse-dev libssl-dev espeak-ng)
[ "$want" != ears ] || packages+=(flite sox festival festvox-kdlpc16k valgrind python3-venv)
[ "$want" != test ] || packages+=(pulseaudio pulseaudio-utils mosquitto mosquitto-clients baresip-core sip-tester flite sox)

# The architecture of the programs, which on a Raspberry Pi may not be that of its kernel.
if command -v dpkg >/dev/null; then machine=$(dpkg --print-architecture); else machine=$(uname -m); fi
case $machine in
  amd64 | x86_64)
    platform=manylinux2010_x86_64  vosk_sum=25e025093c4399d7278f543568ed8cc5460ac3a4bf48c23673ace1e25d26619f ;;
  arm64 | aarch64)
    platform=manylinux2014_aarch64 vosk_sum=54efb47dd890e544e9e20f0316413acec7f8680d04ec095c6140ab4e70262704; packages+=(libatomic1) ;;
  armhf | armv7l)
    [ "$(uname -m)" != armv6l ] || die "this processor (ARMv6) is too old: the recognizer needs ARMv7 with NEON, such as a Raspberry Pi Zero 2"
    platform=linux_armv7l          vosk_sum=4221f83287eefe5abbe54fc6f1da5774e9e3ffcbbdca1705a466b341093b072e; packages+=(libatomic1) ;;
  *) die "no recognizer (libvosk) for $machine: amd64, arm64 and armhf only" ;;
esac

# One question to dpkg for all of them, so that a second run is quick: "package version" per line, installed ones only.
installed=
if command -v dpkg-query >/dev/null; then
  installed=$(dpkg-query -W -f='${db:Status-Abbrev}|${Package} ${Version}\n' "${packages[@]}" meson libabsl-dev 2>/dev/null | sed -n 's/^.i[^|]*|//p' || true)
fi
missing=()
for package in "${packages[@]}"; do
  grep -q "^$package " <<<"$installed" || missing+=("$package")
done

meson_needed=1.3 # the first whose `meson setup --reconfigure` also sets up, as webrtc-audio-processing calls it
abseil_needed=20240722
debian() { sed -n "s/^$1 \([0-9]*:\)\{0,1\}\([^-+]*\).*/\2/p" <<<"$installed"; } # the version of an installed package
candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*:\)\{0,1\}\([^-+]*\).*/\2/p'; } # and of one to be had
have_meson() {
  [ -x "$deps/bin/meson" ] || at_least "$(debian meson)" $meson_needed ||
    { command -v meson >/dev/null && at_least "$(meson --version)" $meson_needed; }
}
have_abseil() {
  [ -s "$deps/lib/libabsl_strings.a" ] || at_least "$(debian libabsl-dev)" $abseil_needed ||
    pkg-config --atleast-version=$abseil_needed absl_base 2>/dev/null
}

meson_from_debian=no abseil_from_debian=no
have_meson || meson_from_debian=maybe
have_abseil || abseil_from_debian=maybe
if [ ${#missing[@]} -gt 0 ] || [ $meson_from_debian = maybe ] || [ $abseil_from_debian = maybe ]; then
  if command -v apt-get >/dev/null; then
    sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
    [ -z "$sudo" ] || command -v sudo >/dev/null ||
      die "not root and no sudo; run this as root, then make again: apt-get install ${missing[*]}"
    say "looking what packages there are (apt-get update)"
    $sudo apt-get update -q >"$deps/src/apt.log" 2>&1 || { tail -5 "$deps/src/apt.log" >&2; say "apt-get update did not end well; going on with what is known"; }
    if [ $meson_from_debian = maybe ] && at_least "$(candidate meson)" $meson_needed; then missing+=(meson); fi
    if [ $abseil_from_debian = maybe ] && at_least "$(candidate libabsl-dev)" $abseil_needed; then missing+=(libabsl-dev); fi
    if [ ${#missing[@]} -gt 0 ]; then
      say "installing Debian packages: ${missing[*]}"
      $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >"$deps/src/apt.log" 2>&1 ||
        { tail -20 "$deps/src/apt.log" >&2; die "apt-get could not install them; the lines above say why"; }
      installed=$(dpkg-query -W -f='${db:Status-Abbrev}|${Package} ${Version}\n' meson libabsl-dev 2>/dev/null | sed -n 's/^.i[^|]*|//p' || true)
    fi
  else
    # Not a Debian: say what is needed, and go on; the compiler will tell what is really missing.
    say "no apt-get here; these Debian packages or their like are needed: ${missing[*]}"
  fi
fi

# Debian's own Python and not one that a version manager put in front of it: it has pip and setuptools for sure.
python=/usr/bin/python3
[ -x $python ] || python=python3
# Fetches from PyPI only a file with exactly this checksum, whatever mirrors are configured: package==version, sha256, folder, options...
fetch() {
  local what=$1 sum=$2 folder=$3; shift 3
  rm -rf "$folder"; mkdir -p "$folder"
  printf '%s --hash=sha256:%s\n' "$what" "$sum" >"$folder/wanted"
  "$python" -m pip -q download --no-deps --require-hashes -r "$folder/wanted" -d "$folder" "$@" >"$deps/src/pip.log" 2>&1 ||
    { tail -5 "$deps/src/pip.log" >&2; die "could not fetch $what with the known checksum; is there a network?"; }
}

# --- libvosk, out of the PyPI wheel --------------------------------------------------------------------------------------
if [ ! -s "$deps/lib/libvosk.so" ]; then
  say "fetching the recognizer, libvosk 0.3.45 ($platform)"
  fetch vosk==0.3.45 $vosk_sum "$deps/src/vosk" --only-binary=:all: --platform $platform --python-version 3 --implementation py --abi none
  "$python" -m zipfile -e "$deps"/src/vosk/*.whl "$deps/src/vosk/x"
  mv "$deps/src/vosk/x/vosk/libvosk.so" "$deps/lib/libvosk.so"
  rm -rf "$deps/src/vosk"
fi

# --- meson, where Debian's is too old ------------------------------------------------------------------------------------
if ! have_meson; then
  say "fetching meson 1.7.0"
  fetch meson==1.7.0 ae3f12953045f3c7c60e27f2af1ad862f14dee125b4ed9bcb8a842a5080dbf85 "$deps/src/meson" --only-binary=:all:
  rm -rf "$deps/meson"
  "$python" -m zipfile -e "$deps"/src/meson/*.whl "$deps/meson"
  # A script of its own, not a module: ninja calls meson again by the path that it was started with.
  cat >"$deps/bin/meson.tmp" <<END
#!$python
# meson 1.7.0, unpacked by tools/deps.sh
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "meson"))
from mesonbuild.mesonmain import main
sys.exit(main())
END
  chmod +x "$deps/bin/meson.tmp" && mv "$deps/bin/meson.tmp" "$deps/bin/meson"
  rm -rf "$deps/src/meson"
fi

# --- abseil for webrtc-audio-processing, where Debian's is too old -------------------------------------------------------
if ! have_abseil; then
  say "fetching and building abseil (a minute or two)"
  fetch grpcio==1.68.1 44a8502dd5de653ae6a73e2de50a401d84184f0331d0ac3daeb044e66d5c5054 "$deps/src/absl" --no-build-isolation --no-binary=:all:
  tar -xzf "$deps/src/absl/grpcio-1.68.1.tar.gz" -C "$deps/src/absl" --strip-components=1 grpcio-1.68.1/third_party/abseil-cpp
  log=$deps/src/absl.log
  # That copy comes without its CMake files, so its sources are compiled here, into one archive that all of abseil's names point to.
  ( set -e
    cd "$deps/src/absl/third_party/abseil-cpp"
    find absl -name '*.cc' | grep -vE '_test|benchmark|mock|test_|matchers' | sort >sources
    xargs -P "$(nproc)" -n 1 sh -c 'g++ -std=c++17 -O2 -fPIC -I. -c "$1" -o "$(echo "$1" | tr / _).o"' sh <sources
    ar rcs libabsl_strings.a ./*.o
    find absl \( -name '*.h' -o -name '*.inc' \) -exec cp --parents {} "$deps/include/" \;
  ) >"$log" 2>&1 || { tail -30 "$log" >&2; die "abseil did not build; the whole log is in $log"; }
  mkdir -p "$deps/lib/pkgconfig"
  for name in flags strings numeric synchronization bad_optional_access base; do
    printf 'prefix=${pcfiledir}/../..\nName: absl_%s\nDescription: abseil, built by tools/deps.sh\nVersion: %s\nLibs: -L${prefix}/lib -labsl_strings -lpthread\nCflags: -I${prefix}/include\n' \
      "$name" $abseil_needed >"$deps/lib/pkgconfig/absl_$name.pc"
  done
  mv "$deps/src/absl/third_party/abseil-cpp/libabsl_strings.a" "$deps/lib/" # last: it is what a second run looks for
  rm -rf "$deps/src/absl"
fi

# --- wake word spotters to compare with, out of PyPI ---------------------------------------------------------------------
if [ "$want" = ears ] && ! "$deps/ears/bin/python" -c 'import pocketsphinx, pymicro_wakeword' 2>/dev/null; then
  say "fetching PocketSphinx and microWakeWord, to compare with"
  { "$python" -m venv "$deps/ears" && "$deps/ears/bin/pip" -q install -r tests/bench/ears/requirements.txt; } >"$deps/src/pip.log" 2>&1 ||
    say "they could not be installed; $deps/src/pip.log says why. Measuring goes on without them"
fi
