import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";

/**
 * A program that runs another, with its arguments, in a mount namespace where a file of the system has this text.
 * Needs root.
 *
 * @param path of the file, which exists
 * @param folder where a file may be written
 */
export function throughFile(path: string, text: string, folder: string): readonly string[] {
  const own = join(folder, basename(path));
  writeFileSync(own, text);
  const script = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin; mount --bind "$0" "$1" && shift && exec "$@"';
  return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, own, path];
}

/** The same for a folder, which is mounted over itself without the right to write. */
export function throughReadOnly(folder: string): readonly string[] {
  const mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"';
  return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", `PATH=/usr/sbin:/usr/bin:/sbin:/bin; ${mount}`, folder];
}
