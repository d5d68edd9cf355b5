import { describe, expect, it } from "vitest";
import { verifyAnswer, verifyOneAnswer } from "../../../../src/core/admission/verify-answer.ts";
import { ONE_VERIFIED, SEVERAL_VERIFIED } from "../../../../src/core/admission/verify-answer-shape.ts";
import { jsonSchemaOf } from "../../../../src/core/policy-tools/json-schema.ts";
import { refusalOf } from "../../../../src/core/verify/answer.ts";
import {
  ABSENT,
  ALICE,
  AUDITED,
  counted,
  digestOf,
  EXEMPT,
  MALFORMED,
  SIGNED,
  SILENT,
} from "../../../support/image-results.ts";
import { type Changeable, imageAnswer } from "../../../support/recorded-admission/recorded-request.ts";
import { validator } from "../../../support/result-schema.ts";

const faultsOfOne = validator(jsonSchemaOf(ONE_VERIFIED, "one image"));
const faultsOfSeveral = validator(jsonSchemaOf(SEVERAL_VERIFIED, "several images"));
const APP = "atcr.io/alice.example.com/app:v1";

describe("verifyOneAnswer", () => {
  it("has the keys of the original document", () => {
    const pinned = `${APP}@${digestOf("a1")}`;
    const answer = imageAnswer(APP, SIGNED, { digest: digestOf("a1"), pinned });
    expect(verifyOneAnswer(APP, [answer])).toEqual({
      status: 200,
      body: {
        schema: "atcr-verify/answer/1",
        image: APP,
        digest: digestOf("a1"),
        pinned,
        allowed: true,
        verified: true,
        outcome: "allow",
        code: "signed",
        reason: `allow signed: ${digestOf("a1")} is signed by ${ALICE} (rule "prod")`,
        rule: "prod",
        did: ALICE,
        handle: "alice.example.com",
        signedAt: "2026-11-27T00:00:00Z",
        signers: [{ did: ALICE, handle: "alice.example.com", signedAt: "2026-11-27T00:00:00Z" }],
      },
    });
  });

  it.each([
    ["exempt", EXEMPT, 200, true, "exempt"],
    ["audited", AUDITED, 200, true, "audited"],
    ["denied", ABSENT, 200, false, "signature.none"],
    ["not judged", SILENT, 503, false, "pds.unreachable"],
    ["malformed", MALFORMED, 500, false, "image.malformed_reference"],
    ["a bug", refusalOf("internal.error", "a bug"), 500, false, "internal.error"],
  ])("says of an image that is %s that no signature was verified", (_, answer, status, allowed, code) => {
    const { status: found, body } = verifyOneAnswer(APP, [imageAnswer(APP, answer)]);
    expect(found).toBe(status);
    expect(body).toMatchObject({ image: APP, allowed, verified: false, code, signers: [] });
    expect(Object.keys(body)).not.toContain("did");
  });

  it("refuses an image that was not judged", () => {
    expect(verifyOneAnswer(APP, [])).toMatchObject({ status: 500, body: { allowed: false, code: "internal.error" } });
  });

  it("prints the image and the reason safely", () => {
    const { body } = verifyOneAnswer("a\u001b", [imageAnswer("a\u001b", { ...ABSENT, detail: "b\u001b" })]);
    expect(body).toMatchObject({ image: "a?", reason: "deny signature.none: b?" });
  });

  it("lists sixteen signers, and prints their handles safely", () => {
    const signatures = Array.from({ length: 20 }, () => counted({ handles: ["a\u001b.example"] }));
    const because = { kind: "signed", rule: "prod", signatures, notes: [] } as const;
    const { body }: Changeable = verifyOneAnswer(APP, [imageAnswer(APP, { outcome: "allow", because })]);
    expect(body.signers).toHaveLength(16);
    expect(body.signers[0].handle).toBe("a?.example");
  });
});

describe("verifyAnswer", () => {
  const both = (first: Parameters<typeof imageAnswer>[1], second: Parameters<typeof imageAnswer>[1]): Changeable =>
    verifyAnswer(["a", "b"], [imageAnswer("b", second), imageAnswer("a", first)]);

  it("has a result for each image, in the order asked for", () => {
    const { status, body } = both(SIGNED, ABSENT);
    expect(status).toBe(200);
    expect(body).toMatchObject({ schema: "atcr-verify/answer/1", allowed: false, verified: false, outcome: "deny" });
    expect(body.results.map(({ image, allowed }: Changeable) => [image, allowed])).toEqual([
      ["a", true],
      ["b", false],
    ]);
  });

  it("is allowed only if each image is, and verified only if each has a signature", () => {
    expect(both(SIGNED, SIGNED).body).toMatchObject({ allowed: true, verified: true, outcome: "allow" });
    expect(both(SIGNED, EXEMPT).body).toMatchObject({ allowed: true, verified: false });
    expect(both(SIGNED, SILENT)).toMatchObject({ status: 503, body: { allowed: false, outcome: "inconclusive" } });
    expect(both(SILENT, ABSENT)).toMatchObject({ status: 200, body: { allowed: false, outcome: "deny" } });
    expect(both(MALFORMED, ABSENT)).toMatchObject({ status: 500, body: { allowed: false, outcome: "misconfigured" } });
    expect(verifyAnswer(["a", "b"], [imageAnswer("a", SIGNED)])).toMatchObject({ status: 500 });
    expect(verifyAnswer([], [])).toMatchObject({ status: 500, body: { allowed: false, verified: false } });
  });
});

describe("the shape of both", () => {
  const answers = [SIGNED, EXEMPT, AUDITED, ABSENT, SILENT, MALFORMED].map((answer, i) =>
    imageAnswer(`${i}`, answer, { digest: digestOf("a1"), pinned: `a@${digestOf("a1")}` }),
  );

  it("has every key that an answer has", () => {
    const images = answers.map(({ image }) => image);
    for (const image of [...images, "not judged"])
      expect(faultsOfOne(verifyOneAnswer(image, answers).body)).toEqual([]);
    expect(faultsOfSeveral(verifyAnswer([...images, "not judged"], answers).body)).toEqual([]);
    const { body } = verifyAnswer(images, answers);
    expect(faultsOfSeveral({ ...body, other: 1 })).not.toEqual([]);
    expect(faultsOfOne({ ...body.results[0] })).not.toEqual([]);
  });
});
