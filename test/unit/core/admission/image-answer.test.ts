import { describe, expect, it } from "vitest";
import {
  answerCode,
  answerFor,
  answersFor,
  isProven,
  unenforced,
  worstFirst,
  worstOutcome,
} from "../../../../src/core/admission/image-answer.ts";
import { refusalOf } from "../../../../src/core/verify/answer.ts";
import { ABSENT, AUDITED, EXEMPT, MALFORMED, SIGNED, SILENT } from "../../../support/image-results.ts";
import { imageAnswer } from "../../../support/recorded-admission/recorded-request.ts";

const INTERNAL = refusalOf("internal.error", "a bug");
const of = (...answers: Parameters<typeof imageAnswer>[1][]) => answers.map((one, i) => imageAnswer(`i${i}`, one));

describe("worstOutcome", () => {
  it("has a failure of the server before a verdict, and a deny before what could not be judged", () => {
    expect(worstOutcome(of(SIGNED, EXEMPT, AUDITED))).toBe("allow");
    expect(worstOutcome(of(SIGNED, SILENT))).toBe("inconclusive");
    expect(worstOutcome(of(SILENT, ABSENT, SIGNED))).toBe("deny");
    expect(worstOutcome(of(ABSENT, MALFORMED, SILENT))).toBe("misconfigured");
    expect(worstOutcome(of(MALFORMED, INTERNAL, ABSENT))).toBe("internal");
  });

  it("of no image is never an allow", () => {
    expect(worstOutcome([])).toBe("internal");
  });
});

describe("worstFirst", () => {
  it("keeps the order of those that are alike", () => {
    const answers = of(SIGNED, SILENT, ABSENT, SILENT, ABSENT);
    expect(worstFirst(answers).map(({ image }) => image)).toEqual(["i2", "i4", "i1", "i3", "i0"]);
  });
});

describe("answersFor", () => {
  it("answers each image once, in the order asked for, and no other", () => {
    const answers = [imageAnswer("b", SIGNED), imageAnswer("other", ABSENT), imageAnswer("a", EXEMPT)];
    expect(answersFor(["a", "b", "a"], answers).map(({ image, answer }) => [image, answer])).toEqual([
      ["a", EXEMPT],
      ["b", SIGNED],
    ]);
  });

  it("refuses an image that was not judged", () => {
    const [first, second] = answersFor(["a", "b"], [imageAnswer("a", SIGNED)]);
    expect(first?.answer.outcome).toBe("allow");
    expect(second && answerCode(second)).toBe("internal.error");
    expect(answerCode(answerFor("b", [imageAnswer("a", SIGNED)]))).toBe("internal.error");
    expect(answerFor("a", [imageAnswer("a", SIGNED)]).answer).toBe(SIGNED);
  });
});

describe("answerCode, isProven and unenforced", () => {
  it.each([
    [SIGNED, "signed", true, undefined],
    [EXEMPT, "exempt", false, undefined],
    [AUDITED, "audited", false, ABSENT],
    [ABSENT, "signature.none", false, undefined],
    [SILENT, "pds.unreachable", false, undefined],
  ])("%#", (answer, code, proven, refusal) => {
    const one = imageAnswer("a", answer);
    expect([answerCode(one), isProven(one), unenforced(one)]).toEqual([code, proven, refusal]);
  });
});
