import type { Did } from "../atproto/syntax.ts";
import type { Pieces } from "../disk/pieces.ts";
import { toUtf8 } from "../encoding/bytes.ts";
import { sha256Hex } from "../encoding/sha256.ts";
import { type Digest, digestHex, isDigest } from "../oci/digest.ts";
import { Rejection } from "../rejection.ts";
import { readBundle, writeBundle } from "../verify/bundle.ts";
import type { Evidence, Fetched, OwnerAnswer, SignatureEvidence } from "../verify/evidence.ts";
import { partTimes } from "../verify/kept.ts";
import { type Proven, readProven, withoutTag, writeProven } from "../verify/proven.ts";
import { cacheFolder } from "./cache-folders.ts";

/** What is known of a signer about one digest, by their newest answer. */
export interface CachedEvidence {
  /** When each part of it was had; milliseconds since 1970. */
  readonly times: readonly number[];
  /** What it proves, where this program has proven it before. */
  readonly proven?: Proven;
  /** Identity and record, not believed yet. */
  readonly signature: () => SignatureEvidence;
}

/** Signers who are looked for one by one. */
const FEW = 16;
/** How the names end of what was proven, and of bundles. */
export const PROVEN = ".proven";
const EVIDENCE = ".json";

/**
 * The newest answer to each question that this node has asked about a signature (spec, "What a node
 * remembers"): one file for each digest and signer, one for each signer's identity, for each tag of a
 * signer, and for each handle. All are evidence bundles, to be proven and judged whenever they are used;
 * what a record's evidence proved is remembered beside it.
 *
 * Nothing that lies on the disk makes it throw: it is reported and not used.
 */
export class EvidenceCache {
  readonly #records: Pieces;
  readonly #identities: Pieces;
  readonly #tags: Pieces;
  readonly #owners: Pieces;
  readonly #program: string;

  /**
   * @param directory absolute path; made where it is missing and its parent is not
   * @param program names the program (version.ts)
   * @param report told what is wrong: one sentence, unprintable characters included
   */
  constructor(directory: string, program: string, report: (warning: string) => void) {
    this.#records = cacheFolder(directory, "evidence", report);
    this.#identities = cacheFolder(directory, "identities", report);
    this.#tags = cacheFolder(directory, "tags", report);
    this.#owners = cacheFolder(directory, "owners", report);
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
    const piece = this.#records.read(name);
    if (piece === undefined) return undefined;
    const beside = this.#records.read(provenName(signer, digest));
    const known = beside && readProven(beside.bytes, piece.bytes, this.#program, { signer, digest });
    const read = () => signatureIn(piece.bytes, digest, signer);
    if (known !== undefined) return { ...known, signature: read };
    return this.#usable(this.#records, name, () => {
      const signature = read();
      return { times: partTimes(signature), signature: () => signature };
    });
  }

  /** @param signature with its record */
  async keep(digest: Digest, { signer, identity, record }: SignatureEvidence, proven: Proven): Promise<void> {
    if (record === undefined) return;
    const signature = { signer, identity, record };
    const bytes = bundleOf(digest, [signature]);
    await this.#records.write(recordName(signer, digest), bytes);
    const known = { proven: withoutTag(proven), times: partTimes(signature) };
    await this.#records.write(provenName(signer, digest), writeProven(bytes, this.#program, known));
  }

  /** Forgets all of a signer, or what is known of a digest. @returns how many files they were */
  async drop(signer: Did, digest?: Digest): Promise<number> {
    const whose = hashOf(signer);
    if (digest !== undefined) {
      const about = `${digestHex(digest)}-${whose}.`;
      return this.#records.remove((name) => name.startsWith(about));
    }
    const records = await this.#records.remove((name) => name.slice(DIGEST_LENGTH + 1).startsWith(whose));
    const identities = await this.#identities.remove((name) => name.startsWith(whose));
    return records + identities + (await this.#tags.remove((name) => name.startsWith(whose)));
  }

  /** Takes away all about a digest, or about a signer. @returns how many files they were */
  async clear(about: Digest | Did): Promise<number> {
    if (isDigest(about)) return this.#records.remove((name) => name.startsWith(digestHex(about)));
    return this.drop(about);
  }

  findIdentity(signer: Did): Fetched | undefined {
    return this.#signatureOf(this.#identities, `${hashOf(signer)}${EVIDENCE}`, signer, ({ identity }) => identity);
  }

  /** @param digest about which the signer was asked when this was heard */
  async keepIdentity(digest: Digest, signer: Did, identity: Fetched): Promise<void> {
    await this.#identities.write(`${hashOf(signer)}${EVIDENCE}`, bundleOf(digest, [{ signer, identity }]));
  }

  /** @param address of the tag's record in the signer's repo */
  findTag(signer: Did, address: string): Fetched | undefined {
    return this.#signatureOf(this.#tags, tagName(signer, address), signer, ({ tag }) => tag);
  }

  async keepTag(digest: Digest, address: string, { signer, identity, tag }: SignatureEvidence): Promise<void> {
    if (tag !== undefined)
      await this.#tags.write(tagName(signer, address), bundleOf(digest, [{ signer, identity, tag }]));
  }

  async dropTag(signer: Did, address: string): Promise<void> {
    const only = tagName(signer, address);
    await this.#tags.remove((name) => name === only);
  }

  findOwner(handle: string): OwnerAnswer | undefined {
    const name = `${hashOf(handle)}${EVIDENCE}`;
    const piece = this.#owners.read(name);
    return (
      piece &&
      this.#usable(this.#owners, name, () => {
        const { owner } = readBundle(piece.bytes).evidence;
        return owner?.handle === handle ? owner : aboutSomethingElse();
      })
    );
  }

  async keepOwner(digest: Digest, owner: OwnerAnswer): Promise<void> {
    await this.#owners.write(`${hashOf(owner.handle)}${EVIDENCE}`, bundleOf(digest, [], owner));
  }

  async dropOwner(handle: string): Promise<void> {
    const whose = hashOf(handle);
    await this.#owners.remove((name) => name.startsWith(whose));
  }

  #signatureOf(
    pieces: Pieces,
    name: string,
    signer: Did,
    part: (signature: SignatureEvidence) => Fetched | undefined,
  ): Fetched | undefined {
    const piece = pieces.read(name);
    return (
      piece &&
      this.#usable(pieces, name, () => {
        const [signature] = readBundle(piece.bytes).evidence.signatures;
        return signature?.signer === signer ? part(signature) : aboutSomethingElse();
      })
    );
  }

  /** What cannot be read stays until it is replaced. */
  #usable<T>(pieces: Pieces, name: string, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      pieces.damaged(name, error.message);
      return undefined;
    }
  }
}

const DIGEST_LENGTH = 64;

function recordName(signer: Did, digest: Digest): string {
  return `${digestHex(digest)}-${hashOf(signer)}${EVIDENCE}`;
}

function provenName(signer: Did, digest: Digest): string {
  return `${digestHex(digest)}-${hashOf(signer)}${PROVEN}`;
}

function tagName(signer: Did, address: string): string {
  return `${hashOf(signer)}-${hashOf(address)}${EVIDENCE}`;
}

function hashOf(text: string): string {
  return sha256Hex(toUtf8(text));
}

function bundleOf(digest: Digest, signatures: Evidence["signatures"], owner?: OwnerAnswer): Uint8Array {
  return writeBundle({ digest, evidence: { pointers: [], signatures, gaps: [], ...(owner && { owner }) } });
}

/** @throws Rejection bundle.malformed where it is no bundle, or one about something else */
function signatureIn(bytes: Uint8Array, digest: Digest, signer: Did): SignatureEvidence {
  const bundle = readBundle(bytes);
  const [signature] = bundle.evidence.signatures;
  if (bundle.digest !== digest || signature?.signer !== signer || signature.record === undefined) aboutSomethingElse();
  return signature;
}

function aboutSomethingElse(): never {
  throw new Rejection("bundle.malformed", "it is about something else");
}
