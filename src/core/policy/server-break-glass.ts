import type { BreakGlass, BreakGlassFile } from "./break-glass.ts";

/** An emergency that a cluster's administrators declared: refusals in these namespaces are not enforced for a while. */
export interface ServerBreakGlass extends BreakGlass {
  /** Milliseconds since 1970; at most MAX_BROKEN before `until`. */
  readonly from: number;
  /** Exact names. */
  readonly namespaces: ReadonlySet<string>;
}

/**
 * Whether it is active. When the file was written does not count, as it does on a node: volumes are written anew on each
 * node, and `from` already ends what is forgotten.
 *
 * @param now milliseconds since 1970
 */
export function isInForce({ from, until }: Pick<ServerBreakGlass, "from" | "until">, now: number): boolean {
  return from <= now && now < until;
}

/**
 * What enforce needs to know for the images of a request. The reason why it is not active is not part of an answer: it is
 * for the server's administrators, who see it in the log and the metrics, and not for the author of a pod.
 *
 * @param namespace of the request, if it is one that its author could not choose; without one nothing is covered
 * @param now milliseconds since 1970
 * @returns undefined where it is not active, or not for this namespace
 */
export function breakGlassFor(
  { path, breakGlass }: { readonly path: string; readonly breakGlass: ServerBreakGlass | undefined },
  namespace: string | undefined,
  now: number,
): BreakGlassFile | undefined {
  if (breakGlass === undefined || !isInForce(breakGlass, now)) return undefined;
  return namespace !== undefined && breakGlass.namespaces.has(namespace) ? { path, active: breakGlass } : undefined;
}
