import { type Did, didWebHost, isPlc } from "../atproto/syntax.ts";
import { CLOCK_SKEW } from "../encoding/time.ts";
import { type Gap, isUnanswered, type SignatureEvidence } from "../evidence/evidence.ts";
import { REJECTIONS, type RejectionCode } from "../rejection.ts";
import type { SignerMemory } from "./signer-history.ts";
import type { Attempt } from "./verdict.ts";

/**
 * Whether somebody who was asked gave no answer at all: then what was verified before may be judged again.
 * Of one who was not asked, as in a rule with many signers, nothing is known, and a registry could see to
 * that.
 */
export function isSilent(signer: Did, { attempts, gaps }: { attempts: readonly Attempt[]; gaps: readonly Gap[] }) {
  if (attempts.some((attempt) => ("facts" in attempt ? attempt.facts.signer : attempt.signer) === signer)) return false;
  const missing = gaps.filter((gap) => gap.signer === signer);
  return missing.length > 0 && missing.every(isUnanswered);
}

/**
 * Whether an identity came from where this configuration asks for it: its URL is exactly that of one of the
 * directories, or of the host of the did:web.
 *
 * @param url of the answer, as it was cached
 */
export function isVouched(signer: Did, url: string, plcDirectories: readonly string[]): boolean {
  if (isPlc(signer)) return plcDirectories.some((directory) => url === `${directory}/${signer}/log/audit`);
  const host = didWebHost(signer);
  const scheme = host.startsWith("localhost:") ? "http" : "https";
  // As fetched, the URL says nothing of a port that is its scheme's own (did:web:a.example%3A443).
  return url === new URL(`${scheme}://${host}/.well-known/did.json`).href;
}

/** When each part of the evidence of one signature was had; milliseconds since 1970. */
export function partTimes({ identity, record, tag }: SignatureEvidence): readonly number[] {
  return [identity, record, tag].flatMap((part) => (part === undefined ? [] : [part.fetchedAt]));
}

/**
 * Whether what was had at these times may be judged at `now` without asking anybody: all of it is younger
 * than `ttl`. A time ahead of the clock says nothing.
 */
export function isFresh(times: readonly number[], now: number, ttl: number): boolean {
  return times.every((time) => time <= now && now - time <= ttl);
}

/** Whether what was had at these times may be judged again where nobody answers (spec 6). */
export function isRecent(times: readonly number[], now: number, maxStaleness: number): boolean {
  return times.every((time) => time <= now + CLOCK_SKEW && now - time <= maxStaleness);
}

/** A proof that there is no identity to count on, whatever was kept of one. */
const CLOSED: ReadonlySet<RejectionCode> = new Set([
  "identity.deactivated",
  "identity.invalid",
  "identity.unsupported_key",
]);

/**
 * How much of what is kept of a signer a fresh answer ends: all of it; what is kept of this digest; or
 * nothing, where it proves facts, which take the place of what was kept, or where it proves nothing.
 */
export function ended(attempt: Attempt, memory: SignerMemory): "signer" | "digest" | "nothing" {
  const { sighting } = attempt;
  if ("finding" in attempt && CLOSED.has(attempt.finding.code)) return "signer";
  if (sighting === undefined) return "nothing";
  if (isOtherKey(sighting, memory)) return "signer";
  if (!("finding" in attempt)) return "nothing";
  // A tag's answer ends what is kept of the tag alone.
  if (attempt.finding.code === "tag.absent" || attempt.finding.code === "tag.mismatch") return "nothing";
  // Their repo was proven, and says something else or nothing; or its tree is not shown down to the record, as some
  // servers do where there is none.
  const { code } = attempt.finding;
  const isNo = REJECTIONS[code].kind === "deny" || code === "mst.incomplete_proof";
  return isNo && sighting.revs.length > 0 ? "digest" : "nothing";
}

/**
 * Whether the key is another than the one that this node saw last. Also one that was seen before another: an
 * owner who undoes what a thief did has the old key again. Where a log says so, that is news only once: what
 * was kept since is of the key that they have.
 */
export function isOtherKey(
  { key, operations }: { readonly key?: string; readonly operations?: readonly string[] },
  memory: SignerMemory,
): boolean {
  if (key === undefined || isNewestKey(key, memory)) return false;
  return !memory.keys.has(key) || operations === undefined || operations.some((cid) => !memory.operations.has(cid));
}

/**
 * Whether a key is the newest that this node has seen of a signer, by when it saw each first.
 */
export function isNewestKey(key: string, { keys }: SignerMemory): boolean {
  const seen = keys.get(key);
  return [...keys].every(([other, time]) => other === key || (seen !== undefined && time < seen));
}

/**
 * Whether evidence of before is by a key that is not the signer's any more. A did:web has no log that tells
 * of a key since: what this node saw has to do.
 */
export function isOutdated({ sighting }: Attempt, memory: SignerMemory): boolean {
  if (sighting?.key === undefined) return true;
  return sighting.operations === undefined && !isNewestKey(sighting.key, memory);
}
