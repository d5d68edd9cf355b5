import type { JsonObject } from "../encoding/json.ts";
import { printable } from "../encoding/printable.ts";
import { parseStrictJson } from "../encoding/strict-json.ts";
import type { Rejection } from "../rejection.ts";
import { cut } from "./answer-text.ts";
import { answerCode, answersFor, type ImageAnswer, isProven, worstFirst } from "./image-answer.ts";
import { MAX_POD_IMAGES } from "./pod-images.ts";
import { checkType, malformed, objectIn, textsIn } from "./read-fields.ts";
import { shownSigners } from "./shown-signers.ts";

const VERSION = "externaldata.gatekeeper.sh/v1beta1";

/** Longest key, characters: each is repeated in the answer as it came. */
const MAX_KEY = 4096;
/** Longest system error, characters; Gatekeeper shows it to the user. */
const MAX_SYSTEM_ERROR = 1024;

/**
 * Reads Gatekeeper's request for external data (v1beta1).
 *
 * @param bytes attacker-controlled; the caller has bounded their number
 * @returns the keys, which are images, each once
 * @throws Rejection input.malformed
 */
export function parseProviderRequest(bytes: Uint8Array): readonly string[] {
  const json = parseStrictJson(bytes, "input.malformed", "the ProviderRequest");
  const request = objectIn(checkType(json, VERSION, "ProviderRequest", "the request"), "request", "ProviderRequest");
  const keys = textsIn(request ?? malformed("the ProviderRequest has no request"), "keys", "request", MAX_POD_IMAGES);
  const long = keys.findIndex((key) => key.length > MAX_KEY);
  if (long >= 0) malformed(`request.keys[${long}] has more than ${MAX_KEY} characters`);
  return [...new Set(keys)];
}

/**
 * The answer for a constraint: for each key, and no other, a value that says whether the image is allowed. Gatekeeper
 * keeps values, and errors of single keys, for a time. So where one image could not be judged, the whole answer is a system
 * error without items, which it does not keep.
 */
export function providerVerifyAnswer(keys: readonly string[], answers: readonly ImageAnswer[]): JsonObject {
  const judged = answersFor(keys, answers);
  const [failed] = worstFirst(judged).filter(({ answer }) => !isFinal(answer.outcome));
  if (failed !== undefined) return systemError(failed);
  return provided({ items: judged.map((one) => ({ key: one.image, value: providedValue(one) })) });
}

/**
 * The answer for a mutator: for each key, and no other, the image to write. What has a digest, or is allowed or denied
 * without one having been looked up, stays as it is: the constraint decides about it. Where an image could not be resolved,
 * the answer is a system error, and the mutator's failurePolicy decides: a value cannot say that it is not pinned.
 */
export function providerMutateAnswer(keys: readonly string[], answers: readonly ImageAnswer[]): JsonObject {
  const judged = answersFor(keys, answers);
  const values = judged.map((one) => ({ key: one.image, value: pinnedImage(one) }));
  const [failed] = worstFirst(judged).filter((one) => pinnedImage(one) === undefined);
  return failed === undefined ? provided({ idempotent: true, items: values }) : systemError(failed);
}

/** The answer to a request that cannot be read, or that ended before its images were judged. */
export function providerFailure({ code, message }: Pick<Rejection, "code" | "message">): JsonObject {
  return provided({ items: [], systemError: cut(printable(`${code}: ${message}`), MAX_SYSTEM_ERROR) });
}

function systemError({ image, answer }: ImageAnswer): JsonObject {
  const text = answer.outcome === "allow" ? image : `${answer.code}: ${answer.detail}`;
  return provided({ items: [], systemError: cut(printable(text), MAX_SYSTEM_ERROR) });
}

function pinnedImage({ image, pinned, answer }: ImageAnswer): string | undefined {
  if (image.includes("@")) return image;
  return pinned ?? (isFinal(answer.outcome) ? image : undefined);
}

/** Whether the answer would be the same if it were asked again at once. */
function isFinal(outcome: ImageAnswer["answer"]["outcome"]): boolean {
  return outcome === "allow" || outcome === "deny";
}

function providedValue(one: ImageAnswer): JsonObject {
  const { answer, digest, pinned, reason } = one;
  return {
    allowed: answer.outcome === "allow",
    verified: isProven(one),
    code: answerCode(one),
    reason: printable(reason),
    ...(digest !== undefined && { digest }),
    ...(pinned !== undefined && { image: pinned }),
    signers: shownSigners(answer),
  };
}

function provided(response: JsonObject): JsonObject {
  return { apiVersion: VERSION, kind: "ProviderResponse", response };
}
