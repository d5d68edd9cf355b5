import { chmodSync, closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";

/**
 * Writes a file whole or not at all. An existing name is never opened: it could be a link to something else.
 *
 * @param mode whatever the umask
 * @param mayReplace whether an existing file is replaced
 * @throws Error of the file system: EEXIST if the file exists and may not be replaced
 */
export function writeNewFile(path: string, content: string, mode: number, mayReplace: boolean): void {
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "wx", mode);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
    chmodSync(temporary, mode);
    if (mayReplace) renameSync(temporary, path);
    // Unlike rename, this fails if something has that name by now.
    else linkSync(temporary, path);
  } finally {
    closeSync(file);
    rmSync(temporary, { force: true });
  }
}
