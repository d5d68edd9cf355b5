import { realpathSync, statSync } from "node:fs";
import type { TlsFiles } from "../../../core/config/server-settings.ts";
import { isOnReadOnlyMount } from "../../../io/fs/mounts.ts";

const OTHERS_READ = 0o004;

/**
 * A warning where every user can read the private key; undefined where not. The kubelet makes the files of a Secret 0644, on
 * a read-only mount that one container sees.
 */
export function openKeyWarning({ keyFile }: TlsFiles, isExempt = isOnReadOnlyMount): string | undefined {
  try {
    const path = realpathSync(keyFile);
    if ((statSync(path).mode & OTHERS_READ) === 0 || isExempt(path)) return undefined;
  } catch {
    return undefined; // It was read a moment ago, and is being replaced.
  }
  return `every user can read the private key ${keyFile}; run: chmod o-rwx ${keyFile}`;
}
