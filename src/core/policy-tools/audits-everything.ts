import type { Rule, TrustPolicy } from "../policy/policy.ts";
import { findTaker } from "./coverage.ts";

/**
 * Whether a policy refuses no image, whatever its name: every rule that can apply audits or allows, and what none covers is
 * audited or allowed. Then an image whose name cannot be read is not refused either.
 *
 * @returns what audits such an image; undefined where the policy can refuse one
 */
export function auditsEverything(policy: TrustPolicy): Rule | undefined {
  const { rules, fallback, fallbackPlace, files } = policy;
  const taker = findTaker(rules);
  const applying = taker < 0 ? rules : rules.slice(0, taker + 1);
  if (taker < 0 && fallback === "deny") return undefined;
  if (applying.some(({ action }) => action === "enforce" || action === "deny")) return undefined;
  const [file, line] = fallbackPlace;
  const requirement = { signers: [], minSignatures: 1, repository: "match", tag: "any" } as const;
  return { name: rules[taker]?.name ?? "default", file: files[file]?.name ?? "", line, action: "audit", requirement };
}
