import { describe, expect, it } from "vitest";
import { isUnanswered } from "../../../../src/core/evidence/evidence.ts";
import { REJECTION_CODES, REJECTIONS } from "../../../../src/core/rejection.ts";
import { gap } from "../../../support/evidence.ts";

const UNANSWERED = [
  "registry.unreachable",
  "identity.unreachable",
  "pds.unreachable",
  "handle.unreachable",
  "net.deadline",
];

describe("isUnanswered", () => {
  it.each(REJECTION_CODES.filter((code) => REJECTIONS[code].kind === "inconclusive"))("of %s", (code) => {
    expect(isUnanswered(gap(code))).toBe(UNANSWERED.includes(code));
  });
});
