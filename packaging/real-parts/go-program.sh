# shellcheck shell=sh
# Sourced by build.sh: a Go program of test/support/go with Debian's packaged library and all that it needs, since
# modules are not fetched. Of unstable, which has the newest. Leaves the program and .version in $new; builds in $build.

private_apt sid
go=$(private_cache depends golang-go | sed -n 's/^ *Depends: \(golang-[0-9.]*-go\)$/\1/p' | head -n 1)
[ -n "$go" ] || die "the package golang-go names no compiler"
# Libraries alone: what they need besides is not needed to compile them.
packages=$(private_cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances "$library" | grep -E '^golang-[^:]*-dev$' | sort -u)
# shellcheck disable=SC2086 # several packages
(cd "$work/debs" && private download "$go" "${go%-go}-src" $packages) || die "apt could not fetch $library and what it needs (see above)"
mkdir -p "$build/root" "$build/home" "$build/path/src"
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$build/root"; done
version=$(dpkg-deb -f "$(echo "$work"/debs/"$library"_*.deb)" Version)
rm -f "$work"/debs/*

cp -R "$source" "$build/path/src/$name"
compiler=$build/root/usr/lib/${go%-go}
compiler=$(printf '%s' "$compiler" | sed 's|/golang-\([0-9.]*\)$|/go-\1|')
(cd "$build/path/src/$name" &&
  env -i HOME="$build/home" PATH="$compiler/bin:/usr/bin:/bin" LC_ALL=C GOROOT="$compiler" GO111MODULE=off GOTOOLCHAIN=local \
    GOPATH="$build/path:$build/root/usr/share/gocode" GOCACHE="$target/.go-build" CGO_ENABLED=0 \
    go build -trimpath -ldflags='-s -w' -o "$new/$name" . >&2) || die "$name could not be built (see above)"
printf '%s %s\n' "$library" "$version" >"$new/.version"
