import { join } from "node:path";
import { field, isJsonObject, type JsonObject } from "../../core/encoding/json.ts";
import { readToml } from "../../core/encoding/toml.ts";
import { Rejection } from "../../core/rejection.ts";
import { readPossiblyUntrustedFile } from "../../io/fs/local-file.ts";
import { namesIn } from "./overriding-files.ts";

/** Where images of a registry are pulled from instead (containers-registries.conf(5)). */
export interface RegistryEndpoint {
  /** `HOST[/PATH]`, or `*.DOMAIN`, of the names that are pulled. */
  readonly prefix: string;
  /** `HOST[/PATH]` that is asked, also for where its signatures are. */
  readonly location: string;
  readonly file: string;
}

/** Endpoints other than the registry itself. Files that cannot be read are left to containers/image, which refuses every pull then. */
export function registryEndpoints(folder: string): readonly RegistryEndpoint[] {
  const dropIns = join(folder, "registries.conf.d");
  const files = [join(folder, "registries.conf"), ...namesIn(dropIns, ".conf").map((name) => join(dropIns, name))];
  return files.flatMap((file) => tablesOf(file, "registry").flatMap((registry) => endpointsOf(registry, file)));
}

/** Whether names of the host begin with the prefix. */
export function isOfHost(prefix: string, host: string): boolean {
  if (prefix.startsWith("*.")) return host.replace(/:\d+$/, "").endsWith(prefix.slice(1));
  return prefix === host || prefix.startsWith(`${host}/`);
}

function endpointsOf(registry: JsonObject, file: string): readonly RegistryEndpoint[] {
  const location = textOf(registry, "location") ?? "";
  const prefix = textOf(registry, "prefix") ?? location;
  const mirrors = tablesIn(registry, "mirror").map((mirror) => textOf(mirror, "location") ?? "");
  return [location, ...mirrors]
    .filter((one) => one !== "" && one !== prefix)
    .map((one) => ({ prefix, location: one, file }));
}

function tablesOf(path: string, key: string): readonly JsonObject[] {
  try {
    const text = readPossiblyUntrustedFile({ path, code: "config.invalid", what: "the file" }, () => {});
    const read = readToml(text ?? "");
    return "problem" in read ? [] : tablesIn(read.document, key);
  } catch (error) {
    if (error instanceof Rejection) return [];
    throw error;
  }
}

function tablesIn(table: JsonObject, key: string): readonly JsonObject[] {
  const tables = field(table, key);
  return Array.isArray(tables) ? tables.filter(isJsonObject) : [];
}

function textOf(table: JsonObject, key: string): string | undefined {
  const value = field(table, key);
  return typeof value === "string" && value !== "" ? value : undefined;
}
