import { lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { Did } from "../../core/atproto/syntax.ts";
import { toUtf8 } from "../../core/encoding/bytes.ts";
import { sha256Hex } from "../../core/encoding/sha256.ts";
import { hasCode } from "../fs/error-code.ts";
import { isAbsent } from "../fs/local-file.ts";
import { assertPathTrusted, check } from "../fs/trusted-path.ts";
import type { Damage } from "./quarantine.ts";

/** Names read of a signer, revisions not yet swept included; more are not this program's, and are not listed forever. */
const MAX_NAMES = 8000;
/** Most bytes of a file's name (NAME_MAX of Linux). */
const LONGEST_NAME = 255;
/** What {@link folderNameOf} makes of a longer one. */
export const SHORTENED = /^sha256-[0-9a-f]{64}$/;

/** What is in the folder of a signer. */
export interface FolderContent {
  /** Of the folder, from before it was read. */
  readonly stats: Stats;
  /** Names. */
  readonly files: readonly string[];
  /** What is no file; or the folder itself, where none of it can be used. */
  readonly damage: readonly Damage[];
}

/** The folder of a signer. The longest names of hosts make a did:web too long for one. */
export function folderNameOf(did: Did): string {
  return did.length <= LONGEST_NAME ? did : `sha256-${sha256Hex(toUtf8(did))}`;
}

/**
 * @param signers the folder of all signers
 * @returns undefined where there is nothing
 * @throws Error where the folder cannot be used
 */
export function readFolder(signers: string, name: string): FolderContent | undefined {
  const folder = join(signers, name);
  const stats = statsOf(signers, folder);
  if (stats === undefined) return undefined;
  // A lost history is not the same as an empty one.
  const isDamaged = (why: string): FolderContent => ({ stats, files: [], damage: [{ path: folder, why }] });
  if (!stats.isDirectory()) return isDamaged("is no folder");
  const entries = readdirSync(folder, { withFileTypes: true });
  if (entries.length > MAX_NAMES) return isDamaged(`has ${entries.length} entries, at most ${MAX_NAMES} are read`);
  const files: string[] = [];
  const damage: Damage[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    // Where a file system does not say what an entry is, it is looked at.
    if (entry.isFile() || isFile(path)) files.push(entry.name);
    else damage.push({ path, why: "is no file" });
  }
  return { stats, files, damage };
}

/** @returns undefined where there is nothing */
function statsOf(signers: string, folder: string): Stats | undefined {
  try {
    assertPathTrusted(signers);
    const stats = lstatSync(folder);
    if (stats.isDirectory()) check(stats, folder);
    return stats;
  } catch (error) {
    if (hasCode(error, "ENOENT") && isAbsent(folder)) return undefined;
    throw error;
  }
}

function isFile(path: string): boolean {
  try {
    return lstatSync(path).isFile();
  } catch {
    return false; // gone in the meantime
  }
}
