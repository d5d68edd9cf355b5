#!/bin/sh
# Makes dist/atcr-verify-VERSION-1.ARCH.rpm of what `make install` installs: packaging/build-rpm.sh ARCH BINARY.
# By this machine's rpmbuild, else by Debian's in build/roots/checkers, which takes root.
set -eu
umask 022
export LC_ALL=C TZ=UTC

arch=$1 binary=$2
sbom=$(dirname "$binary")/atcr-verify.cdx.json
: "${SOURCE_DATE_EPOCH:?is not set, and there is no git log to take it from: the time of all files, seconds since 1970}"
cd "$(dirname "$0")/.."
# ELF header, e_machine: a program for another machine cannot be executed, and would block every pull.
machine=$(od -An -tx1 -j18 -N1 "$binary" | tr -d ' ')
case $arch:$machine in
  x86_64:3e | aarch64:b7) ;;
  *) printf '%s\n' "$binary is no program for $arch (ELF machine 0x$machine)" >&2; exit 1 ;;
esac
version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)

jail='' base=$PWD/build/packages
if ! command -v rpmbuild >/dev/null; then
  make --no-print-directory --silent checkers-root
  jail=$PWD/build/roots/checkers
  base=$jail/tmp
fi
work=$base/rpm-$arch
rm -rf "$work"
mkdir -p "$work/stage"
make --no-print-directory --silent install DESTDIR="$work/stage" PREFIX=/usr SYSCONFDIR=/etc BINARY="$binary" SBOM="$sbom" ARM64=none ARM64_SBOM=none.json --old-file="$binary" \
  --old-file=dist/trust-policy.schema.json --old-file=dist/THIRD-PARTY-NOTICES.txt --old-file="$sbom"
gzip -9n "$work"/stage/usr/share/man/man?/*
mkdir -p "$work/stage/var/cache/atcr-verify" "$work/stage/var/lib/atcr-verify" "$work/stage/var/log/atcr-verify"
find "$work/stage" -exec touch --no-dereference -d "@$SOURCE_DATE_EPOCH" {} +
install -m 0644 packaging/rpm/atcr-verify.spec "$work/atcr-verify.spec"
inside=${work#"$jail"}
${jail:+chroot "$jail"} env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" LC_ALL=C TZ=UTC HOME="$inside" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  rpmbuild --quiet -bb --target "$arch-linux" --define "_topdir $inside/top" --define "_dbpath $inside/db" \
  --define "stage $inside/stage" --define "version_ $version" --define "changed $(date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" "$inside/atcr-verify.spec" >&2
mkdir -p dist
cp "$work/top/RPMS/$arch/atcr-verify-$version-1.$arch.rpm" dist/
rm -rf "$work"
