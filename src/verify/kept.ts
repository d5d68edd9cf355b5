import type { Did } from "../atproto/syntax.ts";
import { CLOCK_SKEW } from "../encoding/time.ts";
import type { Digest } from "../oci/digest.ts";
import { REJECTIONS, type RejectionCode } from "../rejection.ts";
import { type Evidence, type Gap, isUnanswered, type Subject } from "./evidence.ts";
import type { Sighting, SignerMemory } from "./memory.ts";
import type { Attempt, Finding, TagFacts } from "./verdict.ts";

/** What evidence is kept of: one signer's, for one digest under one name. */
export interface KeptKey {
  readonly signer: Did;
  readonly digest: Digest;
  readonly name: string;
}

/** What evidence is kept for beside its digest: the name, with the tag by which the digest was found. */
export function keptFor({ name: { host, path }, tag }: Subject): string {
  return `${host}/${path}${tag === undefined ? "" : `:${tag}`}`;
}

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

/** When evidence was had, by its oldest part; undefined where a part lies in the future. */
export function verifiedAt({ signatures, owner }: Evidence, now: number): number | undefined {
  const parts = [...signatures.flatMap(({ identity, record, tag }) => [identity, record, tag]), owner];
  const times = parts.flatMap((part) => (part === undefined ? [] : [part.fetchedAt]));
  return times.some((time) => time > now + CLOCK_SKEW) ? undefined : Math.min(...times);
}

/** What was seen of a signer, and why it does not count if it does not: an attempt, or who they are alone. */
export interface Seen {
  readonly sighting: Sighting;
  readonly finding?: Finding;
  readonly tag?: TagFacts;
}

/** A proof that there is no identity to count on, whatever was kept of one. */
const CLOSED: ReadonlySet<RejectionCode> = new Set([
  "identity.deactivated",
  "identity.invalid",
  "identity.unsupported_key",
]);
/** What follows from the registry's words, which end nothing. */
const BY_REGISTRY: ReadonlySet<RejectionCode> = new Set(["record.media_type_mismatch", "record.blob_mismatch"]);

/**
 * How much of what was kept of a signer a fresh answer ends: all of it; what was kept of this digest; what
 * was kept under this tag; of this digest under this name; or nothing.
 */
export function refuted(seen: Seen, memory: SignerMemory): "signer" | "digest" | "tag" | "name" | "nothing" {
  const { sighting, finding } = seen;
  if (finding !== undefined && CLOSED.has(finding.code)) return "signer";
  if (isOtherKey(sighting, memory)) return "signer";
  if (finding?.code === "record.absent") return "digest";
  if (meansAnother(seen)) return "tag";
  if (finding === undefined || BY_REGISTRY.has(finding.code)) return "nothing";
  // Their repo was proven, and does not say any more what this name needs.
  return REJECTIONS[finding.code].kind === "deny" && sighting.revs.length > 0 ? "name" : "nothing";
}

/** Whether the tag was proven to mean another digest, or nothing. */
function meansAnother({ finding, tag }: Seen): boolean {
  if (finding?.code === "tag.absent" || finding?.code === "tag.mismatch") return true;
  return tag !== undefined && ("code" in tag ? tag.code === "tag.mismatch" : tag.claim === undefined);
}

/** Whether the tag was proven to mean the digest that was asked about: what it meant before is over. */
export function meansThis({ tag }: Seen): boolean {
  return tag !== undefined && !("code" in tag) && tag.claim !== undefined;
}

/**
 * Also one that was seen before another: an owner who undoes what a thief did has the old key again. Where
 * a log says so, that is news only once: what was kept since is of the key that they have.
 */
function isOtherKey({ key, operations }: Sighting, memory: SignerMemory): boolean {
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
