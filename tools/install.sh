#!/usr/bin/env bash
# Installs Hark, or takes it away again; `make install` and `make uninstall` call this.
# usage: tools/install.sh install PROGRAM | uninstall
#   PREFIX=/usr/local   where to      DESTDIR=   a root to install below, for packagers: then nothing is started and no user made
# Settings and contacts in /etc/hark, once there, are never touched.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
die() { printf 'install: %s\n' "$*" >&2; exit 1; }

what=${1:-}
case $what in
  install) [ $# = 2 ] || die "usage: tools/install.sh install PROGRAM | uninstall" ;;
  uninstall) ;;
  *) die "usage: tools/install.sh install PROGRAM | uninstall" ;;
esac

# Into the system only root may write; below DESTDIR, or in a prefix of one's own, anybody.
if [ -z "$root" ] && [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "not root and no sudo; run as root: PREFIX=$prefix $0 $*"
  say "asking for root, to write below $prefix and /etc"
  exec sudo PREFIX="$prefix" "$here/tools/install.sh" "$@"
fi

bin=$root$prefix/bin lib=$root$prefix/lib share=$root$prefix/share/hark etc=$root/etc/hark
units=$root$prefix/lib/systemd/system users=$root$prefix/lib/sysusers.d
systemd_runs() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

if [ "$what" = uninstall ]; then
  if systemd_runs; then
    say "stopping Hark"
    systemctl disable --now hark.service 2>/dev/null || true
  fi
  say "removing Hark from $root$prefix"
  rm -f "$bin/hark" "$lib/libvosk.so" "$units/hark.service" "$users/hark.conf"
  rm -rf "$share"
  if systemd_runs; then systemctl daemon-reload; fi
  echo "settings and contacts stay in $etc, what Hark remembers in /var/lib/hark, and the user hark"
  exit 0
fi

program=$2
vosk=${VOSK_LIB_DIR:-$here/.deps/lib}/libvosk.so
[ -x "$program" ] || die "there is no program \`$program\`; run make build"
[ -s "$vosk" ] || die "there is no \`$vosk\`; run make deps"

say "installing into $root$prefix"
# libvosk lies where the program looks first: ../lib beside it.
install -D -m 755 "$program" "$bin/hark"
install -D -m 644 "$vosk" "$lib/libvosk.so"
command -v strip >/dev/null && strip "$bin/hark"
(cd "$here" && find models/hark -type f -exec install -D -m 644 {} "$share/{}" \;)
(cd "$here" && find configs -type f -exec install -D -m 644 {} "$share/{}" \;)
chmod 755 "$share/configs/mosquitto/make-certificates.sh"
install -D -m 644 "$here/docs/mqtt.md" "$share/docs/mqtt.md"
for licence in "$here"/LICENSE*; do install -D -m 644 "$licence" "$share/${licence##*/}"; done

say "installing the service"
install -d "$units"
sed "s|/usr/local/bin/hark|$prefix/bin/hark|" "$here/systemd/hark.service" >"$units/hark.service"
chmod 644 "$units/hark.service"
install -D -m 644 "$here/systemd/sysusers.conf" "$users/hark.conf"

fresh=()
install -d -m 750 "$etc"
for file in hark.yaml contacts.yaml; do
  [ -e "$here/configs/$file" ] || continue
  if [ ! -e "$etc/$file" ]; then
    install -m 640 "$here/configs/$file" "$etc/$file"
    fresh+=("$file")
  fi
done

if [ -n "$root" ]; then
  echo "below $root: no user made, nothing started"
  exit 0
fi

if ! getent passwd hark >/dev/null; then
  say "making the user hark, in the group audio"
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers "$users/hark.conf"
  else
    useradd --system --user-group --home-dir /var/lib/hark --no-create-home --shell /usr/sbin/nologin --groups audio hark
  fi
fi
chgrp hark "$etc"
for file in "${fresh[@]}"; do chgrp hark "$etc/$file"; done

if systemd_runs; then
  systemctl daemon-reload
  if [ ${#fresh[@]} = 0 ]; then
    say "starting Hark"
    systemctl enable hark.service
    systemctl restart hark.service
  else
    systemctl enable hark.service
    echo
    echo "Now: 1. write your people into /etc/hark/contacts.yaml, and your account, if you have one, into /etc/hark/hark.yaml"
    echo "     2. $prefix/bin/hark check"
    echo "     3. sudo systemctl start hark        and to see what it does: journalctl -fu hark"
    echo "     4. sudo adduser YOUR-NAME hark      to use hark status and such without sudo (log in again afterwards)"
  fi
else
  echo "no systemd here: start \`$prefix/bin/hark run\` yourself"
fi
