import { readdirSync } from "node:fs";
import { join } from "node:path";
import { field, isJsonObject, type JsonObject } from "../core/encoding/json.ts";
import { isDenied } from "../io/fs/denied.ts";
import { criBypasses } from "../platform/containerd/cri-bypasses.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, settingsOf } from "../platform/containerd/inspect.ts";
import { type CheckResult, ok, problem, unseen, warning } from "./check.ts";
import { numbersOf } from "./containerd-checks.ts";

const NAME = "registry-config";
const KEY = `config_path under plugins."${CRI_IMAGES_PLUGIN}".registry`;
/** What CRI takes when it starts, where neither config_path nor mirrors are set: `config dump` prints an empty string. */
const DEFAULT_SINCE_2_2 = "/etc/containerd/certs.d:/etc/docker/certs.d";
/** Folders of registries that a finding names; the others are counted. */
const MAX_NAMED = 5;

/**
 * Whether a verified pull and this program read the same hosts.toml files: mirrors, authorities, client certificates.
 * CRI's pull without verifiers splits config_path at ":"; its pull through the transfer service, which asks verifiers,
 * takes the whole as one folder, and finds nothing in it (containerd, internal/cri/server/images/image_pull.go and
 * core/transfer/registry/registry.go, read in 2.1.4 to 2.4.0-beta.0; containerd#12415, #12808). The config_path of the
 * transfer service itself is read by nothing in these versions.
 *
 * @param own folders of `registryConfigPath`
 */
export function checkRegistryConfig(containerd: Containerd, own: readonly string[]): readonly CheckResult[] {
  if (containerd.config === undefined) return [];
  const { plugins } = containerd;
  if (plugins !== undefined && plugins.get(CRI_IMAGES_PLUGIN) !== "ok")
    return [ok(NAME, "CRI is not loaded, so it has no config_path to compare with registryConfigPath")];
  const settings = settingsOf(containerd, CRI_IMAGES_PLUGIN);
  const { path, isDefault } = configPathOf(settings, containerd);
  const roots = path.split(":").filter((root) => root !== "");
  const [first = ""] = roots;
  const said = isDefault ? `${KEY} is not set, and containerd takes ${path}` : `${KEY} is ${path}`;
  if (path.includes(":")) return severalRoots(said, roots, own, criBypasses(settings).length > 0);
  if (path === "" || isSame([first], own))
    return [ok(NAME, "containerd reads hosts.toml from no folder other than registryConfigPath")];
  const found = `${said}, but registryConfigPath is ${own.join(":")}: mirrors and authorities of this program may differ from containerd's`;
  return [warning(NAME, found, `set registryConfigPath: ${first} in this program's configuration`)];
}

function configPathOf(settings: JsonObject, containerd: Containerd): { path: string; isDefault: boolean } {
  const registry = field(settings, "registry");
  const [path, mirrors] = isJsonObject(registry) ? [field(registry, "config_path"), field(registry, "mirrors")] : [];
  if (typeof path === "string" && path !== "") return { path, isDefault: false };
  const [major = 0, minor = 0] = numbersOf(containerd.version ?? containerd.installed ?? "");
  const isDefault = major > 2 || (major === 2 && minor >= 2);
  const hasMirrors = isJsonObject(mirrors) && Object.keys(mirrors).length > 0;
  return isDefault && !hasMirrors ? { path: DEFAULT_SINCE_2_2, isDefault } : { path: "", isDefault: false };
}

/** @param isBypassed whether CRI pulls without asking verifiers now, and so reads each of the folders */
function severalRoots(
  said: string,
  roots: readonly string[],
  own: readonly string[],
  isBypassed: boolean,
): readonly CheckResult[] {
  const list = `${said}, a list that a verified pull takes for one folder, so that it reads none of them`;
  const { lost, hidden } = foldersIn(roots);
  const unread = hidden.map((root) => unseen(NAME, "whether a registry has a folder there", root));
  if (lost.length === 0)
    return unread.length > 0
      ? unread
      : [ok(NAME, `${list}; no registry has a folder in any of them, so nothing is lost`)];
  const named = lost.slice(0, MAX_NAMED).map(({ root, name }) => join(root, name));
  const more = lost.length > MAX_NAMED ? ` and ${lost.length - MAX_NAMED} more` : "";
  const what = `mirrors, authorities and certificates of ${named.join(", ")}${more} are ignored without an error`;
  const best = (lost.find(({ root }) => own.some((folder) => isSame([root], [folder]))) ?? lost[0])?.root ?? "";
  const move = lost.every(({ root }) => root === best) ? "" : " after moving what is in the others into it";
  const ours = isSame(own, [best]) ? "" : `, set registryConfigPath: ${best} in this program's configuration`;
  const advice = `set ${KEY} to the one folder ${best}${move}${ours}, and restart containerd`;
  const finding = isBypassed
    ? warning(NAME, `${list}: once pulls are verified, ${what}`, advice)
    : problem(NAME, `${list}: ${what}`, advice);
  return [finding, ...unread];
}

interface Found {
  readonly lost: readonly { readonly root: string; readonly name: string }[];
  /** Folders to which this user has no access. */
  readonly hidden: readonly string[];
}

/** What is in the folders of a config_path: one for each registry. */
function foldersIn(roots: readonly string[]): Found {
  const hidden: string[] = [];
  const lost = roots.flatMap((root) => {
    try {
      return readdirSync(root)
        .toSorted()
        .map((name) => ({ root, name }));
    } catch (error) {
      if (isDenied(error)) hidden.push(root);
      return [];
    }
  });
  return { lost, hidden };
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  const [a, b] = [one, other].map((folders) => folders.map((folder) => folder.replace(/(?<=.)\/+$/, "")).join(":"));
  return a === b;
}
