import { describe, expect, it } from "vitest";
import { Rejection } from "../../../../src/core/rejection.ts";
import { refusalOf } from "../../../../src/core/verify/answer.ts";
import { Warnings } from "../../../../src/core/warning.ts";
import type { AnsweredImage } from "../../../../src/frontends/server/judge-review.ts";
import { recordOf, unjudgedText } from "../../../../src/frontends/server/record-review.ts";
import type { Review } from "../../../../src/frontends/server/review.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { RequestCounts } from "../../../../src/verifier/service/exchanges.ts";

const IMAGE = "r.example/app:v1";

const ASKED: Review = { gate: "admit", images: [IMAGE], unpinned: "refuse", deadline: new Deadline(0) };

function record(review: Partial<Review> = {}) {
  const asked: Review = { ...ASKED, ...review };
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

describe("the log's text about an object that cannot be judged", () => {
  const problem = new Rejection("input.malformed", "why");
  const review = { ...ASKED, namespace: "shop", object: "Secret db", user: "alice" };

  it("says which it is, where, of whom, and what became of it", () => {
    expect(unjudgedText(review, problem, false)).toBe(
      "refused Secret db in namespace shop by alice: input.malformed: why",
    );
    expect(unjudgedText(ASKED, problem, true)).toBe("audited an object: input.malformed: why");
  });

  it("can be printed, and is bounded whatever its author wrote", () => {
    const long = "\n\u001b\u202e".repeat(1000);
    const hostile = unjudgedText(
      { ...review, object: long, user: long },
      new Rejection("input.malformed", long),
      false,
    );
    expect(hostile).toMatch(/^refused [\x20-\x7e]+$/);
    expect(hostile.length).toBeLessThan(600);
  });
});
