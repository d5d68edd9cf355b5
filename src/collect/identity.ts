import { type Identity, proveIdentity } from "../atproto/identity.ts";
import { type Did, isPlc } from "../atproto/syntax.ts";
import { Rejection } from "../rejection.ts";
import type { Fetched } from "../verify/evidence.ts";
import { ask, badStatus, type CollectContext, fetched, Missing, stillInTime } from "./context.ts";
import { MAX_IDENTITY } from "./limits.ts";

/** An identity's bytes and what they prove; no identity where they prove that there is none to use. */
export interface FetchedIdentity {
  readonly fetched: Fetched;
  readonly identity?: Identity;
  /** Why there is none. `prove` finds it again from the bytes, which are the evidence. */
  readonly rejected?: Rejection;
  /** Which directory answered, as an index of plcDirectories. */
  readonly directory: number;
}

/**
 * Fetches and proves a signer's identity (spec 3.4).
 *
 * @param from the directory to begin with; the others follow in turn
 * @throws Missing
 */
export async function fetchIdentity(did: Did, context: CollectContext, from = 0): Promise<FetchedIdentity> {
  if (isPlc(did)) return fetchPlc(did, context, from);
  const { fetchDidWeb } = await import("./did-web.ts");
  return examined(did, await fetchDidWeb(did, context), 0);
}

/** A directory that fails, does not know the DID or serves an invalid log only makes the next be asked. */
async function fetchPlc(did: Did, context: CollectContext, from: number): Promise<FetchedIdentity> {
  const { plcDirectories } = context.config;
  const failures: Missing[] = [];
  let invalid: FetchedIdentity | undefined;
  for (let i = 0; i < plcDirectories.length; i++) {
    const directory = (from + i) % plcDirectories.length;
    try {
      const log = await fetchLog(did, plcDirectories[directory] ?? "", context);
      stillInTime(`the log of ${did}`, context);
      const found = examined(did, log, directory);
      if (found.rejected?.code !== "identity.log_invalid") return found;
      invalid ??= found;
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      failures.push(error);
    }
  }
  if (invalid !== undefined) return invalid;
  // That a directory could not be asked leaves more open than that it does not know the DID.
  const worst = failures.find(({ code }) => code !== "identity.unknown_did") ?? failures[0];
  throw new Missing(worst?.code ?? "identity.unreachable", failures.map(({ message }) => message).join("; "));
}

async function fetchLog(did: Did, origin: string, context: CollectContext): Promise<Fetched> {
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
  );
  if (response.status === 404 || response.status === 410)
    throw new Missing("identity.unknown_did", `${origin} does not know ${did}`);
  if (response.status !== 200) badStatus("identity", response);
  return fetched(response, context);
}

function examined(did: Did, answer: Fetched, directory: number): FetchedIdentity {
  try {
    return { fetched: answer, identity: proveIdentity(did, answer.bytes), directory };
  } catch (error) {
    if (error instanceof Rejection) return { fetched: answer, rejected: error, directory };
    throw error;
  }
}
