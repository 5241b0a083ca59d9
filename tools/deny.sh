#!/usr/bin/env bash
# Looks at the licences, the sources and the known flaws of everything that Hark is built on, by cargo-deny and deny.toml.
# Installs cargo-deny when it is not there. Where neither it nor the advisories can be had (no network), says so and is content.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:$HOME/.cargo/bin

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

if ! cargo deny --version >/dev/null 2>&1; then
  say "installing cargo-deny (minutes, once)"
  if ! CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/cargo-deny cargo install cargo-deny --locked -q; then
    say "cargo-deny cannot be installed here: licences and advisories were NOT looked at"
    exit 0
  fi
  rm -rf "${CARGO_TARGET_DIR:-target}/cargo-deny"
fi

say "looking at licences, sources and duplicates"
cargo deny --locked check --hide-inclusion-graph -A no-license-field bans licenses sources # (WebRTC says its BSD licence in a file only)

# The advisories are a repository of their own, fetched from the network.
if cargo deny fetch db >/dev/null 2>&1; then
  say "looking for known flaws"
  cargo deny --locked check --hide-inclusion-graph advisories
else
  say "the database of known flaws cannot be fetched here: advisories were NOT looked at"
fi
