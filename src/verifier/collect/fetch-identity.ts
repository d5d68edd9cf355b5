import { type IdentityProof, readIdentity } from "../../core/atproto/identity.ts";
import { type Did, isPlc } from "../../core/atproto/syntax.ts";
import { type Fetched, isUnanswered } from "../../core/evidence/evidence.ts";
import { Rejection } from "../../core/rejection.ts";
import { lostOperation, NO_HISTORY, type SignerHistory } from "../../core/verify/signer-history.ts";
import { answerTo, badStatus, type CollectContext, fetched, MAX_IDENTITY, UnavailableError } from "./context.ts";
import { itSays, readError } from "./peer-error.ts";
import { replayIdentity } from "./replay.ts";
import { RetryingRequest, roundRobin } from "./retry.ts";

/** An identity's bytes and what they prove. */
export interface FetchedIdentity {
  readonly fetched: Fetched;
  /** What the bytes prove, or why they prove nothing; passed on so that the log is replayed once. */
  readonly proven: IdentityProof | Rejection;
  /** The same where it is used. Absent where the log is invalid or was rolled back. */
  readonly proof?: IdentityProof;
  /** The log is valid but lacks a known operation. */
  readonly isBehind?: true;
  /** Index in plcDirectories of the directory that answered; -1 for a cached identity. */
  readonly directory: number;
}

/**
 * Fetches and proves a signer's identity (spec 3.4).
 *
 * @param memory the signer history before the request
 * @param from index of the directory to start with; the others follow in order
 * @throws UnavailableError
 */
export async function fetchIdentity(
  did: Did,
  context: CollectContext,
  memory: SignerHistory = NO_HISTORY,
  from = 0,
): Promise<FetchedIdentity> {
  if (isPlc(did)) return fetchPlc(did, context, memory, from);
  const { fetchDidWeb } = await import("./did-web.ts");
  const answer = await fetchDidWeb(did, context);
  const proof = readIdentity(did, answer.bytes);
  return { fetched: answer, proven: proof, proof, directory: 0 };
}

/** A request to one directory for one signer's log. */
interface Directory {
  /** Of plcDirectories. */
  readonly index: number;
  readonly question: RetryingRequest;
}

/**
 * Asks the next directory after one that fails, does not know the DID, or serves a log that is invalid or lacks a
 * known operation. Unreachable and busy ones are retried after all have been asked once; a single directory is asked
 * once more for a log that lacks a known operation.
 */
async function fetchPlc(
  did: Did,
  context: CollectContext,
  memory: SignerHistory,
  from: number,
): Promise<FetchedIdentity> {
  const count = context.config.plcDirectories.length;
  const directories = Array.from({ length: count }, (_, i) => directoryAt((from + i) % count, did, context));
  const failures = new Map<number, UnavailableError>();
  let doubtful: FetchedIdentity | undefined;
  for await (const directory of roundRobin(directories, context.deadline)) {
    try {
      const found = await askDirectory(directory, did, context);
      const operations = found.proof?.history?.map(({ cid }) => cid);
      if (found.proof !== undefined && lostOperation(operations, memory) === undefined) return found;
      const isAlone = found.proof !== undefined && directories.length === 1;
      if (isAlone) directories.push(directoryAt(directory.index, did, context));
      // A valid old log is better evidence than an invalid one.
      if (doubtful?.proof === undefined) doubtful = found;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      failures.set(directory.index, error);
    }
  }
  // Returned as evidence for the judgement, but not used to find a PDS.
  if (doubtful !== undefined) {
    const { proof, ...rest } = doubtful;
    return { ...rest, ...(proof && { isBehind: true }) };
  }
  throw worstOf([...failures.values()]);
}

/** Reports a directory that answered before one that did not: stale evidence may only replace silence. */
function worstOf(failures: readonly UnavailableError[]): UnavailableError {
  const answered = failures.filter((failure) => !isUnanswered(failure));
  const worst = answered.find(({ code }) => code !== "identity.unknown_did") ?? answered[0] ?? failures[0];
  const why = failures.map(({ message }) => message).join("; ");
  const isKnownNowhere = failures.every(({ code }) => code === "identity.unknown_did");
  const options = { answered: worst?.answered === true, isKnownNowhere };
  return new UnavailableError(worst?.code ?? "identity.unreachable", why, options);
}

function directoryAt(index: number, did: Did, context: CollectContext): Directory {
  const request = {
    url: `${context.config.plcDirectories[index]}/${did}/log/audit`,
    accept: "application/json",
    maxBytes: MAX_IDENTITY,
    timeout: context.config.didResolverTimeout,
    maxRedirects: 0,
    originMayBePrivate: false,
    purpose: "directory",
  };
  return { index, question: new RetryingRequest(request, context) };
}

/** @throws UnavailableError */
async function askDirectory(
  { index, question }: Directory,
  did: Did,
  context: CollectContext,
): Promise<FetchedIdentity> {
  const response = answerTo("identity", question, await question.ask());
  if (response.status === 404 || response.status === 410)
    throw new UnavailableError(
      "identity.unknown_did",
      `${context.config.plcDirectories[index]} does not know ${did}${itSays(readError(response))}`,
    );
  if (response.status !== 200) badStatus("identity", response, itSays(readError(response)));
  const log = fetched(response);
  const proven = await proofOf(did, log.bytes, context);
  return { fetched: log, proven, ...(proven instanceof Rejection ? {} : { proof: proven }), directory: index };
}

/** @returns the Rejection where the log is invalid */
async function proofOf(did: Did, bytes: Uint8Array, context: CollectContext): Promise<IdentityProof | Rejection> {
  try {
    return await replayIdentity(did, bytes, context);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
