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
  libc6-arm64-cross, runc, tmux, ruby3.1, nix-bin, docker.io) | --mirror"

say() { printf '%s\n' "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# Which suite has the version that the tests are about. Debian's packages run on older releases of
# Debian as long as their libc6 does; all of these ask for 2.34, and Debian 12 has 2.36.
suite_of() {
  case $1 in
    containerd) echo forky ;;             # 2.1 or later: bookworm's 1.6 knows no image verifiers
    docker-registry) echo bookworm ;;     # 2.8: a registry without the Referrers API
    oras | cosign | notation) echo forky ;;
    mmdebstrap | prometheus | qemu-user-static | libc6-arm64-cross | runc | tmux | ruby3.1 | nix-bin | docker.io) echo bookworm ;;
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

# The mirror of Debian that this machine uses. apt knows it best once it has lists; a fresh container
# has none, so its source entries are read then. Security mirrors hold no whole suite.
mirror() {
  # shellcheck disable=SC2016 # apt expands these
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/^Debian|Debian|//p' | head -n 1
}

mirror_from_sources() {
  eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
  # shellcheck disable=SC2154 # set by apt-config
  set -- "$list"
  for file in "$parts"/*.list "$parts"/*.sources; do set -- "$@" "$file"; done
  for file in "$@"; do
    [ -r "$file" ] || continue
    case $file in
      *.sources) awk -v RS= -v OFS=' ' '{
          uri = ""; suites = ""; off = 0; field = ""
          count = split($0, lines, "\n")
          for (i = 1; i <= count; i++) {
            line = lines[i]
            if (line ~ /^#/) continue
            if (line !~ /^[ \t]/) { field = tolower(line); sub(/:.*/, "", field); sub(/^[^:]*:/, "", line) }
            split(line, words, " ")
            if (field == "uris" && uri == "") uri = words[1]
            if (field == "suites") suites = suites " " line
            if (field == "enabled" && tolower(words[1]) == "no") off = 1
          }
          if (!off && uri != "") print uri, suites
        }' "$file" ;;
      *) sed -n 's/#.*//; s/^[[:space:]]*deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}//p' "$file" ;;
    esac
  done | awk -v own="$VERSION_CODENAME" '
    $1 ~ /security/ { next }
    { for (i = 2; i <= NF; i++) if ($i == own || $i ~ /^(stable|testing|unstable|sid|oldstable)$/) { print $1; exit } }'
}

[ $# -gt 0 ] || die "$usage"
if [ "$1" = --mirror ]; then
  # For packaging/make-root.sh.
  VERSION_CODENAME=''
  # shellcheck disable=SC1091
  . /etc/os-release
  found=$(mirror)
  [ -n "$found" ] || found=$(mirror_from_sources)
  [ -n "$found" ] || die "found no mirror of Debian in apt's lists or source entries"
  printf '%s\n' "$found"
  exit 0
fi
for tool; do suite_of "$tool" >/dev/null || die "unknown tool $tool; $usage"; done

root=$(cd "$(dirname "$0")/.." && pwd)
debian=$root/build/debian
ID='' VERSION_CODENAME=''
# shellcheck disable=SC1091
if [ -r /etc/os-release ]; then . /etc/os-release; fi
if [ "$ID" != debian ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  die "these tools are taken from Debian's packages, and this is ${PRETTY_NAME:-an unknown system}; run it on Debian 12 or later"
fi

mkdir -p "$debian/bin"
# Two suites that start at once: the second waits, and finds what the first has brought.
exec 9>"$debian/.lock"
flock -w 300 9 || die "another run has held $debian/.lock for five minutes"

missing=''
for tool; do [ -f "$debian/$tool/.version" ] || missing="$missing $tool"; done

if [ -n "$missing" ]; then
  keyring=''
  for file in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
    if [ -r "$file" ]; then keyring=$file; break; fi
  done
  [ -n "$keyring" ] || die "no keyring to verify packages with; install debian-archive-keyring"
  uri=$(mirror)
  [ -n "$uri" ] || uri=$(mirror_from_sources)
  [ -n "$uri" ] || die "found no mirror of Debian in apt's lists or source entries"

  # In a directory that apt's own unprivileged user can reach, which build/ may not be.
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  chmod 755 "$work"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
  if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
    chown _apt "$work/debs" "$work/lists/partial" "$work/cache/archives/partial"
  fi
  arch=$(dpkg --print-architecture)
  for suite in $(for tool in $missing; do suite_of "$tool"; done | sort -u); do
    printf 'deb [arch=%s signed-by=%s] %s %s main\n' "$arch" "$keyring" "$uri" "$suite"
  done >"$work/sources.list"
  private() {
    apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
      -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Dir::Cache::pkgcache=pkgcache.bin \
      -o Acquire::Languages=none -o Acquire::Retries=2 -o APT::Update::Error-Mode=any "$@" >&2
  }
  say "fetching$missing"
  private update || die "apt could not read the suites it needs from this machine's mirror (see above)"

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
