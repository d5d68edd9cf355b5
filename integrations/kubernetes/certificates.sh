#!/bin/sh
# Makes the server's certificate without cert-manager:
#
#   sh certificates.sh FOLDER [DAYS]
#
# FOLDER gets two components of kustomize, so that deleting the registration leaves the server its certificate:
#
#   server               the certificate as the Secret atcr-verify-tls: for the `components` of the server's kustomization
#   registration         the authority as caBundle of webhooks and providers: for those of the registration's. No secrets
#
# and these files:
#
#   ca.crt, ca.key       an authority that signs nothing but this. Keep ca.key offline, or the cluster's traffic can be forged
#   tls.crt, tls.key     the server's, for DAYS days (365)
#   client.crt, client.key   for the API server, where it is asked for one (ImagePolicyWebhook)
#
# Run it again to renew: the authority stays if ca.key is there, so webhooks need no change. openssl 1.1.1 or later.
set -eu
umask 077

[ $# -ge 1 ] && [ $# -le 2 ] || { echo "usage: ${0##*/} FOLDER [DAYS]" >&2; exit 2; }
folder=$1
days=${2:-365}
names='DNS:atcr-verify.atcr-verify.svc,DNS:atcr-verify.atcr-verify,IP:127.0.0.1'

mkdir -p "$folder"
cd "$folder"

if [ ! -e ca.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 3650 \
    -subj '/CN=atcr-verify CA' -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' \
    -addext 'keyUsage=critical,keyCertSign,cRLSign' 2>/dev/null
fi

# NAME USAGE EXTENSIONS
issue() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key.new" -out "$1.csr" \
    -subj "/CN=$2" 2>/dev/null
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n%b\n' "$3" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 16)" -days "$days" -sha256 \
    -extfile "$1.ext" -out "$1.crt.new" 2>/dev/null
  openssl verify -CAfile ca.crt "$1.crt.new" >/dev/null
  rm "$1.csr" "$1.ext"
  mv "$1.key.new" "$1.key"
  mv "$1.crt.new" "$1.crt"
}
issue tls atcr-verify "extendedKeyUsage=serverAuth\nsubjectAltName=$names"
issue client kube-apiserver 'extendedKeyUsage=clientAuth'

bundle=$(openssl base64 -A -in ca.crt)
# KIND NAME PATH...
patch() {
  printf '  - target:\n      kind: %s\n      name: %s\n    patch: |\n' "$1" "$2"
  shift 2
  for path; do printf '      - op: add\n        path: %s\n        value: %s\n' "$path" "$bundle"; done
}
mkdir -p server registration
head='# Written by certificates.sh.\napiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n'
cp ca.crt tls.crt tls.key server/ # kustomize reads nothing outside of a component's folder
{
  printf '%b' "$head"
  printf 'secretGenerator:\n  - name: atcr-verify-tls\n    namespace: atcr-verify\n    type: kubernetes.io/tls\n'
  printf '    files: [ca.crt, tls.crt, tls.key]\n    options:\n      disableNameSuffixHash: true\n'
} >server/kustomization.yaml
{
  printf '%b' "$head"
  printf 'patches:\n'
  # shellcheck disable=SC2046 # several paths
  patch ValidatingWebhookConfiguration atcr-verify $(printf '/webhooks/%s/clientConfig/caBundle ' 0 1 2 3)
  # shellcheck disable=SC2046
  patch MutatingWebhookConfiguration atcr-verify $(printf '/webhooks/%s/clientConfig/caBundle ' 0 1)
  patch Provider 'atcr-verify.*' /spec/caBundle
} >registration/kustomization.yaml
# Of earlier versions: one component with both, by which deleting the registration deleted the Secret.
rm -f kustomization.yaml

echo "wrote $(pwd): valid until $(openssl x509 -in tls.crt -noout -enddate | cut -d= -f2)"
