import { chmodSync, cpSync, existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Did } from "../../src/core/atproto/syntax.ts";
import { type BundledImage, imageFromLine, imageToBytes } from "../../src/core/evidence/bundled-image.ts";
import type { Fetched, OwnerAnswer, SignatureEvidence } from "../../src/core/evidence/evidence.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import type { Observation, SignerHistory } from "../../src/core/verify/signer-history.ts";
import type { Environment } from "../../src/io/process/environment.ts";
import type { CacheFolder } from "../../src/io/store/cache-folders.ts";
import type { CachedEvidence } from "../../src/io/store/evidence-files.ts";
import { openStores, type Stores, StoreWarnings } from "../../src/verifier/service/open-stores.ts";
import { ServerMemory } from "../../src/verifier/service/server-memory.ts";
import { keyEnvironment, keyIn, pieceAt, putPiece } from "./cache-key.ts";
import { DIGEST } from "./evidence.ts";
import { makeTemporaryDirectory } from "./process.ts";
import { warned } from "./warned.ts";

/** An operation that is in no log. */
export const LOST_OPERATION = `bafyrei${"a".repeat(52)}`;

let isServer = false;

/** From now on all nodes are servers: one process, which caches evidence in its memory. @returns what ends this */
export function haveServers(): () => void {
  isServer = true;
  return () => {
    isServer = false;
  };
}

/** The folders of a node, which its processes share: the program's own store works in them, as it does on a node. */
export class NodeDisk {
  /** Of a server. */
  readonly memory = isServer ? new ServerMemory() : undefined;
  readonly #folder = makeTemporaryDirectory("node");
  readonly stateDir = join(this.#folder, "state");
  readonly cacheDir = join(this.#folder, "cache");
  readonly bundleDir = join(this.#folder, "bundles");
  readonly bundleKeys: readonly string[] = [];
  readonly warnings: string[] = [];
  readonly #now: () => number;
  /** Evidence that a server has kept, and whether it is still there. */
  readonly #kept = new Map<string, () => boolean>();

  /** @param now milliseconds since 1970 */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** What a process of this node is started with. */
  get environment(): Environment {
    return keyEnvironment(this.#folder);
  }

  /** As a process of its own does. */
  open(): Stores {
    const warnings = new StoreWarnings(this, warned(this.warnings));
    if (this.memory !== undefined) return this.#listed(this.memory.openStores(this, { now: this.#now }, warnings));
    return openStores(this, { now: this.#now }, warnings, keyIn(this.#folder));
  }

  loadHistory(signer: Did): Promise<SignerHistory> {
    return this.open().loadHistory(signer);
  }

  /** Puts something into a signer's history that says nothing. */
  damageHistory(signer: Did): void {
    writeFileSync(join(this.stateDir, "signers", signer, "junk"), "");
  }

  recordObservation(observation: Observation): Promise<void> {
    return this.open().recordObservation(observation);
  }

  /** Which signers' evidence is cached for which images: {@link evidenceOf} for each, sorted. */
  get cached(): readonly string[] {
    if (this.memory !== undefined)
      return [...this.#kept]
        .filter(([, isThere]) => isThere())
        .map(([name]) => name)
        .toSorted();
    const bundles = this.#paths("evidence").map((path) => imageFromLine(pieceAt(path, keyIn(this.#folder))));
    return bundles
      .map(({ digest, evidence }) => evidenceOf(evidence.signatures[0] as SignatureEvidence, digest))
      .toSorted();
  }

  find(signer: Did, digest = DIGEST): CachedEvidence | undefined {
    return this.open().cache.find(signer, digest);
  }

  findIdentity(signer: Did): Fetched | undefined {
    return this.open().cache.findIdentity(signer);
  }

  keepIdentity(signer: Did, identity: Fetched): Promise<void> {
    return this.open().cache.keepIdentity(DIGEST, signer, identity);
  }

  keepOwner(owner: OwnerAnswer): Promise<void> {
    return this.open().cache.keepOwner(DIGEST, owner);
  }

  /** Number of cached files of a kind; of a server only evidence can be counted. */
  count(folder: CacheFolder): number {
    if (this.memory !== undefined && folder === "evidence") return this.cached.length;
    return this.#paths(folder).length;
  }

  /** Changes cached files as the node itself would. */
  rewrite(folder: CacheFolder, change: (image: BundledImage) => BundledImage): void {
    const key = keyIn(this.#folder);
    for (const path of this.#paths(folder))
      putPiece(path, imageToBytes(change(imageFromLine(pieceAt(path, key)))), key);
  }

  /** As {@link rewrite}, for the one signature in each file. */
  rewriteSignatures(folder: CacheFolder, change: (signature: SignatureEvidence) => SignatureEvidence): void {
    this.rewrite(folder, ({ evidence, ...image }) => ({
      ...image,
      evidence: { ...evidence, signatures: evidence.signatures.map(change) },
    }));
  }

  /** Deletes a folder of the cache, or the whole signer history. */
  lose(what: CacheFolder | "marks" | "signers"): void {
    rmSync(what === "signers" ? this.stateDir : join(this.cacheDir, what), { recursive: true, force: true });
  }

  /** @returns a function that restores the folder's present content */
  copy(folder: CacheFolder): () => void {
    const [path, copy] = [join(this.cacheDir, folder), join(this.#folder, "copy")];
    cpSync(path, copy, { recursive: true });
    return () => cpSync(copy, path, { recursive: true });
  }

  /** Paths of all files, below the node's folder. */
  files(): readonly string[] {
    const entries = readdirSync(this.#folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  }

  /** Names of held locks. */
  locks(): readonly string[] {
    const folder = join(this.cacheDir, "locks");
    return existsSync(folder) ? readdirSync(folder).toSorted() : [];
  }

  /** Makes a folder world-writable, so that nothing in it is used. @returns a function that undoes it */
  openToAll(folder: "state" | "cache"): () => void {
    const path = join(this.#folder, folder);
    chmodSync(path, 0o777);
    return () => chmodSync(path, 0o755);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The same stores, which remember what was ever kept, since a memory cannot be listed. */
  #listed(stores: Stores): Stores {
    const cache = untrustedReason(stores.cache);
    const keep: typeof cache.keep = async (digest, evidence, ...rest) => {
      this.#kept.set(evidenceOf(evidence, digest), () => cache.find(evidence.signer, digest) !== undefined);
      await cache.keep(digest, evidence, ...rest);
    };
    return { ...stores, cache: { ...cache, keep } };
  }

  #paths(folder: CacheFolder): readonly string[] {
    const path = join(this.cacheDir, folder);
    const names = existsSync(path) ? readdirSync(path) : [];
    return names.filter((name) => name.endsWith(".bundle")).map((name) => join(path, name));
  }
}

/** The same cache, as an object of which a test may replace one function or another. */
export function untrustedReason(cache: Stores["cache"]): Stores["cache"] {
  const prototype: object = Object.getPrototypeOf(cache);
  if (prototype === Object.prototype) return { ...cache };
  const names = Object.getOwnPropertyNames(prototype).filter((name) => name !== "sizes") as (keyof Stores["cache"])[];
  return Object.fromEntries(names.map((name) => [name, cache[name].bind(cache)])) as unknown as Stores["cache"];
}

/** As {@link NodeDisk.cached} names it. */
export function evidenceOf({ signer }: { readonly signer: Did }, digest: Digest = DIGEST): string {
  return `${signer} ${digest}`;
}
