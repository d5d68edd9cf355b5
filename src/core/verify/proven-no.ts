import type { Tid } from "../atproto/syntax.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { recordPath } from "../evidence/claim.ts";
import type { SignatureEvidence } from "../evidence/evidence.ts";
import { tagRecordPath } from "../evidence/tag.ts";
import type { Digest } from "../oci/digest.ts";
import type { RejectionCode } from "../rejection.ts";
import type { ProofTarget } from "./prove.ts";
import type { Attempt, SignatureFacts } from "./verdict.ts";

/**
 * A proven "no": as of this revision the signer's repo holds no usable record at the path. Of a tag that names another
 * image: none but that one. Evidence from outside of the same or an older revision cannot take it back.
 */
export interface ProvenNo {
  /** Path of the record in the repo. */
  readonly path: string;
  readonly rev: Tid;
  /** The image that the tag was proven to name. */
  readonly except?: Digest;
}

export type RememberedNo = Omit<ProvenNo, "path">;

/** The noes that a node remembers of a signer. */
export interface RememberedNoes {
  /** The newest of each path, by {@link addressOfPath}. */
  readonly noes: ReadonlyMap<string, RememberedNo>;
  /** Noes up to this revision were dropped, so all evidence from outside up to it is refused. */
  readonly floor?: Tid;
}

/** 64 hex digits: a path may be longer than a file's name. */
export function addressOfPath(path: string): string {
  return sha256Hex(toUtf8(path));
}

/** Whether a no replaces another one about the same path. At one revision the one that names an image is more exact. */
export function supersedes(no: RememberedNo, known: RememberedNo | undefined): boolean {
  if (known === undefined || no.rev > known.rev) return true;
  return no.rev === known.rev && no.except !== undefined && known.except === undefined;
}

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
