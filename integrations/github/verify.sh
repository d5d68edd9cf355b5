#!/bin/sh
# Run by action.yml, in any POSIX shell: the image of atcr-verify has no bash. The inputs come as environment variables and
# never as part of a script, so that nothing in them is run.
set -euf

set -- verify --output github
while IFS= read -r line; do
  [ -z "$line" ] || set -- "$@" --file "$line"
done <<LINES
${FILES:-}
LINES
while IFS= read -r line; do
  [ -z "$line" ] || set -- "$@" --signer "$line"
done <<LINES
${SIGNERS:-}
LINES
[ -z "${POLICY:-}" ] || set -- "$@" --policy "$POLICY"
[ -z "${POLICY_SHA256:-}" ] || set -- "$@" --policy-sha256 "$POLICY_SHA256"
[ "${ALLOW_AUDITED:-false}" != true ] || set -- "$@" --allow-audited

# Without an image or a file the program fails and says so; an empty list is never a success.
set -- "$@" --
while IFS= read -r line; do
  [ -z "$line" ] || set -- "$@" "$line"
done <<LINES
${IMAGES:-}
LINES
exec "${PROGRAM:-atcr-verify}" "$@"
