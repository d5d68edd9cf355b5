import { isDid } from "../../core/atproto/syntax.ts";
import { type BundledImage, imageFromLine } from "../../core/evidence/bundled-image.ts";
import type { Fetched } from "../../core/evidence/evidence.ts";
import { Rejection } from "../../core/rejection.ts";
import type { Warn } from "../../core/warning.ts";
import { CACHE_FOLDERS, type CacheFolder, cacheFolder } from "./cache-folders.ts";
import type { CacheKey } from "./cache-key.ts";
import { PROVEN } from "./evidence-files.ts";

/** A cache entry, for display. */
export interface CachedFile {
  readonly kind: CacheFolder;
  /** Absolute path. */
  readonly file: string;
  readonly bytes: number;
  /** Absent for settings, which are not evidence. */
  readonly bundle?: BundledImage;
  /** When its oldest evidence was fetched; milliseconds since 1970. Absent where it contains none. */
  readonly at?: number;
}

/**
 * All that is cached, by kind and name. What cannot be read is reported and left out; what was proven is left
 * out too, as it stands beside the evidence that proved it.
 *
 * @param directory cacheDir
 */
export function listCache(directory: string, key: CacheKey, warn: Warn): readonly CachedFile[] {
  return (Object.keys(CACHE_FOLDERS) as CacheFolder[]).flatMap((kind) => {
    const folder = cacheFolder(directory, kind, key, warn);
    const names = folder.list().filter((name) => !name.endsWith(PROVEN));
    return names.toSorted().flatMap((name): CachedFile[] => {
      const entry = folder.read(name);
      if (entry === undefined) return [];
      const known = { kind, file: `${folder.folder}/${name}`, bytes: entry.length };
      if (kind === "settings") return [known];
      try {
        const bundle = imageFromLine(entry);
        const at = oldest(bundle);
        return [{ ...known, bundle, ...(at !== undefined && { at }) }];
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        folder.damaged(name, error.message);
        return [];
      }
    });
  });
}

/**
 * Removes all cached evidence, and marks it invalid so that a slow pull cannot bring it back.
 *
 * @param now milliseconds since 1970
 * @returns the number of files
 */
export async function clearCache(directory: string, now: number, key: CacheKey, warn: Warn): Promise<number> {
  let count = 0;
  try {
    const { endAll } = await import("./invalidation-writer.ts");
    await endAll(directory, now);
  } catch (error) {
    const message = `no invalidation mark was written: ${(error as Error).message}`;
    warn({ code: "cache.not_invalidated", message });
  }
  for (const kind of Object.keys(CACHE_FOLDERS) as CacheFolder[]) {
    count += await cacheFolder(directory, kind, key, warn).remove(() => true);
  }
  return count;
}

/** Whom a piece is about: a DID, or a handle. */
export function cachedSubject({ bundle }: CachedFile): string | undefined {
  const signers = bundle?.evidence.signatures.map(({ signer }) => signer).filter(isDid) ?? [];
  return signers.length > 0 ? [...new Set(signers)].join(", ") : bundle?.evidence.owner?.handle;
}

function oldest({ evidence: { signatures, owner } }: BundledImage): number | undefined {
  const parts: readonly (Pick<Fetched, "fetchedAt"> | undefined)[] = [
    ...signatures.flatMap(({ identity, record, tag }) => [identity, record, tag]),
    owner,
  ];
  const times = parts.flatMap((part) => (part === undefined ? [] : [part.fetchedAt]));
  return times.length === 0 ? undefined : Math.min(...times);
}
