# shellcheck shell=sh
# Sourced: takes packages from the mirror of Debian that this machine already uses, without touching the machine's own
# apt lists, cache and packages. No root is needed, and apt verifies what it fetches with Debian's own keyring.
#
#   private_apt SUITE...        opens it for these suites, also for their source packages; `$work` is its folder, in which
#                               `$work/debs` can be written by apt's own unprivileged user
#   private COMMAND...          runs apt-get in it
#   private_cache COMMAND...    runs apt-cache in it

# When the program ends; who sources this may have more to remove.
clean_up() { rm -rf "$work"; }

say() { printf '%s\n' "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

ID='' VERSION_CODENAME=''
# shellcheck disable=SC1091
if [ -r /etc/os-release ]; then . /etc/os-release; fi

# The mirror of Debian that this machine uses. apt knows it best once it has lists; a fresh container
# has none, so its source entries are read then. Security mirrors hold no whole suite.
mirror() {
  # shellcheck disable=SC2016 # apt expands these
  found=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/^Debian|Debian|//p' | head -n 1)
  [ -n "$found" ] || found=$(mirror_from_sources)
  [ -n "$found" ] || die "found no mirror of Debian in apt's lists or source entries"
  printf '%s\n' "$found"
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

private_apt() {
  if [ "$ID" != debian ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    die "this is taken from Debian's packages, and this is ${PRETTY_NAME:-an unknown system}; run it on Debian 12 or later"
  fi
  keyring=''
  for file in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-keyring.pgp; do
    if [ -r "$file" ]; then keyring=$file; break; fi
  done
  [ -n "$keyring" ] || die "no keyring to verify packages with; install debian-archive-keyring"
  uri=$(mirror)

  # In a directory that apt's own unprivileged user can reach, which build/ may not be.
  work=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  chmod 755 "$work"
  mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
  if [ "$(id -u)" = 0 ] && id _apt >/dev/null 2>&1; then
    chown _apt "$work/debs" "$work/lists/partial" "$work/cache/archives/partial"
  fi
  arch=$(dpkg --print-architecture)
  for suite; do
    printf 'deb [arch=%s signed-by=%s] %s %s main\n' "$arch" "$keyring" "$uri" "$suite"
    [ -z "${PRIVATE_SOURCES-}" ] || printf 'deb-src [signed-by=%s] %s %s main\n' "$keyring" "$uri" "$suite"
  done >"$work/sources.list"
  private update || die "apt could not read the suites it needs from this machine's mirror (see above)"
}

privately() {
  command=$1
  shift
  "$command" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o Dir::Cache::pkgcache=pkgcache.bin \
    -o Acquire::Languages=none -o Acquire::Retries=2 -o APT::Update::Error-Mode=any "$@"
}

private() { privately apt-get -qq "$@" >&2; }
private_cache() { privately apt-cache "$@"; }
