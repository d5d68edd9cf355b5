import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { auditsEverything } from "../../../../src/core/policy-tools/audits-everything.ts";

function auditor(rules: readonly string[], fallback: string): string | undefined {
  const text = `version: 1.0\ntrustedDIDs: {}\n${rules.length === 0 ? "" : `policies: [${rules.join(", ")}]\n`}default: ${fallback}\n`;
  return auditsEverything(parsePolicy(text, "policy.yaml"))?.name;
}

const AUDIT_ALL = '{ name: all, scope: "**", action: audit }';
const AUDIT_ONE = '{ name: one, scope: "r.example/**", action: audit }';
const ALLOW_ONE = '{ name: free, scope: "r.example/free", action: allow }';
const DENY_ONE = '{ name: no, scope: "r.example/no", action: deny }';

describe("a policy that refuses nothing", () => {
  it("audits what no rule covers, or has a rule for everything that does", () => {
    expect(auditor([], "audit")).toBe("default");
    expect(auditor([AUDIT_ONE, ALLOW_ONE], "audit")).toBe("default");
    expect(auditor([AUDIT_ONE], "allow")).toBe("default");
    expect(auditor([ALLOW_ONE, AUDIT_ALL], "deny")).toBe("all");
    expect(auditor([AUDIT_ALL, DENY_ONE], "deny")).toBe("all");
  });

  it("has no rule that can refuse, and no default that does", () => {
    expect(auditor([AUDIT_ONE], "deny")).toBeUndefined();
    expect(auditor([DENY_ONE], "audit")).toBeUndefined();
    expect(auditor([DENY_ONE, AUDIT_ALL], "audit")).toBeUndefined();
  });
});
