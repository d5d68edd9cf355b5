import { CLOCK_SKEW } from "../encoding/time.ts";
import type { ImageReference } from "../oci/reference.ts";
import { matchesScope, type Scope } from "./scope.ts";

/** Longest time for which break-glass is active, in milliseconds: after that somebody has to say so again. */
const MAX_BROKEN = 24 * 60 * 60 * 1000;

/** An emergency that the administrator declares: refusals of these images let the pull through, for a while. */
export interface BreakGlass {
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly scopes: readonly Scope[];
}

/** The break-glass file of this node. */
export type BreakGlassFile = { readonly path: string } & (
  | { readonly active: BreakGlass }
  /** Why it does not count now, as a clause. */
  | { readonly active?: never; readonly because: string; readonly isUnseen?: true }
);

/**
 * Why it does not hold now.
 *
 * @param writtenAt when the file was written; milliseconds since 1970, as `now`
 * @returns a clause; undefined where it holds
 */
export function whyNotInForce({ until }: BreakGlass, writtenAt: number, now: number): string | undefined {
  if (until <= now) return "it has expired";
  if (writtenAt > now + CLOCK_SKEW) return "its modification time is in the future";
  // Not by now alone: a file that was forgotten must not begin to hold when its day comes.
  return until - Math.min(now, writtenAt) > MAX_BROKEN ? "its until is more than 24 h after it was written" : undefined;
}

/** Whether it is about this image. @param name attacker-controlled, canonical */
export function isCovered({ scopes }: BreakGlass, { host, path }: ImageReference): boolean {
  return scopes.some((one) => matchesScope(one, host, path));
}
