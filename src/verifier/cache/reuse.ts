import type { IdentityProof } from "../../core/atproto/identity.ts";
import type { Did } from "../../core/atproto/syntax.ts";
import type { OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { isOutdated, isVouched, partTimes } from "../../core/verify/freshness.ts";
import type { Question } from "../../core/verify/question.ts";
import { isRemembered, type Sighting, type SignerMemory } from "../../core/verify/signer-history.ts";
import type { Attempt } from "../../core/verify/verdict.ts";
import type { Deadline } from "../../io/process/deadline.ts";
import type { CachedEvidence } from "../../io/store/evidence-files.ts";
import type { Lasting } from "./stores.ts";

type Cache = Pick<Lasting["cache"], "find" | "isOver" | "findTag" | "findOwner">;

/** Which cached evidence may be used again, and how. */
export interface Reuse {
  /** Whose evidence is looked for. */
  readonly signers: readonly Did[];
  /** Whether what was asked for at these times, milliseconds since 1970, is young enough. */
  readonly isInTime: (times: readonly number[]) => boolean;
  /** What this node remembers of a signer by now (spec 5.7). */
  readonly recall: (signer: Did) => Promise<SignerMemory>;
  /** Whether a repo that lies behind what was seen of it since is refused. */
  readonly holdsRev: boolean;
  /** Who a signer is, where the network has answered that in this pull: then that is what counts. */
  readonly identityOf?: (signer: Did) => IdentityProof | undefined;
  /** The directories that are configured: what another one said does not count any more. */
  readonly plcDirectories: readonly string[];
  readonly deadline: Deadline;
}

/** The evidence of one signer, proven, and what it is held against. */
export interface Reused {
  readonly signer: Did;
  readonly attempt: Attempt;
  readonly memory: SignerMemory;
  /** When each part of it was asked for; milliseconds since 1970. */
  readonly times: readonly number[];
  /** Read when it is asked for: the judgement needs what it proves alone. */
  readonly signature: () => SignatureEvidence;
}

/**
 * Finds and proves cached evidence about an image. What was proven before by this program is not proven again, unless
 * the signer's identity was heard in this pull or a tag is asked for.
 */
export async function reuseEvidence(question: Question, reuse: Reuse, cache: Cache): Promise<readonly Reused[]> {
  // All at once, so that a signer with a costly log leaves the others their share of the time.
  const found = await Promise.all(reuse.signers.map((signer) => reuseOf(signer, question, reuse, cache)));
  return found.filter((one) => one !== undefined);
}

/** Where the handle in the image's name leads, as it was cached. */
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
  { isInTime, recall, holdsRev, identityOf, plcDirectories, deadline }: Reuse,
  cache: Cache,
): Promise<Reused | undefined> {
  const known = cache.find(signer, subject.digest);
  if (known === undefined || !isInTime(known.times)) return undefined;
  if (!isVouched(signer, known.source ?? known.signature().identity.url, plcDirectories)) return undefined;
  const heard = identityOf?.(signer);
  const isProven = target.tag === undefined && heard === undefined;
  const found = (isProven ? proven(known) : undefined) ?? (await prove());
  if (found === undefined || !isInTime(found.times)) return undefined;
  const memory = await recall(signer);
  // Whether it was seen to go back, or to change its key, is not known where that cannot be read.
  if (memory.unusable !== undefined || isOutdated(found.attempt, memory)) return undefined;
  if (!isRemembered(cachedSighting(found.attempt, heard !== undefined), memory)) return undefined;
  return { signer, ...found, ...(holdsRev ? { memory } : withoutRev(found.attempt, memory)) };

  async function prove() {
    // Not imported for a pull that is answered by what was proven before.
    const { proveCached } = await import("./prove-cached.ts");
    const again = known && (await proveCached(known, signer, target, cache, deadline, heard));
    if (again === undefined) return undefined;
    const { signature, attempt } = again;
    return { attempt, times: partTimes(signature), signature: () => signature };
  }
}

/** What evidence showed when it was cached; an identity that was heard since is news, and remembered later. */
function cachedSighting({ sighting }: Attempt, isIdentityNews: boolean): Omit<Sighting, "signer"> {
  const { revs = [], operations, key } = sighting ?? {};
  return isIdentityNews ? { revs } : { revs, ...(operations && { operations }), ...(key !== undefined && { key }) };
}

function proven({ proven: attempt, times, signature }: CachedEvidence) {
  return attempt && { attempt, times, signature };
}

/**
 * Proven before, a repo may well lie behind what was seen since of another image; and the proofs of record and tag were
 * fetched at different times: which of them is the older says nothing.
 */
function withoutRev(attempt: Attempt, { operations, keys }: SignerMemory): Pick<Reused, "attempt" | "memory"> {
  const { sighting } = attempt;
  const revs = sighting?.revs.toSorted();
  return {
    attempt: sighting === undefined || revs === undefined ? attempt : { ...attempt, sighting: { ...sighting, revs } },
    memory: { operations, keys },
  };
}
