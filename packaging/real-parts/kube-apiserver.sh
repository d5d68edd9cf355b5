# shellcheck shell=sh
# Sourced by build.sh: kube-apiserver from Debian 12's source package `kubernetes`, whose binary package has the client
# alone. Leaves kube-apiserver and .version in $new; builds in $build.

PRIVATE_SOURCES=1 private_apt bookworm
(cd "$work/debs" && private source --download-only kubernetes &&
  private download golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev) ||
  die "apt could not fetch the sources of kubernetes, or Go 1.19 (see above)"

mkdir "$build/go" "$build/tree"
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$build/go"; done
# Debian's patches are about kubectl.
tar -xzf "$(echo "$work"/debs/kubernetes_*.orig.tar.gz)" -C "$build/tree" --strip-components 1
version=$(sed -n 's/^Version: //p' "$work"/debs/kubernetes_*.dsc | head -n 1)
upstream=$(printf '%s' "$version" | sed 's/.*really//; s/-.*//')
rm -f "$work"/debs/*

# With Go 1.19 the vendored one panics at the first pod.
rm -rf "$build/tree/vendor/github.com/modern-go/reflect2"
cp -a "$build/go/usr/share/gocode/src/github.com/modern-go/reflect2" "$build/tree/vendor/github.com/modern-go/"
sed -i 's/rsync -pc {}/cp -p {}/' "$build/tree/hack/lib/golang.sh"
mkdir -p "$build/tree/.go/src/k8s.io" "$build/home"
ln -s ../../.. "$build/tree/.go/src/k8s.io/kubernetes"
cat >"$build/version" <<END
KUBE_GIT_COMMIT='debian'
KUBE_GIT_TREE_STATE='archive'
KUBE_GIT_VERSION='v$upstream'
KUBE_GIT_MAJOR='$(printf '%s' "$upstream" | cut -d . -f 1)'
KUBE_GIT_MINOR='$(printf '%s' "$upstream" | cut -d . -f 2)'
END

# The environment of `make` here is not for the make of Kubernetes.
(cd "$build/tree/.go/src/k8s.io/kubernetes" &&
  env -i HOME="$build/home" PATH="$build/go/usr/lib/go-1.19/bin:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C \
    GOROOT="$build/go/usr/lib/go-1.19" GOPATH="$build/tree/.go" GOCACHE="$build/cache" GOPROXY=off CGO_ENABLED=0 \
    KUBE_GIT_VERSION_FILE="$build/version" make WHAT=cmd/kube-apiserver >&2) ||
  die "kube-apiserver could not be built (see above)"
cp "$build/tree/_output/bin/kube-apiserver" "$new/kube-apiserver"
printf '%s (Debian %s)\n' "$upstream" "$version" >"$new/.version"
