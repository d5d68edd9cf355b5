import type { Answer } from "../../core/verify/answer.ts";

/** Exit codes (spec 6). Any code but 0 refuses the pull. */
const EXIT_CODES: Readonly<Record<Answer["outcome"], number>> = {
  allow: 0,
  deny: 1,
  inconclusive: 2,
  misconfigured: 3,
  internal: 4,
};

/** For a command whose user lacks permission: 1 would mean that nothing was found. */
export const EXIT_STATUS_DENIED = 3;
/** For a command that reports mistakes because of which a file cannot be used. */
export const EXIT_STATUS_MISCONFIGURED = 3;
/** For a command line that cannot be read, or has no command. */
export const EXIT_STATUS_USAGE = 3;

export function exitCode({ outcome }: Answer): number {
  return EXIT_CODES[outcome];
}

/** Whether this node or this program needs fixing, not the image. */
export function isProblem({ outcome }: Answer): boolean {
  return outcome === "misconfigured" || outcome === "internal";
}

/** Thrown when the process is about to end, so that nothing more is done. */
export class ProcessEnding extends Error {}

/** For callbacks, whose caller does not catch {@link ProcessEnding}. */
export function unlessEnded(work: () => never): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof ProcessEnding)) throw error;
  }
}
