import { closeSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

/**
 * Writes a file atomically: a reader sees the old content or the new. The content goes to a new file beside it, which
 * is then renamed: in a folder that others can write to, the existing name could be a link to something else, so it is
 * never followed or opened.
 *
 * @param mode before the umask
 * @throws Error of the file system, also where the temporary name is taken; no temporary file is left then
 */
export function replaceFile(path: string, content: string | Uint8Array, mode = 0o666): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "wx", mode);
  try {
    writeFileSync(file, content);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(file);
  }
}
