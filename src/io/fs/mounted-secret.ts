import { realpathSync } from "node:fs";
import { fromUtf8 } from "../../core/encoding/bytes.ts";
import { reject } from "../../core/rejection.ts";
import { octal, readCheckedFile } from "./checked-file.ts";
import type { LocalFile } from "./local-file.ts";
import { type Mount, mountOf, readMounts } from "./mounts.ts";
import { assertPathTrusted } from "./trusted-path.ts";

const ROOT = 0;
const PERMISSIONS = 0o7777;
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
  const bytes = readCheckedFile(path, max, not, (stats) => {
    const { uid } = stats;
    const mode = stats.mode & PERMISSIONS;
    const own = process.geteuid?.();
    if (uid !== ROOT && uid !== own) not(`it belongs to user ${uid}, expected root or the running user ${own}`);
    const isOpen = (mode & OTHERS_WRITE) !== 0 || ((mode & BEYOND_OWNER) !== 0 && !isSecretVolume(path, mounts()));
    if (isOpen) not(`its mode is ${octal(mode)}, expected 0600 or 0400, or a Secret's volume (a read-only tmpfs)`);
    assertPathTrusted(path);
  });
  return fromUtf8(bytes) ?? not("it is not UTF-8 text");
}

function isSecretVolume(path: string, mounts: readonly Mount[]): boolean {
  const mount = mountOf(realpathSync(path), mounts);
  return mount?.type === "tmpfs" && mount.isReadOnly;
}
