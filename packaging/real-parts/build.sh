#!/bin/sh
# Builds a part of Kubernetes that the tests run, from Debian's sources, into build/kubernetes:
#
#   packaging/real-parts/build.sh kube-apiserver|dispatcher|admission-policy|kyverno-policy|opa-engine
#
# Nothing is installed, and the machine's own apt is not touched. What was built is cached in ATCR_VERIFY_TEST_CACHE, or
# atcr-verify-tests below the user's cache folder, by a hash of all that it is built from here; Debian's versions are
# in its .version. A second clone copies it from there, if its checksums still hold.
set -eu

# shellcheck source=packaging/private-apt.sh
. "$(dirname "$0")/../private-apt.sh"

[ $# = 1 ] || die "usage: ${0##*/} kube-apiserver|dispatcher|admission-policy|kyverno-policy|opa-engine"
name=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
source=$root/test/support/go/$name
case $name in
  kube-apiserver) set -- "$here/kube-apiserver.sh" ;;
  dispatcher | admission-policy | kyverno-policy) set -- "$here/go-program.sh" "$source"/*.go; library=golang-k8s-apiserver-dev ;;
  opa-engine) set -- "$here/go-program.sh" "$source"/*.go; library=golang-github-open-policy-agent-opa-dev ;;
  *) die "unknown part $name" ;;
esac

target=$root/build/kubernetes
mkdir -p "$target"
key=$(cat "$@" | sha256sum | cut -c 1-16)
cache=${ATCR_VERIFY_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/atcr-verify-tests}
if ! (umask 077 && mkdir -p "$cache") 2>/dev/null || [ ! -O "$cache" ] || [ ! -w "$cache" ]; then
  say "$cache cannot be used as this user's cache: what is built here is kept in $target alone"
  cache=$target/.cache
  mkdir -p "$cache"
fi
cached=$cache/$name-$(dpkg --print-architecture)-$key

# Two clones that build at once: the second waits, and copies.
exec 9>"$cache/.$name.lock"
flock -w 2400 9 || die "another build has held $cache/.$name.lock for 40 minutes"

is_good() { [ -f "$cached/SHA256SUMS" ] && (cd "$cached" && sha256sum --check --strict --quiet SHA256SUMS >&2); }

if [ -e "$cached" ] && ! is_good; then
  say "$cached is not as it was built: it is built again"
  rm -rf "$cached"
fi
if [ ! -e "$cached" ]; then
  say "building $name from Debian's sources; this takes minutes, once"
  clean_up() { rm -rf "${work-}" "${build-}" "${new-}"; }
  build=$(mktemp -d "$root/build/$name.XXXXXX")
  new=$(mktemp -d "$cache/.$name.XXXXXX")
  # shellcheck source=/dev/null
  . "$1"
  (cd "$new" && sha256sum "$name" .version >SHA256SUMS)
  # Last, so that a folder with this name is always complete.
  mv -T "$new" "$cached"
fi
touch "$cached"
find "$cache" -mindepth 1 -maxdepth 1 -type d -name "$name-*" -mtime +60 -exec rm -rf {} +

cp "$cached/$name" "$target/.$name.new"
mv -f "$target/.$name.new" "$target/$name"
printf '%s %s\n' "$name" "$(cat "$cached/.version")"
