import { closeSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

/**
 * Writes a file whole or not at all: a reader finds the old content or the new. It is made beside its place and
 * renamed over what stands there, which is replaced and never followed or written to; what is written to is a
 * new file, since in a folder of others a name could be a link to something else.
 *
 * @param mode before the umask
 * @throws Error of the file system, also where that new name is taken; then nothing is left of it
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
