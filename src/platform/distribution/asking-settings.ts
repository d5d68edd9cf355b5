import { field, isJsonObject, type JsonObject } from "../../core/encoding/json.ts";
import { ASKING, criBypasses } from "../containerd/cri-bypasses.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, settingsOf } from "../containerd/inspect.ts";
import type { Distribution } from "./distribution.ts";

/** What has to be set so that kubelet asks verifiers. */
export interface AskingSettings {
  /** Keys of CRI's images table, and their values as TOML. */
  readonly values: ReadonlyMap<string, string>;
  /** The one folder for `registry.config_path`, and the further ones that are named today. */
  readonly hosts?: { readonly folder: string; readonly others: readonly string[] };
  /** Tables that have to be removed, which no further file can do: `registry.mirrors`. */
  readonly tables: readonly string[];
}

/**
 * The least that has to change: what the effective configuration sets, or every key where that is not known.
 *
 * @param containerd absent: another machine's
 */
export function askingSettings({ ships }: Distribution, containerd: Containerd | undefined): AskingSettings {
  if (containerd?.config === undefined) return { values: ASKING, ...oneFolder(ships.configPath), tables: [] };
  const settings = settingsOf(containerd, CRI_IMAGES_PLUGIN);
  const found = criBypasses(settings);
  return {
    values: new Map(found.flatMap(({ key, wanted }) => (wanted === undefined ? [] : [[key, wanted] as const]))),
    ...oneFolder(configPathOf(settings)),
    tables: found.filter(({ wanted }) => wanted === undefined).map(({ key }) => key),
  };
}

export function isNothing({ values, hosts, tables }: AskingSettings): boolean {
  return values.size === 0 && hosts === undefined && tables.length === 0;
}

function configPathOf(settings: JsonObject): unknown {
  const registry = field(settings, "registry");
  return isJsonObject(registry) ? field(registry, "config_path") : undefined;
}

/** The transfer service takes several folders as one path (containerd#12415), so that hosts.toml is not found. */
function oneFolder(configPath: unknown): Pick<AskingSettings, "hosts"> {
  const [folder, ...others] = typeof configPath === "string" ? configPath.split(":").filter((one) => one !== "") : [];
  return folder === undefined || others.length === 0 ? {} : { hosts: { folder, others } };
}
