import { type IdentityProof, readIdentity } from "../../core/atproto/identity.ts";
import { type Did, isPlc } from "../../core/atproto/syntax.ts";
import { type Fetched, isUnanswered } from "../../core/evidence/evidence.ts";
import { Rejection } from "../../core/rejection.ts";
import { lostOperation, NOTHING_REMEMBERED, type SignerMemory } from "../../core/verify/signer-history.ts";
import { answerTo, badStatus, type CollectContext, fetched, MAX_IDENTITY, Missing } from "./context.ts";
import { itSays, readError } from "./peer-error.ts";
import { replayIdentity } from "./replay.ts";
import { inTurn, RetryingRequest } from "./retry.ts";

/** An identity's bytes and what they prove. */
export interface FetchedIdentity {
  readonly fetched: Fetched;
  /** What the bytes prove, or why they prove nothing; so that nobody replays them a second time. */
  readonly proven: IdentityProof | Rejection;
  /** The same where it is acted upon. Absent where the log does not prove itself, and where it was rolled back. */
  readonly proof?: IdentityProof;
  /** The log proves itself, and lacks an operation that is known. */
  readonly isBehind?: true;
  /** Which directory answered, as an index of plcDirectories; -1 where none was asked. */
  readonly directory: number;
}

/**
 * Fetches and proves a signer's identity (spec 3.4).
 *
 * @param memory what this node remembered of the signer before it asked
 * @param from the directory to begin with; the others follow in turn
 * @throws Missing
 */
export async function fetchIdentity(
  did: Did,
  context: CollectContext,
  memory: SignerMemory = NOTHING_REMEMBERED,
  from = 0,
): Promise<FetchedIdentity> {
  if (isPlc(did)) return fetchPlc(did, context, memory, from);
  const { fetchDidWeb } = await import("./did-web.ts");
  const answer = await fetchDidWeb(did, context);
  const proof = readIdentity(did, answer.bytes);
  return { fetched: answer, proven: proof, proof, directory: 0 };
}

/** One directory, asked for the log of one signer. */
interface Directory {
  /** Of plcDirectories. */
  readonly index: number;
  readonly question: RetryingRequest;
}

/**
 * A directory that fails, does not know the DID, serves an invalid log or one that lost an operation only
 * makes the next be asked. Those who could not be reached or were busy are asked again when all have been asked
 * once; where there is one alone, it is asked once more for a log that lost an operation.
 */
async function fetchPlc(
  did: Did,
  context: CollectContext,
  memory: SignerMemory,
  from: number,
): Promise<FetchedIdentity> {
  const count = context.config.plcDirectories.length;
  const directories = Array.from({ length: count }, (_, i) => directoryAt((from + i) % count, did, context));
  const failures = new Map<number, Missing>();
  let doubtful: FetchedIdentity | undefined;
  for await (const directory of inTurn(directories, context.deadline)) {
    try {
      const found = await askDirectory(directory, did, context);
      const operations = found.proof?.history?.map(({ cid }) => cid);
      if (found.proof !== undefined && lostOperation(operations, memory) === undefined) return found;
      const isAlone = found.proof !== undefined && directories.length === 1;
      if (isAlone) directories.push(directoryAt(directory.index, did, context));
      // One that is valid and old says more than one that is invalid.
      if (doubtful?.proof === undefined) doubtful = found;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      failures.set(directory.index, error);
    }
  }
  // Judged from the bytes, which are the evidence; there is nobody whose PDS could be asked.
  if (doubtful !== undefined) {
    const { proof, ...rest } = doubtful;
    return { ...rest, ...(proof && { isBehind: true }) };
  }
  throw worstOf([...failures.values()]);
}

/** A directory that answered is told before one that did not: only silence may be made up for by memory. */
function worstOf(failures: readonly Missing[]): Missing {
  const answered = failures.filter((failure) => !isUnanswered(failure));
  const worst = answered.find(({ code }) => code !== "identity.unknown_did") ?? answered[0] ?? failures[0];
  const why = failures.map(({ message }) => message).join("; ");
  return new Missing(worst?.code ?? "identity.unreachable", why, { answered: worst?.answered === true });
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

/** @throws Missing */
async function askDirectory(
  { index, question }: Directory,
  did: Did,
  context: CollectContext,
): Promise<FetchedIdentity> {
  const response = answerTo("identity", question, await question.ask());
  if (response.status === 404 || response.status === 410)
    throw new Missing(
      "identity.unknown_did",
      `${context.config.plcDirectories[index]} does not know ${did}${itSays(readError(response))}`,
    );
  if (response.status !== 200) badStatus("identity", response, itSays(readError(response)));
  const log = fetched(response);
  const proven = await proofOf(did, log.bytes, context);
  return { fetched: log, proven, ...(proven instanceof Rejection ? {} : { proof: proven }), directory: index };
}

/** @returns why not, where the log does not prove itself */
async function proofOf(did: Did, bytes: Uint8Array, context: CollectContext): Promise<IdentityProof | Rejection> {
  try {
    return await replayIdentity(did, bytes, context);
  } catch (error) {
    if (error instanceof Rejection) return error;
    throw error;
  }
}
