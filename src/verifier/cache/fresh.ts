import type { Did } from "../../core/atproto/syntax.ts";
import type { Config } from "../../core/config/config.ts";
import { formatDateTime } from "../../core/encoding/time.ts";
import type { OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { isFresh, isOutdated, isVouched, partTimes } from "../../core/verify/freshness.ts";
import { judge } from "../../core/verify/judge.ts";
import type { Question } from "../../core/verify/question.ts";
import type { SignerMemory } from "../../core/verify/signer-history.ts";
import type { Allow, Attempt } from "../../core/verify/verdict.ts";
import type { Deadline } from "../../io/process/deadline.ts";
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

/** One signer's evidence, fresh enough to be judged. */
interface FreshEvidence {
  readonly attempt: Attempt;
  /** When each part of it was had. */
  readonly times: readonly number[];
  readonly signature: () => SignatureEvidence;
}

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
  const memory = new Map<Did, SignerMemory>();
  const found: FreshEvidence[] = [];
  const { deadline } = context;
  const limited = { ...context, deadline: deadline.earlier(deadline.remaining() * (1 - SHARE)) };
  // All at once, so that a signer with a costly log leaves the others their share of the time.
  const holders = [...cache.holders(question.subject.digest, [...question.eligible])];
  const evidence = await Promise.all(
    holders.map(async (signer) => ({ signer, fresh: await freshEvidence(signer, question, limited, now) })),
  );
  for (const { signer, fresh } of evidence) {
    if (fresh === undefined) continue;
    const remembered = await context.recall(signer);
    // Whether it was seen to go back, or to change its key, is not known where that cannot be read.
    if (remembered.unusable !== undefined || isOutdated(fresh.attempt, remembered)) continue;
    memory.set(signer, remembered);
    found.push(fresh);
  }
  if (found.length === 0) return undefined;

  const owner = freshOwner(question, context, now);
  const attempts = found.map(({ attempt }) => attempt);
  const at = Math.min(...found.flatMap(({ times }) => times), owner?.fetchedAt ?? now);
  const cached = { at, note: `by evidence of ${formatDateTime(at)}, within cacheTTL` };
  const known = { attempts, pointers: [], gaps: [], ...(owner && { owner }), memory, now, cached };
  const verdict = judge({ ...question, ...known });
  if (verdict.outcome !== "allow") return undefined;
  return {
    verdict,
    signatures: () => found.map(({ signature }) => signature()),
    ...(owner && { owner }),
  };
}

async function freshEvidence(
  signer: Did,
  { subject, target }: Question,
  { cache, config, deadline }: CacheContext,
  now: number,
): Promise<FreshEvidence | undefined> {
  const known = cache.find(signer, subject.digest);
  if (known === undefined || !isFresh(known.times, now, config.cacheTTL)) return undefined;
  if (!isVouched(signer, known.source ?? known.signature().identity.url, config.plcDirectories)) return undefined;
  if (target.tag === undefined && known.proven !== undefined) return { ...known, attempt: known.proven };
  // Not imported for a pull that is answered by what was proven before.
  const { proveCached } = await import("./prove-cached.ts");
  const proven = await proveCached(known, signer, target, cache, deadline);
  if (proven === undefined) return undefined;
  const { signature, attempt } = proven;
  const times = partTimes(signature);
  return isFresh(times, now, config.cacheTTL) ? { times, attempt, signature: () => signature } : undefined;
}

function freshOwner(
  { atcr, asksOwner }: Question,
  { cache, config }: CacheContext,
  now: number,
): OwnerAnswer | undefined {
  if (atcr === undefined || !asksOwner) return undefined;
  const owner = cache.findOwner(atcr.handle);
  return owner !== undefined && isFresh([owner.fetchedAt], now, config.cacheTTL) ? owner : undefined;
}
