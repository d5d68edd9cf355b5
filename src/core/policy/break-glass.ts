import { CLOCK_SKEW, formatDateTime } from "../encoding/time.ts";
import type { ImageReference } from "../oci/reference.ts";
import { matchesScope, type Scope } from "./scope.ts";

/** Longest time for which break-glass is active, in milliseconds; then the file must be written again. */
export const MAX_BROKEN = 24 * 60 * 60 * 1000;

/** An emergency declared by the administrator: refusals of these images are not enforced for a while. */
export interface BreakGlass {
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly until: number;
  readonly scopes: readonly Scope[];
}

/** This node's break-glass file. */
export type BreakGlassFile = { readonly path: string } & (
  | { readonly active: BreakGlass }
  /** Why it is not active, as a clause. */
  | { readonly active?: never; readonly because: string; readonly isUnseen?: true }
);

/**
 * Why break-glass is not active now.
 *
 * @param writtenAt when the file was written; milliseconds since 1970, as `now`
 * @returns a clause; undefined where it is active
 */
export function whyNotInForce({ until }: BreakGlass, writtenAt: number, now: number): string | undefined {
  if (until <= now) return "it has expired";
  if (writtenAt > now + CLOCK_SKEW) return "its modification time is in the future";
  // Counted from the time it was written: a forgotten file must not become active later.
  return until - Math.min(now, writtenAt) > MAX_BROKEN
    ? "its until is more than 24 h after the file was written"
    : undefined;
}

/** Whether it covers this image. @param name attacker-controlled, canonical */
export function isCovered({ scopes }: BreakGlass, { host, path }: ImageReference): boolean {
  return scopes.some((one) => matchesScope(one, host, path));
}

/**
 * The text of a break-glass file, which readBreakGlass reads.
 *
 * @param until milliseconds since 1970; whole seconds are written, never a later time
 */
export function breakGlassText({
  reason,
  until,
  scopes,
}: Pick<BreakGlass, "reason" | "until"> & { readonly scopes: readonly string[] }): string {
  const end = formatDateTime(Math.floor(until / 1000) * 1000);
  return `# Written by atcr-verify break-glass. Refused pulls of these images are let through until then.
reason: ${JSON.stringify(reason)}
until: ${JSON.stringify(end)}
scope: ${JSON.stringify(scopes)}
`;
}
