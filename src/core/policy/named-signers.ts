import type { Did } from "../atproto/syntax.ts";
import type { LocatedPolicy } from "./parse-policy.ts";
import { policyHash, type TrustedSigner, type TrustPolicy } from "./policy.ts";
import { ANYTHING, parseScope, type Scope } from "./scope.ts";

/** Name of the one rule; a rule in a file may have it too, but that rule is then replaced. */
const RULE = "--signer";

/**
 * A policy that trusts these signers alone, any one of them, for every image. It replaces the rules, the default and the
 * digests that an installed policy allows. What that policy says against an image or a signer stays: `digests.deny`,
 * `revokedDIDs`, and the settings of a DID (keys, pds, minRev, validFrom, expiresAt).
 *
 * @param dids distinct
 * @param installed undefined where this node has no policy
 */
export function trustOnly(
  dids: readonly Did[],
  installed: Pick<LocatedPolicy, "policy" | "revoked"> | undefined,
): TrustPolicy {
  const files = installed?.policy.files ?? [];
  const revoked: ReadonlySet<Did> = new Set(installed?.revoked);
  const known = new Map(installed?.policy.everyone.map((signer) => [signer.did, signer]));
  const everyone = dids.map((did): TrustedSigner => ({ ...known.get(did), did, revoked: revoked.has(did) }));
  return {
    hash: installed?.policy.hash ?? policyHash([]),
    // The digests' places refer to the installed files by index, so the command line comes last.
    files: [...files.map(({ name }) => ({ name, ruleLines: [] })), { name: "", ruleLines: [1] }],
    deniedDigests: installed?.policy.deniedDigests ?? new Map(),
    allowedDigests: new Map(),
    rules: [
      {
        name: RULE,
        scopes: [everything()],
        action: "enforce",
        trusts: { inherited: everyone.length, own: [] },
        requirement: { minSignatures: 1, repository: "match", tag: "any" },
      },
    ],
    fallback: "deny",
    fallbackPlace: [files.length, 1],
    everyone,
  };
}

/**
 * Whether a policy is as a new installation has it: it names no signer, denies and allows no digest, and refuses nothing,
 * so nobody has written yet whom this node trusts.
 */
export function isAsInstalled({ everyone, deniedDigests, allowedDigests, rules, fallback }: TrustPolicy): boolean {
  const decides = rules.some(({ action }) => action === "enforce" || action === "deny");
  return (
    everyone.length === 0 && deniedDigests.size === 0 && allowedDigests.size === 0 && !decides && fallback !== "deny"
  );
}

function everything(): Scope {
  const scope = parseScope(ANYTHING);
  if ("expected" in scope) throw new Error("the scope of everything cannot be read");
  return scope;
}
