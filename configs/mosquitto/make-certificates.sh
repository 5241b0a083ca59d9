#!/bin/sh
# A certificate authority for the house and a certificate for its broker, good for ten years.
# usage: make-certificates.sh FOLDER NAME-OR-ADDRESS...      what the speakers call the broker by
set -eu
[ $# -ge 2 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }
umask 077
folder=$1; shift
mkdir -p "$folder"
cd "$folder"
[ ! -e ca.key ] || { echo "make-certificates: $folder/ca.key is there already; remove it to begin anew" >&2; exit 1; }

names=
for name in "$@"; do
  case $name in
    *[!0-9.:a-fA-F]*) kind=DNS ;;
    *[.:]*) kind=IP ;;
    *) kind=DNS ;;
  esac
  names=${names:+$names,}$kind:$name
done

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
key ca.key
openssl req -x509 -new -key ca.key -days 3650 -subj '/CN=Hark house' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.pem
key broker.key
openssl req -new -key broker.key -subj "/CN=$1" -out broker.csr
printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\n' "$names" >broker.ext
openssl x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile broker.ext -out broker.pem 2>/dev/null
rm -f broker.csr broker.ext
chmod 644 ca.pem broker.pem
echo "ca.pem goes to the speakers; ca.key is to be kept safe, and is needed for a new broker only"
