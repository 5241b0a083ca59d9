#!/usr/bin/env bash
# Makes models/hark from nothing but packages (and, where they are there, the recordings in ../shared/data or $HARK_DATA): `make model`.
# Two cores need about two hours and 6 GB in .deps/train. Every stage is kept: run it again and it goes on where it stopped;
# delete .deps/train to start afresh. Seeds are fixed; sums in threads are not bit-exact, so two models differ in their last digits.
# HARK_SCALE=0.001 makes a thousandth of everything in .deps/train-try, which shows in minutes that the stages fit together, and understands nothing.
set -euo pipefail
cd "$(dirname "$0")"
root=$PWD/../..
deps=$root/.deps
if [ -n "${HARK_SCALE:-}" ]; then
  HARK_TRAIN=${HARK_TRAIN:-$deps/train-try}
  export HARK_MODEL=${HARK_MODEL:-$HARK_TRAIN/model}
fi
export HARK_TRAIN=${HARK_TRAIN:-$deps/train}
mkdir -p "$HARK_TRAIN" "$deps"

# So many steps of training, scaled.
steps() { awk -v scale="${HARK_SCALE:-1}" -v n="$1" 'BEGIN { n = int(n * scale); print n < 8 ? 8 : n }'; }

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf 'model: %s\n' "$*" >&2; exit 1; }

# --- What it is made with ---------------------------------------------------------------------------------------------------
packages=(espeak-ng libespeak-ng1 flite libflite1 festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts scowl wngerman python3-venv)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "these Debian packages are needed: ${missing[*]}"
  sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  say "installing ${missing[*]}"
  $sudo apt-get update -q >/dev/null || true
  $sudo apt-get install -qy --no-install-recommends "${missing[@]}" >/dev/null || die "apt-get install ${missing[*]} failed"
fi
venv=$deps/train-venv
if ! cmp -s requirements.txt "$venv/installed"; then
  say "Python packages into .deps/train-venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt
  cp requirements.txt "$venv/installed"
fi
py=$venv/bin/python

# --- The stages -------------------------------------------------------------------------------------------------------------
# Two at a time: each takes one core.
in_pairs() {
  local program=$1 running=0; shift
  for job in "$@"; do
    OMP_NUM_THREADS=1 "$py" "$program" "$job" &
    running=$((running + 1))
    if [ $running -ge 2 ]; then wait -n; running=$((running - 1)); fi
  done
  while [ $running -gt 0 ]; do wait -n; running=$((running - 1)); done
}

say "1/7 words, pronunciations and phone bigrams"
"$py" lexicon.py "${HARK_MODEL:-$root/models/hark}"
"$py" pinyin.py
say "2/7 sentences by synthetic voices, and the recordings of people that may train"
trained=(en-espeak en-flite en-festival de-espeak zh-espeak en-espeak-digits en-flite-digits)
held=(en-espeak-held en-flite-held en-festival-held de-espeak-held zh-espeak-held)
in_pairs corpus.py "${trained[@]}" "${held[@]}"
"$py" people.py
say "3/7 features of copies that are bent, echoed and drowned in noise"
copies=() more=()
for shard in "${trained[@]}"; do copies+=("$shard.0" "$shard.1"); done
for shard in "${held[@]}"; do more+=("$shard.0"); done
for copy in {0..14}; do copies+=("people.$copy"); done
in_pairs features.py "${copies[@]}"
say "4/7 the network for the score card: a part of the voices and of the people is kept aside"
# What people said, where several sentences are possible, is chosen by the network that is being trained.
for stop in "$(steps 2000)" "$(steps 3350)"; do
  "$py" train.py score --steps "$(steps 8800)" --stop "$stop"
  [ -s "$HARK_TRAIN/chosen.$stop" ] || { "$py" choose.py score && date >"$HARK_TRAIN/chosen.$stop"; }
done
"$py" train.py score --steps "$(steps 8800)"
say "5/7 the shipped network goes on from it with the synthetic voices that were kept aside; the people stay aside"
in_pairs features.py "${more[@]}"
"$py" train.py shipped --init score --held --steps "$(steps 800)" --rate 3e-4 --hold 0
"$py" export.py shipped
say "6/7 how evidence of a wake phrase is weighed"
if command -v cargo >/dev/null; then
  (cd "$root" && cargo build --release --locked -p speech --example wake_evidence)
  "$py" wake.py
else
  say "no cargo: wake.txt and background.bin stay as they are, right only for the network they were made with"
fi
say "7/7 the score card, of the network that never heard the voices in it"
"$py" score.py score
say "done; sentence.txt weighs the evidence of the network before this one: fit it with sentence.py"
