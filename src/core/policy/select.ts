import type { Digest } from "../oci/digest.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { PolicyRule, Rule, TrustPolicy } from "./policy.ts";
import { matchesScope } from "./scope.ts";
import { signersOf } from "./signer-refs.ts";

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

/** What decides about an image, and what it says. */
export type PolicyDecision =
  | {
      readonly by: "digests.deny" | "digests.allow";
      readonly action: "deny" | "allow";
      readonly passedOver: readonly [];
    }
  | {
      readonly by: "rule";
      readonly action: PolicyRule["action"];
      readonly rule: PolicyRule;
      /** The rules before it. */
      readonly passedOver: readonly PolicyRule[];
    }
  | {
      readonly by: "default";
      readonly action: TrustPolicy["fallback"];
      /** All rules. */
      readonly passedOver: readonly PolicyRule[];
    };

/**
 * Finds what decides about an image: denied digests, allowed digests, the first rule in file order with
 * a scope that matches host and path, then the default (spec 2.1, 2.2). The tag plays no part.
 *
 * @param name attacker-controlled, canonical
 * @param digest undefined where none is known: the image is taken for one in no list
 */
export function decisionOn(policy: TrustPolicy, name: ImageReference, digest: Digest | undefined): PolicyDecision {
  const { rules } = policy;
  if (digest !== undefined && policy.deniedDigests.has(digest)) {
    return { by: "digests.deny", action: "deny", passedOver: [] };
  }
  if (digest !== undefined && policy.allowedDigests.has(digest)) {
    return { by: "digests.allow", action: "allow", passedOver: [] };
  }
  const index = rules.findIndex((rule) => covers(rule, name));
  const rule = rules[index];
  return rule === undefined
    ? { by: "default", action: policy.fallback, passedOver: rules }
    : { by: "rule", action: rule.action, rule, passedOver: rules.slice(0, index) };
}

/** What a decision makes of an image. */
export function selectionOf(decision: PolicyDecision, policy: TrustPolicy, name: ImageReference): Selection {
  switch (decision.by) {
    case "digests.deny":
      return { kind: "denied", because: "the policy lists this digest under deny" };
    case "digests.allow":
      return { kind: "exempt", because: "the policy lists this digest under allow" };
    case "rule":
      return selectRule(decision.rule, policy, name);
    case "default":
      return selectDefault(policy, name);
  }
}

/** What a policy says about an image of this name and digest. */
export function select(policy: TrustPolicy, name: ImageReference, digest: Digest): Selection {
  return selectionOf(decisionOn(policy, name, digest), policy, name);
}

/** As {@link select}, of an image whose digest is in no list. */
export function selectByName(policy: TrustPolicy, name: ImageReference): Selection {
  return selectionOf(decisionOn(policy, name, undefined), policy, name);
}

function covers({ scopes }: PolicyRule, { host, path }: ImageReference): boolean {
  return scopes.some((scope) => matchesScope(scope, host, path));
}

function selectRule(
  { name: rule, action, trusts, requirement }: PolicyRule,
  policy: TrustPolicy,
  { host, path }: ImageReference,
): Selection {
  switch (action) {
    case "allow":
      return { kind: "exempt", rule, because: `rule "${rule}" exempts ${host}/${path}` };
    case "deny":
      return { kind: "denied", rule, because: `rule "${rule}" denies ${host}/${path}` };
    case "enforce":
    case "audit":
      return {
        kind: "judge",
        rule: { name: rule, action, requirement: { ...requirement, signers: signersOf(policy, trusts) } },
      };
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
