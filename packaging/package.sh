# What build-deb.sh and build-rpm.sh have in common; they source it, and are given ARCH and BINARY.
# shellcheck shell=sh
set -eu
umask 022
export LC_ALL=C TZ=UTC

arch=$1 binary=$2
: "${SOURCE_DATE_EPOCH:?is not set, and there is no git log to take it from: the time of all files, seconds since 1970}"
# With ~ where package.json has -: before the release, as deb and rpm sort.
version=$(node packaging/release/version.ts)
# It tells which runtime is in this very program.
sbom=$(dirname "$binary")/atcr-verify.cdx.json

# ELF header, e_machine: a program for another machine cannot be executed, and would block every pull.
machine=$(od -An -tx1 -j18 -N1 "$binary" | tr -d ' ')
case $arch:$machine in
  amd64:3e | x86_64:3e | arm64:b7 | aarch64:b7) ;;
  *) printf '%s\n' "$binary is no program for $arch (ELF machine 0x$machine)" >&2; exit 1 ;;
esac

# install_below FOLDER [VARIABLE=...]: all that `make install` installs, by what has been built already.
install_below() {
  folder=$1
  shift
  make --no-print-directory --silent install DESTDIR="$folder" PREFIX=/usr SYSCONFDIR=/etc "$@" \
    BINARY="$binary" SBOM="$sbom" ARM64=none ARM64_SBOM=none.json --old-file="$binary" --old-file="$sbom" \
    --old-file=dist/trust-policy.schema.json --old-file=dist/verify-result.schema.json \
    --old-file=dist/THIRD-PARTY-NOTICES.txt
  gzip -9n "$folder"/usr/share/man/man?/*
}
