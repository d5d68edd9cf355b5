import { field, isJsonObject, type JsonObject } from "../../core/encoding/json.ts";

/** The only max_concurrent_downloads with which CRI pulls through the transfer service, which asks verifiers. */
const DOWNLOADS = 3;
/** Tables under CRI's `registry` that make it pull without the transfer service. */
const OLD_REGISTRY = ["mirrors", "configs", "auths"];

/** A setting of CRI with which kubelet and crictl pull without asking verifiers. */
export interface CriBypass {
  /** `discard_unpacked_layers`, or of a table `registry.mirrors`. */
  readonly key: string;
  /** As it was found: `discard_unpacked_layers = true`. */
  readonly setting: string;
  /** Its value with which verifiers are asked, as TOML; absent for a table, which has to be removed. */
  readonly wanted?: string;
  readonly advice: string;
}

/** Each key that can bypass verifiers, and its value with which they are asked: containerd's own default. */
export const ASKING: ReadonlyMap<string, string> = new Map([
  ["use_local_image_pull", "false"],
  ["discard_unpacked_layers", "false"],
  ["disable_snapshot_annotations", "true"],
  ["max_concurrent_downloads", `${DOWNLOADS}`],
  ["image_pull_with_sync_fs", "false"],
]);
const ADVICE: Readonly<Record<string, string>> = {
  disable_snapshot_annotations:
    "set it to true; remote snapshotters need false, so they cannot be combined with verifiers",
  max_concurrent_downloads: `set it to ${DOWNLOADS}; the transfer service has its own limit`,
};

/**
 * What of CRI's settings makes it pull without the transfer service (containerd, internal/cri/config/config.go,
 * CheckLocalImagePullConfigs, from 2.1).
 *
 * @param settings the table `plugins."io.containerd.cri.v1.images"` of the effective configuration
 */
export function criBypasses(settings: JsonObject): readonly CriBypass[] {
  const registry = field(settings, "registry");
  const keys = [...ASKING].flatMap(([key, wanted]): readonly CriBypass[] => {
    const value = field(settings, key);
    const isBypass = (typeof value === "boolean" || typeof value === "number") && `${value}` !== wanted;
    if (!isBypass) return [];
    return [{ key, setting: `${key} = ${value}`, wanted, advice: ADVICE[key] ?? `set it to ${wanted}` }];
  });
  const tables = OLD_REGISTRY.filter((name) => {
    const table = isJsonObject(registry) ? field(registry, name) : undefined;
    return isJsonObject(table) && Object.keys(table).length > 0;
  }).map((name) => `registry.${name}`);
  return [...keys, ...tables.map((key) => ({ key, setting: key, advice: "use config_path with hosts.toml instead" }))];
}
