import type { Did } from "../atproto/syntax.ts";

/** Who signs, as a first policy names them. */
export interface FirstSigner {
  readonly did: Did;
  /** The handle, if it was verified in both directions. */
  readonly handle?: string;
}

/**
 * The text of a first policy: it audits, so it refuses nothing, and its comments say what to do next.
 *
 * @param signers one at least, each DID once
 * @param scopes valid; none: all images
 * @param path where it will be, for the comments
 */
export function firstPolicy(signers: readonly FirstSigner[], scopes: readonly string[], path: string): string {
  const isForAll = scopes.length === 0;
  const covered = isForAll ? '"**"' : JSON.stringify(scopes.length === 1 ? scopes[0] : scopes);
  const trusted = signers.map(({ did, handle }) =>
    handle === undefined ? `  ${did}: {}\n` : `  ${did}:\n    name: ${JSON.stringify(handle)}\n`,
  );
  return `# yaml-language-server: $schema=/usr/share/atcr-verify/trust-policy.schema.json
# A first policy. It refuses nothing: every image is verified and let through, and the log says what would be refused.
#
# What to do next:
#   1. Check it:                      atcr-verify policy check ${path}
#   2. Have pulls read it:            sudo install -m 0644 ${path} /etc/atcr-verify/trust-policy.yaml
#                                     sudo atcr-verify enable
#   3. After some days of pulls:      sudo atcr-verify log --audited --summary
#      Add a rule for each image that needs one, before the rule below: "action: allow" for what nobody signs,
#      such as the image that Kubernetes starts each pod with (registry.k8s.io/pause).
#   4. Once nothing unexpected is left, enforce: write "action: enforce" in the rule and "default: deny" below, and
#      check again.

version: 1.0

# Who may sign. A DID is the permanent identifier of an account.
trustedDIDs:
${trusted.join("")}
policies:
  - name: first
    scope: ${covered}
    # audit lets an image without a trusted signature through, and logs it; enforce refuses it.
    action: audit

# For images that no rule covers.
default: audit
`;
}
