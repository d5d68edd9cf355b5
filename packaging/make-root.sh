#!/bin/sh
# Makes a clean Debian 12 in build/roots/NAME, with these packages, to try packages in and to run Debian's own
# checkers: packaging/make-root.sh NAME [PACKAGE...]. Needs root; the machine's own apt and packages are untouched.
set -eu

say() { printf '%s\n' "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

[ $# -gt 0 ] || die "usage: ${0##*/} NAME [PACKAGE...]"
[ "$(id -u)" = 0 ] || die "a root is made by root: run this as root"
name=$1
shift
here=$(cd "$(dirname "$0")/.." && pwd)
root=$here/build/roots/$name
wanted="$*"
if [ -f "$root/.packages" ] && [ "$(cat "$root/.packages")" = "$wanted" ]; then exit 0; fi

mirror=$("$here/packaging/fetch-debian-tools.sh" --mirror)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r "$keyring" ] || keyring=/usr/share/keyrings/debian-archive-keyring.pgp
rm -rf "$root" "$root.new"
mkdir -p "$root.new"
say "making a Debian 12 with: ${wanted:-nothing more}"
include=$(printf '%s' "$wanted" | tr ' ' ,)
# Without recommended packages, documents and translations: nobody reads in there.
PATH="$here/build/debian/mmdebstrap/usr/bin:$PATH" mmdebstrap --quiet --mode=root --variant=minbase ${include:+--include="$include"} \
  --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  bookworm "$root.new" "deb [signed-by=$keyring] $mirror bookworm main" >&2
printf '%s' "$wanted" >"$root.new/.packages"
mv "$root.new" "$root"
