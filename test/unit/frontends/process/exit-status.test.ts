import { describe, expect, it } from "vitest";
import { REJECTION_CODES, REJECTIONS, Rejection } from "../../../../src/core/rejection.ts";
import { failureOf, refusalOf } from "../../../../src/core/verify/answer.ts";
import { exitCode } from "../../../../src/frontends/process/exit-status.ts";

const EXIT = { deny: 1, inconclusive: 2, misconfigured: 3, internal: 4 };

describe("an answer", () => {
  it("has the exit code of its kind, and 0 for an allow alone", () => {
    for (const code of REJECTION_CODES) {
      const { kind } = REJECTIONS[code];
      expect(refusalOf(code, "why")).toMatchObject({ outcome: kind, code, detail: "why" });
      expect(exitCode(refusalOf(code, "why"))).toBe(EXIT[kind]);
      expect(exitCode(failureOf(new Rejection(code, "why")))).toBe(EXIT[kind]);
    }
    expect(exitCode({ outcome: "allow", because: { kind: "exempt", because: "why" } })).toBe(0);
  });

  it("to anything thrown but a Rejection is that it is a bug", () => {
    for (const thrown of [
      new TypeError("what"),
      "what",
      undefined,
      null,
      { code: "record.absent", kind: "allow", outcome: "allow" },
    ]) {
      expect(failureOf(thrown)).toMatchObject({ outcome: "internal", code: "internal.error" });
      expect(exitCode(failureOf(thrown))).toBe(4);
    }
    expect(failureOf(new TypeError("what"))).toHaveProperty("detail", "TypeError: what; please report this");
  });
});
