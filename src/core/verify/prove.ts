import { type Identity, type IdentityProof, readIdentity } from "../atproto/identity.ts";
import { type CheckedCommits, type ProvenRecord, proveRecord } from "../atproto/record-proof.ts";
import { type Tid, tidTime } from "../atproto/syntax.ts";
import { readClaim } from "../evidence/claim.ts";
import type { SignatureEvidence } from "../evidence/evidence.ts";
import { recordPath, tagRecordPath } from "../evidence/record-path.ts";
import { namedDigest, readTag } from "../evidence/tag.ts";
import type { Digest } from "../oci/digest.ts";
import { Rejection, reject } from "../rejection.ts";
import type { Observation } from "./signer-history.ts";
import type { Attempt, SignatureFacts, TagFacts } from "./verdict.ts";

/** What a proof must be about. */
export interface ProofTarget {
  readonly digest: Digest;
  /** The tag whose record is checked, if any. */
  readonly tag?: string;
  /** The tag's repository, if the image's name determines it; else that of the digest's record. */
  readonly repository?: string;
}

/**
 * Turns one signature's bytes into facts that depend neither on the policy nor on the time (spec 5.1, 5.3 to 5.6).
 *
 * @param proof result of `readIdentity` for `signature.identity`, or what it threw, if the caller has it already; read
 * here otherwise
 * @param checked commits that need no second check; those of this signature are added
 * @returns facts, or the first failed check as a finding (`record.absent` for a proven absence); and what was observed
 * of the signer
 */
export function attempt(
  sought: ProofTarget,
  signature: SignatureEvidence,
  proof?: IdentityProof | Rejection,
  checked?: CheckedCommits,
): Attempt {
  const { signer } = signature;
  const revs: Tid[] = [];
  let seen: Omit<Observation, "revs"> | undefined;
  // Evaluated at the end: the commit may be proven even if the record is not.
  const observation = (): { observation?: Observation } =>
    seen === undefined ? {} : { observation: { ...seen, revs } };
  try {
    const identity = proof ?? readIdentity(signer, signature.identity.bytes);
    if (identity instanceof Rejection) throw identity;
    if (identity.did !== signer) throw new Error("the given identity is another signer's");
    seen = observationOf(identity, signature.identity.fetchedAt);
    const { current } = identity;
    if (current instanceof Rejection) throw current;
    const facts = prove(sought, signature, current, (bytes, path, onRev) =>
      proveRecord(
        current,
        bytes,
        path,
        (rev) => {
          revs.push(rev);
          onRev?.(rev);
        },
        checked,
      ),
    );
    return { facts, ...observation() };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { signer, finding: { signer, code: error.code, detail: error.message }, ...observation() };
  }
}

/** The observation of an identity alone, without its repo. @param askedAt milliseconds since 1970 */
export function observationOf({ did, history, current }: IdentityProof, askedAt: number): Omit<Observation, "revs"> {
  return {
    signer: did,
    askedAt,
    ...(history === undefined ? {} : { operations: history.map(({ cid }) => cid) }),
    ...(current instanceof Rejection ? {} : { key: current.key.didKey }),
  };
}

/** Proves the record at a path of the signer's repo. @param onRev called once the commit is verified */
type RecordProver = (bytes: Uint8Array, path: string, onRev?: (rev: Tid) => void) => ProvenRecord;

function prove(
  sought: ProofTarget,
  { record, tag }: SignatureEvidence,
  identity: Identity,
  proveAt: RecordProver,
): SignatureFacts {
  const { did, key, keySince, pds, handles } = identity;
  const { digest } = sought;
  if (record === undefined) {
    // The tag can still be proven, if the image's name determines its repository.
    const alone =
      tag && sought.tag && sought.repository
        ? proveTag(sought as Required<ProofTarget>, tag.bytes, identity, proveAt)
        : undefined;
    if (alone !== undefined && "code" in alone) reject(alone.code, alone.detail);
    if (alone !== undefined && alone.claim === undefined)
      reject("tag.absent", `the repo of ${did} has no record ${alone.address}`);
    reject("pds.unreachable", `the PDS of ${did} sent no proof`);
  }
  const { rev, commit, value } = proveAt(record.bytes, recordPath(digest));
  if (value === undefined) reject("record.absent", `the repo of ${did} has no record of ${digest} (rev ${rev})`);
  const claim = readClaim(digest, value);
  return {
    signer: did,
    digest,
    key: key.didKey,
    ...(keySince === undefined ? {} : { keySince }),
    pds,
    handles,
    rev,
    commitCid: commit.toString(),
    revTime: tidTime(rev),
    claim,
    ...(tag === undefined || sought.tag === undefined
      ? {}
      : { tag: proveTag({ repository: claim.repository, tag: sought.tag, ...sought }, tag.bytes, identity, proveAt) }),
  };
}

/** A failed proof of the tag does not affect that of the digest: not every rule checks the tag. */
function proveTag(
  { digest, repository, tag }: Required<ProofTarget>,
  bytes: Uint8Array,
  identity: Identity,
  proveAt: RecordProver,
): TagFacts {
  const address = tagRecordPath(repository, tag);
  let means: Digest | undefined;
  let shown: Tid | undefined;
  try {
    const { value, rev } = proveAt(bytes, address, (rev) => {
      shown = rev;
    });
    means = value === undefined ? undefined : namedDigest(identity.did, value);
    return { address, claim: value === undefined ? undefined : readTag(identity.did, digest, value), rev };
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { code: error.code, detail: error.message, ...(means && { means }), ...(shown && { rev: shown }) };
  }
}
