import { lstatSync, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { isDenied } from "../../io/fs/denied.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { copyOf } from "./copies.ts";

/** An entry of containerd's bin_dir: each is executed at every pull, in the order of the bytes of their names. */
export interface BinDirEntry {
  readonly name: string;
  /** The file it points to, all links followed; absent for a broken link. */
  readonly leadsTo?: string;
  readonly isLink: boolean;
  /** The program that it is a byte-for-byte copy of; see {@link markCopies}. */
  readonly copyOf?: string;
  /** Whether this user has no access to its target. */
  readonly isUnseen?: true;
  /** Why containerd cannot execute it, which blocks every pull, as a clause. */
  readonly broken?: string;
}

/** @returns undefined if the folder does not exist. @throws Error if it cannot be read */
export function entriesOf(binDir: string): readonly BinDirEntry[] | undefined {
  try {
    return entriesInOrder(readdirSync(binDir).map((name) => entryAt(join(binDir, name), name)));
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Marks copies of this program, or of an installed one. @param program absolute path of this one */
export function markCopies(entries: readonly BinDirEntry[], program: string): readonly BinDirEntry[] {
  return entries.map((entry) => {
    const { leadsTo, broken } = entry;
    const original =
      leadsTo === undefined || leadsTo === program || broken !== undefined ? undefined : copyOf(leadsTo, program);
    return original === undefined ? entry : { ...entry, copyOf: original };
  });
}

/** As Go sorts them: by bytes. */
export function entriesInOrder(entries: readonly BinDirEntry[]): readonly BinDirEntry[] {
  return entries.toSorted((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
}

function entryAt(path: string, name: string): BinDirEntry {
  const isLink = lstatSync(path).isSymbolicLink();
  try {
    const [leadsTo, stats] = [realpathSync(path), statSync(path)];
    const broken = !stats.isFile()
      ? "it is not a regular file"
      : (stats.mode & 0o111) === 0
        ? "it is not executable"
        : undefined;
    return { name, isLink, leadsTo, ...(broken !== undefined && { broken }) };
  } catch (error) {
    if (isDenied(error)) return { name, isLink, isUnseen: true };
    return { name, isLink, broken: isLink ? `it is a broken link to ${readlinkSync(path)}` : "it was removed" };
  }
}
