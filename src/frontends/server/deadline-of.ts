import type { GateName } from "../../core/config/server-settings.ts";
import { Deadline } from "../../io/process/deadline.ts";

/**
 * Milliseconds after which nobody waits for an answer any more, less some for its way: Gatekeeper's own webhook has 3 s
 * when it validates and 1 s when it mutates, and tells nobody what is left of them. Others say what they wait, or wait
 * long.
 */
const OF_PROTOCOL: Readonly<Partial<Record<TimedPath, number>>> = {
  "gatekeeper/verify": 2500,
  "gatekeeper/mutate": 800,
};

/** Milliseconds that the API server gets for the answer's way, of the seconds that it says; of its only one a part. */
const RESERVE = 1000;
const LEAST = 700;

/** What is asked: a gate, or one of the two paths of Gatekeeper's. */
export type TimedPath = GateName | "gatekeeper/verify" | "gatekeeper/mutate";

/**
 * When the answer must be there: the smallest of the configuration's deadline, of what the caller's `?timeout=` leaves and
 * of what the protocol's callers are known to wait.
 *
 * @param began when the request's first byte was read, as performance.now()
 * @param configured milliseconds
 * @param timeout of the query, as the API server writes it (`10s`); anything else is passed over, as it only shortens
 */
export function deadlineOf(asked: TimedPath, began: number, configured: number, timeout: string | null): Deadline {
  const limits = [configured, OF_PROTOCOL[asked], afterReserve(timeout)].filter((limit) => limit !== undefined);
  return new Deadline(began + Math.min(...limits));
}

function afterReserve(timeout: string | null): number | undefined {
  const [, seconds] = /^([1-9][0-9]?)s$/.exec(timeout ?? "") ?? [];
  return seconds === undefined ? undefined : Math.max(LEAST, Number(seconds) * 1000 - RESERVE);
}
