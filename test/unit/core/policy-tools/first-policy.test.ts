import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { readPolicy } from "../../../../src/core/policy/parse-policy.ts";
import { firstPolicy } from "../../../../src/core/policy-tools/first-policy.ts";
import { lintPolicy } from "../../../../src/core/policy-tools/lint.ts";

const ALICE = "did:plc:ewvi7nxzyoun6zhxrhs64oiz" as Did;
const BOB = "did:web:bob.example.com" as Did;

describe("firstPolicy", () => {
  it.each([
    [[{ did: ALICE }], []],
    [[{ did: ALICE, handle: "alice.example.com" }, { did: BOB }], ["atcr.io/alice.example.com/**"]],
    [[{ did: BOB }], ["a.example/*", "b.example/**"]],
  ] as const)("audits what %j sign, and nothing is wrong with it", (signers, scopes) => {
    const located = readPolicy(firstPolicy(signers, scopes, "p.yaml"), "p.yaml");
    const { rules, everyone, fallback } = located.policy;
    expect(rules.map(({ action, scopes: of }) => [action, of.map(({ text }) => text)])).toEqual([
      ["audit", scopes.length === 0 ? ["**"] : scopes],
    ]);
    expect(rules[0]?.trusts.inherited).toBe(signers.length);
    expect(everyone.map(({ did, name }) => ({ did, ...(name !== undefined && { handle: name }) }))).toEqual(signers);
    expect(fallback).toBe("audit");
    const question = { ...located, atcrHosts: ["atcr.io"], now: 0 };
    const pause = { host: "registry.k8s.io", path: "pause" };
    expect(lintPolicy(question, pause)).toEqual([]);
  });

  it("says what to do next, with the name of the file", () => {
    const text = firstPolicy([{ did: ALICE }], [], "/tmp/mine.yaml");
    for (const step of ["policy check /tmp/mine.yaml", "enable", "log --audited --summary", "default: deny"])
      expect(text).toContain(step);
  });

  it("can be enforced as its comments say", () => {
    const text = firstPolicy([{ did: ALICE }], ["a.example/**"], "p.yaml");
    const enforcing = text
      .replace(/^ {4}action: audit$/m, "    action: enforce")
      .replace(/^default: audit$/m, "default: deny");
    const { rules, fallback } = readPolicy(enforcing, "p.yaml").policy;
    expect([rules[0]?.action, fallback]).toEqual(["enforce", "deny"]);
  });
});
