import { printable } from "../encoding/printable.ts";
import {
  answerCode,
  answerFor,
  answersFor,
  type ImageAnswer,
  isProven,
  type Outcome,
  worstOutcome,
} from "./image-answer.ts";
import { shownSigners } from "./shown-signers.ts";
import type { OneVerified, SeveralVerified } from "./verify-answer-shape.ts";

/** Names the meaning of the keys; verify-answer-shape.ts says when its number rises. */
const SCHEMA = "atcr-verify/answer/1";

/** HTTP status of /v1/verify: one of 200 has a verdict. */
const HTTP_STATUS: Readonly<Record<Outcome, 200 | 500 | 503>> = {
  allow: 200,
  deny: 200,
  inconclusive: 503,
  misconfigured: 500,
  internal: 500,
};

/** An answer's status and body; verify-answer-shape.ts describes the latter. */
export interface VerifyAnswer<Body> {
  readonly status: 200 | 500 | 503;
  readonly body: Body;
}

/** The answer to GET /v1/verify about one image, with the keys of the original document: verified, did, signedAt. */
export function verifyOneAnswer(image: string, answers: readonly ImageAnswer[]): VerifyAnswer<OneVerified> {
  const judged = answerFor(image, answers);
  return { status: HTTP_STATUS[judged.answer.outcome], body: { schema: SCHEMA, ...keysOfImage(judged) } };
}

/** The answer to POST /v1/verify: allowed only if each image is. */
export function verifyAnswer(
  images: readonly string[],
  answers: readonly ImageAnswer[],
): VerifyAnswer<SeveralVerified> {
  const judged = answersFor(images, answers);
  const outcome = worstOutcome(judged);
  return {
    status: HTTP_STATUS[outcome],
    body: {
      schema: SCHEMA,
      allowed: outcome === "allow",
      verified: judged.length > 0 && judged.every(isProven),
      outcome,
      results: judged.map(keysOfImage),
    },
  };
}

/** `verified` says that a signature was proven: false for an image that is allowed without one. */
function keysOfImage(one: ImageAnswer): SeveralVerified["results"][number] {
  const { image, digest, pinned, answer, reason } = one;
  const signers = shownSigners(answer);
  const because = answer.outcome === "allow" ? answer.because : undefined;
  return {
    image: printable(image),
    ...(digest !== undefined && { digest }),
    ...(pinned !== undefined && { pinned }),
    allowed: answer.outcome === "allow",
    verified: isProven(one),
    outcome: answer.outcome,
    code: answerCode(one),
    reason: printable(reason),
    ...(because !== undefined && "rule" in because && { rule: because.rule }),
    ...signers[0],
    signers,
  };
}
