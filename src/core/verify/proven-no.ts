import type { Tid } from "../atproto/syntax.ts";
import type { SignatureEvidence } from "../evidence/evidence.ts";
import { recordPath, tagRecordPath } from "../evidence/record-path.ts";
import type { Digest } from "../oci/digest.ts";
import type { RejectionCode } from "../rejection.ts";
import type { ProofTarget } from "./prove.ts";
import { addressOfPath, type ProvenNo, type RememberedNoes } from "./remembered-noes.ts";
import type { Attempt, SignatureFacts } from "./verdict.ts";

/**
 * Codes that prove that the repo has no usable record. A proof that ends before the record is one of them: some servers
 * send it where there is none (spec 6).
 */
const NO_RECORD: ReadonlySet<RejectionCode> = new Set([
  "record.absent",
  "record.malformed",
  "record.digest_mismatch",
  "record.blob_mismatch",
  "mst.incomplete_proof",
]);
const NO_TAG: ReadonlySet<RejectionCode> = new Set(["tag.absent", "tag.mismatch", "mst.incomplete_proof"]);

/** The noes that evidence proves; also, of a tag that names the image in question, that it names no other. */
export function noesOf(evidence: SignatureEvidence, attempt: Attempt, target: ProofTarget): readonly ProvenNo[] {
  if ("facts" in attempt) return noesOfTag(attempt.facts, target);
  const { code } = attempt.finding;
  const rev = attempt.observation?.revs.at(-1);
  if (rev === undefined) return [];
  if (evidence.record !== undefined) return NO_RECORD.has(code) ? [{ path: recordPath(target.digest), rev }] : [];
  const { repository, tag } = target;
  const isOfTag = repository !== undefined && tag !== undefined && NO_TAG.has(code);
  return isOfTag ? [{ path: tagRecordPath(repository, tag), rev }] : [];
}

function noesOfTag({ tag, claim, digest }: SignatureFacts, target: ProofTarget): readonly ProvenNo[] {
  if (tag?.rev === undefined || target.tag === undefined) return [];
  const { rev } = tag;
  const path = tagRecordPath(target.repository ?? claim.repository, target.tag);
  if (!("code" in tag)) return [{ path, rev, ...(tag.claim !== undefined && { except: digest }) }];
  return NO_TAG.has(tag.code) ? [{ path, rev, ...(tag.means !== undefined && { except: tag.means }) }] : [];
}

/**
 * Why a remembered no refuses what evidence from outside shows; undefined where none does.
 *
 * @returns a clause for the message
 */
export function refutation(
  { digest, rev, tag }: SignatureFacts,
  target: ProofTarget,
  memory: RememberedNoes,
): string | undefined {
  const ofRecord = refuted(recordPath(digest), rev, digest, memory);
  // What is no yes cannot be contradicted.
  if (ofRecord !== undefined || tag === undefined || "code" in tag || tag.claim === undefined) return ofRecord;
  return target.tag === undefined ? undefined : refuted(tag.address, tag.rev, digest, memory);
}

function refuted(path: string, rev: Tid, image: Digest, { noes, floor }: RememberedNoes): string | undefined {
  if (floor !== undefined && rev <= floor) {
    return `what it knew of deleted records up to revision ${floor} was dropped to make room`;
  }
  const no = noes.get(addressOfPath(path));
  if (no === undefined || rev > no.rev || no.except === image) return undefined;
  const what = no.except === undefined ? "has no usable record" : `names ${no.except} in the record`;
  return `at revision ${no.rev} the repo ${what} ${path}`;
}
