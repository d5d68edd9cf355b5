import { type Place, REJECTIONS, Rejection, type RejectionCode } from "../rejection.ts";
import type { Verdict } from "../verify/verdict.ts";

/** How a run ends: with a verdict, or without having been able to ask the question. */
export type Answer = Verdict | Failure;

export interface Failure {
  readonly outcome: "misconfigured" | "internal";
  readonly code: RejectionCode;
  readonly detail: string;
  /** Where the mistake is, where it is in a file. */
  readonly place?: Place;
}

/** Exit codes (spec 6). Everything but 0 refuses the pull. */
const EXIT_CODES: Readonly<Record<Answer["outcome"], number>> = {
  allow: 0,
  deny: 1,
  inconclusive: 2,
  misconfigured: 3,
  internal: 4,
};

export function exitCode({ outcome }: Answer): number {
  return EXIT_CODES[outcome];
}

/** What an error that ended the run means. Whatever is not a Rejection is a bug. */
export function failureOf(error: unknown): Answer {
  if (error instanceof Rejection) return refusalOf(error.code, error.message, error.place);
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return refusalOf("internal.error", `${detail}; please report this`);
}

/** A refusal for one reason, of the kind that the table fixes for its code. */
export function refusalOf(code: RejectionCode, detail: string, place?: Place): Answer {
  const { kind } = REJECTIONS[code];
  return kind === "deny" || kind === "inconclusive"
    ? { outcome: kind, code, detail, findings: [] }
    : { outcome: kind, code, detail, ...(place && { place }) };
}
