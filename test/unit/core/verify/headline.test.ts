import { describe, expect, it } from "vitest";
import type { Pointer } from "../../../../src/core/evidence/evidence.ts";
import type { RejectionCode } from "../../../../src/core/rejection.ts";
import { asReported, furthest, furthestFirst } from "../../../../src/core/verify/headline.ts";
import { didNamed, pointer, rule, trusted } from "../../../support/evidence.ts";

const [A, B] = [didNamed("a"), didNamed("b")];
const RULE = rule([trusted(A), trusted(B)]);

describe("furthestFirst", () => {
  it("orders by the table of codes, and then by signer and text", () => {
    const absent = (signer: typeof A, detail: string) => ({ signer, code: "record.absent", detail }) as const;
    const findings = [
      absent(B, "x"),
      { signer: A, code: "identity.invalid", detail: "x" } as const,
      absent(A, "y"),
      absent(A, "x"),
    ];
    const expected = [absent(A, "x"), absent(A, "y"), absent(B, "x"), findings[1]];
    expect(furthestFirst(findings)).toEqual(expected);
    expect(furthestFirst(findings.toReversed())).toEqual(expected);
    expect([furthest(findings), furthest(findings.toReversed()), furthest([])]).toEqual([
      expected[0],
      expected[0],
      undefined,
    ]);
  });
});

describe("a finding that is news only of a signer whom a referrer named", () => {
  const codeOf = (code: RejectionCode, named: boolean, nobodyEligible: boolean) =>
    asReported(
      [{ signer: A, code, detail: "x" }],
      { rule: RULE, pointers: [pointer(named ? A : B)] },
      nobodyEligible,
    )[0]?.code;

  it.each(["signer.revoked", "signer.not_yet_valid", "signer.expired"] as const)("is %s", (code) => {
    expect(codeOf(code, false, false)).toBe("signature.none");
    expect(codeOf(code, false, true)).toBe(code);
    expect(codeOf(code, true, false)).toBe(code);
  });

  it("is record.absent, whoever else is trusted", () => {
    expect(codeOf("record.absent", false, false)).toBe("signature.none");
    expect(codeOf("record.absent", false, true)).toBe("signature.none");
    expect(codeOf("record.absent", true, true)).toBe("record.absent");
  });

  it("is no other", () => {
    expect(codeOf("record.too_old", false, false)).toBe("record.too_old");
  });
});

describe("a finding of a signer whom a referrer points elsewhere for", () => {
  const finding = { signer: A, code: "record.absent", detail: "absent" } as const;
  const noted = (...pointers: readonly Pointer[]) => asReported([finding], { rule: RULE, pointers }, true)[0]?.detail;

  it("tells of it, and only of that signer's", () => {
    expect(noted({ ...pointer(A), note: "points to x" })).toBe("absent; a referrer points to x");
    expect(noted({ ...pointer(A), note: "points to x" }, { ...pointer(A), note: "points to y" })).toBe(
      "absent; a referrer points to x",
    );
    expect(noted(pointer(A), { ...pointer(A), note: "points to x" })).toBe("absent; a referrer points to x");
    const unsigned = `no signer that rule "production" trusts has signed this image: absent`;
    expect(noted({ ...pointer(B), note: "points to x" })).toBe(unsigned);
    expect(noted({ ...pointer(B), note: "points to x" }, pointer(A))).toBe("absent");
    expect(noted(pointer(A))).toBe("absent");
  });
});
