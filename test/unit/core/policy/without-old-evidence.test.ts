import { expect, it } from "vitest";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { withoutOldEvidence } from "../../../../src/core/policy/without-old-evidence.ts";

it("takes the windows for stale evidence and bundles out of each rule, and keeps the rest of the policy", () => {
  const policy = parsePolicy(
    `
version: 1.0
trustedDIDs: { "did:plc:ewvi7nxzyoun6zhxrhs64oiz": {} }
policies:
  - { name: a, scope: "atcr.io/a/**", action: enforce, require: { maxStaleness: 7d, maxAge: 90d, minKeyAge: 3d } }
  - { name: b, scope: "atcr.io/b/**", action: enforce, require: { offlineFor: 30d, repository: any } }
default: deny
`,
    "policy.yaml",
  );
  const changed = withoutOldEvidence(policy);
  const expected = policy.rules.map((rule) => {
    const { maxStaleness, offlineFor, ...requirement } = rule.requirement;
    expect(maxStaleness ?? offlineFor).toBeDefined();
    return { ...rule, requirement };
  });
  expect(changed).toEqual({ ...policy, rules: expected });
  expect(changed.rules.some(({ requirement }) => "maxStaleness" in requirement || "offlineFor" in requirement)).toBe(
    false,
  );
});
