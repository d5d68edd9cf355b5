import { existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { field, isJsonObject } from "../../core/encoding/json.ts";
import { readToml } from "../../core/encoding/toml.ts";
import { Rejection } from "../../core/rejection.ts";
import { readPossiblyUntrustedFile } from "../../io/fs/local-file.ts";
import type { Environment } from "../../io/process/environment.ts";
import type { CrioOptions } from "./crio-process.ts";

/** CRI-O's folder, and the folder of policies for one namespace each that it reads by default. */
const CRIO = {
  config: "/etc/crio/crio.conf",
  dropIns: "/etc/crio/crio.conf.d",
  policies: "/etc/crio/policies",
} as const;
/** Files of its drop-ins that are read; a node has a few. */
const MAX_DROP_INS = 1000;

/** What CRI-O reads instead of policy.json. */
export interface CrioPolicies {
  /** Files that `signature_policy` names, each with the file or the process that says so; the last one counts. */
  readonly named: readonly { readonly policy: string; readonly file: string }[];
  /** Policies of a namespace, which count instead. */
  readonly ofNamespaces: readonly string[];
  readonly unread: readonly string[];
}

/**
 * Files of this user, root usually, that podman and skopeo read instead of those in /etc/containers. Services may run with
 * another HOME than this program, so the home of passwd(5) counts too; versions differ in whether XDG_CONFIG_HOME does.
 */
export function filesOfUser(environment: Environment, passwd = "/etc/passwd"): readonly string[] {
  const homes = [environment["HOME"], homeIn(passwd)].filter(isAbsolutePath);
  const folders = [environment["XDG_CONFIG_HOME"], ...homes.map((home) => join(home, ".config"))].filter(
    isAbsolutePath,
  );
  return [...new Set(folders.map((folder) => join(folder, "containers")))]
    .flatMap((folder) => ["policy.json", "registries.d"].map((name) => join(folder, name)))
    .filter((path) => existsSync(path));
}

/** The home of the effective user. */
function homeIn(passwd: string): string | undefined {
  const uid = String(process.geteuid?.());
  try {
    const users = readFileSync(passwd, "utf8").split("\n");
    return users.map((line) => line.split(":")).find((fields) => fields[2] === uid)?.[5];
  } catch {
    return undefined; // Users may come from elsewhere, as by LDAP.
  }
}

function isAbsolutePath(path: string | undefined): path is string {
  return path?.startsWith("/") === true;
}

/**
 * As CRI-O reads it (cri-o, UpdateFromPath): its file, each file of its drop-ins, whatever its name and however deep, in
 * lexical order, and at last its command line.
 *
 * @param root before each path: ""
 * @param started options of a process that runs
 */
export function crioPolicies(root = "", started: Partial<CrioOptions> = {}): CrioPolicies {
  const main = `${root}${started.config ?? CRIO.config}`;
  const [named, unread]: [{ policy: string; file: string }[], string[]] = [[], []];
  const dropIns = filesBelow(`${root}${started.configDir ?? CRIO.dropIns}`);
  if (dropIns.length > MAX_DROP_INS) unread.push(`${MAX_DROP_INS} of its drop-ins were read, and there are more`);
  let policies: string = CRIO.policies;
  for (const path of [main, ...dropIns.slice(0, MAX_DROP_INS)]) {
    try {
      const text = readPossiblyUntrustedFile({ path, code: "config.invalid", what: "CRI-O's configuration" }, () => {});
      const read = readToml(text ?? "");
      if ("problem" in read) {
        unread.push(`${path}:${read.line}: ${read.problem}`);
        continue;
      }
      const crio = field(read.document, "crio");
      const image = isJsonObject(crio) ? field(crio, "image") : undefined;
      if (!isJsonObject(image)) continue;
      const [policy, folder] = [field(image, "signature_policy"), field(image, "signature_policy_dir")];
      if (typeof policy === "string" && policy !== "") named.push({ policy, file: path });
      if (typeof folder === "string" && folder !== "") policies = folder;
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      unread.push(error.message);
    }
  }
  if (started.signaturePolicy !== undefined)
    named.push({ policy: started.signaturePolicy, file: `the command line of ${started.process}` });
  policies = started.signaturePolicyDir ?? policies;
  const ofNamespaces = namesIn(`${root}${policies}`, ".json").map((name) => join(`${root}${policies}`, name));
  return { named, ofNamespaces, unread };
}

/** As Go's filepath.Walk: links to folders are not followed, so they are files that cannot be read. */
function filesBelow(folder: string): readonly string[] {
  const paths = namesIn(folder, "").map((name) => join(folder, name));
  return paths.flatMap((path) => (isFolder(path) ? filesBelow(path) : [path]));
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Names of a folder with this ending, in order; none where it cannot be read: most nodes have no CRI-O. */
export function namesIn(folder: string, ending: string): readonly string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .toSorted();
  } catch {
    return [];
  }
}
