import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { hostsOfRules } from "../../../../src/core/policy/rule-hosts.ts";

const POLICY = `version: "1.0"
trustedDIDs: ["did:web:a.example"]
policies:
  - { name: one, scope: ["b.example/**", "a.example:5000/x"], action: enforce }
  - { name: two, scope: ["*.example/**", "b.example/y/*"], action: audit }
  - { name: three, scope: "**", action: deny }
default: deny
`;

describe("hostsOfRules", () => {
  it("has each registry once, in the order of the rules, and apart from it the scopes that name none", () => {
    const { hosts, wildcards } = hostsOfRules(parsePolicy(POLICY, "policy.yaml"));
    expect(hosts).toEqual(["b.example", "a.example:5000"]);
    expect(wildcards.map(({ scope, rule }) => [scope, rule.name])).toEqual([
      ["*.example/**", "two"],
      ["**", "three"],
    ]);
  });
});
