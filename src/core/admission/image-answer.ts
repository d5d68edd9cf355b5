import type { Digest } from "../oci/digest.ts";
import type { Answer, Audited, BreakGlassAllow } from "../verify/answer.ts";
import { refusalOf } from "../verify/answer.ts";

/** What a gate knows of one image after judging it. */
export interface ImageAnswer {
  /** As the caller wrote it; attacker-controlled. */
  readonly image: string;
  /** That was judged. */
  readonly digest?: Digest;
  /** `name:tag@sha256:…`; absent where it is not pinned: a rule exempts it, or it could not be resolved. */
  readonly pinned?: string;
  readonly answer: Answer;
  /** The reason in one line, printable. */
  readonly reason: string;
}

export type Outcome = Answer["outcome"];

/** Worst first. A deny is final, so it comes before what may be known later. */
const WORST_FIRST: readonly Outcome[] = ["internal", "misconfigured", "deny", "inconclusive", "allow"];

/** The outcome of several images: that of the worst. Of no images it is `internal`, as a gate asks about one at least. */
export function worstOutcome(answers: readonly ImageAnswer[]): Outcome {
  return WORST_FIRST.find((outcome) => answers.some(({ answer }) => answer.outcome === outcome)) ?? "internal";
}

/** Those with the worst outcome first, and otherwise in their order. */
export function worstFirst(answers: readonly ImageAnswer[]): readonly ImageAnswer[] {
  const rank = ({ answer }: ImageAnswer) => WORST_FIRST.indexOf(answer.outcome);
  return answers.toSorted((a, b) => rank(a) - rank(b));
}

/**
 * The answer of each image that was asked about, in that order, each once. One that was not judged is a failure of this
 * program, so that no gate can let an image through by forgetting it.
 */
export function answersFor(images: readonly string[], answers: readonly ImageAnswer[]): readonly ImageAnswer[] {
  const known = new Map(answers.map((one) => [one.image, one]));
  return [...new Set(images)].map((image) => known.get(image) ?? forgotten(image));
}

/** The same of one image. */
export function answerFor(image: string, answers: readonly ImageAnswer[]): ImageAnswer {
  return answers.find((one) => one.image === image) ?? forgotten(image);
}

function forgotten(image: string): ImageAnswer {
  const answer = refusalOf("internal.error", "this image was not judged; please report this");
  return { image, answer, reason: "internal internal.error: this image was not judged; please report this" };
}

/** The code of a refusal; else why it is allowed: `signed`, `exempt`, `audited`, `break_glass`. */
export function answerCode({ answer }: ImageAnswer): string {
  return answer.outcome === "allow" ? answer.because.kind : answer.code;
}

/** Whether a trusted signature was verified: not so for an image that is exempt, audited, or allowed by break-glass. */
export function isProven({ answer }: ImageAnswer): boolean {
  return answer.outcome === "allow" && answer.because.kind === "signed";
}

/** The refusal of an image that is audited or allowed by break-glass. */
export function unenforced({ answer }: ImageAnswer): Audited["would"] | BreakGlassAllow["would"] | undefined {
  return answer.outcome === "allow" && "would" in answer.because ? answer.because.would : undefined;
}
