import { type Dirent, readdirSync, statSync } from "node:fs";
import { type HostsFile, hostFolders, type RegistryHost, readHostsToml } from "../../core/oci/hosts-toml.ts";
import type { ImageReference } from "../../core/oci/reference.ts";
import type { Warn, Warning } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { isAbsent } from "../fs/local-file.ts";
import { readOwnFile } from "./own-file.ts";

/** The registry host in an image's name. */
export type RegistryName = Pick<ImageReference, "host" | "writtenHost">;

/** The registry itself, without settings. */
export const OWN_HOST: RegistryHost = { path: "/v2", pulls: true, resolves: true, ca: [], client: [], headers: {} };
const HOSTS_FILE = "hosts.toml";
/** Name of the folder for all registries that have none of their own. */
const ANY_HOST = "_default";

/** The first folder that exists; the host's own before `_default`. An inaccessible one is not used. */
export function folderOf(
  { host, writtenHost = host }: RegistryName,
  roots: readonly string[],
  warn: Warn,
): string | undefined {
  for (const root of roots) {
    for (const name of hostFolders(writtenHost)) {
      const folder = `${root}/${name}`;
      try {
        if (isThere(folder)) return folder;
      } catch (error) {
        warn(notUsed(folder, error));
        break; // The folders beside it are inaccessible too, or would wrongly replace it.
      }
    }
  }
  return undefined;
}

/** Whether the folder is for all registries that have none of their own. */
export function isForAnyHost(folder: string): boolean {
  return folder.endsWith(`/${ANY_HOST}`);
}

/** @throws Error of the file system, also for a dangling link */
function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT") && isAbsent(path)) return false;
    throw error;
  }
}

/** A folder's settings for a host. As in containerd, certificates beside an unreadable hosts.toml count. */
export function hostsIn(folder: string, warn: Warn): HostsFile["hosts"] {
  const file = `${folder}/${HOSTS_FILE}`;
  const text = readOwnFile(file, "containerd's configuration of a registry", (problem) => warn(unusable(problem)));
  if (text === undefined || text === "") return [certificatesIn(folder, warn)];
  const read = readHostsToml(text, folder);
  if ("problem" in read) {
    warn(unusable(`${file}:${read.line}: ${read.problem}; it is not used`));
    return [certificatesIn(folder, warn)];
  }
  if (read.unused.length > 0) warn(unused(`${file}: not used here: ${read.unused.join(", ")}`));
  return read.hosts;
}

/** Docker's older form: certificates without a hosts.toml, recognised by file extension. */
function certificatesIn(folder: string, warn: Warn): RegistryHost {
  const names = entriesOf(folder, warn)
    .flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]))
    .toSorted();
  const client = names
    .filter((name) => name.endsWith(".cert"))
    .map((name) => {
      const key = name.replace(/cert$/, "key");
      return { cert: `${folder}/${name}`, key: `${folder}/${names.includes(key) ? key : name}` };
    });
  if (client.length > 1)
    warn(unused(`${folder}: not used here: all ${client.length} client certificates but the first`));
  return { ...OWN_HOST, ca: names.filter((name) => name.endsWith(".crt")).map((name) => `${folder}/${name}`), client };
}

/** Empty where it cannot be read: then only the registry itself is asked (spec 3.1). */
function entriesOf(folder: string, warn: Warn): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    warn(notUsed(folder, error));
    return [];
  }
}

function notUsed(folder: string, error: unknown): Warning {
  return unusable(`${folder} is not used: ${(error as Error).message}`);
}

export function unusable(message: string): Warning {
  return { code: "hosts_toml.unusable", message };
}

export function unused(message: string): Warning {
  return { code: "hosts_toml.unused", message };
}
