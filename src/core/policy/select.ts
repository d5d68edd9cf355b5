import type { Digest } from "../oci/digest.ts";
import type { ImageReference } from "../oci/reference.ts";
import type { Decider, PolicyLine, PolicyRule, Rule, TrustPolicy } from "./policy.ts";
import { matchesScope } from "./scope.ts";
import { signersOf } from "./signer-refs.ts";

/** A policy's decision about one image, before any evidence is examined (spec 2.1 to 2.3). */
export type Selection =
  | {
      readonly kind: "exempt" | "denied";
      /** Why, as the middle of a sentence for the reason line: `rule "sandbox" exempts …`. */
      readonly because: string;
      readonly rule: Decider;
    }
  | { readonly kind: "judge"; readonly rule: Rule }
  | { readonly kind: "no_match"; readonly because: string; readonly rule: Decider };

/** The part of a policy that decides about an image, and its action. */
export type PolicyDecision =
  | {
      readonly by: "digests.deny" | "digests.allow";
      readonly action: "deny" | "allow";
      readonly place: PolicyLine;
      readonly passedOver: readonly [];
    }
  | {
      readonly by: "rule";
      readonly action: PolicyRule["action"];
      readonly rule: PolicyRule;
      readonly place: PolicyLine;
      /** The rules before it. */
      readonly passedOver: readonly PolicyRule[];
    }
  | {
      readonly by: "default";
      readonly action: TrustPolicy["fallback"];
      readonly place: PolicyLine;
      /** All rules. */
      readonly passedOver: readonly PolicyRule[];
    };

/**
 * Finds the part that decides about an image: denied digests, allowed digests, the first rule in file order with a scope
 * that matches host and path, then the default (spec 2.1, 2.2). The tag is ignored.
 *
 * @param name attacker-controlled, canonical
 * @param digest undefined where unknown: the digest lists are then skipped
 */
export function decisionOn(policy: TrustPolicy, name: ImageReference, digest: Digest | undefined): PolicyDecision {
  const { rules } = policy;
  const denied = digest === undefined ? undefined : policy.deniedDigests.get(digest);
  if (denied !== undefined) return { by: "digests.deny", action: "deny", place: denied, passedOver: [] };
  const allowed = digest === undefined ? undefined : policy.allowedDigests.get(digest);
  if (allowed !== undefined) return { by: "digests.allow", action: "allow", place: allowed, passedOver: [] };
  const index = rules.findIndex((rule) => covers(rule, name));
  const rule = rules[index];
  return rule === undefined
    ? { by: "default", action: policy.fallback, place: policy.fallbackPlace, passedOver: rules }
    : { by: "rule", action: rule.action, rule, place: placeOfRule(policy, index), passedOver: rules.slice(0, index) };
}

/** Turns a decision into a selection. */
export function selectionOf(decision: PolicyDecision, policy: TrustPolicy, name: ImageReference): Selection {
  const rule = decider(decision, policy);
  switch (decision.by) {
    case "digests.deny":
      return { kind: "denied", rule, because: "the policy lists this digest under deny" };
    case "digests.allow":
      return { kind: "exempt", rule, because: "the policy lists this digest under allow" };
    case "rule":
      return selectRule(decision.rule, rule, policy, name);
    case "default":
      return selectDefault(rule, policy, name);
  }
}

/** A policy's decision about an image of this name and digest. */
export function select(policy: TrustPolicy, name: ImageReference, digest: Digest): Selection {
  return selectionOf(decisionOn(policy, name, digest), policy, name);
}

/** Like {@link select}, for an image whose digest is in no list. */
export function selectByName(policy: TrustPolicy, name: ImageReference): Selection {
  return selectionOf(decisionOn(policy, name, undefined), policy, name);
}

/**
 * A policy's decision about an image whose digest is not known yet, so that no registry has to be asked for it.
 *
 * @returns undefined where evidence decides, or where a listed digest could turn an allow into a denial or the reverse
 */
export function decidedByName(
  policy: TrustPolicy,
  name: ImageReference,
): Exclude<Selection, { kind: "judge" }> | undefined {
  const selection = selectByName(policy, name);
  if (selection.kind === "judge") return undefined;
  const overturning = selection.kind === "exempt" ? policy.deniedDigests : policy.allowedDigests;
  return overturning.size === 0 ? selection : undefined;
}

function covers({ scopes }: PolicyRule, { host, path }: ImageReference): boolean {
  return scopes.some((scope) => matchesScope(scope, host, path));
}

function selectRule(
  { name, action, trusts, requirement }: PolicyRule,
  rule: Decider,
  policy: TrustPolicy,
  { host, path }: ImageReference,
): Selection {
  switch (action) {
    case "allow":
      return { kind: "exempt", rule, because: `rule "${name}" exempts ${host}/${path}` };
    case "deny":
      return { kind: "denied", rule, because: `rule "${name}" denies ${host}/${path}` };
    case "enforce":
    case "audit":
      return {
        kind: "judge",
        rule: { ...rule, action, requirement: { ...requirement, signers: signersOf(policy, trusts) } },
      };
  }
}

function selectDefault(rule: Decider, policy: TrustPolicy, { host, path }: ImageReference): Selection {
  const uncovered = `no rule covers ${host}/${path}`;
  switch (policy.fallback) {
    case "allow":
      return { kind: "exempt", rule, because: `${uncovered} and the default is allow` };
    case "deny":
      return { kind: "no_match", rule, because: `${uncovered} and the default is deny` };
    case "audit": {
      const requirement = { signers: policy.everyone, minSignatures: 1, repository: "match", tag: "any" } as const;
      return { kind: "judge", rule: { ...rule, action: "audit", requirement } };
    }
  }
}

function decider(decision: PolicyDecision, { files }: TrustPolicy): Decider {
  const [file, line] = decision.place;
  const name = decision.by === "rule" ? decision.rule.name : decision.by;
  return { name, file: files[file]?.name ?? "", line };
}

/** Rules are in the order of the files. */
function placeOfRule({ files }: TrustPolicy, index: number): PolicyLine {
  let before = 0;
  for (const [file, { ruleLines }] of files.entries()) {
    const line = ruleLines[index - before];
    if (line !== undefined) return [file, line];
    before += ruleLines.length;
  }
  return [0, 1];
}
