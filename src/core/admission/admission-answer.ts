import { toBase64, toUtf8 } from "../encoding/bytes.ts";
import type { JsonObject } from "../encoding/json.ts";
import { ADMISSION_KIND, ADMISSION_VERSION, type AdmissionRequest } from "./admission-request.ts";
import {
  auditAnnotations,
  refusalMessage,
  refusalOfRequest,
  unpinnedWarnings,
  warningOf,
  warningsOf,
} from "./answer-text.ts";
import { answersFor, type ImageAnswer, type Outcome, worstOutcome } from "./image-answer.ts";

/** By outcome, what the API server passes on to its client; the HTTP status of the answer itself is always 200. */
const STATUS: Readonly<Record<Exclude<Outcome, "allow">, { readonly code: number; readonly reason: string }>> = {
  deny: { code: 403, reason: "Forbidden" },
  inconclusive: { code: 503, reason: "ServiceUnavailable" },
  misconfigured: { code: 500, reason: "InternalError" },
  internal: { code: 500, reason: "InternalError" },
};

/**
 * The validating webhook's answer, a whole AdmissionReview: allowed only if each image of the request is. It never has a
 * patch, with which the API server would take it for a failed call.
 *
 * @param answers of all images of the request, in any order; one that is missing refuses
 * @param isOnlyAudited whether an object that cannot be judged passes with a warning
 */
export function validatingAnswer(
  request: AdmissionRequest,
  answers: readonly ImageAnswer[],
  isOnlyAudited = false,
): JsonObject {
  if (request.problem !== undefined) {
    const refusal = refusalOfRequest(request.problem);
    if (isOnlyAudited) {
      const annotations = { verdict: "allow", codes: "audited", unenforced: refusal.code };
      return review(
        request,
        { allowed: true },
        { warnings: [warningOf(refusal.message)], auditAnnotations: annotations },
      );
    }
    const annotations = { verdict: refusal.outcome, codes: refusal.code };
    return review(request, refused(refusal.outcome, refusal.message), { auditAnnotations: annotations });
  }
  if (request.skipped !== undefined) {
    return review(request, { allowed: true }, { auditAnnotations: { verdict: "skipped", reason: request.skipped } });
  }
  const judged = judgedOf(request, answers);
  const outcome = worstOutcome(judged);
  const decided = outcome === "allow" ? { allowed: true } : refused(outcome, refusalMessage(judged));
  const warnings = warningsOf(judged);
  return review(request, decided, {
    ...(warnings.length > 0 && { warnings }),
    auditAnnotations: auditAnnotations(judged),
  });
}

/** Whether the mutating webhook pins the images of this object: the pods', which nothing compares with a file in git. */
export function isPinnedKind({ resource }: AdmissionRequest): boolean {
  return resource === "pods";
}

/**
 * The mutating webhook's answer, a whole AdmissionReview: a patch that replaces tags by `name:tag@sha256:…`. It always
 * allows, since the validating webhook decides. What has a digest is left as it is, so a second call changes nothing.
 *
 * @param answers of images of the request, in any order; without `pinned` an image stays as it is
 */
export function mutatingAnswer(request: AdmissionRequest, answers: readonly ImageAnswer[]): JsonObject {
  const pins = new Map(answers.map(({ image, pinned }) => [image, pinned]));
  const images = isPinnedKind(request) ? request.images.filter(({ image }) => !image.includes("@")) : [];
  const patch = images.flatMap(({ image, pointer }) => {
    const value = pins.get(image);
    return value === undefined || value === image ? [] : [{ op: "replace", path: pointer, value }];
  });
  const patched = { patchType: "JSONPatch", patch: toBase64(toUtf8(JSON.stringify(patch))) };
  const asked = new Set(images.map(({ image }) => image));
  const warnings = unpinnedWarnings(answers.filter(({ image }) => asked.has(image)));
  return review(
    request,
    { allowed: true },
    { ...(patch.length > 0 && patched), ...(warnings.length > 0 && { warnings }) },
  );
}

function judgedOf({ images }: AdmissionRequest, answers: readonly ImageAnswer[]): readonly ImageAnswer[] {
  return answersFor(
    images.map(({ image }) => image),
    answers,
  );
}

function refused(outcome: Exclude<Outcome, "allow">, message: string): JsonObject {
  return { allowed: false, status: { ...STATUS[outcome], message } };
}

function review({ uid }: AdmissionRequest, decided: JsonObject, more: JsonObject): JsonObject {
  return { apiVersion: ADMISSION_VERSION, kind: ADMISSION_KIND, response: { uid, ...decided, ...more } };
}
