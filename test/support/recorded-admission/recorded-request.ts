import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ImageAnswer } from "../../../src/core/admission/image-answer.ts";
import { toUtf8 } from "../../../src/core/encoding/bytes.ts";
import type { Answer } from "../../../src/core/verify/answer.ts";
import { reasonOf } from "../../../src/frontends/process/report.ts";

/**
 * Requests as the API server, Gatekeeper and Kyverno write them. They were written by hand from the Go types, not taken from
 * a cluster: k8s.io/api admission/v1, core/v1, apps/v1, batch/v1, imagepolicy/v1alpha1; Gatekeeper's externaldata; Kyverno's
 * pkg/utils/image.
 */
const FOLDER = import.meta.dirname;

export const RECORDED_REQUESTS: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.slice(0, -".json".length))
  .toSorted();

export function recordedBytes(name: string): Uint8Array {
  return readFileSync(join(FOLDER, `${name}.json`));
}

/** As JSON.parse gives it, so that tests can change any part. */
export type Changeable = ReturnType<typeof JSON.parse>;

/** The request after a change, as it would be sent. */
export function changedRequest(name: string, change: (json: Changeable) => void): Uint8Array {
  const json: Changeable = JSON.parse(new TextDecoder().decode(recordedBytes(name)));
  change(json);
  return sent(json);
}

export function sent(json: unknown): Uint8Array {
  return toUtf8(JSON.stringify(json));
}

/** What a gate knows of an image after judging it. */
export function imageAnswer(image: string, answer: Answer, more: Partial<ImageAnswer> = {}): ImageAnswer {
  return { image, answer, reason: reasonOf(answer), ...more };
}
