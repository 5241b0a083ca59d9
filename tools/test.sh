#!/usr/bin/env bash
# Runs every test. An end-to-end scene that fails is played once more, alone: scenes are real calls in real time, and a machine that is busy
# with something else breaks sound and voices. What fails twice fails, and so does everything else that fails once.
set -uo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT

cargo test --release --locked --workspace --no-fail-fast 2>&1 | tee "$log"
first=${PIPESTATUS[0]}
[ "$first" != 0 ] || exit 0

mapfile -t failed < <(sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$log" | sort -u)
if [ ${#failed[@]} = 0 ] || [ ${#failed[@]} -gt 6 ]; then exit "$first"; fi
for name in "${failed[@]}"; do
  case $name in scenes::* | harness::*) ;; *) exit "$first" ;; esac
done
for name in "${failed[@]}"; do
  printf '\033[1m== once more, alone: %s\033[0m\n' "$name"
  cargo test --release --locked --package hark --test e2e -- --exact "$name" || exit "$first"
done
printf 'passed the second time: %s\n' "${failed[*]}"
