import type { Did } from "../atproto/syntax.ts";
import type { LocatedPolicy } from "./parse-policy.ts";
import { type PolicyRule, policyHash, type TrustedSigner, type TrustPolicy } from "./policy.ts";
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

/** What an installed policy exempts: the image that Kubernetes starts each pod with (packaging/etc/trust-policy.yaml). */
const EXEMPT_AS_INSTALLED = "registry.k8s.io/pause";

/**
 * Whether a policy is as a new installation has it, so that nobody has written yet what this node trusts: it names no
 * signer, not even a revoked one, and no digest, and all that it does is to audit.
 */
export function isAsInstalled({ policy, revoked }: Pick<LocatedPolicy, "policy" | "revoked">): boolean {
  const { everyone, deniedDigests, allowedDigests, rules, fallback } = policy;
  const named = everyone.length + revoked.length + deniedDigests.size + allowedDigests.size;
  return named === 0 && fallback === "audit" && rules.every(isInstalledRule);
}

function isInstalledRule({ action, scopes }: PolicyRule): boolean {
  if (action === "allow") return scopes.every(({ text }) => text === EXEMPT_AS_INSTALLED);
  return action === "audit";
}

function everything(): Scope {
  const scope = parseScope(ANYTHING);
  if ("expected" in scope) throw new Error("the scope of everything cannot be read");
  return scope;
}
