import { describe, expect, it } from "vitest";
import { imageReviewAnswer, parseImageReview } from "../../../../src/core/admission/image-review.ts";
import { toUtf8 } from "../../../../src/core/encoding/bytes.ts";
import { ABSENT, ALICE, AUDITED, digestOf, SIGNED, SILENT } from "../../../support/image-results.ts";
import {
  type Changeable,
  changedRequest,
  imageAnswer,
  recordedBytes,
} from "../../../support/recorded-admission/recorded-request.ts";
import { codeOf } from "../../../support/rejection.ts";

const REVIEW = parseImageReview(recordedBytes("image-review"));
const [FIRST = "", SECOND = ""] = REVIEW.images;
const changed = (change: (spec: Changeable) => void) =>
  parseImageReview(changedRequest("image-review", ({ spec }: Changeable) => change(spec)));

describe("parseImageReview", () => {
  it("reads the images, each once, and the namespace", () => {
    expect(REVIEW).toEqual({
      images: [`atcr.io/alice.example.com/app:v1@${digestOf("a1")}`, "docker.io/library/busybox:1.37"],
      namespace: "shop",
    });
    const twice = changed((spec) => {
      spec.containers = [{ image: "a" }, { image: "a" }];
      delete spec.namespace;
    });
    expect(twice).toEqual({ images: ["a"] });
  });

  it.each<[string, (spec: Changeable) => void]>([
    ["no containers", (spec) => delete spec.containers],
    ["an empty list of containers", (spec) => (spec.containers = [])],
    ["an object as containers", (spec) => (spec.containers = { image: "a" })],
    ["a text as a container", (spec) => (spec.containers = ["a"])],
    ["a number as an image", (spec) => (spec.containers = [{ image: 1 }])],
    ["an empty image", (spec) => (spec.containers = [{ image: "a" }, { image: "" }])],
    ["a container without an image", (spec) => (spec.containers = [{}])],
    ["too many containers", (spec) => (spec.containers = Array(1001).fill({ image: "a" }))],
    ["a namespace that is a number", (spec) => (spec.namespace = 1)],
    ["a namespace that is none", (spec) => (spec.namespace = "a b")],
  ])("refuses one with %s", (_, change) => {
    expect(codeOf(() => changed(change))).toBe("input.malformed");
  });

  it("takes as many containers as it says", () => {
    const containers = Array.from({ length: 1000 }, (_, i) => ({ image: `a:${i}` }));
    expect(changed((spec) => (spec.containers = containers)).images).toHaveLength(1000);
  });

  it("refuses what is no JSON", () => {
    expect(codeOf(() => parseImageReview(toUtf8("{")))).toBe("input.malformed");
  });

  it.each<[string, (json: Changeable) => void]>([
    ["another version", (json) => (json.apiVersion = "imagepolicy.k8s.io/v1")],
    ["another kind", (json) => (json.kind = "AdmissionReview")],
    ["no spec", (json) => delete json.spec],
  ])("refuses one of %s", (_, change) => {
    expect(codeOf(() => parseImageReview(changedRequest("image-review", change)))).toBe("input.malformed");
  });
});

describe("imageReviewAnswer", () => {
  it("allows only if each image is allowed", () => {
    expect(imageReviewAnswer(REVIEW, [imageAnswer(FIRST, SIGNED), imageAnswer(SECOND, AUDITED)])).toEqual({
      apiVersion: "imagepolicy.k8s.io/v1alpha1",
      kind: "ImageReview",
      status: {
        allowed: true,
        auditAnnotations: {
          verdict: "allow",
          images: "2",
          codes: "signed,audited",
          unenforced: "signature.none",
          signers: ALICE,
        },
      },
    });
  });

  it.each([
    ["is denied", ABSENT, `signature.none ${SECOND}: no trusted signer has signed this digest`],
    ["could not be judged", SILENT, `pds.unreachable ${SECOND}: https://pds.example.com did not answer`],
  ])("refuses where one %s, with the reason", (_, answer, reason) => {
    const review: Changeable = imageReviewAnswer(REVIEW, [imageAnswer(FIRST, SIGNED), imageAnswer(SECOND, answer)]);
    expect(review.status).toMatchObject({ allowed: false, reason });
  });

  it("refuses where one was not judged", () => {
    const review: Changeable = imageReviewAnswer(REVIEW, [imageAnswer(FIRST, SIGNED)]);
    expect(review.status.allowed).toBe(false);
  });
});
