import { verifyAnswer, verifyOneAnswer } from "../../../core/admission/verify-answer.ts";
import { parseVerifyRequest } from "../../../core/admission/verify-request.ts";
import { reject } from "../../../core/rejection.ts";
import { judgeReview } from "../judge-review.ts";
import { type Gate, imageAnswers, reviewOf } from "./gate.ts";

/** `GET /v1/verify?image=`: one image, for people, scripts and pipelines. */
export const verifyOne: Gate = async (asked, judge) => {
  const [image, ...more] = asked.query.getAll("image");
  if (image === undefined || more.length > 0) reject("input.malformed", "expected one image: /v1/verify?image=NAME");
  const answers = await judgeReview({ ...reviewOf("verify", asked), images: [image] }, judge);
  const { status, body: json } = verifyOneAnswer(image, imageAnswers(answers));
  return { status, json };
};

/** `POST /v1/verify`: several images, such as those of a pod that Kyverno asks about. */
export const verifySeveral: Gate = async (asked, judge) => {
  const images = parseVerifyRequest(asked.body);
  const answers = await judgeReview({ ...reviewOf("verify", asked), images }, judge);
  const { status, body: json } = verifyAnswer(images, imageAnswers(answers));
  return { status, json };
};
