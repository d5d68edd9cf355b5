import { type Place, REJECTIONS, Rejection, type RejectionCode } from "../rejection.ts";
import type { Refusal, Verdict } from "../verify/verdict.ts";

/** How a run ends: with a verdict, without having been able to ask the question, or with what overrules both. */
export type Answer = Verdict | Failure | Overruled;

/** A refusal that lets the pull through because the administrator has broken the glass. */
export interface Overruled {
  readonly outcome: "allow";
  readonly because: {
    readonly kind: "break_glass";
    /** The administrator's words. */
    readonly reason: string;
    /** Milliseconds since 1970. */
    readonly until: number;
    readonly would: Refusal | Failure;
  };
}

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

/** Whether it is this node, or this program, that must be set right. */
export function isProblem({ outcome }: Answer): boolean {
  return outcome === "misconfigured" || outcome === "internal";
}

/** What an error that ended the run means. Whatever is not a Rejection is a bug. */
export function failureOf(error: unknown): Refusal | Failure {
  if (error instanceof Rejection) return refusalOf(error.code, error.message, error.place);
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return refusalOf("internal.error", `${detail}; please report this`);
}

/** A refusal for one reason, of the kind that the table fixes for its code. */
export function refusalOf(code: RejectionCode, detail: string, place?: Place): Refusal | Failure {
  const { kind } = REJECTIONS[code];
  return kind === "deny" || kind === "inconclusive"
    ? { outcome: kind, code, detail, findings: [] }
    : { outcome: kind, code, detail, ...(place && { place }) };
}
