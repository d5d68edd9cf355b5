import type { Did } from "../../core/atproto/syntax.ts";
import type { Config } from "../../core/config/config.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { isFresh } from "../../core/verify/freshness.ts";
import { judge } from "../../core/verify/judge.ts";
import type { Question } from "../../core/verify/question.ts";
import type { SignerHistory } from "../../core/verify/signer-history.ts";
import type { Allow } from "../../core/verify/verdict.ts";
import type { ReplayContext } from "./prove-cached.ts";
import { reuseEvidence, reuseOwner } from "./reuse.ts";
import type { SharedStores } from "./stores.ts";

/** What judging from the cache needs. */
export interface CacheContext extends ReplayContext {
  readonly config: Pick<Config, "cacheEnabled" | "cacheTTL" | "plcDirectories">;
  readonly cache: Pick<SharedStores["cache"], "holders" | "find" | "isInvalidated" | "findTag" | "findOwner">;
  /** Loads the signer history (spec 5.7). */
  readonly loadHistory: (signer: Did) => Promise<SignerHistory>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** An allow, and the cached evidence for it. */
export interface CachedAnswer {
  readonly verdict: Allow;
  /** Read lazily: the judgement needs only what they prove. */
  readonly signatures: () => readonly SignatureEvidence[];
  readonly owner?: OwnerAnswer;
}

/** Fraction of the remaining time for proving cached evidence; the network needs the rest. */
const SHARE = 0.25;

/**
 * Judges an image by evidence fetched within `cacheTTL`, without the network (spec 6). The judgement itself is
 * new: it uses the current policy, the current time and the current signer history. Only an allow is ever taken
 * from the cache.
 *
 * @returns undefined where the cached evidence does not allow the image: the network decides then
 */
export async function answerFromCache(question: Question, context: CacheContext): Promise<CachedAnswer | undefined> {
  const { config, cache } = context;
  if (!config.cacheEnabled) return undefined;
  const now = context.now();
  const isInTime = (times: readonly number[]): boolean => isFresh(times, now, config.cacheTTL);
  const { deadline, checkedCommits, proofs, provenTags } = context;
  const reuse = {
    signers: cache.holders(question.subject.digest, [...question.eligible]),
    isInTime,
    loadHistory: context.loadHistory,
    holdsRev: true,
    plcDirectories: config.plcDirectories,
    deadline: deadline.earlier(deadline.remaining() * (1 - SHARE)),
    ...(checkedCommits && { checkedCommits }),
    ...(proofs && { proofs }),
    ...(provenTags && { provenTags }),
  };
  const found = await reuseEvidence(question, reuse, cache);
  if (found.length === 0) return undefined;

  const owner = reuseOwner(question, isInTime, cache);
  const at = Math.min(...found.flatMap(({ times }) => times), owner?.fetchedAt ?? now);
  const verdict = judge({
    ...question,
    attempts: found.map(({ attempt }) => attempt),
    pointers: [],
    gaps: [],
    ...(owner && { owner }),
    memory: new Map(found.map(({ signer, memory }) => [signer, memory])),
    now,
    cached: { at, note: `by cached evidence, fetched at ${formatDateTime(at)}` },
  });
  if (verdict.outcome !== "allow") return undefined;
  return {
    verdict,
    signatures: () => found.map(({ signature }) => signature()),
    ...(owner && { owner }),
  };
}
