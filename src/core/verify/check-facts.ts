import { CLOCK_SKEW, formatDateTime } from "../encoding/time.ts";
import type { Gap, OwnerAnswer, Subject } from "../evidence/evidence.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import { reject } from "../rejection.ts";
import { checkName } from "./check-name.ts";
import type { Question } from "./question.ts";
import { type Memory, NOTHING_REMEMBERED } from "./signer-history.ts";
import type { Check, SignatureFacts } from "./verdict.ts";

type Kind = "manifest" | "index";
/**
 * What each media type means. Docker and OCI have a name each for the same kind of document, and caches serve
 * either under the name of the other; containerd may also pass a type that says neither.
 */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["application/vnd.oci.image.manifest.v1+json", "manifest"],
  ["application/vnd.docker.distribution.manifest.v2+json", "manifest"],
  ["application/vnd.oci.image.index.v1+json", "index"],
  ["application/vnd.docker.distribution.manifest.list.v2+json", "index"],
]);

/** Whether there is anything in a record to compare it with. */
export function isImageType(mediaType: string): boolean {
  return KINDS.has(mediaType);
}

/** What the facts are held against. */
export interface CheckInput extends Question {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whose the handle in the name is, where that was asked for and answered. */
  readonly owner?: OwnerAnswer;
  readonly gaps: readonly Gap[];
  /** What this node remembered before it asked; absent where saved evidence is judged (spec 5.7). */
  readonly memory?: Memory;
}

/**
 * Checks proven facts against what the rule and the pull ask for (spec 5.2, 5.6 to 5.8). The signer's
 * own eligibility is checked before.
 *
 * @returns the checks that had something to compare: a rule without `maxAge` does not look at the age
 * @throws Rejection with the first check that fails
 */
export function checkFacts(facts: SignatureFacts, signer: TrustedSigner, question: CheckInput): readonly Check[] {
  checkSubject(facts, question.subject);
  return [
    ...checkPins(facts, signer),
    ...checkKeyAge(facts, signer, question),
    ...checkMediaType(facts, question.subject),
    ...checkFreshness(facts, question),
    ...checkName(facts, question),
  ];
}

/** Facts are made for one digest and used for one; that these are the same costs one comparison. */
function checkSubject({ digest }: SignatureFacts, subject: Subject): void {
  if (digest !== subject.digest)
    reject("record.digest_mismatch", `the proof is about ${digest}, not ${subject.digest}`);
}

function checkPins({ key, pds, signer }: SignatureFacts, pins: TrustedSigner): readonly Check[] {
  if (pins.keys && !pins.keys.includes(key)) {
    reject("identity.key_not_pinned", `the key of ${signer} is ${key}, the policy pins ${pins.keys.join(", ")}`);
  }
  if (pins.pds && !pins.pds.includes(pds)) {
    reject("identity.pds_not_pinned", `the PDS of ${signer} is ${pds}, the policy pins ${pins.pds.join(", ")}`);
  }
  return pins.keys || pins.pds ? ["pins"] : [];
}

function checkMediaType({ claim }: SignatureFacts, { mediaType, size }: Subject): readonly Check[] {
  const kind = KINDS.get(mediaType ?? "");
  if (kind !== undefined && KINDS.get(claim.mediaType) !== kind) {
    reject("record.media_type_mismatch", `the record says "${claim.mediaType}", the registry ${mediaType}`);
  }
  if (size !== undefined && claim.blobSize !== undefined && claim.blobSize !== size) {
    reject("record.blob_mismatch", `the record's manifest has ${claim.blobSize} bytes, the registry's ${size}`);
  }
  return kind === undefined ? [] : ["media_type"];
}

/**
 * A key counts from when the directory took it in, or from when this node first saw it, whichever is
 * later: dates are the directory's word. One that the policy pins was vouched for by a person.
 */
function checkKeyAge(
  { signer: did, key, keySince }: SignatureFacts,
  pins: TrustedSigner,
  question: CheckInput,
): readonly Check[] {
  const { rule, memory, now } = question;
  const { minKeyAge } = rule.requirement;
  if (minKeyAge === undefined || pins.keys !== undefined) return [];
  const { keys, unusable } = memory?.get(did) ?? NOTHING_REMEMBERED;
  const firstSeen = memory === undefined ? undefined : (keys.get(key) ?? now);
  const times = [keySince, firstSeen].filter((time) => time !== undefined);
  if (times.length === 0) {
    reject("identity.key_too_young", `it is not known since when ${key} has been the key of ${did}`);
  }
  const since = Math.max(...times);
  if (now - since >= minKeyAge) return ["key_age"];
  if (unusable !== undefined && since === now) {
    const why = `for what it remembers cannot be used: ${unusable}`;
    reject("identity.key_too_young", `this node cannot tell how long ${key} has been the key of ${did}, ${why}`);
  }
  const origin = since === keySince ? "by its log" : keys.has(key) ? "as this node saw first" : "first seen just now";
  const detail = `${key} has been the key of ${did} since ${formatDateTime(since)}, ${origin}`;
  return reject("identity.key_too_young", `${detail}; the rule accepts it from ${formatDateTime(since + minKeyAge)}`);
}

function checkFreshness({ claim, rev, revTime }: SignatureFacts, { rule, now }: CheckInput): readonly Check[] {
  const { maxAge } = rule.requirement;
  if (claim.createdAt > now + CLOCK_SKEW) {
    reject("record.from_future", `the record is dated ${formatDateTime(claim.createdAt)}, which is in the future`);
  }
  if (maxAge !== undefined && now - claim.createdAt > maxAge) {
    reject(
      "record.too_old",
      `the record is dated ${formatDateTime(claim.createdAt)}, which is older than the rule's maxAge`,
    );
  }
  if (revTime > now + CLOCK_SKEW) {
    reject("commit.from_future", `the commit ${rev} is dated ${formatDateTime(revTime)}, which is in the future`);
  }
  return maxAge === undefined ? [] : ["max_age"];
}
