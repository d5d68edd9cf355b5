import { printable } from "../../core/encoding/printable.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import { type Failure, failureOf, refusalOf } from "../../core/verify/answer.ts";
import type { Refusal } from "../../core/verify/verdict.ts";
import { Warnings } from "../../core/warning.ts";
import { RequestCounts } from "../../verifier/service/exchanges.ts";
import type { Session } from "../../verifier/service/session.ts";
import { type Judged, type Judging, judgeByEvidence, judgeByPolicy, judgeUnasked } from "./judge-image.ts";
import { type Pin, pinImage } from "./pin-image.ts";
import type { Review } from "./review.ts";

/** Images of one review that are judged at the same time: one pod must not take the connections of all others. */
const PARALLEL = 8;
/** Different images of one review. A pod has a handful; each costs requests and a line in the log. */
export const MAX_IMAGES = 1000;

/**
 * Different images of one pod or workload that are judged by evidence, or pinned. Ten times what the largest pods have; each
 * takes some milliseconds from all others, so one pod must not have hundreds.
 */
const MAX_OF_OBJECT = 64;
/** Gates that are asked about one object. */
const OF_OBJECTS: ReadonlySet<string> = new Set(["admit", "mutate", "imagereview"]);

/** The judgement of one image of a review. */
export interface AnsweredImage extends Judged {
  /** As the caller wrote it; attacker-controlled. */
  readonly image: string;
  /** Absent where no policy was found. */
  readonly policyHash?: string;
  readonly requestCounts: RequestCounts;
  readonly warnings: Warnings;
  /** Milliseconds. */
  readonly total: number;
}

/** What reviews are judged by, and who hears of it. */
export interface Judge {
  /** @throws Rejection policy.invalid where there is no policy of this name */
  readonly judgingFor: (review: Review) => Omit<Judging, "unpinned">;
  /**
   * Runs the work once the gate has a place for it.
   *
   * @returns undefined where there is none, or none within the deadline
   */
  readonly inPlace: <T>(review: Review, work: () => Promise<T>) => Promise<T | undefined>;
  /** Called once for each judged image. */
  readonly answered: (review: Review, answered: AnsweredImage) => void;
  /** Called once for each object whose images cannot be judged. @param isAllowed whether its policy only audits */
  readonly unjudged: (review: Review, problem: Rejection, isAllowed: boolean) => void;
  readonly warn: (text: string) => void;
  /** Called with an error that is a bug of this program. */
  readonly failed: (error: unknown) => void;
}

/** Images by their text. */
export type Answers = ReadonlyMap<string, AnsweredImage>;

/** Trying again does not help. */
const TOO_MANY: Refusal = {
  outcome: "deny",
  code: "input.malformed",
  detail: `more than ${MAX_OF_OBJECT} different images of one object need a signature or a digest`,
  findings: [],
};

function isTooMany({ gate }: Review, images: readonly string[]): boolean {
  return OF_OBJECTS.has(gate) && images.length > MAX_OF_OBJECT;
}

const LATE = "the other images of this review took all of its time";
const OVERLOADED = "too many images are being verified at one time; try again";

/**
 * Judges each different image of a review once, several at a time. What the policy decides by itself needs no place in
 * the gate's queue.
 *
 * @throws Rejection input.malformed for too many images, policy.invalid
 */
export async function judgeReview(review: Review, judge: Judge): Promise<Answers> {
  try {
    return await judgeImages(distinct(review), review, judge);
  } catch (error) {
    const [first, ...rest] = [...new Set(review.images)].map((image) => unjudged(image, failureOf(error)));
    if (!(error instanceof Rejection)) judge.failed(error);
    // One line of the log for all.
    if (first !== undefined) judge.answered(review, first);
    return new Map([first, ...rest].flatMap((one) => (one === undefined ? [] : [[one.image, one]])));
  }
}

/** @throws Rejection policy.invalid */
async function judgeImages(images: readonly string[], review: Review, judge: Judge): Promise<Answers> {
  const judging = { ...judge.judgingFor(review), unpinned: review.unpinned };
  const answer = async (image: string, work: Judgement): Promise<AnsweredImage | undefined> => {
    const began = performance.now();
    const requestCounts = new RequestCounts();
    const warnings = warningsTo(judge);
    const judged = await work(image, judging, sessionOf(review, requestCounts, warnings));
    if (judged === undefined) return undefined;
    const total = performance.now() - began;
    const answered = { image, ...judged, policyHash: judging.policy.hash, requestCounts, warnings, total };
    if (judged.decision?.error !== undefined) judge.failed(judged.decision.error);
    judge.answered(review, answered);
    return answered;
  };
  const decided = await eachOf(images, (image) => answer(image, judgeByPolicy));
  const open = images.filter((image) => !decided.has(image));
  if (open.length === 0) return decided;
  if (isTooMany(review, open)) {
    return new Map([
      ...decided,
      ...(await eachOf(open, (image) => answer(image, (text) => judgeUnasked(text, judging, TOO_MANY)))),
    ]);
  }
  const late = refusalOf("net.deadline", LATE);
  // After the deadline nothing is worked on any more: it would cost the time of others.
  const judgement: Judgement = (image, judging, session) =>
    review.deadline.remaining() > 0 ? judgeByEvidence(image, judging, session) : judgeUnasked(image, judging, late);
  const work = (): Promise<Answers> => eachOf(open, (image) => answer(image, judgement));
  const byEvidence = await judge.inPlace(review, work);
  const refusal = refusalOf("server.overloaded", OVERLOADED);
  const rest =
    byEvidence ?? (await eachOf(open, (image) => answer(image, (text) => judgeUnasked(text, judging, refusal))));
  return new Map([...decided, ...rest]);
}

/**
 * Resolves each different image of a review once. Never throws.
 *
 * @returns by the text of the image
 */
export async function pinReview(review: Review, judge: Judge): Promise<ReadonlyMap<string, Pin>> {
  try {
    return await pinImages(distinct(review), review, judge);
  } catch (error) {
    if (!(error instanceof Rejection)) judge.failed(error);
    return pinNone(review, failureOf(error), judge);
  }
}

/** @throws Rejection policy.invalid */
async function pinImages(images: readonly string[], review: Review, judge: Judge): Promise<ReadonlyMap<string, Pin>> {
  const judging = judge.judgingFor(review);
  if (isTooMany(review, images)) return pinNone(review, TOO_MANY, judge);
  const work = async (image: string): Promise<Pin> => {
    const began = performance.now();
    const requestCounts = new RequestCounts();
    const warnings = warningsTo(judge);
    const isLate = review.deadline.remaining() <= 0;
    const session = sessionOf(review, requestCounts, warnings);
    const pin = isLate ? { answer: refusalOf("net.deadline", LATE) } : await pinImage(image, judging, session);
    const { answer } = pin;
    const isWanted = answer.outcome !== "allow" && answer.code !== "image.not_pinned";
    const total = performance.now() - began;
    // Why it is not pinned is said nowhere else, as the validating gate finds a tag and asks nobody.
    if (isWanted) judge.answered(review, { image, answer, requestCounts, warnings, total });
    return pin;
  };
  const pinned = await judge.inPlace(review, () => eachOf(images, work));
  return pinned ?? pinNone(review, refusalOf("server.overloaded", OVERLOADED), judge);
}

function pinNone(review: Review, answer: Refusal | Failure, judge: Judge): ReadonlyMap<string, Pin> {
  const [first] = review.images;
  // One line of the log for all.
  if (first !== undefined) judge.answered(review, unjudged(first, answer));
  return new Map(review.images.map((image) => [image, { answer }]));
}

/** @param answer to the whole review */
function unjudged(image: string, answer: Refusal | Failure): AnsweredImage {
  return {
    image,
    answer,
    requestCounts: new RequestCounts(),
    warnings: new Warnings(() => {}),
    total: 0,
  };
}

type Judgement = (image: string, judging: Judging, session: Session) => Promise<Judged | undefined>;

/** @throws Rejection input.malformed for too many */
function distinct({ images }: Review): readonly string[] {
  const all = [...new Set(images)];
  if (all.length > MAX_IMAGES)
    reject("input.malformed", `${all.length} different images in one review, expected at most ${MAX_IMAGES}`);
  return all;
}

async function eachOf<T>(
  images: readonly string[],
  work: (image: string) => Promise<T | undefined>,
): Promise<ReadonlyMap<string, T>> {
  const waiting = images.values();
  const results = new Map<string, T>();
  const worker = async (): Promise<void> => {
    for (const image of waiting) {
      const result = await work(image);
      if (result !== undefined) results.set(image, result);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, images.length) }, worker));
  return results;
}

function warningsTo(judge: Judge): Warnings {
  return new Warnings(({ code, message }) => judge.warn(printable(`warning ${code}: ${message}`)));
}

function sessionOf({ deadline, namespace }: Review, requestCounts: RequestCounts, { warn }: Warnings): Session {
  return {
    deadline,
    requestCounts,
    // Who writes a pod names the registry.
    privateRegistry: "network.allow",
    asker: namespace,
    now: () => Date.now(),
    warn,
    ruleSelected: () => {},
    beforeHeavyWork: () => {},
  };
}
