import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, realpathSync, type Stats } from "node:fs";
import { dirname, resolve } from "node:path";
import { fromUtf8 } from "../encoding/bytes.ts";
import { type RejectionCode, reject } from "../rejection.ts";

const ROOT = 0;
const GROUP_OR_OTHERS_WRITE = 0o022;
const STICKY = 0o1000;
/** Larger files are no policy or configuration. */
const MAX_FILE = 1024 * 1024;

/** Which file, for messages and codes. */
export interface LocalFile {
  readonly path: string;
  readonly code: RejectionCode;
  /** `the trust policy` */
  readonly what: string;
}

/**
 * Reads a file that decides about trust. One that somebody other than root and the running user can
 * change is refused (spec 2.5): the file, or a folder on the way to it.
 *
 * @returns undefined where there is no such file
 * @throws Rejection `code`
 */
export function readTrustedFile({ path, code, what }: LocalFile): string | undefined {
  const absolute = resolve(path);
  let fd: number;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(absolute, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    return reject(code, `${what} ${path} cannot be read: ${(error as Error).message}`, error);
  }
  try {
    const file = fstatSync(fd);
    if (!file.isFile()) reject(code, `${what} ${path} is not a regular file`);
    if (file.size > MAX_FILE) reject(code, `${what} ${path} has ${file.size} bytes, at most ${MAX_FILE} are read`);
    checkOwner(file, path, what, code);
    for (const folder of [...foldersAbove(absolute), ...foldersAbove(realpathSync(absolute))]) {
      checkOwner(lstatSync(folder), folder, `a folder of ${what},`, code);
    }
    const text = fromUtf8(readFileSync(fd));
    return text ?? reject(code, `${what} ${path} is not UTF-8 text`);
  } finally {
    closeSync(fd);
  }
}

function checkOwner(stats: Stats, path: string, what: string, code: RejectionCode): void {
  const { uid, mode } = stats;
  if (uid !== ROOT && uid !== process.geteuid?.()) {
    reject(code, `${what} ${path} belongs to user ${uid}, expected root or the running user; run: chown root ${path}`);
  }
  if (stats.isSymbolicLink()) return; // what it points to is checked by itself
  // In a sticky folder, others can add entries but not replace one that is not theirs.
  const replaceable = (mode & GROUP_OR_OTHERS_WRITE) !== 0 && !(stats.isDirectory() && (mode & STICKY) !== 0);
  if (replaceable) {
    const octal = (mode & 0o7777).toString(8);
    reject(code, `${what} ${path} can be written by others (mode ${octal}); run: chmod go-w ${path}`);
  }
}

/** Every folder from the file's own to the root. */
function foldersAbove(path: string): readonly string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersAbove(folder)];
}
