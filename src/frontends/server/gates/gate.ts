import type { ImageAnswer } from "../../../core/admission/image-answer.ts";
import { formatReference } from "../../../core/oci/reference.ts";
import type { Deadline } from "../../../io/process/deadline.ts";
import { reasonLine } from "../../process/report.ts";
import type { Answers, Judge } from "../judge-review.ts";
import type { Pin } from "../pin-image.ts";
import type { JudgingGate, Review } from "../review.ts";

/** A request to a gate, once its body is read. */
export interface GateRequest {
  readonly body: Uint8Array;
  /** The rest of the path: the policy's name; absent where there is none. */
  readonly policy?: string | undefined;
  /** Of the URL: attacker-controlled. */
  readonly query: URLSearchParams;
  /** Name of the token that came with it. */
  readonly caller?: string | undefined;
  readonly deadline: Deadline;
  /** What the configuration says about tags. */
  readonly unpinned: "refuse" | "resolve";
}

/** What a request is answered with: the status of HTTP, and what is sent as JSON. */
export interface GateReply {
  readonly status: number;
  readonly json: unknown;
  /** Why the request could not be read, where its protocol has a form of its own for that. */
  readonly unread?: string;
}

/**
 * Answers a request in its protocol.
 *
 * @throws Rejection input.malformed for a body that is none of this protocol's
 */
export type Gate = (request: GateRequest, judge: Judge) => Promise<GateReply>;

/** The review of a request, but for its images. */
export function reviewOf(
  gate: JudgingGate,
  { policy, deadline, unpinned, caller }: GateRequest,
): Omit<Review, "images"> {
  return { gate, policy, deadline, unpinned, user: caller };
}

/** What the protocols say of each judged image. */
export function imageAnswers(answers: Answers): readonly ImageAnswer[] {
  return [...answers.values()].map(({ image, digest, answer, name, resolved }) => ({
    image,
    ...(digest !== undefined && { digest }),
    ...(name !== undefined &&
      resolved !== undefined && { pinned: formatReference({ ...name, digest: resolved.digest }) }),
    answer,
    reason: reasonLine(answer).trimEnd(),
  }));
}

/** The same of each pinned one. */
export function pinAnswers(pins: ReadonlyMap<string, Pin>): readonly ImageAnswer[] {
  return [...pins].map(([image, pin]) => ({ image, ...pin, reason: reasonLine(pin.answer).trimEnd() }));
}
