import type { Warn } from "../../core/warning.ts";
import { type CacheBounds, FileCache } from "../fs/file-cache.ts";
import type { CacheKey } from "./cache-key.ts";

/**
 * Bytes of one piece of evidence: a log and its proofs have tens of KiB. With the number of pieces it bounds
 * what a signer with ever longer logs, or many images, can take of the disk.
 */
const MAX_EVIDENCE = 384 * 1024;
/** Pieces of evidence, and what was proven beside each. */
const MAX_RECORDS = 4096;
/** Identities, tags and owners of handles, of each. */
const MAX_ANSWERS = 1024;
/** Bytes of a parsed configuration or policy; a larger one is parsed each time. */
const MAX_SETTINGS = 1024 * 1024;
/** Settings in all: every change of a file leaves one behind. */
const MAX_REMEMBERED = 64;

/** The folders of cacheDir, and how much each holds at most. */
export const CACHE_FOLDERS = {
  evidence: { bytes: MAX_EVIDENCE, count: MAX_RECORDS },
  identities: { bytes: MAX_EVIDENCE, count: MAX_ANSWERS },
  tags: { bytes: MAX_EVIDENCE, count: MAX_ANSWERS },
  owners: { bytes: MAX_EVIDENCE, count: MAX_ANSWERS },
  settings: { bytes: MAX_SETTINGS, count: MAX_REMEMBERED },
} as const satisfies Record<string, CacheBounds>;

export type CacheFolder = keyof typeof CACHE_FOLDERS;

/**
 * The only access to files in cacheDir, except marks, which can only invalidate evidence, and locks, which decide nothing.
 *
 * @param directory cacheDir
 */
export function cacheFolder(directory: string, name: CacheFolder, key: CacheKey, warn: Warn): FileCache {
  return new FileCache(directory, name, CACHE_FOLDERS[name], key, warn);
}
