import { reject } from "../../core/rejection.ts";
import { octal, readCheckedFile } from "./checked-file.ts";

const PERMISSIONS = 0o7777;
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
  const bytes = readCheckedFile(path, MAX_SECRET, not, ({ uid, mode }) => {
    const own = process.geteuid?.();
    if (whose === "own" && uid !== own) not(`it belongs to user ${uid}, expected the running user ${own}`);
    const permissions = mode & PERMISSIONS;
    if (OWNERS_ONLY.has(permissions)) return;
    const found = `its mode is ${octal(permissions)}, expected 0600 or 0400`;
    not(`${found}; if it is the right file, run: chmod 600 ${path}`);
  });
  return bytes.toString("latin1");
}
