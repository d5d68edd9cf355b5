import { constants } from "node:fs";
import { lstat, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Did } from "../atproto/syntax.ts";
import { hasCode, makeOwnFolder } from "../disk/folders.ts";
import { check, checkWay } from "../disk/trusted-way.ts";
import { toHex, toUtf8 } from "../encoding/bytes.ts";
import { sha256 } from "../encoding/sha256.ts";
import { type Digest, digestHex } from "../oci/digest.ts";
import { readBundle, writeBundle } from "../verify/bundle.ts";
import type { Evidence } from "../verify/evidence.ts";
import type { KeptKey } from "../verify/kept.ts";

/** Bytes of one piece: a log and its proofs have tens of KiB; a signer that has longer ones fills no disk. */
const MAX_EVIDENCE = 1024 * 1024;
/** Pieces in all; the oldest makes room for one more, however many images and signers there are. */
const MAX_PIECES = 4096;
/** Pieces that leave together when there are too many, so that they are not all looked at for each new one. */
const LEAVE_TOGETHER = 64;
/** A temporary name this old, in milliseconds, is what a killed process has left behind. */
const LEFT_BEHIND = 3_600_000;
const EVIDENCE = "evidence";
/** Of the signer, of the image, and of the name that it was kept for. */
const PIECE = /^(?<signer>[0-9a-f]{64})-(?<digest>[0-9a-f]{64})-(?<name>[0-9a-f]{64})\.json$/;
const TEMPORARY = /^[0-9a-f]{64}-[0-9a-f]{64}-[0-9a-f]{64}\.json\.[0-9a-f-]{36}$/;

/**
 * Evidence that was verified, for `maxStaleness` (spec 6): for each signer, digest and name one bundle,
 * replaced whole or not at all. It is proven and judged again when it is used.
 *
 * Nothing that lies on the disk makes it throw: it is reported and not used.
 */
export class EvidenceStore {
  readonly #directory: string;
  readonly #folder: string;
  readonly #report: (warning: string) => void;

  /**
   * @param directory absolute path; made where it is missing and its parent is not
   * @param options.report told what is wrong: one sentence, unprintable characters included
   */
  constructor(directory: string, { report }: { readonly report: (warning: string) => void }) {
    this.#directory = directory;
    this.#folder = join(directory, EVIDENCE);
    this.#report = report;
  }

  /** @param evidence whose one signature is this signer's */
  async keep(key: KeptKey, evidence: Evidence): Promise<void> {
    const { digest, signer } = key;
    try {
      const bytes = writeBundle({ digest, evidence });
      if (bytes.length > MAX_EVIDENCE)
        throw new Error(`it has ${bytes.length} bytes, at most ${MAX_EVIDENCE} are kept`);
      await makeOwnFolder(this.#directory, EVIDENCE);
      await this.#makeRoom();
      await replace(this.#pathOf(key), bytes);
    } catch (error) {
      this.#report(`the evidence of ${signer} about ${digest} is not kept: ${(error as Error).message}`);
    }
  }

  /** @returns what was kept; how old it is stands in its `fetchedAt` */
  async find(key: KeptKey): Promise<Evidence | undefined> {
    const { digest, signer } = key;
    const path = this.#pathOf(key);
    try {
      await checkWay(this.#folder);
      const bundle = readBundle(await readPiece(path));
      const { signatures } = bundle.evidence;
      if (bundle.digest === digest && signatures.length === 1 && signatures[0]?.signer === signer) {
        return bundle.evidence;
      }
      throw new Error("it is about something else");
    } catch (error) {
      // What cannot be read stays until it is replaced: it may be of a later version.
      if (!hasCode(error, "ENOENT")) this.#report(`the evidence ${path} is not used: ${(error as Error).message}`);
      return undefined;
    }
  }

  /** Forgets what was kept of a signer; of this digest or under this name alone, where they are given. */
  async forget(signer: Did, what: { readonly digest?: Digest; readonly name?: string } = {}): Promise<void> {
    const [digest, name] = [what.digest && digestHex(what.digest), what.name && hashOf(what.name)];
    await this.#forget(
      signer,
      (piece) => (digest ?? piece.digest) === piece.digest && (name ?? piece.name) === piece.name,
    );
  }

  /** Forgets other digests of a signer under this name. */
  async supersede({ signer, digest, name }: KeptKey): Promise<void> {
    const [kept, under] = [digestHex(digest), hashOf(name)];
    await this.#forget(signer, (piece) => piece.digest !== kept && piece.name === under);
  }

  async #forget(signer: Did, isMeant: (piece: { digest: string; name: string }) => boolean): Promise<void> {
    const whose = hashOf(signer);
    try {
      await checkWay(this.#folder);
      for (const file of await readdir(this.#folder)) {
        const { signer: of, digest = "", name = "" } = PIECE.exec(file)?.groups ?? {};
        if (of === whose && isMeant({ digest, name })) await remove(join(this.#folder, file));
      }
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      this.#report(`the evidence of ${signer} in ${this.#folder} is not forgotten: ${(error as Error).message}`);
    }
  }

  #pathOf({ signer, digest, name }: KeptKey): string {
    return join(this.#folder, `${hashOf(signer)}-${digestHex(digest)}-${hashOf(name)}.json`);
  }

  async #makeRoom(): Promise<void> {
    const names = await readdir(this.#folder);
    const temporary = names.filter((name) => TEMPORARY.test(name));
    for (const { path, mtime } of await agesOf(this.#folder, temporary)) {
      if (mtime < Date.now() - LEFT_BEHIND) await remove(path);
    }
    const pieces = names.filter((name) => PIECE.test(name));
    if (pieces.length < MAX_PIECES) return;
    const byAge = (await agesOf(this.#folder, pieces)).toSorted((a, b) => a.mtime - b.mtime);
    for (const { path } of byAge.slice(0, pieces.length - MAX_PIECES + LEAVE_TOGETHER)) await remove(path);
  }
}

function hashOf(text: string): string {
  return toHex(sha256(toUtf8(text)));
}

/** A reader finds the old content or the new. */
async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  const file = await open(temporary, "wx", 0o644);
  try {
    await file.writeFile(bytes);
    await file.sync();
    // A folder in its place would stay for good.
    if (await isFolder(path)) await remove(path);
    await rename(temporary, path);
  } catch (error) {
    await remove(temporary);
    throw error;
  } finally {
    await file.close();
  }
}

/** @throws Error where it is not there, or not as this program wrote it */
async function readPiece(path: string): Promise<Uint8Array> {
  // Neither is a link followed, nor waited for the writer of a named pipe.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw new Error("it is not a regular file");
    check(stats, path);
    if (stats.size > MAX_EVIDENCE) throw new Error(`it has ${stats.size} bytes, at most ${MAX_EVIDENCE} are read`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** What has gone in the meantime is left out. */
async function agesOf(folder: string, names: readonly string[]): Promise<readonly { path: string; mtime: number }[]> {
  const found = names.map(async (name) => {
    const path = join(folder, name);
    const stats = await lstat(path).catch(() => undefined);
    return stats === undefined ? [] : [{ path, mtime: stats.mtimeMs }];
  });
  return (await Promise.all(found)).flat();
}

async function isFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true;
}

async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}
