import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseReference } from "../../src/core/oci/reference.ts";
import { readPolicy } from "../../src/core/policy/parse-policy.ts";
import { parseScope } from "../../src/core/policy/scope.ts";
import { selectByName } from "../../src/core/policy/select.ts";
import { lintPolicy } from "../../src/core/policy-tools/lint.ts";

const segment = fc.constantFrom("a", "b", "*", "a*", "*b", "**");
const scope = fc
  .tuple(fc.constantFrom("r.example", "*.example", "**"), fc.array(segment, { minLength: 1, maxLength: 3 }))
  .map(([host, path]) => [host, ...path].join("/"))
  .filter((text) => !("expected" in parseScope(text)));
const policies = fc.array(fc.array(scope, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 5 });
const names = fc
  .tuple(
    fc.constantFrom("r.example", "s.example"),
    fc.array(fc.constantFrom("a", "b", "ab", "c"), { minLength: 1, maxLength: 4 }),
  )
  .map(([host, path]) => [host, ...path].join("/"));

describe("lintPolicy", () => {
  it("calls no rule and no scope hidden that an image is judged by", () => {
    let [hiddenRules, hiddenScopes] = [0, 0];
    fc.assert(
      fc.property(policies, fc.array(names, { minLength: 20, maxLength: 20 }), (lists, images) => {
        const rules = lists.map((scopes, i) => ({ name: `r${i}`, scope: scopes, action: "deny" }));
        const located = readPolicy(JSON.stringify({ version: 1, policies: rules }), "policy.yaml");
        const findings = lintPolicy({ ...located, atcrHosts: [], now: 0 }, undefined);
        const hidden = findings
          .filter(({ name }) => name === "rule-hidden")
          .map(({ message }) => message.split('"')[1]);
        hiddenRules += hidden.length;
        for (const image of images) {
          const selection = selectByName(located.policy, parseReference(image));
          if (selection.kind === "denied") expect(hidden).not.toContain(selection.rule);
        }
        // Without its hidden scopes the policy selects the same rules.
        const without = withoutHidden(rules, findings);
        hiddenScopes += without.removed;
        const { policy } = readPolicy(JSON.stringify({ version: 1, policies: without.rules }), "policy.yaml");
        for (const image of images) {
          const name = parseReference(image);
          expect(selectByName(policy, name)).toEqual(selectByName(located.policy, name));
        }
      }),
      { numRuns: 500 },
    );
    expect(hiddenRules).toBeGreaterThan(50);
    expect(hiddenScopes).toBeGreaterThan(50);
  });
});

interface RuleText {
  readonly name: string;
  readonly scope: readonly string[];
  readonly action: string;
}

function withoutHidden(rules: readonly RuleText[], findings: readonly { name: string; message: string }[]) {
  const gone = new Map<string, string[]>();
  for (const { name, message } of findings) {
    const [, text = "", rule = ""] = /^scope (\S+) of rule "(\w+)"/.exec(message) ?? [];
    if (name === "scope-hidden") gone.set(rule, [...(gone.get(rule) ?? []), text]);
  }
  let removed = 0;
  const kept = rules.map((rule) => {
    const scope = [...rule.scope];
    for (const text of gone.get(rule.name) ?? []) {
      scope.splice(scope.lastIndexOf(text), 1);
      removed++;
    }
    return { ...rule, scope };
  });
  return { rules: kept, removed };
}
