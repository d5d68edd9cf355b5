import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { CheckedCommits } from "../../core/atproto/record-proof.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { Config } from "../../core/config/config.ts";
import type { Fetched, Gap } from "../../core/evidence/evidence.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { Rejection, type RejectionCode, reject } from "../../core/rejection.ts";
import type { SignerHistory } from "../../core/verify/signer-history.ts";
import { type HttpClient, HttpFailure, type HttpRequest, type HttpResponse } from "../../io/net/exchange.ts";
import type { TxtLookup, TxtRequest } from "../../io/net/txt.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { RegistryName } from "../../io/registry/certs-folder.ts";
import type { CredentialSource } from "../../io/registry/credentials.ts";
import type { Endpoints } from "../../io/registry/endpoints.ts";
import { askUntilAnswered, describeTries, type Pauses, RetryingRequest, type Tries, type TryOutcome } from "./retry.ts";
import type { SharedProofs } from "./shared-proofs.ts";

/** Cap on an operation log or a DID document in bytes (spec 4). */
export const MAX_IDENTITY = 512 * 1024;

/** What every request needs. */
export interface AskContext {
  readonly http: HttpClient;
  readonly deadline: Deadline;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Pauses between attempts. */
  readonly pauses: Pauses;
  /** Whether many images are verified in one run: then the registry is asked only where signers asked directly do not suffice. */
  readonly isBatch?: boolean;
  /** Commits whose signature needs no second check, and identities that need no second replay; absent for one image. */
  readonly checkedCommits?: CheckedCommits;
  readonly proofs?: SharedProofs;
}

/** What requests to registries need. */
export interface RegistryContext extends AskContext {
  readonly config: Config;
  /** Endpoints of registries, and their credentials. */
  readonly registries: RegistryAccess;
}

/** What the code that gathers evidence needs. */
export interface CollectContext extends RegistryContext {
  readonly txt: TxtLookup;
  /** Identities fetched within cacheTTL, which are not fetched again (spec 3.4); absent where each one is fetched. */
  readonly identities?: FreshIdentities;
  /** Loads the signer history (spec 5.7), before the signer's services are contacted. */
  readonly loadHistory: (signer: Did) => Promise<SignerHistory>;
}

/** Registries, as containerd's configuration describes them. */
export interface RegistryAccess {
  readonly endpoints: (name: RegistryName) => Endpoints;
  readonly credentials: CredentialSource;
}

/** Cached identities. Implementations never throw. */
export interface FreshIdentities {
  /** What identities proved that this process replayed before; their bytes are never changed. */
  readonly replayed?: WeakMap<Fetched, IdentityProof>;
  readonly find: (signer: Did) => Fetched | undefined;
  /** @param digest of the image for which the identity was fetched */
  readonly keep: (digest: Digest, signer: Did, identity: Fetched) => Promise<void>;
  /** Runs `ask`, unless another process is fetching the same signer's identity: then waits until `find` returns it. */
  readonly oneAtATime: <T>(signer: Did, find: () => Promise<T | undefined>, ask: () => Promise<T>) => Promise<T>;
}

type Service = Gap["service"];

/** Codes of a failed exchange by service; `net.tls` and `net.forbidden_address` are more specific and come first. */
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

/** An answer is missing or unusable: thrown while gathering, and turned into a {@link Gap}. */
export class UnavailableError extends Error {
  readonly code: RejectionCode;
  /** As {@link Gap.answered}. */
  readonly answered: boolean;
  /** Whether a PDS claims, without proof, that there is no such record. */
  readonly saysAbsent: boolean;
  /** Whether each configured directory says that it does not know the DID. */
  readonly isKnownNowhere: boolean;

  constructor(
    code: RejectionCode,
    message: string,
    options: ErrorOptions & {
      readonly answered?: boolean;
      readonly saysAbsent?: boolean;
      readonly isKnownNowhere?: boolean;
    } = {},
  ) {
    super(message, options);
    this.name = "UnavailableError";
    this.code = code;
    this.answered = options.answered === true;
    this.saysAbsent = options.saysAbsent === true;
    this.isKnownNowhere = options.isKnownNowhere === true;
  }
}

/** An answer, the number and duration of the attempts, and when the successful attempt began. */
export interface PeerAnswer extends HttpResponse {
  readonly tries: Tries;
  /** Milliseconds since 1970. */
  readonly askedAt: number;
}

/**
 * Statuses that count as unreachable: too many requests, and a gateway without an answer from its upstream (520 to
 * 524 are Cloudflare's codes for that). Every other status is an answer (spec 4).
 */
const SILENT: ReadonlySet<number> = new Set([429, 502, 503, 504, 520, 521, 522, 523, 524]);

/**
 * Sends a request, and repeats it where the host could not be reached or is busy (retry.ts).
 *
 * @param attempts at most; absent: the general maximum
 * @throws UnavailableError where there is no answer; any status is an answer
 */
export async function ask(
  service: Service,
  request: HttpRequest,
  context: AskContext,
  attempts?: number,
): Promise<PeerAnswer> {
  const question = new RetryingRequest(request, context, attempts);
  return answerTo(service, question, await askUntilAnswered(question, context));
}

/**
 * The result of a request so far.
 *
 * @throws UnavailableError where there is no answer; any status is an answer
 */
export function answerTo(
  service: Service,
  { tries, askedAt, isCutByDeadline }: RetryingRequest,
  outcome: TryOutcome,
): PeerAnswer {
  if ("response" in outcome) return { ...outcome.response, tries, askedAt };
  const { failure } = outcome;
  // The message of a timeout already says how long it took.
  const often = failure.kind === "timeout" && tries.attempts === 1 ? "" : ` (${describeTries(tries)})`;
  const detail = `${failure.message}${often}`;
  throw new UnavailableError(codeOf(service, failure, isCutByDeadline), detail, { cause: failure });
}

/**
 * Asks DNS once.
 *
 * @throws UnavailableError where there is no answer; an empty list is an answer
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
    throw new UnavailableError(codeOf(service, error, cutByDeadline), error.message, { cause: error });
  }
}

/**
 * @param said the peer's own error text, to be appended to the message (peer-error.ts)
 * @param host that answered, for the message
 * @throws UnavailableError always: the status is not the expected one
 */
export function badStatus(
  service: Service,
  response: HttpResponse & { readonly tries?: Tries },
  said = "",
  host = hostOf(response.url),
): never {
  const { status, tries } = response;
  const isBusy = status === 429 || status >= 500;
  // Stale evidence never replaces a registry's answer, so there the finer distinction does not matter.
  const isSilent = service === "registry" ? isBusy : SILENT.has(status);
  const code = (isSilent ? UNREACHABLE : BAD_RESPONSE)[service];
  const often = tries === undefined || !isBusy ? "" : ` (${describeTries(tries)})`;
  throw new UnavailableError(code, `${host} answered with status ${status}${often}${said}`);
}

/**
 * Call before processing bytes, which cannot be interrupted: so the verdict is late by at most one such step.
 *
 * @throws UnavailableError
 */
export function assertTimeLeft(what: string, { deadline }: Pick<CollectContext, "deadline">): void {
  if (deadline.remaining() <= 0) {
    throw new UnavailableError("net.deadline", `the deadline passed before ${what} was checked`, { answered: true });
  }
}

/** Turns a missing answer into a Rejection, for a caller that returns the answer itself. */
export async function answered<T>(asking: Promise<T>): Promise<T> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof UnavailableError) reject(error.code, error.message, error);
    throw error;
  }
}

/** Turns an error into a gap; anything but UnavailableError and Rejection is a bug and is rethrown. */
export function gapOf(service: Service, error: unknown, signer?: Gap["signer"]): Gap {
  if (!(error instanceof UnavailableError || error instanceof Rejection)) throw error;
  const answered = error instanceof UnavailableError && error.answered ? ({ answered: true } as const) : {};
  return { service, ...(signer === undefined ? {} : { signer }), code: error.code, detail: error.message, ...answered };
}

/** An answer as evidence. Its time is that of the request: it need not show what happened later. */
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
      // Either the deadline passed, or only this service's own timeout.
      return cutByDeadline ? "net.deadline" : UNREACHABLE[service];
    case "unreachable":
      return UNREACHABLE[service];
  }
}
