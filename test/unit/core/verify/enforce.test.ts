import { describe, expect, it } from "vitest";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { readBreakGlass } from "../../../../src/core/policy/parse-break-glass.ts";
import { REJECTION_CODES, REJECTIONS } from "../../../../src/core/rejection.ts";
import { type Answer, refusalOf } from "../../../../src/core/verify/answer.ts";
import { enforce } from "../../../../src/core/verify/enforce.ts";
import { rule } from "../../../support/evidence.ts";

const image = parseReference("registry.example/team/app:v1");
const audit = rule([], {}, "audit");
const signed = {
  outcome: "allow",
  because: { kind: "signed", rule: "production", signatures: [], notes: [] },
} as const;
const UNTIL = "2026-01-31T12:00:00Z";
const active = readBreakGlass(
  JSON.stringify({ reason: "INC-1", until: UNTIL, scope: "registry.example/**" }),
  "break-glass.yaml",
);
const breakGlass = { path: "/etc/break-glass.yaml", active };

const kindOf = (answer: Answer) => (answer.outcome === "allow" ? answer.because.kind : answer.outcome);
/** The codes whose refusal is turned into an allow. */
const passed = (given: Parameters<typeof enforce>[1]) =>
  REJECTION_CODES.filter((code) => enforce(refusalOf(code, "why"), given).outcome === "allow");

describe("enforce", () => {
  it("enforces every refusal where nothing says otherwise", () => {
    expect(passed({ image, rule: rule([]) })).toEqual([]);
    expect(passed({})).toEqual([]);
  });

  it("never touches an allow", () => {
    for (const given of [{}, { rule: audit }, { image, breakGlass }]) expect(enforce(signed, given)).toBe(signed);
  });

  it("lets through what a rule that only audits refuses, and says what it would have been", () => {
    const would = refusalOf("record.absent", "why");
    expect(enforce(would as never, { rule: audit })).toEqual({
      outcome: "allow",
      because: { kind: "audited", rule: "production", would },
    });
  });

  it("audits verdicts alone: no failure, and nothing that was ended from outside", () => {
    const verdicts = REJECTION_CODES.filter((code) => ["deny", "inconclusive"].includes(REJECTIONS[code].kind));
    expect(passed({ image, rule: audit })).toEqual(verdicts.filter((code) => code !== "net.interrupted"));
  });

  it("lets break-glass override refusals and mistakes in this node's files, and no explicit denial", () => {
    const codes = REJECTION_CODES.filter((code) => ["deny", "inconclusive"].includes(REJECTIONS[code].kind));
    const expected = codes.filter((code) => code !== "policy.denied" && code !== "policy.probe");
    expect(passed({ image, breakGlass }).toSorted()).toEqual(
      [...expected, "policy.invalid", "config.invalid"].toSorted(),
    );
    expect(enforce(refusalOf("policy.invalid", "why"), { image, breakGlass })).toMatchObject({
      because: { kind: "break_glass", reason: "INC-1", until: Date.parse(UNTIL), would: { code: "policy.invalid" } },
    });
  });

  it("wants the image to be covered, and known", () => {
    const other = parseReference("other.example/app");
    expect(passed({ image: other, breakGlass })).toEqual([]);
    expect(passed({ breakGlass })).toEqual([]);
  });

  it("calls audited what both would let through", () => {
    expect(kindOf(enforce(refusalOf("record.absent", "why"), { image, rule: audit, breakGlass }))).toBe("audited");
  });

  it("says why a break-glass file does not count, and refuses", () => {
    const inactive = { path: "/etc/break-glass.yaml", because: "it has expired" };
    expect(passed({ image, breakGlass: inactive })).toEqual([]);
    expect(enforce(refusalOf("record.absent", "why"), { image, breakGlass: inactive })).toMatchObject({
      outcome: "deny",
      detail: "why; break-glass is not active: /etc/break-glass.yaml: it has expired",
    });
  });
});
