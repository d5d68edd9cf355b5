import type { Did } from "../../core/atproto/syntax.ts";
import type { Config } from "../../core/config/config.ts";
import type { Fetched, Gap } from "../../core/evidence/evidence.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { Rejection, type RejectionCode } from "../../core/rejection.ts";
import type { SignerMemory } from "../../core/verify/signer-history.ts";
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse } from "../../io/net/exchange.ts";
import type { TxtLookup, TxtRequest } from "../../io/net/txt.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { CredentialSource } from "../../io/registry/credentials.ts";
import type { Endpoints, RegistryName } from "../../io/registry/endpoints.ts";
import { askUntilAnswered, describeTries, type Pauses, RetryingRequest, type Tries, type TryOutcome } from "./retry.ts";

/** Cap on an operation log or a DID document in bytes (spec 4). */
export const MAX_IDENTITY = 512 * 1024;

/** What everything that gathers evidence works with. */
export interface CollectContext {
  readonly http: HttpClient;
  readonly txt: TxtLookup;
  readonly deadline: Deadline;
  readonly config: Config;
  /** Identities that were had within cacheTTL, which need not be asked for again (spec 3.4). */
  readonly identities: FreshIdentities;
  /** Where registries are asked, and what they may be given. */
  readonly registries: RegistryAccess;
  /** What this node remembers of a signer (spec 5.7). Asked for before the signer's services are. */
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Between attempts. */
  readonly pauses: Pauses;
}

/** Registries as containerd sees them. */
export interface RegistryAccess {
  readonly endpoints: (name: RegistryName) => Endpoints;
  readonly credentials: CredentialSource;
}

/** Identities of before. Nothing of it throws. */
export interface FreshIdentities {
  readonly find: (signer: Did) => Fetched | undefined;
  /** @param digest about which the signer was asked when this was heard */
  readonly keep: (digest: Digest, signer: Did, identity: Fetched) => Promise<void>;
  /** While another process of this node asks for the same signer waits until `find` finds its answer; else runs `ask`. */
  readonly oneAtATime: <T>(signer: Did, find: () => Promise<T | undefined>, ask: () => Promise<T>) => Promise<T>;
}

type Service = Gap["service"];

/** What a failed exchange of each service is called; the two that say more have codes of their own. */
const UNREACHABLE: Readonly<Record<Service, RejectionCode>> = {
  registry: "registry.unreachable",
  identity: "identity.unreachable",
  pds: "pds.unreachable",
  handle: "handle.unreachable",
};
const BAD_RESPONSE: Readonly<Record<Service, RejectionCode>> = {
  registry: "registry.bad_response",
  identity: "identity.bad_response",
  pds: "pds.bad_response",
  handle: "handle.bad_response",
};

/** An answer was not had, or cannot be used: thrown while gathering and turned into a {@link Gap}. */
export class Missing extends Error {
  readonly code: RejectionCode;
  /** As {@link Gap.answered}. */
  readonly answered: boolean;
  /** Whether a PDS says that there is no such record, without proving it. */
  readonly saysAbsent: boolean;

  constructor(
    code: RejectionCode,
    message: string,
    options: ErrorOptions & { readonly answered?: boolean; readonly saysAbsent?: boolean } = {},
  ) {
    super(message, options);
    this.name = "Missing";
    this.code = code;
    this.answered = options.answered === true;
    this.saysAbsent = options.saysAbsent === true;
  }
}

/** An answer, how often and how long was asked for it, and when the attempt that it answers began. */
export interface PeerAnswer extends HttpResponse {
  readonly tries: Tries;
  /** Milliseconds since 1970. */
  readonly askedAt: number;
}

/**
 * Statuses that say that nobody answered: too many requests, and a gateway that got no answer from the server
 * behind it; 520 to 524 are Cloudflare's words for that. Every other status is the server's answer (spec 4).
 */
const SILENT: ReadonlySet<number> = new Set([429, 502, 503, 504, 520, 521, 522, 523, 524]);

/**
 * Asks, and asks again where nobody could be reached or whoever was is busy (retry.ts).
 *
 * @param attempts at most; absent: as many as there are anywhere
 * @throws Missing where there is no answer; any status is an answer
 */
export async function ask(
  service: Service,
  request: HttpRequest,
  context: CollectContext,
  attempts?: number,
): Promise<PeerAnswer> {
  const question = new RetryingRequest(request, context, attempts);
  return answerTo(service, question, await askUntilAnswered(question, context));
}

/**
 * What a question came to so far.
 *
 * @throws Missing where there is no answer; any status is an answer
 */
export function answerTo(
  service: Service,
  { tries, askedAt, isCutByDeadline }: RetryingRequest,
  outcome: TryOutcome,
): PeerAnswer {
  if ("response" in outcome) return { ...outcome.response, tries, askedAt };
  const { failure } = outcome;
  // How long a silence lasted is said already.
  const often = failure.kind === "timeout" && tries.attempts === 1 ? "" : ` (${describeTries(tries)})`;
  const detail = `${failure.message}${often}`;
  throw new Missing(codeOf(service, failure, isCutByDeadline), detail, { cause: failure });
}

/**
 * Asks DNS once.
 *
 * @throws Missing where there is no answer; that there are no records is an answer
 */
export async function askTxt(
  service: Service,
  request: TxtRequest,
  context: CollectContext,
): Promise<readonly string[]> {
  const cutByDeadline = context.deadline.remaining() <= request.timeout;
  try {
    return await context.txt(request, context.deadline);
  } catch (error) {
    if (!(error instanceof HttpFailure)) throw error;
    throw new Missing(codeOf(service, error, cutByDeadline), error.message, { cause: error });
  }
}

/**
 * @param said what the peer says about it, as it ends a message (peer-error.ts)
 * @param host who answered, for the message
 * @throws Missing for a status that is not the answer hoped for
 */
export function badStatus(
  service: Service,
  response: HttpResponse & { readonly tries?: Tries },
  said = "",
  host = hostOf(response.url),
): never {
  const { status, tries } = response;
  const isBusy = status === 429 || status >= 500;
  // No evidence of before takes the place of what a registry says, so that it need not be told apart there.
  const isSilent = service === "registry" ? isBusy : SILENT.has(status);
  const code = (isSilent ? UNREACHABLE : BAD_RESPONSE)[service];
  const often = tries === undefined || !isBusy ? "" : ` (${describeTries(tries)})`;
  throw new Missing(code, `${host} answers with status ${status}${often}${said}`);
}

/**
 * Called before bytes are looked at, which takes time that nothing can interrupt: what arrived when the
 * time was over is a gap. So the answer is late by one such step at most, however many answers came.
 *
 * @throws Missing
 */
export function stillInTime(what: string, { deadline }: Pick<CollectContext, "deadline">): void {
  if (deadline.remaining() <= 0) {
    throw new Missing("net.deadline", `the time was over before ${what} was looked at`, { answered: true });
  }
}

/** The gap that an error leaves; errors that are neither Missing nor Rejection are bugs and go on. */
export function gapOf(service: Service, error: unknown, signer?: Gap["signer"]): Gap {
  if (!(error instanceof Missing || error instanceof Rejection)) throw error;
  const answered = error instanceof Missing && error.answered ? ({ answered: true } as const) : {};
  return { service, ...(signer === undefined ? {} : { signer }), code: error.code, detail: error.message, ...answered };
}

/** An answer as evidence. It counts as of when it was asked for: what happened after that it need not show. */
export function fetched({ url, body, askedAt }: PeerAnswer): Fetched {
  return { url, bytes: body, fetchedAt: askedAt };
}

export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}

function codeOf(service: Service, failure: HttpFailure, cutByDeadline: boolean): RejectionCode {
  switch (failure.kind) {
    case "forbidden_address":
      return "net.forbidden_address";
    case "tls":
      return "net.tls";
    case "bad_response":
      return BAD_RESPONSE[service];
    case "timeout":
      // The whole time is over, or only what one service may take of it.
      return cutByDeadline ? "net.deadline" : UNREACHABLE[service];
    case "unreachable":
      return UNREACHABLE[service];
  }
}
