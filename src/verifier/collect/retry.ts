import { HttpFailure, type HttpRequest, type HttpResponse } from "../../io/net/exchange.ts";
import { nameHost } from "../../io/net/quote-peer.ts";
import type { Deadline } from "../../io/process/deadline.ts";

/** How often one question is asked at most; stops a peer that is always busy from being hammered (spec 4). */
const MAX_ATTEMPTS = 3;
/** What must be left after a pause for another attempt, in milliseconds. */
const LEFT_FOR_ATTEMPT = 100;
/** Statuses that may be others a moment later. */
const BUSY: ReadonlySet<number> = new Set([429, 500, 502, 503, 504]);
/** Retry-After in seconds; with more digits nobody waits either. */
const SECONDS = /^\d{1,9}$/;
/** The one form of a date that is written today (RFC 9110, section 5.6.7). */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

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
  /** Milliseconds for which the last answer asked to be left alone, attacker-controlled; 0: it did not. */
  readonly retryAfter: number;
}

/** What one attempt came to: an answer, whatever its status, or why there is none. */
export type TryOutcome = { readonly response: HttpResponse } | { readonly failure: HttpFailure };

export interface Asking {
  readonly http: (request: HttpRequest, deadline: Deadline) => Promise<HttpResponse>;
  readonly deadline: Deadline;
  readonly pauses: Pauses;
  /** Milliseconds since 1970, for a Retry-After that is a date. */
  readonly now: () => number;
}

/**
 * One question to one host, which may be asked more than once: where nobody could be reached, or whoever was is
 * busy, and while there is time. The request's timeout is that of all attempts and pauses together. What was
 * silent until its time was over, or answered something else, is not asked again.
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
  /** Milliseconds for all of it; known when it is asked first. */
  #budget = 0;
  /** Before the next attempt, from the end of the last one. */
  #pause = 0;
  /** What was left of the deadline when the last attempt ended. */
  #leftThen = 0;

  /** @param most attempts */
  constructor(request: HttpRequest, asking: Asking, most = MAX_ATTEMPTS) {
    this.#request = request;
    this.#asking = asking;
    this.#most = most;
  }

  get tries(): Tries {
    return { attempts: this.#attempts, took: this.#took, retryAfter: this.#retryAfter };
  }

  /** Whether it is the deadline that ends it, and not the request's own timeout. */
  get isCutByDeadline(): boolean {
    return this.#isCut;
  }

  /** Who is asked, for messages. */
  get name(): string {
    const { purpose, url, isNamedByPeer, headers = {}, secrets = [] } = this.#request;
    const parsed = URL.parse(url);
    const host = parsed === null ? "" : isNamedByPeer ? nameHost(parsed, [{ headers }, ...secrets]) : parsed.host;
    return `${purpose} ${host}`;
  }

  /** One attempt. */
  async ask(): Promise<TryOutcome> {
    const { http, deadline, now } = this.#asking;
    const began = deadline.remaining();
    if (this.#attempts === 0) {
      this.#budget = Math.min(this.#request.timeout, began);
      // Known before: a timer may go off a moment before the time that it was set for.
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

  /** Milliseconds from now until it is worth asking again; undefined where it is not, or there is no time for it. */
  untilAgain(): number | undefined {
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

/** Asks until there is an answer that asking again would not change. */
export async function askUntilAnswered(
  question: RetryingRequest,
  { deadline }: Pick<Asking, "deadline">,
): Promise<TryOutcome> {
  for (;;) {
    const outcome = await question.ask();
    const pause = question.untilAgain();
    if (pause === undefined) return outcome;
    await rest(pause, question, deadline);
  }
}

/**
 * Of several who may know the same, each is named once before one is named again; then whoever's pause is over
 * first, after that pause. Ends when none is worth asking.
 *
 * @param peers each is to be asked by the receiver when it is named; may become more meanwhile
 */
export async function* inTurn<T extends { readonly question: RetryingRequest }>(
  peers: readonly T[],
  deadline: Deadline,
): AsyncGenerator<T, void> {
  for (;;) {
    const next = peers.find(({ question }) => question.tries.attempts === 0) ?? (await soonest(peers, deadline));
    if (next === undefined) return;
    yield next;
  }
}

/** Who may be asked again first, when they may; undefined where nobody is worth it. */
async function soonest<T extends { readonly question: RetryingRequest }>(
  peers: readonly T[],
  deadline: Deadline,
): Promise<T | undefined> {
  const pauses = peers.map(({ question }) => question.untilAgain() ?? Number.POSITIVE_INFINITY);
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

/** @returns milliseconds that a busy server asks for, attacker-controlled: held against the time that is left */
function retryAfter(outcome: TryOutcome, now: number): number {
  const text = "response" in outcome ? (outcome.response.headers.get("retry-after")?.trim() ?? "") : "";
  if (SECONDS.test(text)) return Number(text) * 1000;
  const date = HTTP_DATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

async function rest(pause: number, question: RetryingRequest, deadline: Deadline): Promise<void> {
  const wait = () => new Promise<void>((done) => setTimeout(done, pause));
  await deadline.track(`${question.name}, to be asked again`, wait);
}
