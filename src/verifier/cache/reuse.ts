import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { isOutdated, isVouched, partTimes } from "../../core/verify/freshness.ts";
import type { Question } from "../../core/verify/question.ts";
import { isTakenBack } from "../../core/verify/remembered-noes.ts";
import { isRemembered, type Observation, type SignerHistory } from "../../core/verify/signer-history.ts";
import type { Attempt } from "../../core/verify/verdict.ts";
import type { CachedEvidence } from "../../io/store/evidence-files.ts";
import type { ReplayContext } from "./prove-cached.ts";
import type { SharedStores } from "./stores.ts";

type Cache = Pick<SharedStores["cache"], "find" | "isInvalidated" | "findTag" | "findOwner">;

/** Which cached evidence may be reused, and how. */
export interface Reuse extends ReplayContext {
  /** Signers whose evidence is looked up. */
  readonly signers: readonly Did[];
  /** Whether evidence fetched at these times, in milliseconds since 1970, is recent enough. */
  readonly isInTime: (times: readonly number[]) => boolean;
  /** Loads the current signer history (spec 5.7). */
  readonly loadHistory: (signer: Did) => Promise<SignerHistory>;
  /** Whether a repo older than the newest revision in the history is rejected. */
  readonly holdsRev: boolean;
  /** A signer's identity as fetched in this pull; it takes precedence over the cached one. */
  readonly identityOf?: (signer: Did) => IdentityProof | undefined;
  /** The configured directories: answers of other ones no longer count. */
  readonly plcDirectories: readonly string[];
}

/** One signer's cached evidence, proven, and the history to compare it with. */
export interface Reused {
  readonly signer: Did;
  readonly attempt: Attempt;
  readonly memory: SignerHistory;
  /** When each part was fetched; milliseconds since 1970. */
  readonly times: readonly number[];
  /** Read lazily: the judgement needs only what it proves. */
  readonly signature: () => SignatureEvidence;
}

/**
 * Finds and proves cached evidence about an image. Evidence that this build of the program has already proven is not
 * proven again, unless the signer's identity was fetched in this pull or a tag must be checked.
 */
export async function reuseEvidence(question: Question, reuse: Reuse, cache: Cache): Promise<readonly Reused[]> {
  // In parallel, so that a signer with a costly log does not use up the time of the others.
  const found = await Promise.all(reuse.signers.map((signer) => reuseOf(signer, question, reuse, cache)));
  return found.filter((one) => one !== undefined);
}

/** The cached owner of the handle in the image's name. */
export function reuseOwner(
  { atcr, asksOwner }: Question,
  isInTime: Reuse["isInTime"],
  cache: Cache,
): OwnerAnswer | undefined {
  if (atcr === undefined || !asksOwner) return undefined;
  const owner = cache.findOwner(atcr.handle);
  return owner !== undefined && isInTime([owner.fetchedAt]) ? owner : undefined;
}

async function reuseOf(
  signer: Did,
  { subject, target }: Question,
  reuse: Reuse,
  cache: Cache,
): Promise<Reused | undefined> {
  const { isInTime, loadHistory, holdsRev, identityOf, plcDirectories } = reuse;
  const known = cache.find(signer, subject.digest);
  if (known === undefined || !isInTime(known.times)) return undefined;
  if (!isVouched(signer, known.source ?? known.signature().identity.url, plcDirectories)) return undefined;
  const identityNow = identityOf?.(signer);
  const isProven = target.tag === undefined && identityNow === undefined;
  const found = (isProven ? proven(known) : undefined) ?? (await prove());
  if (found === undefined || !isInTime(found.times)) return undefined;
  const memory = await loadHistory(signer);
  // Without a readable history, a rollback or a changed key cannot be ruled out.
  if (memory.unusable !== undefined || isOutdated(found.attempt, memory)) return undefined;
  if ("facts" in found.attempt && isTakenBack(found.attempt.facts, memory)) return undefined;
  if (!isRemembered(cachedSighting(found.attempt, identityNow !== undefined), memory)) return undefined;
  return { signer, ...found, ...(holdsRev ? { memory } : withoutRev(found.attempt, memory)) };

  async function prove() {
    // Imported only where something must be proven: most pulls skip it.
    const { proveCached } = await import("./prove-cached.ts");
    const again = known && (await proveCached(known, signer, target, cache, reuse, identityNow));
    if (again === undefined) return undefined;
    const { signature, attempt } = again;
    return { attempt, times: partTimes(signature), signature: () => signature };
  }
}

/** What evidence showed when it was cached. An identity fetched since then is newer, and is recorded later. */
function cachedSighting({ observation }: Attempt, isIdentityNews: boolean): Omit<Observation, "signer"> {
  const { revs = [], operations, key } = observation ?? {};
  return isIdentityNews ? { revs } : { revs, ...(operations && { operations }), ...(key !== undefined && { key }) };
}

function proven({ proven: attempt, times, signature }: CachedEvidence) {
  return attempt && { attempt, times, signature };
}

/**
 * A cached proof may be older than what has since been seen for another image, and the proofs of record and tag were
 * fetched at different times: neither is a rollback.
 */
function withoutRev(attempt: Attempt, { operations, keys, noes }: SignerHistory): Pick<Reused, "attempt" | "memory"> {
  const { observation } = attempt;
  const revs = observation?.revs.toSorted();
  return {
    attempt:
      observation === undefined || revs === undefined ? attempt : { ...attempt, observation: { ...observation, revs } },
    memory: { operations, keys, noes },
  };
}
