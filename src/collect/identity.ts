import { type IdentityProof, readIdentity } from "../atproto/identity.ts";
import { type Did, isPlc } from "../atproto/syntax.ts";
import { Rejection } from "../rejection.ts";
import { type Fetched, isUnanswered } from "../verify/evidence.ts";
import { lostOperation, NOTHING_REMEMBERED, type SignerMemory } from "../verify/memory.ts";
import { ask, badStatus, type CollectContext, fetched, Missing, stillInTime } from "./context.ts";
import { MAX_IDENTITY } from "./limits.ts";
import { MAX_ATTEMPTS, restBefore } from "./retry.ts";

/** Bytes of a log that are replayed in a millisecond: an operation has about 700, and its signature takes 1.4 ms. */
const REPLAYED = 512;

/** Milliseconds that it may well take to replay a log. */
export function replayTime({ bytes }: Fetched): number {
  return bytes.length / REPLAYED;
}

/** An identity's bytes and what they prove. */
export interface FetchedIdentity {
  readonly fetched: Fetched;
  /** Absent where the log does not prove itself, and where it was rolled back: then it is not acted upon. */
  readonly proof?: IdentityProof;
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
  return { fetched: answer, proof: readIdentity(did, answer.bytes), directory: 0 };
}

/**
 * A directory that fails, does not know the DID, serves an invalid log or one that lost an operation only
 * makes the next be asked; where there is one alone, it is asked once more for a log that lost one.
 */
async function fetchPlc(
  did: Did,
  context: CollectContext,
  memory: SignerMemory,
  from: number,
): Promise<FetchedIdentity> {
  const { plcDirectories } = context.config;
  // Where there are others, each is asked before one is asked again.
  const attempts = plcDirectories.length === 1 ? MAX_ATTEMPTS : 1;
  for (let round = 1; ; round++) {
    const found = await askDirectories(did, context, memory, from, attempts);
    if (!(found instanceof Missing)) return found;
    const isOver = attempts > 1 || round >= MAX_ATTEMPTS || !isUnanswered(found);
    if (isOver || !(await restBefore(round, "the directories, to be asked again", context))) throw found;
  }
}

/** @returns why there is none, where there is none */
async function askDirectories(
  did: Did,
  context: CollectContext,
  memory: SignerMemory,
  from: number,
  attempts: number,
): Promise<FetchedIdentity | Missing> {
  const { plcDirectories } = context.config;
  const failures: Missing[] = [];
  let doubtful: FetchedIdentity | undefined;
  for (let i = 0; i < plcDirectories.length || (i === 1 && doubtful?.proof !== undefined); i++) {
    const directory = (from + i) % plcDirectories.length;
    try {
      const log = await fetchLog(did, plcDirectories[directory] ?? "", context, attempts);
      stillInTime(`the log of ${did}`, context, replayTime(log));
      const proof = proofOf(did, log.bytes);
      const found = { fetched: log, ...(proof && { proof }), directory };
      const operations = proof?.history?.map(({ cid }) => cid);
      if (proof !== undefined && lostOperation(operations, memory) === undefined) return found;
      // One that is valid and old says more than one that is invalid.
      if (doubtful?.proof === undefined) doubtful = found;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      failures.push(error);
    }
  }
  // Judged from the bytes, which are the evidence; there is nobody whose PDS could be asked.
  if (doubtful !== undefined) return { fetched: doubtful.fetched, directory: doubtful.directory };
  // A directory that answered is told before one that did not: only silence may be made up for by memory.
  const answered = failures.filter((failure) => !isUnanswered(failure));
  const worst = answered.find(({ code }) => code !== "identity.unknown_did") ?? answered[0] ?? failures[0];
  const why = failures.map(({ message }) => message).join("; ");
  return new Missing(worst?.code ?? "identity.unreachable", why, { answered: worst?.answered === true });
}

/** @returns undefined where the log does not prove itself */
function proofOf(did: Did, bytes: Uint8Array): IdentityProof | undefined {
  try {
    return readIdentity(did, bytes);
  } catch (error) {
    if (error instanceof Rejection) return undefined;
    throw error;
  }
}

async function fetchLog(did: Did, origin: string, context: CollectContext, attempts: number): Promise<Fetched> {
  const response = await ask(
    "identity",
    {
      url: `${origin}/${did}/log/audit`,
      accept: "application/json",
      maxBytes: MAX_IDENTITY,
      timeout: context.config.didResolverTimeout,
      maxRedirects: 0,
      originMayBePrivate: false,
      purpose: "directory",
    },
    context,
    attempts,
  );
  if (response.status === 404 || response.status === 410)
    throw new Missing("identity.unknown_did", `${origin} does not know ${did}`);
  if (response.status !== 200) badStatus("identity", response);
  return fetched(response, context);
}
