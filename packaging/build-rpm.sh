#!/bin/sh
# Makes dist/atcr-verify-VERSION-1.ARCH.rpm of what `make install` installs: packaging/build-rpm.sh ARCH BINARY.
# By this machine's rpmbuild, else by Debian's in build/roots/checkers, which takes root.
cd "$(dirname "$0")/.."
. packaging/package.sh

jail='' base=$PWD/build/packages
if ! command -v rpmbuild >/dev/null; then
  make --no-print-directory --silent checkers-root
  jail=$PWD/build/roots/checkers
  base=$jail/tmp
fi
work=$base/rpm-$arch
rm -rf "$work"
mkdir -p "$work/stage"
install_below "$work/stage"
mkdir -p "$work/stage/var/cache/atcr-verify" "$work/stage/var/lib/atcr-verify" "$work/stage/var/lib/atcr-verify-node" "$work/stage/var/log/atcr-verify"
find "$work/stage" -exec touch --no-dereference -d "@$SOURCE_DATE_EPOCH" {} +
install -m 0644 packaging/rpm/atcr-verify.spec "$work/atcr-verify.spec"
inside=${work#"$jail"}
${jail:+chroot "$jail"} env SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" LC_ALL=C TZ=UTC HOME="$inside" PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  rpmbuild --quiet -bb --target "$arch-linux" --define "_topdir $inside/top" --define "_dbpath $inside/db" \
  --define "stage $inside/stage" --define "version_ $version" --define "changed $(date -u -d "@$SOURCE_DATE_EPOCH" '+%a %b %d %Y')" "$inside/atcr-verify.spec" >&2
mkdir -p dist
cp "$work/top/RPMS/$arch/atcr-verify-$version-1.$arch.rpm" dist/
rm -rf "$work"
