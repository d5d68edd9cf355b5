import { type Did, didWebHost, isPlc } from "../atproto/syntax.ts";
import { CLOCK_SKEW } from "../encoding/time.ts";
import { type Gap, isUnanswered, type SignatureEvidence } from "../evidence/evidence.ts";
import { REJECTIONS, type RejectionCode } from "../rejection.ts";
import type { SignerHistory } from "./signer-history.ts";
import type { Attempt } from "./verdict.ts";

/**
 * Whether a contacted signer's services gave no answer at all: then stale evidence may be used. A signer that was not
 * contacted, in a rule with many, does not count as silent: a registry could bring that about.
 */
export function isSilent(signer: Did, { attempts, gaps }: { attempts: readonly Attempt[]; gaps: readonly Gap[] }) {
  if (attempts.some((attempt) => ("facts" in attempt ? attempt.facts.signer : attempt.signer) === signer)) return false;
  const missing = gaps.filter((gap) => gap.signer === signer);
  return missing.length > 0 && missing.every(isUnanswered);
}

/**
 * Whether a cached identity came from a configured source: its URL is exactly that of one of the directories, or of the
 * did:web's host.
 *
 * @param url of the answer, as cached
 */
export function isVouched(signer: Did, url: string, plcDirectories: readonly string[]): boolean {
  if (isPlc(signer)) return plcDirectories.some((directory) => url === `${directory}/${signer}/log/audit`);
  const host = didWebHost(signer);
  const scheme = host.startsWith("localhost:") ? "http" : "https";
  // The URL as fetched omits the scheme's default port (did:web:a.example%3A443).
  return url === new URL(`${scheme}://${host}/.well-known/did.json`).href;
}

/** When each part of one signature's evidence was fetched; milliseconds since 1970. */
export function partTimes({ identity, record, tag }: SignatureEvidence): readonly number[] {
  return [identity, record, tag].flatMap((part) => (part === undefined ? [] : [part.fetchedAt]));
}

/**
 * Whether evidence fetched at these times is fresh at `now`: all of it is younger than `ttl`. A time in the future does
 * not count.
 */
export function isFresh(times: readonly number[], now: number, ttl: number): boolean {
  return times.every((time) => time <= now && now - time <= ttl);
}

/** Whether evidence fetched at these times may be used as stale evidence (spec 6). */
export function isRecent(times: readonly number[], now: number, maxStaleness: number): boolean {
  return times.every((time) => time <= now + CLOCK_SKEW && now - time <= maxStaleness);
}

/** Codes that prove the identity unusable, so that all cached evidence of the signer is invalid. */
const CLOSED: ReadonlySet<RejectionCode> = new Set([
  "identity.deactivated",
  "identity.invalid",
  "identity.unsupported_key",
]);

/**
 * Which cached evidence of a signer a fresh answer invalidates: all of it; that of this digest; or none, because it
 * proves facts, which replace the cached ones, or proves nothing.
 */
export function invalidationScope(attempt: Attempt, memory: SignerHistory): "signer" | "digest" | "nothing" {
  const { observation } = attempt;
  if ("finding" in attempt && CLOSED.has(attempt.finding.code)) return "signer";
  if (observation === undefined) return "nothing";
  if (isOtherKey(observation, memory)) return "signer";
  if (!("finding" in attempt)) return "nothing";
  // A tag's answer invalidates only the cached tag record.
  if (attempt.finding.code === "tag.absent" || attempt.finding.code === "tag.mismatch") return "nothing";
  // The repo was proven to have another record or none; or the proof ends before the record, as some servers send it
  // where there is none.
  const { code } = attempt.finding;
  const isNo = REJECTIONS[code].kind === "deny" || code === "mst.incomplete_proof";
  return isNo && observation.revs.length > 0 ? "digest" : "nothing";
}

/**
 * Whether the key differs from the one that this node saw most recently. A former key counts as different: an owner who
 * undoes a hijack has the old key again. If a log shows that, it counts only once: later cached evidence is of that key.
 */
export function isOtherKey(
  { key, operations }: { readonly key?: string; readonly operations?: readonly string[] },
  memory: SignerHistory,
): boolean {
  if (key === undefined || isNewestKey(key, memory)) return false;
  return !memory.keys.has(key) || operations === undefined || operations.some((cid) => !memory.operations.has(cid));
}

/**
 * Whether a key is the newest that this node has seen of a signer, by the time it first saw each.
 */
export function isNewestKey(key: string, { keys }: SignerHistory): boolean {
  const seen = keys.get(key);
  return [...keys].every(([other, time]) => other === key || (seen !== undefined && time < seen));
}

/**
 * Whether cached evidence is by a key that the signer no longer has. A did:web has no log that shows a later key, so the
 * signer history decides.
 */
export function isOutdated({ observation }: Attempt, memory: SignerHistory): boolean {
  if (observation?.key === undefined) return true;
  return observation.operations === undefined && !isNewestKey(observation.key, memory);
}
