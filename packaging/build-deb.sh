#!/bin/sh
# Makes dist/atcr-verify_VERSION_ARCH.deb of what `make install` installs: packaging/build-deb.sh ARCH BINARY.
# The same sources and SOURCE_DATE_EPOCH give the same bytes, wherever and by whomever they are built.
cd "$(dirname "$0")/.."
. packaging/package.sh

stage=build/packages/deb-$arch
rm -rf "$stage"
mkdir -p "$stage/DEBIAN"

install_below "$PWD/$stage" ZSHCOMPDIR=/usr/share/zsh/vendor-completions

doc=$stage/usr/share/doc/atcr-verify
# As Debian has it: the licence is in copyright, the changelog compressed.
rm "$doc/LICENSE"
{
  printf 'atcr-verify (%s) unstable; urgency=medium\n\n  * What has changed stands in CHANGELOG.md.\n\n' "$version"
  printf ' -- %s  %s\n' "$(sed -n 's/^Maintainer: //p' packaging/debian/control)" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} > "$doc/changelog"
install -m 0644 packaging/debian/copyright "$doc/copyright"
install -D -m 0644 packaging/debian/lintian-overrides "$stage/usr/share/lintian/overrides/atcr-verify"
gzip -9n "$doc/changelog"

# KiB as dpkg-gencontrol counts them: a folder is 1, since file systems differ in how large they say it is.
size=$(find "$stage" -path "$stage/DEBIAN" -prune -o -printf '%y %s\n' \
  | awk '{ kib += $1 == "f" ? int(($2 + 1023) / 1024) : 1 } END { print kib }')
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" packaging/debian/control > "$stage/DEBIAN/control"
for script in postinst prerm postrm; do install -m 0755 "packaging/debian/$script" "$stage/DEBIAN/$script"; done
(cd "$stage" && find etc -type f | sort | sed 's|^|/|') > "$stage/DEBIAN/conffiles"
(cd "$stage" && find usr -type f -print0 | sort -z | xargs -0 md5sum) > "$stage/DEBIAN/md5sums"
chmod 0644 "$stage/DEBIAN/conffiles" "$stage/DEBIAN/md5sums" "$stage/DEBIAN/control"
find "$stage" -exec touch --no-dereference -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p dist
# Bookworm's tools do not take zstd; a release says XZ_LEVEL=6, which takes a minute more and a tenth less.
dpkg-deb --root-owner-group -Zxz -z"${XZ_LEVEL:-1}" --build "$stage" "dist/atcr-verify_${version}_$arch.deb" >&2
rm -rf "$stage"
