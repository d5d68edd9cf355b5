import { isPinnedKind, mutatingAnswer, validatingAnswer } from "../../../core/admission/admission-answer.ts";
import { type AdmissionRequest, parseAdmissionReview } from "../../../core/admission/admission-request.ts";
import { auditsEverything } from "../../../core/policy-tools/audits-everything.ts";
import { Rejection } from "../../../core/rejection.ts";
import { type Judge, judgeReview, pinReview } from "../judge-review.ts";
import type { Review } from "../review.ts";
import { type Gate, type GateRequest, imageAnswers, pinAnswers, reviewOf } from "./gate.ts";

/**
 * `/admit`: the validating webhook of Kubernetes. A verdict is never the status of HTTP, as `failurePolicy: Ignore` would
 * pass over it.
 */
export const admit: Gate = async (asked, judge) => {
  const request = parseAdmissionReview(asked.body);
  // A template's tag becomes a digest in its pods, which are judged again: refused here is what they would be refused for.
  const unpinned = isPinnedKind(request) ? asked.unpinned : "resolve";
  const review = { ...reviewOfObject("admit", asked, request), unpinned };
  const answers = await judgeReview(review, judge);
  const isAllowed = passesUnjudged(review, request, judge);
  return { status: 200, json: validatingAnswer(request, imageAnswers(answers), isAllowed) };
};

/** Whether it is an object of which no image can be read, and passes even so; reported either way, as no decision is. */
function passesUnjudged(review: Review, { problem }: AdmissionRequest, judge: Judge): boolean {
  if (problem === undefined) return false;
  const isAllowed = isOnlyAudited(review, judge);
  judge.unjudged(review, problem, isAllowed);
  return isAllowed;
}

/** Whether the policy lets every image through. */
function isOnlyAudited(review: Review, judge: Judge): boolean {
  try {
    const { policy } = judge.judgingFor(review);
    return policy.deniedDigests.size === 0 && auditsEverything(policy) !== undefined;
  } catch (error) {
    if (error instanceof Rejection) return false;
    throw error;
  }
}

/** `/mutate`: the mutating webhook, which only pins. Whether the images may run is the validating one's to say. */
export const mutate: Gate = async (asked, judge) => {
  const request = parseAdmissionReview(asked.body);
  const review = reviewOfObject("mutate", asked, request);
  const pins = await pinReview({ ...review, images: isPinnedKind(request) ? review.images : [] }, judge);
  return { status: 200, json: mutatingAnswer(request, pinAnswers(pins)) };
};

function reviewOfObject(gate: "admit" | "mutate", asked: GateRequest, request: AdmissionRequest): Review {
  const { object, user, namespace, dryRun: isDryRun } = request;
  const images = request.images.map(({ image }) => image);
  return { ...reviewOf(gate, asked), images, namespace, object, user, isDryRun };
}
