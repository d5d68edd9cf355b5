import { closeSync, fchmodSync, fchownSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

/** Of the file that is written, whatever the umask; without an owner: the running user. */
export interface Exactly {
  readonly mode: number;
  readonly owner?: { readonly uid: number; readonly gid: number };
}

/**
 * Writes a file atomically: a reader sees the old content or the new. The content goes to a new file beside it, which
 * is then renamed: in a folder that others can write to, the existing name could be a link to something else, so it is
 * never followed or opened.
 *
 * @param mode before the umask, or exactly
 * @throws Error of the file system, also where the temporary name is taken; no temporary file is left then
 */
export function replaceFile(path: string, content: string | Uint8Array, mode: number | Exactly = 0o666): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "wx", typeof mode === "number" ? mode : 0o600);
  try {
    if (typeof mode !== "number") {
      if (mode.owner !== undefined) fchownSync(file, mode.owner.uid, mode.owner.gid);
      fchmodSync(file, mode.mode);
    }
    writeFileSync(file, content);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
