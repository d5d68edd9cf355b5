import { formatDateTime } from "../encoding/time.ts";
import type { Requirement, TrustedSigner } from "../policy/policy.ts";
import { reject } from "../rejection.ts";
import type { Subject } from "./evidence.ts";
import type { SignatureFacts } from "./verdict.ts";

/** How far a writer's clock may be ahead of this node's (spec 5.7): 5 minutes in milliseconds. */
const CLOCK_SKEW = 5 * 60 * 1000;

/** Manifest types that say what a manifest is; containerd may be told `application/octet-stream`. */
const SPECIFIC_MEDIA_TYPES: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
]);

interface Question {
  readonly subject: Subject;
  readonly rule: { readonly requirement: Requirement };
  readonly atcrHosts: readonly string[];
  readonly now: number;
}

/**
 * Checks proven facts against what the rule and the pull ask for (spec 5.2, 5.6, 5.7). The signer's
 * own eligibility is checked before.
 *
 * @throws Rejection with the first check that fails
 */
export function checkFacts(facts: SignatureFacts, signer: TrustedSigner, question: Question): void {
  checkSubject(facts, question.subject);
  checkPins(facts, signer);
  checkMediaType(facts, question.subject);
  checkRepository(facts, question);
  checkFreshness(facts, question);
}

/** Facts are made for one digest and used for one; that these are the same costs one comparison. */
function checkSubject({ digest }: SignatureFacts, subject: Subject): void {
  if (digest !== subject.digest)
    reject("record.digest_mismatch", `the proof is about ${digest}, not ${subject.digest}`);
}

function checkPins({ key, pds, signer }: SignatureFacts, pins: TrustedSigner): void {
  if (pins.keys && !pins.keys.includes(key)) {
    reject("identity.key_not_pinned", `the key of ${signer} is ${key}, the policy pins ${pins.keys.join(", ")}`);
  }
  if (pins.pds && !pins.pds.includes(pds)) {
    reject("identity.pds_not_pinned", `the PDS of ${signer} is ${pds}, the policy pins ${pins.pds.join(", ")}`);
  }
}

function checkMediaType({ claim }: SignatureFacts, { mediaType, size }: Subject): void {
  if (mediaType !== undefined && SPECIFIC_MEDIA_TYPES.has(mediaType) && claim.mediaType !== mediaType) {
    reject("record.media_type_mismatch", `the record says "${claim.mediaType}", the registry ${mediaType}`);
  }
  if (size !== undefined && claim.blobSize !== undefined && claim.blobSize !== size) {
    reject("record.blob_mismatch", `the record's manifest has ${claim.blobSize} bytes, the registry's ${size}`);
  }
}

function checkRepository({ claim }: SignatureFacts, { subject, rule, atcrHosts }: Question): void {
  const { repository } = rule.requirement;
  if (repository === "any") return;
  const { host, path } = subject.name;
  if (repository !== "match") {
    if (!repository.includes(claim.repository)) {
      reject(
        "record.wrong_repository",
        `the record is about "${claim.repository}", expected ${repository.join(" or ")}`,
      );
    }
    return;
  }
  const matches = atcrHosts.includes(host)
    ? path.slice(path.indexOf("/") + 1) === claim.repository && path.includes("/")
    : path === claim.repository || path.endsWith(`/${claim.repository}`);
  if (!matches)
    reject("record.wrong_repository", `the record is about "${claim.repository}", the image is ${host}/${path}`);
}

function checkFreshness({ claim, rev, revTime }: SignatureFacts, { rule, now }: Question): void {
  const { maxAge } = rule.requirement;
  if (claim.createdAt > now + CLOCK_SKEW) {
    reject("record.from_future", `the record is dated ${formatDateTime(claim.createdAt)}, which has not come yet`);
  }
  if (maxAge !== undefined && now - claim.createdAt > maxAge) {
    reject("record.too_old", `the record is of ${formatDateTime(claim.createdAt)}, older than the rule's maxAge`);
  }
  if (revTime > now + CLOCK_SKEW) {
    reject("commit.from_future", `the commit ${rev} is dated ${formatDateTime(revTime)}, which has not come yet`);
  }
}
