#!/bin/sh
# Makes a clean Debian in build/roots/NAME, with these packages, to try packages in, to run Debian's own checkers, and
# programs that need a later libc6 than this machine's: packaging/make-root.sh [--suite SUITE] NAME [PACKAGE...], by
# default of bookworm. Needs root; the machine's own apt and packages are untouched.
set -eu

say() { printf '%s\n' "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

suite=bookworm
if [ "${1-}" = --suite ] && [ $# -gt 1 ]; then
  suite=$2
  shift 2
fi
[ $# -gt 0 ] || die "usage: ${0##*/} [--suite SUITE] NAME [PACKAGE...]"
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
say "making a Debian $suite with: ${wanted:-nothing more}"
include=$(printf '%s' "$wanted" | tr ' ' ,)
# How old lists may be is this machine's setting.
valid=$(apt-config dump --format '%v' Acquire::Check-Valid-Until)
# Without recommended packages, documents and translations: nobody reads in there.
PATH="$here/build/debian/mmdebstrap/usr/bin:$PATH" mmdebstrap --quiet --mode=root --variant=minbase ${include:+--include="$include"} \
  --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
  ${valid:+--aptopt="Acquire::Check-Valid-Until \"$valid\""} \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  "$suite" "$root.new" "deb [signed-by=$keyring] $mirror $suite main" >&2
printf '%s' "$wanted" >"$root.new/.packages"
mv "$root.new" "$root"
