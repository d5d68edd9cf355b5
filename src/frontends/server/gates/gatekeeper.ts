import {
  parseProviderRequest,
  providerFailure,
  providerMutateAnswer,
  providerVerifyAnswer,
} from "../../../core/admission/provider-request.ts";
import { Rejection } from "../../../core/rejection.ts";
import { judgeReview, pinReview } from "../judge-review.ts";
import { type Gate, type GateReply, imageAnswers, pinAnswers, reviewOf } from "./gate.ts";

/** `/gatekeeper/verify`: external data for a ConstraintTemplate. The request names neither namespace nor user. */
export const gatekeeperVerify: Gate = (asked, judge) =>
  provided(async () => {
    const images = parseProviderRequest(asked.body);
    const answers = await judgeReview({ ...reviewOf("gatekeeper", asked), images }, judge);
    return providerVerifyAnswer(images, imageAnswers(answers));
  });

/** `/gatekeeper/mutate`: external data for an Assign, which pins. */
export const gatekeeperMutate: Gate = (asked, judge) =>
  provided(async () => {
    const images = parseProviderRequest(asked.body);
    const pins = await pinReview({ ...reviewOf("gatekeeper", asked), images }, judge);
    return providerMutateAnswer(images, pinAnswers(pins));
  });

/** Gatekeeper reads the body whatever the status of HTTP is, so what is wrong stands there. */
async function provided(answer: () => Promise<GateReply["json"]>): Promise<GateReply> {
  try {
    return { status: 200, json: await answer() };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { status: 400, json: providerFailure(error), unread: error.message };
  }
}
