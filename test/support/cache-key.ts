import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CacheKey } from "../../src/io/store/cache-key.ts";

/** The environment of a process whose key lies below this folder, next to its cache and state. */
export function keyEnvironment(folder: string): { readonly ATCR_VERIFY_CACHE_KEY: string } {
  return { ATCR_VERIFY_CACHE_KEY: join(folder, "node", "cache-key") };
}

/** The cache key of a node with this folder; an unusable key fails the test. */
export function keyIn(folder: string): CacheKey {
  return new CacheKey(keyEnvironment(folder), ({ message }) => {
    throw new Error(message);
  });
}

/** The content of a cache file, as its node reads it. */
export function pieceAt(path: string, key: CacheKey): Uint8Array {
  const piece = key.unseal(placeOf(path), readFileSync(path));
  if (piece === undefined) throw new Error(`${path} is not this node's`);
  return piece;
}

/** Writes a file of a cache as its node would. */
export function putPiece(path: string, piece: Uint8Array, key: CacheKey): void {
  const file = key.seal(placeOf(path), piece);
  if (file === undefined) throw new Error("there is no key");
  writeFileSync(path, file);
}

/** Changes a file as its node would. @returns whether that is another text */
export function changePiece(path: string, key: CacheKey, change: (text: string) => string): boolean {
  const text = Buffer.from(pieceAt(path, key)).toString();
  const changed = change(text);
  putPiece(path, Buffer.from(changed), key);
  return changed !== text;
}

function placeOf(path: string): string {
  return `${basename(dirname(path))}/${basename(path)}`;
}
