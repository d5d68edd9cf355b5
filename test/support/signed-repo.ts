import { createHash } from "node:crypto";
import { BlockMap, def, getRecords, MemoryBlockstore, Repo, signCommit, WriteOpAction } from "@atproto/repo";
import type { SigningKey } from "./signing-key.ts";

export const MANIFEST_COLLECTION = "io.atcr.manifest";
export const TAG_COLLECTION = "io.atcr.tag";

type LexValue = Parameters<BlockMap["add"]>[0];
export type Cid = Awaited<ReturnType<BlockMap["add"]>>;
export type RecordValue = Record<string, unknown>;
type Write = Parameters<Repo["formatCommit"]>[0] extends infer T ? Exclude<T, readonly unknown[]> : never;

export interface RepoOptions {
  readonly did: string;
  readonly key: SigningKey;
  /** Milliseconds since 1970: the rev of the first commit. */
  readonly at: number;
}

/**
 * One DID's repo on the reference implementation, without a network. Revs follow the times given and
 * signatures are deterministic, so the same calls yield the same bytes.
 */
export class SignedRepo {
  readonly did: string;
  /** Signs the next commits. Changing it does not sign existing ones again: see {@link resign}. */
  key: SigningKey;
  readonly #storage: MemoryBlockstore;
  #repo: Repo;

  private constructor(options: RepoOptions, storage: MemoryBlockstore, repo: Repo) {
    this.did = options.did;
    this.key = options.key;
    this.#storage = storage;
    this.#repo = repo;
  }

  /** An empty repo. */
  static async create(options: RepoOptions): Promise<SignedRepo> {
    const storage = new MemoryBlockstore();
    const first = await Repo.formatInitCommit(storage, options.did, options.key, [], tid(options.at * 1000));
    return new SignedRepo(options, storage, await Repo.createFromCommit(storage, first));
  }

  get rev(): string {
    return this.#repo.commit.rev;
  }

  /** CID of the latest commit. */
  get head(): string {
    return this.#repo.cid.toString();
  }

  /** Creates or replaces a record; answers its CID. */
  async put(collection: string, rkey: string, record: RecordValue, at: number): Promise<string> {
    const held = await this.#repo.data.get(`${collection}/${rkey}`);
    const action = held === null ? WriteOpAction.Create : WriteOpAction.Update;
    await this.#commit([{ action, collection, rkey, record } as Write], at);
    return (await new BlockMap().add(record as LexValue)).toString();
  }

  async delete(collection: string, rkey: string, at: number): Promise<void> {
    await this.#commit([{ action: WriteOpAction.Delete, collection, rkey } as Write], at);
  }

  /** Adds `count` records of other digests in one commit, so that the tree has depth. */
  async fill(count: number, at: number, collection: string = MANIFEST_COLLECTION): Promise<void> {
    const createdAt = new Date(at).toISOString();
    const records = Array.from({ length: count }, (_, index) => {
      const rkey = createHash("sha256").update(`filler ${index}`).digest("hex");
      return [rkey, { ...manifestRecord(`sha256:${rkey}`, "filler"), createdAt }] as const;
    });
    await this.createAll(collection, new Map(records), at);
  }

  /** Creates all of these records in one commit. @param records by their keys */
  async createAll(collection: string, records: ReadonlyMap<string, RecordValue>, at: number): Promise<void> {
    const action = WriteOpAction.Create;
    await this.#commit(
      [...records].map(([rkey, record]) => ({ action, collection, rkey, record }) as Write),
      at,
    );
  }

  /** Signs the same tree again, with another key if given: what a write after a rotation does. */
  async resign(at: number, key: SigningKey = this.key): Promise<void> {
    this.key = key;
    this.#repo = await this.#repo.resignCommit(this.#nextRev(at), key);
  }

  /** The CAR that com.atproto.sync.getRecord answers with: of presence, or of absence. */
  async proof(collection: string, rkey: string): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    const path = { collection, rkey } as Parameters<typeof getRecords>[2][number];
    for await (const chunk of getRecords(this.#storage, this.#repo.cid, [path])) chunks.push(chunk);
    return new Uint8Array(Buffer.concat(chunks));
  }

  async #commit(writes: Write[], at: number): Promise<void> {
    // The reference takes the rev from the clock; so its commit is formed unsigned and made again.
    const formed = await this.#repo.formatCommit(writes, UNSIGNED);
    const { data } = await new MemoryBlockstore(formed.newBlocks).readObj(formed.cid, def.commit);
    const rev = this.#nextRev(at);
    const commit = await signCommit({ did: this.did, version: 3, rev, prev: null, data }, this.key);
    formed.newBlocks.delete(formed.cid);
    const cid = await formed.newBlocks.add(commit as unknown as LexValue);
    this.#repo = await this.#repo.applyCommit({ ...formed, cid, rev });
  }

  /** The rev of this time, or the next one after the newest if that is not older. */
  #nextRev(at: number): string {
    const micros = at * 1000;
    const newest = tidMicros(this.rev);
    return tid(micros > newest ? micros : newest + 1);
  }
}

/** Placeholder key for a commit that is signed later. */
const UNSIGNED = { jwtAlg: "none", did: () => "did:key:none", sign: async () => new Uint8Array(64) };

/** A record as ATCR writes it for this digest; tests spread and change it. */
export function manifestRecord(digest: string, repository: string): RecordValue {
  return {
    $type: MANIFEST_COLLECTION,
    repository,
    digest,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    schemaVersion: 2,
    createdAt: "2025-01-01T00:00:00.000Z",
  };
}

const TID_ALPHABET = "234567abcdefghijklmnopqrstuvwxyz";

/** A TID: 53 bits of microseconds since 1970 and 10 bits of clock identifier, here 0. */
export function tid(micros: number): string {
  let text = "";
  for (let left = BigInt(Math.trunc(micros)) << 10n, i = 0; i < 13; i += 1, left >>= 5n) {
    text = TID_ALPHABET.charAt(Number(left & 31n)) + text;
  }
  return text;
}

/** Microseconds since 1970 of a TID. */
export function tidMicros(text: string): number {
  let value = 0n;
  for (const character of text) value = (value << 5n) | BigInt(TID_ALPHABET.indexOf(character));
  return Number(value >> 10n);
}
