import { describe, expect, it } from "vitest";
import { verdictOf } from "../../../src/verify/by-policy.ts";

const because = 'rule "sandbox" says so';

describe("verdictOf", () => {
  it("allows what is exempt, and passes on why", () => {
    expect(verdictOf({ kind: "exempt", because })).toEqual({ outcome: "allow", because: { kind: "exempt", because } });
  });

  it("denies what is denied", () => {
    const verdict = { outcome: "deny", code: "policy.denied", detail: because, findings: [] };
    expect(verdictOf({ kind: "denied", because, rule: "sandbox" })).toEqual(verdict);
  });

  it("denies what no rule covers", () => {
    const verdict = { outcome: "deny", code: "policy.no_match", detail: because, findings: [] };
    expect(verdictOf({ kind: "no_match", because })).toEqual(verdict);
  });
});
