import { type Place, REJECTIONS, Rejection, type RejectionCode } from "../rejection.ts";
import { BUILD } from "../version.ts";
import type { Refusal, Verdict } from "./verdict.ts";

/** The result of a verification: a verdict, a failure without one, or a refusal that is not enforced. */
export type Answer = Verdict | Failure | NotEnforced;

/** The input, this node's settings or the program itself is at fault: nothing was judged. */
export interface Failure {
  readonly outcome: "misconfigured" | "internal";
  readonly code: RejectionCode;
  readonly detail: string;
  /** The mistake's location, if it is in a file. */
  readonly place?: Place;
}

/** An image that is let through although it was refused (enforce.ts). */
export interface NotEnforced {
  readonly outcome: "allow";
  readonly because: Audited | BreakGlassAllow;
}

/** The rule only audits. */
export interface Audited {
  readonly kind: "audited";
  readonly rule: string;
  readonly would: Refusal;
}

/** Break-glass is active for this image. */
export interface BreakGlassAllow {
  readonly kind: "break_glass";
  /** The administrator's words. */
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly would: Refusal | Failure;
}

/** Turns an error that ended a verification into an answer. Anything but a Rejection is a bug. */
export function failureOf(error: unknown): Refusal | Failure {
  if (error instanceof Rejection) return refusalOf(error.code, error.message, error.place);
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return refusalOf("internal.error", `${detail}; please report this`);
}

/** A refusal for one reason, of the kind that the table assigns to its code. */
export function refusalOf(code: RejectionCode, detail: string, place?: Place): Refusal | Failure {
  const { kind } = REJECTIONS[code];
  return kind === "deny" || kind === "inconclusive"
    ? { outcome: kind, code, detail, findings: [] }
    : { outcome: kind, code, detail, ...(place && { place }) };
}

/** Proves to the doctor that this very program was asked (docs/reference/doctor.md); independent of the policy. */
export function probeRefusal(digest: string): Answer {
  const detail = `atcr-verify ${BUILD} was asked about ${digest}, and always refuses the name that doctor --probe pulls`;
  return refusalOf("policy.probe", detail);
}
