#!/usr/bin/env bash
# Run by action.yml. The inputs come as environment variables and never as part of a script, so that nothing in them is run.
set -euo pipefail

args=(--output github)
images=()
while IFS= read -r line; do
  [ -z "$line" ] || images+=("$line")
done <<<"${IMAGES:-}"
while IFS= read -r line; do
  [ -z "$line" ] || args+=(--file "$line")
done <<<"${FILES:-}"
while IFS= read -r line; do
  [ -z "$line" ] || args+=(--signer "$line")
done <<<"${SIGNERS:-}"
[ -z "${POLICY:-}" ] || args+=(--policy "$POLICY")
[ -z "${POLICY_SHA256:-}" ] || args+=(--policy-sha256 "$POLICY_SHA256")
[ "${ALLOW_AUDITED:-false}" != true ] || args+=(--allow-audited)

# Without an image or a file the program fails and says so; an empty list is never a success.
exec "${PROGRAM:-atcr-verify}" verify "${args[@]}" -- ${images[@]+"${images[@]}"}
