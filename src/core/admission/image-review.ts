import type { JsonObject } from "../encoding/json.ts";
import { parseStrictJson } from "../encoding/strict-json.ts";
import { auditAnnotations, refusalMessage } from "./answer-text.ts";
import { answersFor, type ImageAnswer, worstOutcome } from "./image-answer.ts";
import { MAX_POD_IMAGES } from "./pod-images.ts";
import { checkType, malformed, namespaceIn, objectIn, objectsIn, textIn } from "./read-fields.ts";

const [VERSION, KIND] = ["imagepolicy.k8s.io/v1alpha1", "ImageReview"] as const;

/** The question of the admission plugin ImagePolicyWebhook about the containers of a pod. */
export interface ImageReviewRequest {
  /** As written, each once; attacker-controlled. */
  readonly images: readonly string[];
  /** A valid name of a namespace, from the API server. */
  readonly namespace?: string;
}

/**
 * Reads an ImageReview (imagepolicy.k8s.io/v1alpha1). Its annotations, which the pod's author writes, are not read.
 *
 * @param bytes attacker-controlled; the caller has bounded their number
 * @throws Rejection input.malformed
 */
export function parseImageReview(bytes: Uint8Array): ImageReviewRequest {
  const json = parseStrictJson(bytes, "input.malformed", "the ImageReview");
  const spec = objectIn(checkType(json, VERSION, KIND, "the request"), "spec", "ImageReview");
  if (spec === undefined) return malformed("the ImageReview has no spec");
  const containers = objectsIn(spec, "containers", "spec");
  if (containers.length === 0) malformed("spec.containers is empty, expected an image");
  if (containers.length > MAX_POD_IMAGES) malformed(`spec.containers has more than ${MAX_POD_IMAGES} entries`);
  const images = containers.map((container, i) => {
    const image = textIn(container, "image", `spec.containers[${i}]`) ?? "";
    return image === "" ? malformed(`spec.containers[${i}].image is empty, expected an image`) : image;
  });
  const namespace = namespaceIn(spec, "spec");
  return { images: [...new Set(images)], ...(namespace !== undefined && { namespace }) };
}

/** The answer: the API server reads only whether it is allowed, so an image that could not be judged is not. */
export function imageReviewAnswer({ images }: ImageReviewRequest, answers: readonly ImageAnswer[]): JsonObject {
  const judged = answersFor(images, answers);
  const allowed = worstOutcome(judged) === "allow";
  const status = {
    allowed,
    ...(!allowed && { reason: refusalMessage(judged) }),
    auditAnnotations: auditAnnotations(judged),
  };
  return { apiVersion: VERSION, kind: KIND, status };
}
