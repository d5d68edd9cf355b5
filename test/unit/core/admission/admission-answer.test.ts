import { describe, expect, it } from "vitest";
import { isPinnedKind, mutatingAnswer, validatingAnswer } from "../../../../src/core/admission/admission-answer.ts";
import { parseAdmissionReview } from "../../../../src/core/admission/admission-request.ts";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
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
import {
  type Changeable,
  changedRequest,
  imageAnswer,
  recordedBytes,
} from "../../../support/recorded-admission/recorded-request.ts";

type AnyAnswer = Parameters<typeof imageAnswer>[1];

const POD = parseAdmissionReview(recordedBytes("pod-create-image-volume"));
const IMAGES = POD.images.map(({ image }) => image);
const [MIGRATE = "", APP = "", PROXY = "", MODELS = ""] = IMAGES;
const answersOf = (...answers: AnyAnswer[]) => answers.map((answer, i) => imageAnswer(IMAGES[i] ?? "", answer));
const responseOf = (review: Changeable) => review.response;
const validated = (...answers: AnyAnswer[]) => responseOf(validatingAnswer(POD, answersOf(...answers)));

describe("validatingAnswer", () => {
  it("allows a pod whose images are all allowed, and notes who signed", () => {
    expect(validatingAnswer(POD, answersOf(SIGNED, EXEMPT, SIGNED, SIGNED))).toEqual({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: {
        uid: "0a6f1c6e-58c1-4a1e-9d0a-37b2d2f0a001",
        allowed: true,
        auditAnnotations: { verdict: "allow", images: "4", codes: "signed,exempt", signers: ALICE },
      },
    });
  });

  it("refuses with one line for each reason, its code first", () => {
    expect(validated(SIGNED, SILENT, ABSENT, SIGNED)).toEqual({
      uid: POD.uid,
      allowed: false,
      status: {
        code: 403,
        reason: "Forbidden",
        message: [
          `signature.none ${PROXY.replace(/(a1){26}$/, "...")}: no trusted signer has signed this digest`,
          `pds.unreachable ${APP}: https://pds.example.com did not answer`,
        ].join("\n"),
      },
      auditAnnotations: {
        verdict: "deny",
        images: "4",
        codes: "signed,pds.unreachable,signature.none",
        signers: ALICE,
      },
    });
  });

  it.each([
    ["deny", ABSENT, 403, "Forbidden"],
    ["inconclusive", SILENT, 503, "ServiceUnavailable"],
    ["misconfigured", MALFORMED, 500, "InternalError"],
    ["internal", refusalOf("internal.error", "a bug"), 500, "InternalError"],
  ])("says by the status that it is %s", (verdict, answer, code, reason) => {
    const response = validated(SIGNED, SIGNED, SIGNED, answer);
    expect(response).toMatchObject({ allowed: false, status: { code, reason }, auditAnnotations: { verdict } });
  });

  it("allows what a rule only audits, with a warning for each", () => {
    const response = validated(AUDITED, SIGNED, SIGNED, AUDITED);
    expect(response.allowed).toBe(true);
    expect(response.status).toBeUndefined();
    expect(response.warnings).toEqual(
      [MIGRATE, MODELS].map(
        (image) => `atcr-verify would refuse this: signature.none ${image}: no trusted signer has signed this digest`,
      ),
    );
    expect(response.auditAnnotations).toMatchObject({ codes: "audited,signed", unenforced: "signature.none" });
  });

  it("never sends a patch", () => {
    const pinned = answersOf(SIGNED, SIGNED, SIGNED, SIGNED).map((one) => ({ ...one, pinned: `x@${digestOf("a1")}` }));
    const response = responseOf(validatingAnswer(POD, pinned));
    expect([response.patch, response.patchType]).toEqual([undefined, undefined]);
  });

  it("refuses where an image was not judged, whatever the others are", () => {
    expect(validated(SIGNED, SIGNED, SIGNED)).toMatchObject({ allowed: false, status: { code: 500 } });
    expect(validated()).toMatchObject({ allowed: false, auditAnnotations: { verdict: "internal" } });
    // A request with nothing to judge says why; one that does not is a mistake of this program.
    const empty = responseOf(validatingAnswer({ ...POD, images: [] }, []));
    expect(empty).toMatchObject({ allowed: false, status: { code: 500 } });
  });

  it("allows what is skipped, and says why", () => {
    const request = parseAdmissionReview(recordedBytes("deployment-scale"));
    expect(responseOf(validatingAnswer(request, []))).toEqual({
      uid: "0a6f1c6e-58c1-4a1e-9d0a-37b2d2f0a007",
      allowed: true,
      auditAnnotations: { verdict: "skipped", reason: "the subresource scale has no image" },
    });
  });

  it("refuses what cannot be judged, by its uid", () => {
    const request = parseAdmissionReview(recordedBytes("rollout-create"));
    const response = responseOf(validatingAnswer(request, []));
    expect(response).toMatchObject({
      uid: "0a6f1c6e-58c1-4a1e-9d0a-37b2d2f0a014",
      allowed: false,
      status: { code: 500, reason: "InternalError" },
      auditAnnotations: { verdict: "misconfigured", codes: "input.malformed" },
    });
    expect(response.status.message).toMatch(/^input\.malformed: .*Rollout/);
    const problem = new Rejection("input.malformed", `a\n${"x".repeat(5000)}`);
    const long = responseOf(validatingAnswer({ ...request, problem }, []));
    expect(long.status.message).toMatch(/^input\.malformed: a\?x+\.\.\.$/);
    expect(long.status.message).toHaveLength(1024);
  });

  it("allows what cannot be judged where it is only audited, with a warning", () => {
    const request = parseAdmissionReview(recordedBytes("rollout-create"));
    expect(responseOf(validatingAnswer(request, [], true))).toEqual({
      uid: request.uid,
      allowed: true,
      warnings: [expect.stringMatching(/^atcr-verify would refuse this: input\.malformed: .*Rollout/)],
      auditAnnotations: { verdict: "allow", codes: "audited", unenforced: "input.malformed" },
    });
    expect(responseOf(validatingAnswer(POD, answersOf(ABSENT), true)).allowed).toBe(false);
  });

  it("names no signers where there are none", () => {
    expect(validated(EXEMPT, EXEMPT, EXEMPT, EXEMPT).auditAnnotations).toEqual({
      verdict: "allow",
      images: "4",
      codes: "exempt",
    });
  });

  it("bounds each annotation", () => {
    const signatures = Array.from({ length: 100 }, (_, i) => counted({ signer: `did:web:${i}.example` as Did }));
    const many = { outcome: "allow", because: { kind: "signed", rule: "prod", signatures, notes: [] } } as const;
    const { signers } = validated(many, many, many, many).auditAnnotations;
    expect(signers).toMatch(/^did:web:0\.example,did:web:1\.example,.*\.\.\.$/);
    expect(signers).toHaveLength(1024);
  });
});

describe("mutatingAnswer", () => {
  const pinned = (image: string, answer: AnyAnswer = SIGNED) =>
    imageAnswer(image, answer, { pinned: `${image}@${digestOf("a1")}` });
  const patchOf = (review: Changeable) => {
    const { patch, patchType } = review.response;
    if (patch === undefined) return patchType;
    expect(patchType).toBe("JSONPatch");
    return JSON.parse(Buffer.from(patch, "base64").toString("utf8"));
  };

  it("pins tags, in volumes too, and leaves digests as they are", () => {
    const review = mutatingAnswer(POD, [pinned(MIGRATE), pinned(APP, ABSENT), pinned(PROXY), pinned(MODELS)]);
    expect(review).toMatchObject({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" });
    expect(responseOf(review)).toMatchObject({ uid: POD.uid, allowed: true });
    expect(patchOf(review)).toEqual([
      { op: "replace", path: "/spec/initContainers/0/image", value: `${MIGRATE}@${digestOf("a1")}` },
      { op: "replace", path: "/spec/containers/0/image", value: `${APP}@${digestOf("a1")}` },
      { op: "replace", path: "/spec/volumes/0/image/reference", value: `${MODELS}@${digestOf("a1")}` },
    ]);
  });

  it("leaves out both fields where nothing is pinned", () => {
    const exempt = mutatingAnswer(POD, answersOf(EXEMPT, EXEMPT, EXEMPT, EXEMPT));
    expect(exempt).toEqual({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: POD.uid, allowed: true },
    });
    expect(responseOf(mutatingAnswer(POD, [imageAnswer(APP, SIGNED, { pinned: APP })]))).toEqual({
      uid: POD.uid,
      allowed: true,
    });
  });

  it("pins ephemeral containers, and nothing but pods", () => {
    const ephemeral = parseAdmissionReview(recordedBytes("pod-ephemeral-containers"));
    expect(isPinnedKind(ephemeral)).toBe(true);
    expect(patchOf(mutatingAnswer(ephemeral, [pinned("evil.example/tools:latest")]))).toEqual([
      {
        op: "replace",
        path: "/spec/ephemeralContainers/1/image",
        value: `evil.example/tools:latest@${digestOf("a1")}`,
      },
    ]);
    const deployment = parseAdmissionReview(recordedBytes("deployment-create"));
    expect(isPinnedKind(deployment)).toBe(false);
    expect(patchOf(mutatingAnswer(deployment, [pinned(APP)]))).toBeUndefined();
  });

  it("warns of what was to be pinned and was not, and of nothing else", () => {
    const unpinned = refusalOf("image.not_pinned", "not for this gate");
    const answers = [pinned(MIGRATE, SILENT), imageAnswer(APP, unpinned), imageAnswer(MODELS, SILENT)];
    const { warnings } = responseOf(mutatingAnswer(POD, answers));
    expect(warnings).toEqual([expect.stringContaining(`could not pin ${MODELS}: pds.unreachable`)]);
  });

  it("always allows: what is refused, is skipped, or cannot be judged", () => {
    const broken = parseAdmissionReview(
      changedRequest("pod-create-image-volume", ({ request }: Changeable) => (request.object.spec = 1)),
    );
    for (const request of [POD, broken, parseAdmissionReview(recordedBytes("pod-delete"))]) {
      const response = responseOf(mutatingAnswer(request, answersOf(ABSENT, SILENT, MALFORMED)));
      const { warnings = [], ...rest } = response as { readonly warnings?: readonly string[] };
      expect(rest).toEqual({ uid: request.uid, allowed: true });
      // Only what should have been pinned: the validating webhook does not say why it was not.
      expect(warnings.map((line) => /: ([a-z]+\.[a-z_]+):/.exec(line)?.[1])).toEqual(
        request === POD ? ["signature.none", "pds.unreachable"] : [],
      );
    }
  });
});
