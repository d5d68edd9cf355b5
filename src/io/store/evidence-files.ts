import type { Did, Tid } from "../../core/atproto/syntax.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import { imageFromLine, imageToBytes } from "../../core/evidence/bundled-image.ts";
import type { Evidence, OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { type Digest, digestHex } from "../../core/oci/digest.ts";
import { Rejection } from "../../core/rejection.ts";
import type { Aged, Mark } from "../../core/verify/invalidation.ts";
import type { Proven } from "../../core/verify/proof-memo.ts";
import type { SignatureFacts } from "../../core/verify/verdict.ts";

/** How the files of the evidence cache are named, and what is in them. */

/** Why evidence is dropped: the revision by which it was proven, where it was; and when, in milliseconds since 1970. */
export interface InvalidatedBy {
  readonly now: number;
  readonly rev?: Tid;
}

/** What is known of a signer about one digest, by their newest answer. */
export interface CachedEvidence {
  /** When each part of it was asked for, identity and record; milliseconds since 1970. */
  readonly times: readonly number[];
  /** URL of the identity; absent where the signature must be read for it. */
  readonly source?: string;
  /** What it proves, where this program has proven it before. */
  readonly proven?: Proven;
  /** Identity and record, not believed yet. */
  readonly signature: () => SignatureEvidence;
}

/** How the names end of what was proven, and of bundles. */
export const PROVEN = ".proven";
export const EVIDENCE = ".bundle";
/** Hex digits of a digest, with which the name of its evidence begins. */
export const DIGEST_LENGTH = 64;

export function recordName(signer: Did, digest: Digest): string {
  return `${digestHex(digest)}-${hashOf(signer)}${EVIDENCE}`;
}

export function provenName(signer: Did, digest: Digest): string {
  return `${digestHex(digest)}-${hashOf(signer)}${PROVEN}`;
}

export function tagName(signer: Did, address: string): string {
  return `${hashOf(signer)}-${hashOf(address)}${EVIDENCE}`;
}

/** The parts of a signature that are about a digest; when they were asked for as in {@link CachedEvidence.times}. */
export function agedParts(
  [identity = 0, record = 0]: readonly number[],
  address: string,
  rev: Tid | undefined,
): readonly Aged[] {
  return [{ askedAt: identity }, { address, askedAt: record, ...(rev && { rev }) }];
}

/** As of when evidence counts whose time has been looked at before. */
const NOT_LOOKED_AT = Number.POSITIVE_INFINITY;

/** The parts of proven evidence that may have been invalidated since its times were looked at. */
export function provenParts({ digest, rev, tag }: SignatureFacts): readonly Aged[] {
  const record = { address: digestHex(digest), askedAt: NOT_LOOKED_AT, rev };
  if (tag === undefined || !("address" in tag)) return [record];
  return [record, { address: hashOf(tag.address), askedAt: NOT_LOOKED_AT, rev: tag.rev }];
}

export function endOf(address: string, { now, rev }: InvalidatedBy): Mark {
  return { address, time: now, ...(rev && { rev, isInclusive: true }) };
}

export function hashOf(text: string): string {
  return sha256Hex(toUtf8(text));
}

export function bundleOf(digest: Digest, signatures: Evidence["signatures"], owner?: OwnerAnswer): Uint8Array {
  return imageToBytes({ digest, names: [], evidence: { pointers: [], signatures, gaps: [], ...(owner && { owner }) } });
}

/** @throws Rejection bundle.malformed where it is no bundle, or one about something else */
export function signatureIn(bytes: Uint8Array, digest: Digest, signer: Did): SignatureEvidence {
  const bundle = imageFromLine(bytes);
  const [signature] = bundle.evidence.signatures;
  if (bundle.digest !== digest || signature?.signer !== signer || signature.record === undefined) aboutSomethingElse();
  return signature;
}

export function aboutSomethingElse(): never {
  throw new Rejection("bundle.malformed", "it is about something else");
}
