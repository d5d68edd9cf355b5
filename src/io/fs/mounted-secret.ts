import { closeSync, constants, fstatSync, openSync, readFileSync, realpathSync } from "node:fs";
import { fromUtf8 } from "../../core/encoding/bytes.ts";
import { Rejection, reject } from "../../core/rejection.ts";
import type { LocalFile } from "./local-file.ts";
import { type Mount, mountOf, readMounts } from "./mounts.ts";
import { assertPathTrusted } from "./trusted-path.ts";

const ROOT = 0;
const OTHERS_WRITE = 0o022;
const BEYOND_OWNER = 0o077;

/**
 * Reads a file with a secret that a service is given: its own or root's, on a path that nobody else can change. Only the
 * owner may have rights on it, unless it is on a read-only tmpfs: that is the volume of a Secret, which this container
 * alone sees, and whose files the kubelet makes 0644, or 0440 with fsGroup.
 *
 * @param mounts of this process
 * @throws Rejection with the file's code
 */
export function readMountedSecret(file: LocalFile & { readonly max: number }, mounts = readMounts): string {
  const { path, code, what, max } = file;
  const not = (why: string, cause?: unknown): never => reject(code, `${what} ${path} cannot be used: ${why}`, cause);
  let fd: number | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = fstatSync(fd);
    const { uid, size } = stats;
    const mode = stats.mode & 0o7777;
    if (!stats.isFile()) not("it is not a regular file");
    if (size > max) not(`it has ${size} bytes, expected at most ${max}`);
    const own = process.geteuid?.();
    if (uid !== ROOT && uid !== own) not(`it belongs to user ${uid}, expected root or the running user ${own}`);
    const isOpen = (mode & OTHERS_WRITE) !== 0 || ((mode & BEYOND_OWNER) !== 0 && !isSecretVolume(path, mounts()));
    if (isOpen) {
      const text = mode.toString(8).padStart(4, "0");
      not(`its mode is ${text}, expected 0600 or 0400, or a Secret's volume (a read-only tmpfs)`);
    }
    assertPathTrusted(path);
    return fromUtf8(readFileSync(fd)) ?? not("it is not UTF-8 text");
  } catch (error) {
    if (error instanceof Rejection) throw error;
    return not((error as Error).message, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function isSecretVolume(path: string, mounts: readonly Mount[]): boolean {
  const mount = mountOf(realpathSync(path), mounts);
  return mount?.type === "tmpfs" && mount.isReadOnly;
}
