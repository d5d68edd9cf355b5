import { describe, expect, it } from "vitest";
import { REJECTION_CODES, REJECTIONS } from "../../../src/rejection.ts";
import { isUnanswered } from "../../../src/verify/evidence.ts";
import { gap } from "../../support/evidence.ts";

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
