import type { Digest } from "../oci/digest.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { PolicyRule, Rule, TrustPolicy } from "./policy.ts";
import { matchesScope } from "./scope.ts";

/** What a policy says about one image before any evidence is looked at (spec 2.1 to 2.3). */
export type Selection =
  | {
      readonly kind: "exempt" | "denied";
      /** Why, as the middle of a sentence for the reason line: `rule "sandbox" exempts …`. */
      readonly because: string;
      /** Name of the rule; absent where a list of digests or the default decided. */
      readonly rule?: string;
    }
  | { readonly kind: "judge"; readonly rule: Rule }
  | { readonly kind: "no_match"; readonly because: string };

/**
 * Finds what applies to an image: denied digests, allowed digests, the first rule in file order with
 * a scope that matches host and path, then the default. The tag plays no part.
 *
 * @param name attacker-controlled, canonical
 */
export function select(policy: TrustPolicy, name: ImageReference, digest: Digest): Selection {
  if (policy.deniedDigests.has(digest)) return { kind: "denied", because: "the policy lists this digest under deny" };
  if (policy.allowedDigests.has(digest)) return { kind: "exempt", because: "the policy lists this digest under allow" };
  return selectByName(policy, name);
}

/** As {@link select}, of an image whose digest is in no list. */
export function selectByName(policy: TrustPolicy, name: ImageReference): Selection {
  const rule = policy.rules.find((one) => covers(one, name));
  return rule === undefined ? selectDefault(policy, name) : selectRule(rule, name);
}

/** Whether a rule is the one to judge an image, if none before it is. */
export function covers({ scopes }: PolicyRule, { host, path }: ImageReference): boolean {
  return scopes.some((scope) => matchesScope(scope, host, path));
}

function selectRule({ name: rule, action, requirement }: PolicyRule, { host, path }: ImageReference): Selection {
  switch (action) {
    case "allow":
      return { kind: "exempt", rule, because: `rule "${rule}" exempts ${host}/${path}` };
    case "deny":
      return { kind: "denied", rule, because: `rule "${rule}" denies ${host}/${path}` };
    case "enforce":
    case "audit":
      return { kind: "judge", rule: { name: rule, action, requirement } };
  }
}

function selectDefault(policy: TrustPolicy, { host, path }: ImageReference): Selection {
  const uncovered = `no rule covers ${host}/${path}`;
  switch (policy.fallback) {
    case "allow":
      return { kind: "exempt", because: `${uncovered} and the default is allow` };
    case "deny":
      return { kind: "no_match", because: `${uncovered} and the default is deny` };
    case "audit": {
      const requirement = { signers: policy.everyone, minSignatures: 1, repository: "match", tag: "any" } as const;
      return { kind: "judge", rule: { name: "default", action: "audit", requirement } };
    }
  }
}
