import { HttpFailure, type HttpRequest, type HttpResponse } from "../../io/net/exchange.ts";
import { nameHost } from "../../io/net/quote-peer.ts";
import type { Deadline } from "../../io/process/deadline.ts";

/** Attempts per request; stops hammering a busy peer (spec 4). */
const MAX_ATTEMPTS = 3;
/** Milliseconds that must be left after the pause for another attempt. */
const LEFT_FOR_ATTEMPT = 100;
/** Statuses that are worth a retry. */
const BUSY: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
/** Retry-After in seconds; a longer number exceeds every deadline. */
const SECONDS = /^\d{1,9}$/;
/** The preferred date format (RFC 9110, section 5.6.7). */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Pauses between attempts. */
export interface Pauses {
  /** Milliseconds before the second attempt; doubled for each further one. */
  readonly base: number;
  /** From 0 to 1: varies a pause by up to half, so that nodes do not retry all at once. */
  readonly random: () => number;
}

/** The attempts behind an answer. */
export interface Tries {
  readonly attempts: number;
  /** Milliseconds, pauses included. */
  readonly took: number;
  /** Milliseconds of the last answer's Retry-After, attacker-controlled; 0 without one. */
  readonly retryAfter: number;
}

/** The result of one attempt: an answer, whatever its status, or why there is none. */
export type TryOutcome = { readonly response: HttpResponse } | { readonly failure: HttpFailure };

export interface Asking {
  readonly http: (request: HttpRequest, deadline: Deadline) => Promise<HttpResponse>;
  readonly deadline: Deadline;
  readonly pauses: Pauses;
  /** Milliseconds since 1970, for a Retry-After that is a date. */
  readonly now: () => number;
}

/**
 * A request to one host that is repeated where the host could not be reached or is busy, while there is time. The
 * request's timeout covers all attempts and pauses together. Timeouts and other answers are not retried.
 */
export class RetryingRequest {
  readonly #request: HttpRequest;
  readonly #asking: Asking;
  readonly #most: number;
  /** When the last attempt began; milliseconds since 1970. */
  askedAt = 0;
  #attempts = 0;
  #took = 0;
  #retryAfter = 0;
  #isPassing = false;
  #isCut = false;
  /** Milliseconds for all attempts; set by the first one. */
  #budget = 0;
  /** Milliseconds between the end of the last attempt and the next one. */
  #pause = 0;
  /** Milliseconds left until the deadline when the last attempt ended. */
  #leftThen = 0;

  /** @param most maximum number of attempts */
  constructor(request: HttpRequest, asking: Asking, most = MAX_ATTEMPTS) {
    this.#request = request;
    this.#asking = asking;
    this.#most = most;
  }

  get tries(): Tries {
    return { attempts: this.#attempts, took: this.#took, retryAfter: this.#retryAfter };
  }

  /** Whether the deadline ends it, not the request's own timeout. */
  get isCutByDeadline(): boolean {
    return this.#isCut;
  }

  /** Purpose and host, for messages. */
  get name(): string {
    return nameOf(this.#request);
  }

  /** One attempt. */
  async ask(): Promise<TryOutcome> {
    const { http, deadline, now } = this.#asking;
    const began = deadline.remaining();
    if (this.#attempts === 0) {
      this.#budget = Math.min(this.#request.timeout, began);
      // Decided beforehand: a timer may fire slightly early.
      this.#isCut = began <= this.#request.timeout;
    } else this.#took += this.#pause;
    const timeout = this.#attempts === 0 ? this.#request.timeout : Math.max(0, this.#budget - this.#took);
    this.#attempts++;
    this.askedAt = now();
    const outcome = await outcomeOf(http({ ...this.#request, timeout }, deadline));
    this.#leftThen = deadline.remaining();
    this.#took += began - this.#leftThen;
    this.#isPassing = isPassing(outcome);
    this.#retryAfter = this.#isPassing ? retryAfter(outcome, now()) : 0;
    this.#pause = Math.max(this.#backoff(), this.#retryAfter);
    return outcome;
  }

  /** Milliseconds until the next attempt; undefined where a retry is pointless or there is no time for it. */
  retryDelay(): number | undefined {
    if (!this.#isPassing || this.#attempts >= this.#most) return undefined;
    const left = this.#asking.deadline.remaining();
    const rest = Math.max(0, this.#pause - (this.#leftThen - left));
    const isInTime = this.#took + this.#pause + LEFT_FOR_ATTEMPT <= this.#budget && rest + LEFT_FOR_ATTEMPT <= left;
    return isInTime ? rest : undefined;
  }

  #backoff(): number {
    const { base, random } = this.#asking.pauses;
    return base * 2 ** (this.#attempts - 1) * (0.5 + random());
  }
}

/** Purpose and host, for messages. */
export function nameOf({ purpose, url, isNamedByPeer, headers = {}, secrets = [] }: HttpRequest): string {
  const parsed = URL.parse(url);
  const host = parsed === null ? "" : isNamedByPeer ? nameHost(parsed, [{ headers }, ...secrets]) : parsed.host;
  return `${purpose} ${host}`;
}

/** Repeats the request until there is an answer, or no retry is left. */
export async function askUntilAnswered(
  question: RetryingRequest,
  { deadline }: Pick<Asking, "deadline">,
): Promise<TryOutcome> {
  for (;;) {
    const outcome = await question.ask();
    const pause = question.retryDelay();
    if (pause === undefined) return outcome;
    await rest(pause, question, deadline);
  }
}

/**
 * Yields several interchangeable peers: each once, then the one whose pause ends first, after that pause. Ends when
 * no peer has a retry left.
 *
 * @param peers the receiver sends a peer's request when it is yielded; the list may grow meanwhile
 */
export async function* roundRobin<T extends { readonly question: RetryingRequest }>(
  peers: readonly T[],
  deadline: Deadline,
): AsyncGenerator<T, void> {
  for (;;) {
    const next = peers.find(({ question }) => question.tries.attempts === 0) ?? (await soonest(peers, deadline));
    if (next === undefined) return;
    yield next;
  }
}

/** Waits for the peer whose pause ends first; undefined where no peer has a retry left. */
async function soonest<T extends { readonly question: RetryingRequest }>(
  peers: readonly T[],
  deadline: Deadline,
): Promise<T | undefined> {
  const pauses = peers.map(({ question }) => question.retryDelay() ?? Number.POSITIVE_INFINITY);
  const pause = Math.min(...pauses);
  const next = peers[pauses.indexOf(pause)];
  if (next === undefined || pause === Number.POSITIVE_INFINITY) return undefined;
  await rest(pause, next.question, deadline);
  return next;
}

/** `3 attempts in 0.7 s`, `1 attempt in 0.0 s, Retry-After 3600 s` */
export function describeTries({ attempts, took, retryAfter }: Tries): string {
  const often = `${attempts} attempt${attempts === 1 ? "" : "s"} in ${(took / 1000).toFixed(1)} s`;
  return retryAfter === 0 ? often : `${often}, Retry-After ${Math.ceil(retryAfter / 1000)} s`;
}

async function outcomeOf(exchange: Promise<HttpResponse>): Promise<TryOutcome> {
  try {
    return { response: await exchange };
  } catch (failure) {
    if (failure instanceof HttpFailure) return { failure };
    throw failure;
  }
}

function isPassing(outcome: TryOutcome): boolean {
  return "response" in outcome ? BUSY.has(outcome.response.status) : outcome.failure.kind === "unreachable";
}

/** @returns milliseconds that a busy server asks for, attacker-controlled: the caller compares it with the time left */
function retryAfter(outcome: TryOutcome, now: number): number {
  const text = "response" in outcome ? (outcome.response.headers.get("retry-after")?.trim() ?? "") : "";
  if (SECONDS.test(text)) return Number(text) * 1000;
  const date = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

async function rest(pause: number, question: RetryingRequest, deadline: Deadline): Promise<void> {
  const wait = () => new Promise<void>((done) => setTimeout(done, pause));
  await deadline.track(`a retry of ${question.name}`, wait);
}
