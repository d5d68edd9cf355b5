import { readFileSync } from "node:fs";
import { field, isJsonObject, type JsonObject } from "../../core/encoding/json.ts";
import { parseToml } from "../../core/encoding/toml.ts";
import { configFiles } from "./daemon-files.ts";
import { type Containerd, CRI_IMAGES_PLUGIN, importsOf } from "./inspect.ts";

/** Where CRI's settings for images are, in versions 3 and 2 of the configuration. */
const PLACES: readonly (readonly string[])[] = [
  ["plugins", CRI_IMAGES_PLUGIN],
  ["plugins", "io.containerd.grpc.v1.cri"],
  ["plugins", "io.containerd.grpc.v1.cri", "containerd"],
];

/**
 * The file that sets a key of CRI's images: of the configuration and its imports, the last one that has it.
 *
 * @param key as {@link CriBypass} has it: `registry.mirrors` is a table in a table
 * @returns undefined where no file that this user can read has it
 */
export function fileThatSets(containerd: Containerd, key: string): string | undefined {
  const files = configFiles(containerd.configPath, importsOf(containerd));
  return files.findLast((path) => {
    const document = documentOf(path);
    return document !== undefined && PLACES.some((place) => has(document, [...place, ...key.split(".")]));
  });
}

function documentOf(path: string): JsonObject | undefined {
  try {
    return parseToml(readFileSync(path, "utf8"));
  } catch {
    return undefined; // gone, a folder, or not for this user
  }
}

function has(document: JsonObject, [key = "", ...rest]: readonly string[]): boolean {
  const value = field(document, key);
  return rest.length === 0 ? value !== undefined : isJsonObject(value) && has(value, rest);
}
