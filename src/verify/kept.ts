import type { IdentityProof } from "../atproto/identity.ts";
import type { Did } from "../atproto/syntax.ts";
import { CLOCK_SKEW } from "../encoding/time.ts";
import { Rejection } from "../rejection.ts";
import { type Evidence, type Gap, isUnanswered } from "./evidence.ts";
import type { Sighting, SignerMemory } from "./memory.ts";
import type { Attempt, Finding } from "./verdict.ts";

/**
 * Whether nothing at all was heard of a signer's signature: then what was verified before may be judged
 * again. A signer who was not asked would have been named by the registry, so its list must be missing.
 */
export function isSilent(signer: Did, { attempts, gaps }: { attempts: readonly Attempt[]; gaps: readonly Gap[] }) {
  if (attempts.some((attempt) => ("facts" in attempt ? attempt.facts.signer : attempt.signer) === signer)) return false;
  const own = gaps.filter((gap) => gap.signer === signer);
  const missing = own.length > 0 ? own : gaps.filter(({ service }) => service === "registry");
  return missing.length > 0 && missing.every(isUnanswered);
}

/** When evidence was had, by its oldest part; undefined where a part lies in the future. */
export function verifiedAt({ signatures, owner }: Evidence, now: number): number | undefined {
  const parts = [...signatures.flatMap(({ identity, record, tag }) => [identity, record, tag]), owner];
  const times = parts.flatMap((part) => (part === undefined ? [] : [part.fetchedAt]));
  return times.some((time) => time > now + CLOCK_SKEW) ? undefined : Math.min(...times);
}

/** What was seen of a signer, and what is wrong with it if anything is: an attempt, or who they are alone. */
export interface Seen {
  readonly sighting?: Sighting;
  readonly finding?: Finding;
}

/** What a signer's answer says of evidence kept before: nothing, that of this digest is over, or all of it. */
export function refuted({ sighting, finding }: Seen, memory: SignerMemory): "nothing" | "digest" | "signer" {
  if (finding?.code === "identity.deactivated") return "signer";
  const key = sighting?.key;
  // Also one that was seen before another: an owner who undoes what a thief did has the old key again.
  if (key !== undefined && memory.keys.size > 0 && !isNewestKey(key, undefined, memory)) return "signer";
  return finding?.code === "record.absent" ? "digest" : "nothing";
}

/**
 * Whether a key is the signer's newest, as far as is known: by the identity, where it was had now, and by
 * what this node remembers, where another key was first seen later.
 */
export function isNewestKey(
  key: string | undefined,
  proof: IdentityProof | undefined,
  { keys }: SignerMemory,
): boolean {
  if (key === undefined) return false;
  if (proof !== undefined && (proof.current instanceof Rejection || proof.current.key.didKey !== key)) return false;
  const seen = keys.get(key);
  return [...keys].every(([other, time]) => other === key || (seen !== undefined && time < seen));
}
