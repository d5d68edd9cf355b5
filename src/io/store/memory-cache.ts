import type { Did, Tid } from "../../core/atproto/syntax.ts";
import type { Fetched, OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { type Digest, digestHex } from "../../core/oci/digest.ts";
import { partTimes } from "../../core/verify/freshness.ts";
import { type Proven, withoutTag } from "../../core/verify/proof-memo.ts";
import type { SignatureFacts } from "../../core/verify/verdict.ts";
import { BoundedMap } from "./bounded-map.ts";
import { agedParts, type CachedEvidence, endOf, hashOf, type InvalidatedBy, provenParts } from "./evidence-files.ts";
import { HANDLES } from "./invalidation-marks.ts";
import { MemoryMarks } from "./memory-marks.ts";

/** Bytes of one piece of evidence: a signer with ever longer logs must not push out everybody else's. */
const MAX_PIECE = 1024 * 1024;
/** Bytes of all of them together. */
const MAX_BYTES = 24 * 1024 * 1024;
/** Pieces of evidence: records, identities, tags and owners together. */
const MAX_PIECES = 4096;
/** Bytes of a piece besides its buffers, about: what it proves, and its key. */
const OWN_SIZE = 3072;

type Piece =
  | {
      readonly kind: "record";
      readonly signer: Did;
      readonly digest: Digest;
      readonly evidence: CachedEvidence & { readonly proven: Proven };
      readonly buffers: readonly Uint8Array[];
    }
  | { readonly kind: "identity"; readonly signer: Did; readonly identity: Fetched }
  | { readonly kind: "tag"; readonly signer: Did; readonly meant: Digest; readonly tag: Fetched }
  | { readonly kind: "owner"; readonly owner: OwnerAnswer };

/**
 * What EvidenceCache keeps on disk, in the memory of one process: the newest answer to each question about a signature,
 * with what a record's evidence proved. Invalidation leaves the same marks.
 */
export class MemoryCache {
  readonly #pieces = new BoundedMap<Piece>({ count: MAX_PIECES, bytes: MAX_BYTES }, (piece) => ({
    own: OWN_SIZE,
    buffers: buffersOf(piece),
  }));
  readonly #marks = new MemoryMarks();

  /** How much is kept; `bytes` as it is bounded. */
  get sizes(): { readonly pieces: number; readonly bytes: number; readonly marks: number } {
    return { pieces: this.#pieces.count, bytes: this.#pieces.bytes, marks: this.#marks.count };
  }

  /** Whose evidence about a digest there is, of these. */
  holders(digest: Digest, among: readonly Did[]): readonly Did[] {
    return among.filter((signer) => this.#record(signer, digest) !== undefined);
  }

  find(signer: Did, digest: Digest): CachedEvidence | undefined {
    const found = this.#record(signer, digest)?.evidence;
    if (found === undefined) return undefined;
    const parts = agedParts(found.times, digestHex(digest), found.proven.facts.rev);
    return this.#marks.areInvalidated(signer, parts) ? undefined : found;
  }

  /** As {@link EvidenceCache.isInvalidated}. */
  isInvalidated(facts: SignatureFacts): boolean {
    return this.#marks.areInvalidated(facts.signer, provenParts(facts));
  }

  /** As {@link EvidenceCache.keep}. */
  async keep(digest: Digest, evidence: SignatureEvidence, proven: Proven, isRefused = false): Promise<void> {
    const { signer, identity, record } = evidence;
    if (record === undefined || !isSmall(identity, record)) return;
    const signature = { signer, identity, record };
    const { facts } = proven;
    const times = partTimes(signature);
    if (this.#marks.areInvalidated(signer, agedParts(times, digestHex(digest), facts.rev))) return;
    const before = this.find(signer, digest)?.proven?.facts;
    if (isRefused || (before && JSON.stringify(before.claim) !== JSON.stringify(facts.claim))) {
      this.#marks.end(signer, { address: digestHex(digest), time: record.fetchedAt, rev: facts.rev });
    }
    this.#pieces.set(recordKey(signer, digest), {
      kind: "record",
      signer,
      digest,
      evidence: { proven: withoutTag(proven), times, source: identity.url, signature: () => signature },
      buffers: [identity.bytes, record.bytes],
    });
  }

  /** As {@link EvidenceCache.drop}. */
  async drop(signer: Did, { now, rev }: InvalidatedBy, digest?: Digest): Promise<number> {
    if (digest !== undefined) {
      this.#marks.end(signer, endOf(digestHex(digest), { now, ...(rev && { rev }) }));
      return this.#pieces.delete(recordKey(signer, digest)) ? 1 : 0;
    }
    this.#marks.end(signer, { time: now });
    return this.#pieces.deleteWhere((piece) => piece.kind !== "owner" && piece.signer === signer);
  }

  findIdentity(signer: Did): Fetched | undefined {
    const found = this.#pieces.get(identityKey(signer));
    if (found?.kind !== "identity") return undefined;
    const { identity } = found;
    return this.#marks.areInvalidated(signer, [{ askedAt: identity.fetchedAt }]) ? undefined : identity;
  }

  async keepIdentity(_: Digest, signer: Did, identity: Fetched): Promise<void> {
    if (!isSmall(identity)) return;
    if (this.#marks.areInvalidated(signer, [{ askedAt: identity.fetchedAt }])) return;
    this.#pieces.set(identityKey(signer), { kind: "identity", signer, identity });
  }

  /** @param address of the tag's record in the signer's repo */
  findTag(signer: Did, address: string): Fetched | undefined {
    const found = this.#pieces.get(tagKey(signer, address));
    if (found?.kind !== "tag") return undefined;
    const { tag } = found;
    const part = { address: hashOf(address), askedAt: tag.fetchedAt };
    return this.#marks.areInvalidated(signer, [part]) ? undefined : tag;
  }

  /** As {@link EvidenceCache.keepTag}. */
  async keepTag(meant: Digest, address: string, { signer, tag }: SignatureEvidence, rev: Tid): Promise<void> {
    if (tag === undefined || !isSmall(tag)) return;
    const part = { address: hashOf(address), askedAt: tag.fetchedAt, rev };
    if (this.#marks.areInvalidated(signer, [part])) return;
    const key = tagKey(signer, address);
    const before = this.#pieces.get(key);
    // Also where nothing is cached: a slow question may come with what the tag meant before.
    if (before?.kind !== "tag" || before.meant !== meant) {
      this.#marks.end(signer, { address: part.address, time: tag.fetchedAt, rev });
    }
    this.#pieces.set(key, { kind: "tag", signer, meant, tag });
  }

  async dropTag(signer: Did, address: string, ending: InvalidatedBy): Promise<void> {
    this.#marks.end(signer, endOf(hashOf(address), ending));
    this.#pieces.delete(tagKey(signer, address));
  }

  findOwner(handle: string): OwnerAnswer | undefined {
    const found = this.#pieces.get(ownerKey(handle));
    if (found?.kind !== "owner") return undefined;
    const { owner } = found;
    const part = { address: hashOf(handle), askedAt: owner.fetchedAt };
    return this.#marks.areInvalidated(HANDLES, [part]) ? undefined : owner;
  }

  async keepOwner(_: Digest, owner: OwnerAnswer): Promise<void> {
    const part = { address: hashOf(owner.handle), askedAt: owner.fetchedAt };
    if (this.#marks.areInvalidated(HANDLES, [part])) return;
    this.#pieces.set(ownerKey(owner.handle), { kind: "owner", owner });
  }

  async dropOwner(handle: string, { now }: InvalidatedBy): Promise<void> {
    this.#marks.end(HANDLES, { address: hashOf(handle), time: now });
    this.#pieces.delete(ownerKey(handle));
  }

  #record(signer: Did, digest: Digest): Extract<Piece, { kind: "record" }> | undefined {
    const found = this.#pieces.get(recordKey(signer, digest));
    return found?.kind === "record" ? found : undefined;
  }
}

function recordKey(signer: Did, digest: Digest): string {
  return `record ${digest} ${signer}`;
}

function identityKey(signer: Did): string {
  return `identity ${signer}`;
}

function tagKey(signer: Did, address: string): string {
  return `tag ${signer} ${address}`;
}

function ownerKey(handle: string): string {
  return `owner ${handle}`;
}

function isSmall(...parts: readonly Fetched[]): boolean {
  return parts.reduce((sum, { bytes }) => sum + bytes.length, 0) <= MAX_PIECE;
}

function buffersOf(piece: Piece): readonly Uint8Array[] {
  switch (piece.kind) {
    case "record":
      return piece.buffers;
    case "identity":
      return [piece.identity.bytes];
    case "tag":
      return [piece.tag.bytes];
    case "owner":
      return [];
  }
}
