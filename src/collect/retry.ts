import type { Deadline } from "../net/deadline.ts";
import { HttpFailure, type HttpRequest, type HttpResponse } from "../net/exchange.ts";

/** How often a question is asked at most, where it is not answered (spec 4). */
export const MAX_ATTEMPTS = 3;
/** What must be left after a pause for another attempt, in milliseconds. */
const LEFT_FOR_ATTEMPT = 100;
/** Statuses that may be others a moment later. */
const BUSY: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);

/** How the pauses between attempts are. */
export interface Pauses {
  /** Milliseconds before the second attempt; doubled for each further one. */
  readonly base: number;
  /** From 0 to 1: half a pause less, or more, so that nodes do not come back all at once. */
  readonly random: () => number;
}

/** How an answer came about. */
export interface Tries {
  readonly attempts: number;
  /** Milliseconds that all of them and their pauses took. */
  readonly took: number;
}

/** An answer after all attempts, or why there is none. */
export type Outcome = Tries & ({ readonly response: HttpResponse } | { readonly failure: HttpFailure });

interface Asking {
  readonly http: (request: HttpRequest, deadline: Deadline) => Promise<HttpResponse>;
  readonly deadline: Deadline;
  readonly pauses: Pauses;
  /** Milliseconds since 1970, for a Retry-After that is a date. */
  readonly now: () => number;
}

/**
 * Asks until there is an answer: once more where nobody could be reached, or whoever was is busy, while the
 * request's time, which is that of all attempts together, and the deadline leave time for it. What was silent
 * until its time was over, or answered something else, is not asked again.
 *
 * @param attempts at most
 */
export async function askInTurn(request: HttpRequest, asking: Asking, attempts: number): Promise<Outcome> {
  const { deadline } = asking;
  const began = deadline.remaining();
  const budget = Math.min(request.timeout, began);
  for (let attempt = 1; ; attempt++) {
    const left = attempt === 1 ? request.timeout : budget - (began - deadline.remaining());
    const outcome = await once({ ...request, timeout: Math.max(0, left) }, asking);
    const done = { ...outcome, attempts: attempt, took: began - deadline.remaining() };
    if (attempt >= attempts || !isPassing(outcome)) return done;
    const pause = Math.max(backoff(attempt, asking.pauses), retryAfter(outcome, asking.now()));
    if (pause + LEFT_FOR_ATTEMPT > budget - done.took) return done;
    await rest(pause, `${request.purpose} ${URL.parse(request.url)?.host ?? ""}, to be asked again`, deadline);
  }
}

/** Waits before another attempt. @returns false where there is no time for it */
export async function restBefore(
  attempt: number,
  what: string,
  { deadline, pauses }: Pick<Asking, "deadline" | "pauses">,
): Promise<boolean> {
  const pause = backoff(attempt, pauses);
  if (pause + LEFT_FOR_ATTEMPT > deadline.remaining()) return false;
  await rest(pause, what, deadline);
  return true;
}

/** `3 attempts in 0.7 s` */
export function describeTries({ attempts, took }: Tries): string {
  return `${attempts} attempt${attempts === 1 ? "" : "s"} in ${(took / 1000).toFixed(1)} s`;
}

async function once(request: HttpRequest, { http, deadline }: Asking) {
  try {
    return { response: await http(request, deadline) };
  } catch (failure) {
    if (failure instanceof HttpFailure) return { failure };
    throw failure;
  }
}

function isPassing(outcome: { response: HttpResponse } | { failure: HttpFailure }): boolean {
  return "response" in outcome ? BUSY.has(outcome.response.status) : outcome.failure.kind === "unreachable";
}

function backoff(attempt: number, { base, random }: Pauses): number {
  return base * 2 ** (attempt - 1) * (0.5 + random());
}

/** @returns milliseconds that a busy server asks for, attacker-controlled: held against the time that is left */
function retryAfter(outcome: { response: HttpResponse } | { failure: HttpFailure }, now: number): number {
  const text = "response" in outcome ? outcome.response.headers.get("retry-after") : undefined;
  if (text === undefined) return 0;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

async function rest(pause: number, what: string, deadline: Deadline): Promise<void> {
  await deadline.track(what, async () => new Promise((done) => setTimeout(done, pause)));
}
