import { cut } from "../../core/admission/answer-text.ts";
import { printable } from "../../core/encoding/printable.ts";
import type { Rejection } from "../../core/rejection.ts";
import type { DecisionRecord } from "../../io/log/decision-record.ts";
import { decisionRecord } from "../process/decision-record-of.ts";
import type { AnsweredImage } from "./judge-review.ts";
import type { Review } from "./review.ts";

/** Longest name of a user, a namespace, an object or a policy in the log, characters. */
const MAX_WORD = 256;
/** Longest object and user, and longest problem, of a line for people, characters. */
const MAX_SHOWN = 100;
const MAX_PROBLEM = 300;

/** The line of the decision log for one image of a review. */
export function recordOf(review: Review, answered: AnsweredImage): DecisionRecord {
  const { gate, policy, namespace, object, user, isDryRun } = review;
  const { image, digest, decision, answer, policyHash, requestCounts, warnings, total } = answered;
  const record = decisionRecord(answer, {
    image,
    digest,
    rule: decision?.rule,
    cache: decision?.cache,
    running: total,
    requestCounts,
    warnings,
    policyHash,
  });
  return {
    ...record,
    gate,
    ...(policy !== undefined && { policyName: word(policy) }),
    ...(namespace !== undefined && { namespace: word(namespace) }),
    ...(object !== undefined && { object: word(object) }),
    ...(user !== undefined && { user: word(user) }),
    ...(isDryRun === true && { dryRun: true }),
  };
}

/** What the log says of an object whose images cannot be judged: there is no image, and so no line of the decision log. */
export function unjudgedText(review: Review, problem: Rejection, isAllowed: boolean): string {
  const { namespace, object = "an object", user } = review;
  const where = namespace === undefined ? "" : ` in namespace ${namespace}`;
  const who = user === undefined || user === "" ? "" : ` by ${cut(user, MAX_SHOWN)}`;
  const found = cut(`${problem.code}: ${problem.message}`, MAX_PROBLEM);
  return printable(`${isAllowed ? "audited" : "refused"} ${cut(object, MAX_SHOWN)}${where}${who}: ${found}`);
}

function word(text: string): string {
  return printable(text.slice(0, MAX_WORD));
}
