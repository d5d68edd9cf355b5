import { describe, expect, it } from "vitest";
import { judgedOf } from "../../../../../src/frontends/cli/vouch/vouch-images.ts";
import { AUDITED, EXEMPT, resultOf, SIGNED, SILENT } from "../../../../support/image-results.ts";

const evidence = { digest: "sha256:a1", names: [], evidence: { signatures: [] } } as unknown as NonNullable<
  Parameters<typeof judgedOf>[0]["image"]
>;

describe("what is vouched for", () => {
  it("is an image that is signed, by evidence of this command", () => {
    expect(judgedOf({ result: resultOf(SIGNED), image: evidence })).toHaveProperty("signed");
  });

  it("is not one that is signed by other evidence: not_fresh, which is inconclusive", () => {
    const judged = judgedOf({ result: resultOf(SIGNED), image: undefined });
    expect(judged).toMatchObject({ code: "not_fresh", status: 2 });
    expect(judged).not.toHaveProperty("signed");
  });

  it.each([
    [EXEMPT, "exempt", 1],
    [AUDITED, "audited", 1],
    [SILENT, "pds.unreachable", 2],
  ])("is not one that is allowed or refused otherwise, whatever evidence there is", (answer, code, status) => {
    const judged = judgedOf({ result: resultOf(answer), image: evidence });
    expect(judged).toMatchObject({ code, status });
    expect(judged).not.toHaveProperty("signed");
  });
});
