import { open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type ImportedIdentity,
  type ImportedPiece,
  identityToBytes,
  pieceToBytes,
} from "../../core/evidence/imported-piece.ts";
import { makeOwnFolder, syncFolder } from "../fs/folders.ts";
import { folderOf, identityName, MAX_PIECE, pieceName, SIGNERS } from "./bundle-dir.ts";

/**
 * Writes a piece whole: a pull finds the old one or the new one, also after a power failure.
 *
 * @param place bundleDir; made where it is missing and its parent is not
 * @throws Error of the file system, where somebody else can change the folder, or where the piece is too large to be read
 */
export async function writePiece(place: string, piece: ImportedPiece): Promise<void> {
  await makeOwnFolder(place, folderOf(piece.digest));
  await replace(join(place, pieceName(piece.digest, piece.signer)), pieceToBytes(piece));
}

/** As {@link writePiece}, for the newest identity of a signer. */
export async function writeIdentity(place: string, identity: ImportedIdentity): Promise<void> {
  await makeOwnFolder(place, SIGNERS);
  await replace(join(place, identityName(identity.signer)), identityToBytes(identity));
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length > MAX_PIECE)
    throw new Error(`${path} would have ${bytes.length} bytes, at most ${MAX_PIECE} are read`);
  const temporary = `${path}.${crypto.randomUUID()}.tmp`;
  const file = await open(temporary, "wx", 0o644);
  try {
    // Whatever the umask: other users' `bundle list` may read it.
    await file.chmod(0o644);
    await file.writeFile(bytes);
    await file.sync();
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}
