import { realpathSync } from "node:fs";
import { type Mount, mountOf } from "./mounts.ts";

/**
 * Whether a file will never change, as far as this process sees: it is mounted by itself, or what is mounted is one
 * version of a volume (`..2026_…`), as Kubernetes does with `subPath`. Volumes are updated by switching a link, which such a
 * mount does not follow.
 *
 * @param path absolute; of a file that may be absent
 */
export function isPinned(path: string, mounts: readonly Mount[]): boolean {
  let real: string;
  try {
    real = realpathSync(path);
  } catch {
    return false;
  }
  const mount = mountOf(real, mounts);
  if (mount === undefined || mount.point === "/") return false;
  return mount.point === real || mount.root.split("/").some((name) => name.startsWith(".."));
}
