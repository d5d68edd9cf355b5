import type { Did, Tid } from "../../core/atproto/syntax.ts";
import { type BundledImage, imageFromLine } from "../../core/evidence/bundled-image.ts";
import type { Fetched, OwnerAnswer, SignatureEvidence } from "../../core/evidence/evidence.ts";
import { type Digest, digestHex, isDigest } from "../../core/oci/digest.ts";
import { Rejection } from "../../core/rejection.ts";
import { partTimes } from "../../core/verify/freshness.ts";
import { type Proven, readProven, withoutTag, writeProven } from "../../core/verify/proof-memo.ts";
import type { SignatureFacts } from "../../core/verify/verdict.ts";
import type { Warn } from "../../core/warning.ts";
import type { FileCache } from "../fs/file-cache.ts";
import { cacheFolder } from "./cache-folders.ts";
import type { CacheKey } from "./cache-key.ts";
import {
  aboutSomethingElse,
  agedParts,
  bundleOf,
  type CachedEvidence,
  DIGEST_LENGTH,
  EVIDENCE,
  endOf,
  hashOf,
  type InvalidatedBy,
  provenName,
  provenParts,
  recordName,
  signatureIn,
  tagName,
} from "./evidence-files.ts";
import { EVERYBODY, HANDLES, Marks } from "./invalidation-marks.ts";

/** Signers who are looked for one by one. */
const FEW = 16;

/**
 * The newest answer to each question that this node has asked about a signature (spec, "What a node
 * remembers"): one file for each digest and signer, one for each signer's identity, for each tag of a
 * signer, and for each handle. All are evidence bundles, to be proven and judged whenever they are used;
 * what a record's evidence proved is remembered beside it.
 *
 * Invalidation leaves a mark, so that a slow pull cannot bring evidence back. Marks are checked when evidence is written,
 * and again when it is read.
 *
 * Never throws because of what is on the disk: that is reported and not used.
 */
export class EvidenceCache {
  readonly #records: FileCache;
  readonly #identities: FileCache;
  readonly #tags: FileCache;
  readonly #owners: FileCache;
  readonly #marks: Marks;
  readonly #program: string;
  readonly #warn: Warn;

  /**
   * @param directory absolute path; made where it is missing and its parent is not
   * @param program names the program (version.ts)
   * @param key of this node
   * @param warn of what is not used or not written; the same may come again
   */
  constructor(directory: string, program: string, key: CacheKey, warn: Warn) {
    this.#warn = warn;
    this.#records = cacheFolder(directory, "evidence", key, this.#warn);
    this.#identities = cacheFolder(directory, "identities", key, this.#warn);
    this.#tags = cacheFolder(directory, "tags", key, this.#warn);
    this.#owners = cacheFolder(directory, "owners", key, this.#warn);
    this.#marks = new Marks(directory, this.#warn);
    this.#program = program;
  }

  /** Whose evidence about a digest there may be, of these. */
  holders(digest: Digest, among: readonly Did[]): readonly Did[] {
    // It takes less to look for each of a few than to list all that there is.
    if (among.length <= FEW) return among;
    const names = new Set(this.#records.list());
    return among.filter((signer) => names.has(recordName(signer, digest)));
  }

  find(signer: Did, digest: Digest): CachedEvidence | undefined {
    const name = recordName(signer, digest);
    const entry = this.#records.read(name);
    if (entry === undefined) return undefined;
    const beside = this.#records.read(provenName(signer, digest));
    const known = beside && readProven(beside, entry, this.#program);
    const read = () => signatureIn(entry, digest, signer);
    const found =
      known === undefined
        ? this.#usable(this.#records, name, () => {
            const signature = read();
            return { times: partTimes(signature), signature: () => signature };
          })
        : { ...known, signature: read };
    const parts = found && agedParts(found.times, digestHex(digest), known?.proven.facts.rev);
    return parts === undefined || this.#marks.areInvalidated(signer, parts) ? undefined : found;
  }

  /** Whether proven evidence is invalid by now (core/verify/invalidation.ts); call it after proving. */
  isInvalidated(facts: SignatureFacts): boolean {
    return this.#marks.areInvalidated(facts.signer, provenParts(facts));
  }

  /**
   * @param evidence with its record
   * @param isRefused whether the image is refused for what this says: then evidence that is older is over as well
   */
  async keep(digest: Digest, evidence: SignatureEvidence, proven: Proven, isRefused = false): Promise<void> {
    const { signer, identity, record } = evidence;
    const name = recordName(signer, digest);
    if (record === undefined || !this.#isSmall(this.#records, name, identity, record)) return;
    const signature = { signer, identity, record };
    const { facts } = proven;
    if (this.#marks.areInvalidated(signer, agedParts(partTimes(signature), digestHex(digest), facts.rev))) return;
    const before = this.find(signer, digest)?.proven?.facts;
    // One that says something else is over, also where a slow pull comes with it later.
    if (isRefused || (before && JSON.stringify(before.claim) !== JSON.stringify(facts.claim))) {
      await this.#marks.end(signer, { address: digestHex(digest), time: record.fetchedAt, rev: facts.rev });
    }
    const bytes = bundleOf(digest, [signature]);
    await this.#records.write(name, bytes);
    const known = { proven: withoutTag(proven), times: partTimes(signature), source: identity.url };
    await this.#records.write(provenName(signer, digest), writeProven(bytes, this.#program, known));
  }

  /** Invalidates all evidence of a signer, or that of one digest. @returns the number of files removed */
  async drop(signer: Did, { now, rev }: InvalidatedBy, digest?: Digest): Promise<number> {
    const whose = hashOf(signer);
    // The mark first: a crash between the two then removes too much, never too little.
    if (digest !== undefined) {
      const about = `${digestHex(digest)}-${whose}.`;
      await this.#marks.end(signer, endOf(digestHex(digest), { now, ...(rev && { rev }) }));
      return this.#records.remove((name) => name.startsWith(about));
    }
    await this.#marks.end(signer, { time: now });
    const records = await this.#records.remove((name) => name.slice(DIGEST_LENGTH + 1).startsWith(whose));
    const identities = await this.#identities.remove((name) => name.startsWith(whose));
    return records + identities + (await this.#tags.remove((name) => name.startsWith(whose)));
  }

  /** Removes all entries of a digest or a signer. @returns the number of files */
  async clear(about: Digest | Did, now: number): Promise<number> {
    if (!isDigest(about)) return this.drop(about, { now });
    await this.#marks.end(EVERYBODY, { address: digestHex(about), time: now });
    return this.#records.remove((name) => name.startsWith(digestHex(about)));
  }

  findIdentity(signer: Did): Fetched | undefined {
    const found = this.#signatureOf(this.#identities, `${hashOf(signer)}${EVIDENCE}`, signer, (one) => one.identity);
    return found && this.#marks.areInvalidated(signer, [{ askedAt: found.fetchedAt }]) ? undefined : found;
  }

  /** @param digest of the image for which the identity was fetched */
  async keepIdentity(digest: Digest, signer: Did, identity: Fetched): Promise<void> {
    const name = `${hashOf(signer)}${EVIDENCE}`;
    if (!this.#isSmall(this.#identities, name, identity)) return;
    if (this.#marks.areInvalidated(signer, [{ askedAt: identity.fetchedAt }])) return;
    await this.#identities.write(name, bundleOf(digest, [{ signer, identity }]));
  }

  /** @param address of the tag's record in the signer's repo */
  findTag(signer: Did, address: string): Fetched | undefined {
    const found = this.#signatureOf(this.#tags, tagName(signer, address), signer, ({ tag }) => tag);
    return found && this.#marks.areInvalidated(signer, [{ address: hashOf(address), askedAt: found.fetchedAt }])
      ? undefined
      : found;
  }

  /**
   * @param meant the digest that the tag was proven to mean
   * @param rev of that proof
   */
  async keepTag(meant: Digest, address: string, { signer, identity, tag }: SignatureEvidence, rev: Tid): Promise<void> {
    const name = tagName(signer, address);
    if (tag === undefined || !this.#isSmall(this.#tags, name, identity, tag)) return;
    if (this.#marks.areInvalidated(signer, [{ address: hashOf(address), askedAt: tag.fetchedAt, rev }])) return;
    // Also where nothing is cached: a pull that is slow may come with what the tag meant before.
    if (this.#bundleIn(this.#tags, name)?.digest !== meant) {
      await this.#marks.end(signer, { address: hashOf(address), time: tag.fetchedAt, rev });
    }
    await this.#tags.write(name, bundleOf(meant, [{ signer, identity, tag }]));
  }

  async dropTag(signer: Did, address: string, ending: InvalidatedBy): Promise<void> {
    const only = tagName(signer, address);
    await this.#marks.end(signer, endOf(hashOf(address), ending));
    await this.#tags.remove((name) => name === only);
  }

  findOwner(handle: string): OwnerAnswer | undefined {
    const name = `${hashOf(handle)}${EVIDENCE}`;
    const bundle = this.#bundleIn(this.#owners, name);
    const { owner } = bundle?.evidence ?? {};
    const found =
      bundle && this.#usable(this.#owners, name, () => (owner?.handle === handle ? owner : aboutSomethingElse()));
    return found && this.#marks.areInvalidated(HANDLES, [{ address: hashOf(handle), askedAt: found.fetchedAt }])
      ? undefined
      : found;
  }

  async keepOwner(digest: Digest, owner: OwnerAnswer): Promise<void> {
    if (this.#marks.areInvalidated(HANDLES, [{ address: hashOf(owner.handle), askedAt: owner.fetchedAt }])) return;
    await this.#owners.write(`${hashOf(owner.handle)}${EVIDENCE}`, bundleOf(digest, [], owner));
  }

  async dropOwner(handle: string, { now }: InvalidatedBy): Promise<void> {
    const whose = hashOf(handle);
    await this.#marks.end(HANDLES, { address: whose, time: now });
    await this.#owners.remove((name) => name.startsWith(whose));
  }

  /** Looked at before it is encoded: a signer's services choose how much that is. */
  #isSmall(files: FileCache, name: string, ...parts: readonly Fetched[]): boolean {
    const size = parts.reduce((sum, { bytes }) => sum + Math.ceil(bytes.length / 3) * 4, 0);
    return files.hasRoomFor(name, size);
  }

  #bundleIn(files: FileCache, name: string): BundledImage | undefined {
    const entry = files.read(name);
    return entry && this.#usable(files, name, () => imageFromLine(entry));
  }

  #signatureOf(
    files: FileCache,
    name: string,
    signer: Did,
    part: (signature: SignatureEvidence) => Fetched | undefined,
  ): Fetched | undefined {
    const bundle = this.#bundleIn(files, name);
    const [signature] = bundle?.evidence.signatures ?? [];
    return (
      bundle && this.#usable(files, name, () => (signature?.signer === signer ? part(signature) : aboutSomethingElse()))
    );
  }

  /** An unreadable entry stays until it is replaced. */
  #usable<T>(files: FileCache, name: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      files.damaged(name, error.message);
      return undefined;
    }
  }
}
