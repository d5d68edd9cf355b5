import type { Warn } from "../../../core/warning.ts";
import { readMounts } from "../../../io/fs/mounts.ts";
import { isPinned } from "../../../io/fs/pinned-file.ts";
import type { ServerConfig } from "./running-config.ts";

/** Absolute paths of all files that the server reads again while it runs, but the configuration itself. */
export function filesOf({ trustPolicyPath, server }: ServerConfig): readonly string[] {
  const { listeners, tokenFiles, policies, breakGlassFile } = server;
  const tls = listeners.flatMap((one) => (one.tls === undefined ? [] : Object.values<string>({ ...one.tls })));
  return [trustPolicyPath, ...policies.values(), ...tokenFiles, ...tls, ...(breakGlassFile ? [breakGlassFile] : [])];
}

/** Warns of the files that a change never reaches. */
export function warnOfPinned(paths: readonly string[], warn: Warn, mounts = readMounts()): void {
  for (const path of new Set(paths)) {
    if (!isPinned(path, mounts)) continue;
    const message = `${path} is mounted by itself (subPath), so a change is seen only after a restart; mount its whole volume`;
    warn({ code: "settings.not_reloaded", message });
  }
}
