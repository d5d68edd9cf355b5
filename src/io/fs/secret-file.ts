import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { Rejection, reject } from "../../core/rejection.ts";

/** Modes of a file that only its owner can use. */
const OWNERS_ONLY: ReadonlySet<number> = new Set([0o600, 0o400]);
/** Bytes of a key or pass phrase. Stops a wrong name, such as that of a disk, from being read whole. */
const MAX_SECRET = 64 * 1024;

/**
 * Reads a file with a secret, which must be a regular file with mode 0600 or 0400.
 *
 * @param what names it in messages: `the key`
 * @param whose the running user's, or anybody's: root may be given the file of another user
 * @returns its text as Latin-1
 * @throws Rejection input.malformed
 */
export function readSecretFile(path: string, what: string, whose: "own" | "anybody's" = "own"): string {
  const not = (why: string, cause?: unknown): never =>
    reject("input.malformed", `${what} ${path} cannot be used: ${why}`, cause);
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, uid, size } = fstatSync(fd);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) not("it is not a regular file");
    if (size > MAX_SECRET) not(`it has ${size} bytes, expected at most ${MAX_SECRET}`);
    const own = process.geteuid?.();
    if (whose === "own" && uid !== own) not(`it belongs to user ${uid}, expected the running user ${own}`);
    const permissions = mode & 0o7777;
    if (!OWNERS_ONLY.has(permissions)) {
      not(
        `its mode is ${permissions.toString(8).padStart(4, "0")}, expected 0600 or 0400; if it is the right file, run: chmod 600 ${path}`,
      );
    }
    return readFileSync(fd, "latin1");
  } catch (error) {
    if (error instanceof Rejection) throw error;
    return not((error as Error).message, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
