import { lstatSync, mkdirSync, rmSync, type Stats } from "node:fs";
import { dirname, join } from "node:path";
import { reject } from "../../core/rejection.ts";
import { isAbsent, isFolderThere, readTrustedFile } from "../../io/fs/local-file.ts";
import { replaceFile } from "../../io/fs/replace-file.ts";
import { type ContainersPolicy, FIRST_POLICY, parsePolicyJson } from "./policy-json.ts";
import { OWN_FILE, type RegistriesD, readRegistriesD } from "./registries-d.ts";

/** Where podman, CRI-O, skopeo and buildah are configured. */
export const CONTAINERS_FOLDER = "/etc/containers";
/** Read by newer versions where there is no policy.json in /etc. */
const VENDOR_POLICY = "/usr/share/containers/policy.json";
/** Line of our own file where there was no policy.json before. */
export const MADE_POLICY = "# There was no policy.json: it was made as well.\n";

/** Files of one folder as they are. */
export interface ContainersFiles {
  readonly policyPath: string;
  /** As written; undefined where there is none. */
  readonly policyText?: string;
  /** Without a file: what one begins with. */
  readonly policy: ContainersPolicy;
  readonly registriesFolder: string;
  /** Of all files, ours included. */
  readonly registries: RegistriesD;
  readonly ownPath: string;
  /** Of the file that `enable` writes; undefined where there is none. */
  readonly ownText?: string;
  /** Hosts that it names. */
  readonly ownHosts: readonly string[];
}

/**
 * @param folder absolute path, {@link CONTAINERS_FOLDER}
 * @throws Rejection config.invalid where others can change the folder or registries.d, or where policy.json, or our own file, cannot be read, is no plain file or is not understood
 */
export function readContainersFiles(folder: string): ContainersFiles {
  const policyPath = join(folder, "policy.json");
  const registriesFolder = join(folder, "registries.d");
  const ownPath = join(registriesFolder, OWN_FILE);
  for (const path of [folder, registriesFolder]) assertFolderTrusted(path);
  const policyText = textAt(policyPath, "policy.json");
  const ownText = textAt(ownPath, "the file of registries.d");
  const registries = readRegistriesD(registriesFolder);
  return {
    policyPath,
    ...(policyText !== undefined && { policyText }),
    policy: policyText === undefined ? firstPolicy(folder) : parsePolicyJson(policyText, policyPath),
    registriesFolder,
    registries,
    ownPath,
    ...(ownText !== undefined && { ownText }),
    ownHosts: registries.namespaces.filter(({ file }) => file === ownPath).map(({ name }) => name),
  };
}

/** Options that name the folder of a policy.json, for advice. */
export function containersOptions(policyPath: string): string {
  const folder = dirname(policyPath);
  return folder === CONTAINERS_FOLDER ? "--containers" : `--containers --containers-dir ${folder}`;
}

/** Whether `enable --containers` has been run for this folder. */
export function isContainersEnabled(folder: string): boolean {
  return !isAbsent(join(folder, "registries.d", OWN_FILE));
}

/**
 * Replaces a file by rename, with the mode and the owner of the one before. A reader sees the old content or the new.
 *
 * @throws Error of the file system; Rejection config.invalid where others can change its folder: they could lead it elsewhere
 */
export function writeContainersFile(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  assertFolderTrusted(dirname(path));
  // Every user's podman reads it, whatever the umask of who runs this.
  const before = statsOf(path);
  replaceFile(path, content, before === undefined ? { mode: 0o644 } : { mode: before.mode & 0o777, owner: before });
}

export function removeContainersFile(path: string): void {
  rmSync(path, { force: true });
}

/** A path that can be replaced by rename is no link: its target would stay as it is. */
export function isLink(path: string): boolean {
  return statsOf(path)?.isSymbolicLink() === true;
}

/** A folder that is missing is made by this program. */
function assertFolderTrusted(path: string): void {
  isFolderThere({ path, code: "config.invalid", what: "the folder" }, (why) => reject("config.invalid", why));
}

function statsOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function textAt(path: string, what: string): string | undefined {
  return readTrustedFile({ path, code: "config.invalid", what });
}

function firstPolicy(folder: string): ContainersPolicy {
  const text = folder === CONTAINERS_FOLDER ? textAt(VENDOR_POLICY, "policy.json") : undefined;
  return text === undefined ? FIRST_POLICY : parsePolicyJson(text, VENDOR_POLICY);
}
