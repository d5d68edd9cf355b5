import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../src/core/policy/parse-policy.ts";
import { checkAudits, checkHosts, registriesOf } from "../../../src/doctor/containers-checks.ts";

function policyOf(rules: readonly string[], fallback = "deny") {
  const lines = rules.map((rule) => `  - ${rule}\n`).join("");
  const text = `version: 1\ntrustedDIDs: ["did:web:a.example"]\npolicies:\n${lines}default: ${fallback}\n`;
  return parsePolicy(text, "p.yaml");
}

describe("checkAudits", () => {
  const pause = "{ name: sandbox, scope: registry.example/pause, action: allow }";
  const whole = '{ name: whole, scope: "registry.example/**", action: enforce }';
  const everything = '{ name: everything, scope: "**", action: audit }';
  const REFUSED = /^rule "everything" .*registry\.example .*REFUSED/;
  it.each([
    ["a rule for every name after one that names a registry", [pause, everything], "deny", [REFUSED]],
    ["a wildcard in the host", [pause, everything.replace('"**"', '"*.example/**"')], "deny", [REFUSED]],
    ["no rule that the gate has another registry for", [pause, everything.replace('"**"', '"*.test/**"')], "deny", []],
    ["a registry of which an earlier rule decides on all", [whole, everything], "audit", []],
    ["a rule of the registry itself", [pause, everything.replace("**", "registry.example/new")], "deny", [REFUSED]],
    ["a registry that is only audited", [everything.replace("**", "other.example/**")], "deny", [/not told.*other/]],
    ["the default", [pause], "audit", [/^the default .*registry\.example .*REFUSED/]],
    ["the default after a rule that matches every name", [pause, everything], "audit", [REFUSED]],
  ] as const)("finds %s", (_, rules, fallback, found) => {
    const findings = checkAudits(policyOf(rules, fallback));
    expect(findings.map((one) => one.found)).toEqual(found.map((text) => expect.stringMatching(text)));
    expect(findings.every(({ name, level }) => name === "containers-audit" && level === "warning")).toBe(true);
  });
});

it("says of a policy that names no registry which wildcards it has", () => {
  const level = (rules: readonly string[]) => checkHosts(registriesOf(policyOf(rules)), "p");
  const [named, none] = [
    level(['{ name: a, scope: "a.example/**", action: enforce }']),
    level(['{ name: a, scope: "*.corp.example/**", action: enforce }']),
  ];
  expect([named.level, none.level, none.found]).toEqual([
    "ok",
    "problem",
    expect.stringContaining("*.corp.example/**"),
  ]);
});
