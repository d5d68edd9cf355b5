import { imageReviewAnswer, parseImageReview } from "../../../core/admission/image-review.ts";
import { judgeReview } from "../judge-review.ts";
import { type Gate, imageAnswers, reviewOf } from "./gate.ts";

/**
 * `/imagereview`: the ImagePolicyWebhook of the API server. A status of HTTP other than 200 would be tried again up to
 * five times.
 */
export const imageReview: Gate = async (asked, judge) => {
  const request = parseImageReview(asked.body);
  const { namespace, images } = request;
  const answers = await judgeReview({ ...reviewOf("imagereview", asked), images, namespace }, judge);
  return { status: 200, json: imageReviewAnswer(request, imageAnswers(answers)) };
};
