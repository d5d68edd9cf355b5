import { describe, expect, it } from "vitest";
import { refusalOf } from "../../../../src/core/verify/answer.ts";
import { Warnings } from "../../../../src/core/warning.ts";
import type { AnsweredImage } from "../../../../src/frontends/server/judge-review.ts";
import { recordOf } from "../../../../src/frontends/server/record-review.ts";
import type { Review } from "../../../../src/frontends/server/review.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { RequestCounts } from "../../../../src/verifier/service/exchanges.ts";

const IMAGE = "r.example/app:v1";

function record(review: Partial<Review> = {}) {
  const asked: Review = { gate: "admit", images: [IMAGE], unpinned: "refuse", deadline: new Deadline(0), ...review };
  const answered: AnsweredImage = {
    image: IMAGE,
    answer: refusalOf("signature.none", "nobody signed it"),
    requestCounts: new RequestCounts(),
    warnings: new Warnings(() => {}),
    total: 12.4,
  };
  return recordOf(asked, answered);
}

describe("the log's line for an image of a review", () => {
  it("says which gate was asked, by whom and for which namespace", () => {
    expect(
      record({ policy: "audit", object: "Pod web-7d4b9c6f5-", namespace: "shop", user: "alice", isDryRun: true }),
    ).toMatchObject({
      gate: "admit",
      image: IMAGE,
      code: "signature.none",
      policyName: "audit",
      object: "Pod web-7d4b9c6f5-",
      namespace: "shop",
      user: "alice",
      dryRun: true,
    });
    const unknown = record({ isDryRun: false });
    for (const key of ["policyName", "object", "namespace", "user", "dryRun"]) expect(unknown).not.toHaveProperty(key);
  });

  it.each(["namespace", "object", "user"] as const)(
    "has of a %s only what can be printed, and no more than 256 characters",
    (key) => {
      const hostile = record({ [key]: "a\u001b[2J\n\u202e" })[key];
      expect(hostile).toMatch(/^a[\x20-\x7e]+$/);
      expect(record({ [key]: "x".repeat(10_000) })[key]).toBe("x".repeat(256));
    },
  );
});
