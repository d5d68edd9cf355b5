import { describe, expect, it } from "vitest";
import { toTypedJson } from "../../../../src/core/encoding/typed-json.ts";
import { parsePolicy, readPolicy } from "../../../../src/core/policy/parse-policy.ts";
import { signersOf } from "../../../../src/core/policy/signer-refs.ts";
import { lintPolicy } from "../../../../src/core/policy-tools/lint.ts";
import { codeOf } from "../../../support/rejection.ts";

// Apart from the other tests: each takes as long as all of those together.

const parse = (text: string) => parsePolicy(text, "policy.yaml");

describe("a policy of the largest size", () => {
  const many = (count: number, make: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => make(i)).join("");
  const rules = (count: number) =>
    `version: 1\npolicies:\n${many(count, (i) => ` - {name: r${i}, scope: a.b/c, action: deny}\n`)}`;
  const failure = (text: string) => codeOf(() => parse(text));
  const web = (i: number) => `did:web:h${i}.example.com`;

  it("takes 1000 rules and no more", () => {
    expect(parse(rules(1000)).rules).toHaveLength(1000);
    expect(failure(rules(1001))).toBe("policy.invalid");
  });

  it.each([
    ["a map", (count: number) => `version: 1\ntrustedDIDs:\n${many(count, (i) => ` ${web(i)}: {}\n`)}`],
    ["a list", (count: number) => `version: 1\ntrustedDIDs:\n${many(count, (i) => ` - ${web(i)}\n`)}`],
    ["revoked", (count: number) => `version: 1\nrevokedDIDs:\n${many(count, (i) => ` - ${web(i)}\n`)}`],
  ])("takes 10000 DIDs in %s and no more", (_, text) => {
    expect(parse(text(10_000)).rules).toHaveLength(0);
    expect(failure(text(10_001))).toBe("policy.invalid");
  });

  it("reads the largest policy", () => {
    const text = `version: 1\ntrustedDIDs:\n${many(10_000, (i) => ` - ${web(i)}\n`)}policies:\n${many(
      1000,
      (i) => ` - {name: r${i}, scope: a.b/c, action: enforce, require: {trustedDIDs: [did:web:r${i}.example.com]}}\n`,
    )}`;
    const policy = parse(text);
    // Each rule adds to the policy what it says itself, and not its 10,000 signers once more.
    expect(policy.everyone).toHaveLength(11_000);
    expect(policy.rules[999]?.trusts).toEqual({ inherited: 10_000, own: [10_999] });
    expect(signersOf(policy, policy.rules[999]?.trusts ?? expect.fail("no rule"))).toHaveLength(10_001);
    expect(toTypedJson(policy).length).toBeLessThan(2 * text.length);
  });

  it("has more pairs of scopes than are compared, and the check of it says so", () => {
    const scopes = many(900, (i) => `  - { name: r${i}, scope: a.example.com/x${i}, action: enforce }\n`);
    const text = `version: 1\ntrustedDIDs: { did:web:alice.example: {} }\npolicies:\n${scopes}`;
    const question = { ...readPolicy(text, "policy.yaml"), atcrHosts: ["atcr.io"], now: 0 };
    expect(lintPolicy(question, undefined).map(({ name }) => name)).toEqual(["too-many-scopes"]);
  });
});
