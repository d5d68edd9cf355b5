#!/bin/sh
# Brings programs that only the tests and the demo need, from Debian, into build/debian:
#
#   packaging/fetch-debian-tools.sh containerd docker-registry oras tmux
#
# The packages are unpacked, not installed: the machine's own apt lists, cache and packages are not
# touched, and no root is needed. They come from the mirror that this machine already uses, and apt
# verifies them with Debian's own keyring. What is there already is left alone; to take newer
# versions, remove build/debian.
#
#   build/debian/<tool>/      the unpacked package, with its version in .version
#   build/debian/bin/         links to the programs of all of them
set -eu

usage="usage: ${0##*/} TOOL...   (containerd, docker-registry, oras, cosign, notation, mmdebstrap, prometheus, qemu-user-static,
  libc6-arm64-cross, runc, tmux, ruby3.1, nix-bin, docker.io, etcd-server, kubectl) | --mirror"

# shellcheck source=packaging/private-apt.sh
. "$(dirname "$0")/private-apt.sh"

# Which suite has the version that the tests are about. Debian's packages run on older releases of
# Debian as long as their libc6 does; all of these ask for 2.34, and Debian 12 has 2.36.
suite_of() {
  case $1 in
    containerd) echo forky ;;             # 2.1 or later: bookworm's 1.6 knows no image verifiers
    docker-registry) echo bookworm ;;     # 2.8: a registry without the Referrers API
    oras | cosign | notation | kubectl) echo forky ;; # kustomize's components need kubectl 1.21 or later
    mmdebstrap | prometheus | qemu-user-static | libc6-arm64-cross | runc | tmux | ruby3.1 | nix-bin | docker.io | etcd-server) echo bookworm ;;
    *) return 1 ;;
  esac
}

programs_of() {
  case $1 in
    containerd) echo "containerd ctr" ;;
    prometheus) echo "promtool" ;;
    qemu-user-static) echo "qemu-aarch64-static" ;;
    nix-bin) echo "nix-instantiate" ;;
    docker.io) echo "docker" ;; # dockerd is in usr/sbin; its containerd must not replace the newer one
    etcd-server) echo "etcd" ;;
    libc6-arm64-cross) ;; # what programs for arm64 are linked with
    *) echo "$1" ;;
  esac
}

# Libraries that a tool needs and that not every Debian has: they are unpacked beside it.
libraries_of() {
  case $1 in
    tmux) echo "libevent-core-2.1-7 libutempter0" ;;
    ruby3.1) echo "libruby3.1" ;;
    docker.io) echo "containerd runc" ;;
    nix-bin) echo "libboost-context1.74.0 libcpuid16 libgc1 libsodium23 libarchive13 libbrotli1" ;;
  esac
}

[ $# -gt 0 ] || die "$usage"
if [ "$1" = --mirror ]; then
  # For packaging/make-root.sh.
  mirror
  exit 0
fi
for tool; do suite_of "$tool" >/dev/null || die "unknown tool $tool; $usage"; done

root=$(cd "$(dirname "$0")/.." && pwd)
debian=$root/build/debian
mkdir -p "$debian/bin"
# Two suites that start at once: the second waits, and finds what the first has brought.
exec 9>"$debian/.lock"
flock -w 300 9 || die "another run has held $debian/.lock for five minutes"

missing=''
for tool; do [ -f "$debian/$tool/.version" ] || missing="$missing $tool"; done

if [ -n "$missing" ]; then
  say "fetching$missing"
  # shellcheck disable=SC2046 # several suites
  private_apt $(for tool in $missing; do suite_of "$tool"; done | sort -u)

  for tool in $missing; do
    suite=$(suite_of "$tool")
    rm -f "$work"/debs/*
    packages="$tool/$suite"
    for library in $(libraries_of "$tool"); do packages="$packages $library/$suite"; done
    # shellcheck disable=SC2086 # several packages
    (cd "$work/debs" && private download $packages) || die "apt could not fetch $packages (see above)"
    new=$debian/.$tool.new
    rm -rf "$new" "${debian:?}/$tool"
    mkdir "$new"
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$new"; done
    for program in $(programs_of "$tool"); do
      [ -x "$new/usr/bin/$program" ] || die "the package $tool of $suite has no usr/bin/$program"
      unmet=$(LD_LIBRARY_PATH=$(printf '%s:' "$new"/usr/lib/*-linux-gnu "$new"/usr/lib/nix) ldd "$new/usr/bin/$program" 2>&1 | grep 'not found' || true)
      [ -z "$unmet" ] || die "$program of $suite does not run on this system:
$unmet"
      ln -sfn "../$tool/usr/bin/$program" "$debian/bin/$program"
    done
    printf '%s (%s)\n' "$(dpkg-deb -f "$work"/debs/"$tool"_*.deb Version)" "$suite" >"$new/.version"
    # Last, so that a directory with this name is always complete.
    mv "$new" "$debian/$tool"
    rm -f "$work"/debs/*
  done
fi

for tool; do printf '%s %s\n' "$tool" "$(cat "$debian/$tool/.version")"; done
