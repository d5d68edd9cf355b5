import type { Answer } from "../../core/verify/answer.ts";

/** Exit codes (spec 6). Everything but 0 refuses the pull. */
const EXIT_CODES: Readonly<Record<Answer["outcome"], number>> = {
  allow: 0,
  deny: 1,
  inconclusive: 2,
  misconfigured: 3,
  internal: 4,
};

/** Of a command whose user may not read or change what it is about: 1 would say that nothing is there. */
export const EXIT_STATUS_DENIED = 3;
/** Of a line without a command, as of every line that cannot be read. */
export const EXIT_STATUS_USAGE = 3;

export function exitCode({ outcome }: Answer): number {
  return EXIT_CODES[outcome];
}

/** Whether it is this node, or this program, that must be set right. */
export function isProblem({ outcome }: Answer): boolean {
  return outcome === "misconfigured" || outcome === "internal";
}
