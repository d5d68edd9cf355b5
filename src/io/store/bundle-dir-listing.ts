import { join } from "node:path";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import type { ImportedPiece } from "../../core/evidence/imported-piece.ts";
import { identityFromBytes, pieceFromBytes } from "../../core/evidence/imported-piece.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import { listFolder, type OnUntrusted, readTrustedFile } from "../fs/local-file.ts";
import { identityName, MAX_PIECE, pieceName, SIGNERS } from "./bundle-dir.ts";

const FOLDER = /^sha256-[0-9a-f]{64}$/;
const FILE = /^[0-9a-f]{64}\.json$/;
const CODE = "bundle.malformed";

/** Everything that was imported, and why the rest does not count. */
export interface ImportedListing {
  /** By digest. */
  readonly pieces: readonly ImportedPiece[];
  /** Sentences. */
  readonly unusable: readonly string[];
}

/**
 * Lists what was imported, by the same checks as at a pull.
 *
 * @param place bundleDir
 * @returns undefined where there is no such folder
 */
export function listBundleDir(place: string): ImportedListing | undefined {
  const unusable: string[] = [];
  const tried = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      unusable.push(error.message);
      return undefined;
    }
  };
  const names = tried(() => listFolder({ path: place, code: CODE, what: "bundleDir" }, refuse) ?? "absent") ?? [];
  if (names === "absent") return undefined;
  const folders = names.filter((name) => FOLDER.test(name)).toSorted();
  const pieces = folders.flatMap((folder) => {
    const path = join(place, folder);
    const files = tried(() => listFolder({ path, code: CODE, what: "the folder" }, refuse)) ?? [];
    return files
      .filter((file) => FILE.test(file))
      .toSorted()
      .flatMap((file) => tried(() => readPiece(place, join(folder, file))) ?? []);
  });
  const path = join(place, SIGNERS);
  const logs = tried(() => listFolder({ path, code: CODE, what: "the folder" }, refuse)) ?? [];
  for (const file of logs.filter((name) => FILE.test(name)).toSorted()) tried(() => checkIdentity(place, file));
  return { pieces, unusable };
}

/** Of a signer whose newest identity cannot be read nothing that was imported counts. */
function checkIdentity(place: string, file: string): void {
  const path = join(place, SIGNERS, file);
  const { signer } = readOne(path, identityFromBytes);
  if (identityName(signer) !== join(SIGNERS, file)) reject(CODE, `${path}: it is about something else`);
}

function readPiece(place: string, name: string): ImportedPiece {
  const path = join(place, name);
  const piece = readOne(path, pieceFromBytes);
  return pieceName(piece.digest, piece.signer) === name ? piece : reject(CODE, `${path}: it is about something else`);
}

function readOne<T>(path: string, from: (bytes: Uint8Array) => T): T {
  try {
    const text = readTrustedFile({ path, code: CODE, what: "the file", max: MAX_PIECE });
    return from(toUtf8(text ?? ""));
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return reject(CODE, `${path}: ${error.message}`);
  }
}

const refuse: OnUntrusted = (why) => reject(CODE, why);
