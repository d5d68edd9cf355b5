import type { PolicyRule, TrustPolicy } from "./policy.ts";

/**
 * The policy for a gate that signs what it allows: that signature has no end, so evidence that is stale already, or from a
 * bundle, never counts there (docs/decisions/0064-lookaside.md). All else is the same, the hash included.
 */
export function withoutOldEvidence(policy: TrustPolicy): TrustPolicy {
  return { ...policy, rules: policy.rules.map(withoutWindows) };
}

function withoutWindows({ requirement, ...rule }: PolicyRule): PolicyRule {
  const { maxStaleness: _stale, offlineFor: _outside, ...rest } = requirement;
  return { ...rule, requirement: rest };
}
