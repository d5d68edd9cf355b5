import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { printable } from "../../../../src/core/encoding/printable.ts";
import { type Answer, refusalOf } from "../../../../src/core/verify/answer.ts";
import { reasonLine, textReport } from "../../../../src/frontends/process/report.ts";

const SIGNER = "did:web:a.example" as Did;
const HOSTILE = "\x1b[31m\x00\n\r\t\x7f\x9b\u00e9\u202e\u2028\ud83d\ude00\ud800";
const refused = (detail: string): Answer => refusalOf("record.absent", detail);
const withFindings = (...details: readonly string[]): Answer => ({
  outcome: "deny",
  code: "record.absent",
  detail: "headline",
  findings: details.map((detail) => ({ signer: SIGNER, code: "record.absent", detail })),
});

describe("printable text", () => {
  it("is ASCII from space to tilde; a character that is not becomes one ?", () => {
    const ascii = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).join("");
    expect(printable(ascii)).toBe(ascii);
    expect(printable(HOSTILE)).toBe("?[31m?????????????".slice(0, 5 + 11));
  });
});

describe("the reason line", () => {
  it("is outcome, code and sentence", () => {
    expect(reasonLine(refused("nothing there"))).toBe("deny record.absent: nothing there\n");
    const audited: Answer = {
      outcome: "allow",
      because: {
        kind: "audited",
        rule: "all",
        would: { outcome: "deny", code: "record.absent", detail: "why", findings: [] },
      },
    };
    expect(reasonLine(audited)).toBe(
      'allow audited: rule "all" only audits; if enforced, this would be: deny record.absent: why\n',
    );
  });

  it("has 1,024 bytes at most, and says by dots that more was to say", () => {
    const fixed = "deny record.absent: ".length;
    const fits = reasonLine(refused("x".repeat(1023 - fixed)));
    expect(fits).toHaveLength(1024);
    expect(fits.endsWith("x\n")).toBe(true);
    const cut = reasonLine(refused("x".repeat(1024 - fixed)));
    expect(cut).toHaveLength(1024);
    expect(cut.endsWith("x...\n")).toBe(true);
    expect(reasonLine(refused("\ud83d\ude00".repeat(100_000)))).toHaveLength(1024);
  });

  it.each(["detail", "rule", "exemption"])("is one line of printable ASCII whatever is in it: %s", (where) => {
    const answer: Answer =
      where === "detail"
        ? refused(HOSTILE)
        : where === "rule"
          ? { outcome: "allow", because: { kind: "signed", rule: HOSTILE, signatures: [], notes: [HOSTILE] } }
          : { outcome: "allow", because: { kind: "exempt", because: HOSTILE } };
    expect(reasonLine(answer)).toMatch(/^[ -~]+\n$/);
  });
});

describe("the report in text", () => {
  it("has a line for each finding, of 4,096 bytes at most", () => {
    const lines = textReport(withFindings("first", HOSTILE, "x".repeat(10_000))).split("\n");
    expect(lines).toHaveLength(5);
    expect(lines[0]).toBe("deny record.absent: headline");
    expect(lines[1]).toBe(`  ${SIGNER}: record.absent: first`);
    expect(lines[2]).toMatch(/^[ -~]+$/);
    expect(lines[3]).toHaveLength(4095);
  });
});
