import { CLOCK_SKEW, formatDateTime } from "../encoding/time.ts";
import type { Gap, OwnerAnswer, Subject } from "../evidence/evidence.ts";
import type { TrustedSigner } from "../policy/policy.ts";
import { reject } from "../rejection.ts";
import { checkName } from "./check-name.ts";
import type { Question } from "./question.ts";
import { NO_HISTORY, type SignerHistories } from "./signer-history.ts";
import type { Check, SignatureFacts } from "./verdict.ts";

type Kind = "manifest" | "index";
/**
 * Kind of document by media type. Docker and OCI name the same kinds differently, and caches serve one under the other's
 * name; containerd may also pass an unspecific type.
 */
const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["application/vnd.oci.image.manifest.v1+json", "manifest"],
  ["application/vnd.docker.distribution.manifest.v2+json", "manifest"],
  ["application/vnd.oci.image.index.v1+json", "index"],
  ["application/vnd.docker.distribution.manifest.list.v2+json", "index"],
]);

/** Whether the type can be compared with the record's. */
export function isImageType(mediaType: string): boolean {
  return KINDS.has(mediaType);
}

/** What the facts are checked against. */
export interface CheckInput extends Question {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Owner of the handle in the name, where that was looked up successfully. */
  readonly owner?: OwnerAnswer;
  readonly gaps: readonly Gap[];
  /** Signer histories before the requests; absent where saved evidence is judged (spec 5.7). */
  readonly memory?: SignerHistories;
}

/**
 * Checks proven facts against the rule and the pull (spec 5.2, 5.6 to 5.8). The caller has checked that the signer is
 * eligible.
 *
 * @returns the checks that applied; a rule without `maxAge`, for example, does not check the age
 * @throws Rejection of the first check that fails
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

/** Guards against facts of another digest. */
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
    reject(
      "record.media_type_mismatch",
      `the media type is "${claim.mediaType}" in the record, but ${mediaType} at the registry`,
    );
  }
  if (size !== undefined && claim.blobSize !== undefined && claim.blobSize !== size) {
    reject(
      "record.blob_mismatch",
      `the manifest has ${claim.blobSize} bytes in the record, but ${size} at the registry`,
    );
  }
  return kind === undefined ? [] : ["media_type"];
}

/**
 * The age of a key counts from the date of its operation or from when this node first saw it, whichever is later: dates
 * are claimed by the directory. Pinned keys are exempt.
 */
function checkKeyAge(
  { signer: did, key, keySince }: SignatureFacts,
  pins: TrustedSigner,
  question: CheckInput,
): readonly Check[] {
  const { rule, memory, now } = question;
  const { minKeyAge } = rule.requirement;
  if (minKeyAge === undefined || pins.keys !== undefined) return [];
  const { keys, unusable } = memory?.get(did) ?? NO_HISTORY;
  const firstSeen = memory === undefined ? undefined : (keys.get(key) ?? now);
  const times = [keySince, firstSeen].filter((time) => time !== undefined);
  if (times.length === 0) {
    reject("identity.key_too_young", `the age of the key ${key} of ${did} is unknown: its identity has no log`);
  }
  const since = Math.max(...times);
  if (now - since >= minKeyAge) return ["key_age"];
  if (unusable !== undefined && since === now) {
    const why = `because the signer history cannot be used: ${unusable}`;
    reject("identity.key_too_young", `the age of the key ${key} of ${did} is unknown, ${why}`);
  }
  const origin =
    since === keySince
      ? "according to its log"
      : keys.has(key)
        ? "when this node first saw it"
        : "first seen in this pull";
  const detail = `${key} has been the key of ${did} since ${formatDateTime(since)}, ${origin}`;
  return reject(
    "identity.key_too_young",
    `${detail}; the rule accepts it from ${formatDateTime(since + minKeyAge)} on`,
  );
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
