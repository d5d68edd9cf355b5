import type { Did } from "../../core/atproto/syntax.ts";
import type { Config } from "../../core/config/config.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { isFresh } from "../../core/verify/freshness.ts";
import { judge } from "../../core/verify/judge.ts";
import type { Question } from "../../core/verify/question.ts";
import type { SignerMemory } from "../../core/verify/signer-history.ts";
import type { Allow } from "../../core/verify/verdict.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import { reuseEvidence, reuseOwner } from "./reuse.ts";
import type { Lasting } from "./stores.ts";

/** What an answer without a network works with. */
export interface CacheContext {
  readonly config: Pick<Config, "cacheEnabled" | "cacheTTL" | "plcDirectories">;
  readonly cache: Pick<Lasting["cache"], "holders" | "find" | "isOver" | "findTag" | "findOwner">;
  /** What this node remembers of a signer (spec 5.7). */
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly deadline: Deadline;
}

/** An allow, and what it rests on. */
export interface CachedAnswer {
  readonly verdict: Allow;
  /** Read when they are asked for: the judgement needs what they prove alone. */
  readonly signatures: () => readonly SignatureEvidence[];
  readonly owner?: OwnerAnswer;
}

/** Which part of the time that is left cached evidence may be proven in: the network needs the rest. */
const SHARE = 0.25;

/**
 * Judges an image by evidence that was had within `cacheTTL`, without asking anybody (spec 6). The judgement
 * is made as of now: by the policy as it is, at this time, against what this node has seen of the signers
 * since. A refusal is never taken from here.
 *
 * @returns undefined where that does not allow the image: then the network has the word
 */
export async function answerFromCache(question: Question, context: CacheContext): Promise<CachedAnswer | undefined> {
  const { config, cache } = context;
  if (!config.cacheEnabled) return undefined;
  const now = context.now();
  const isInTime = (times: readonly number[]): boolean => isFresh(times, now, config.cacheTTL);
  const { deadline } = context;
  const reuse = {
    signers: cache.holders(question.subject.digest, [...question.eligible]),
    isInTime,
    recall: context.recall,
    holdsRev: true,
    plcDirectories: config.plcDirectories,
    deadline: deadline.earlier(deadline.remaining() * (1 - SHARE)),
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
    cached: { at, note: `by evidence of ${formatDateTime(at)}, within cacheTTL` },
  });
  if (verdict.outcome !== "allow") return undefined;
  return {
    verdict,
    signatures: () => found.map(({ signature }) => signature()),
    ...(owner && { owner }),
  };
}
