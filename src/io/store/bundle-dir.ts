import { join } from "node:path";
import type { Did } from "../../core/atproto/syntax.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import {
  asOutside,
  type ImportedIdentity,
  type ImportedPiece,
  identityAsOutside,
  identityFromBytes,
  pieceFromBytes,
} from "../../core/evidence/imported-piece.ts";
import type { OutsideEvidence, OutsideIdentity, OutsideStore, UnusableIdentity } from "../../core/evidence/outside.ts";
import { type Digest, digestHex } from "../../core/oci/digest.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import type { Warn } from "../../core/warning.ts";
import { isFolderThere, type OnUntrusted, readTrustedFile } from "../fs/local-file.ts";

/** Bytes of a file in bundleDir: a log and proofs at their largest, and a dozen tags. Bounds what a pull reads. */
export const MAX_PIECE = 16 * 1024 * 1024;
export const SIGNERS = "signers";
const CODE = "bundle.malformed";

/** What this node has imported, as `bundle import` wrote it (docs/reference/bundles.md). */
export class BundleDir implements OutsideStore {
  readonly place: string;
  readonly #keys: () => readonly string[];
  readonly #warn: Warn;

  /**
   * @param place absolute path
   * @param keys did:key of the keys of bundleKeys; called once something is found
   * @param warn of `bundles.unusable`
   */
  constructor(place: string, keys: () => readonly string[], warn: Warn) {
    this.place = place;
    this.#keys = keys;
    this.#warn = warn;
  }

  find(digest: Digest, signer: Did, tag?: string): OutsideEvidence | undefined {
    const entries = this.piece(digest, signer)?.entries ?? [];
    const entry = (tag === undefined ? undefined : entries.find((one) => one.tag === tag)) ?? entries[0];
    return entry && this.#usable(pieceName(digest, signer), () => asOutside(entry, this.#keys()));
  }

  newestLog(signer: Did): OutsideIdentity | UnusableIdentity | undefined {
    const look = () => {
      const identity = this.#identity(signer);
      return identity && identityAsOutside(identity, this.#keys());
    };
    return this.#usable<OutsideIdentity | UnusableIdentity>(identityName(signer), look, (unusable) => ({ unusable }));
  }

  /** The piece of a signer about a digest; undefined where there is none that can be used. */
  piece(digest: Digest, signer: Did): ImportedPiece | undefined {
    const name = pieceName(digest, signer);
    return this.#usable(name, () => {
      const bytes = this.#read(folderOf(digest), name);
      const piece = bytes && pieceFromBytes(bytes);
      if (piece && (piece.digest !== digest || piece.signer !== signer)) reject(CODE, "it is about something else");
      return piece;
    });
  }

  /** The newest identity of a signer; undefined where there is none that can be used. */
  identity(signer: Did): ImportedIdentity | undefined {
    return this.#usable(identityName(signer), () => this.#identity(signer));
  }

  /** @throws Rejection bundle.malformed */
  #identity(signer: Did): ImportedIdentity | undefined {
    const bytes = this.#read(SIGNERS, identityName(signer));
    const identity = bytes && identityFromBytes(bytes);
    if (identity && identity.signer !== signer) reject(CODE, "it is about something else");
    return identity;
  }

  #read(folder: string, name: string): Uint8Array | undefined {
    for (const path of [this.place, join(this.place, folder)]) {
      if (!isFolderThere({ path, code: CODE, what: "the folder" }, refuse)) return undefined;
    }
    const text = readTrustedFile({ path: join(this.place, name), code: CODE, what: "the file", max: MAX_PIECE });
    return text === undefined ? undefined : toUtf8(text);
  }

  #usable<T>(name: string, work: () => T | undefined, otherwise?: (why: string) => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      const advice = error.code === CODE ? "; import its bundle again" : "";
      const message = `${join(this.place, name)} does not count: ${error.message}${advice}`;
      this.#warn({ code: "bundles.unusable", message });
      return otherwise?.(message);
    }
  }
}

export function folderOf(digest: Digest): string {
  return `sha256-${digestHex(digest)}`;
}

/** Path of a piece below bundleDir. */
export function pieceName(digest: Digest, signer: Did): string {
  return join(folderOf(digest), `${sha256Hex(toUtf8(signer))}.json`);
}

/** Path of a signer's newest identity below bundleDir. */
export function identityName(signer: Did): string {
  return join(SIGNERS, `${sha256Hex(toUtf8(signer))}.json`);
}

const refuse: OnUntrusted = (why) => reject(CODE, why);
