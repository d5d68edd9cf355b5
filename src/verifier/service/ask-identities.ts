import type { Did } from "../../core/atproto/syntax.ts";
import type { KnownIdentity } from "../../core/policy-tools/lint-identities.ts";
import { Rejection } from "../../core/rejection.ts";
import { type CollectContext, UnavailableError } from "../collect/context.ts";
import { fetchIdentity } from "../collect/fetch-identity.ts";

/** Identities fetched in parallel: a list of thousands must not open thousands of connections. */
const MAX_PARALLEL = 16;

/**
 * Fetches and proves identities, as pulls do. Failures are returned with their reason; after the deadline no request is
 * started.
 */
export async function askIdentities(
  dids: readonly Did[],
  context: CollectContext,
): Promise<ReadonlyMap<Did, KnownIdentity>> {
  const known = new Map<Did, KnownIdentity>();
  const waiting = [...dids];
  const worker = async (): Promise<void> => {
    for (let did = waiting.shift(); did !== undefined; did = waiting.shift()) {
      known.set(did, await askIdentity(did, context));
    }
  };
  await Promise.all(Array.from({ length: MAX_PARALLEL }, worker));
  return known;
}

async function askIdentity(did: Did, context: CollectContext): Promise<KnownIdentity> {
  if (context.deadline.remaining() === 0)
    return { code: "net.deadline", detail: "the deadline passed before it was fetched" };
  try {
    const { proof } = await fetchIdentity(did, context);
    if (proof === undefined) return { code: "identity.log_invalid", detail: "the directory's log is invalid" };
    const { current } = proof;
    return current instanceof Rejection ? { code: current.code, detail: current.message } : current;
  } catch (error) {
    if (!(error instanceof UnavailableError || error instanceof Rejection)) throw error;
    const isKnownNowhere = error instanceof UnavailableError && error.isKnownNowhere;
    return { code: error.code, detail: error.message, ...(isKnownNowhere && { isKnownNowhere }) };
  }
}
