import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isJsonObject, type JsonObject } from "../../core/encoding/json.ts";
import { YamlFile } from "../../core/encoding/yaml.ts";
import { Rejection } from "../../core/rejection.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import { readPossiblyUntrustedFile } from "../../io/fs/local-file.ts";

/** What a file of registries.d says of a host or of repositories below it (containers-registries.d(5)). */
export interface Namespace {
  /** `HOST[/PATH]`, or "" for the default. */
  readonly name: string;
  readonly file: string;
  readonly line: number;
  /** Where signatures are read; the older key `sigstore` means the same. */
  readonly lookaside?: string;
  readonly attachments?: boolean;
}

export interface RegistriesD {
  readonly namespaces: readonly Namespace[];
  /** Why files could not be read, each with its name. */
  readonly unread: readonly string[];
}

/** Name of the file that `enable` writes. */
export const OWN_FILE = "atcr-verify.yaml";
/** Files of a folder that are read; a node has a few. */
const MAX_FILES = 1000;

/** @param base URL of the lookaside responder, without a path */
export function registriesText(hosts: readonly string[], base: string): string {
  const lines = hosts.map(
    (host) => `  "${host}":\n    lookaside: "${base}/${host}"\n    use-sigstore-attachments: false\n`,
  );
  return `# Written by: atcr-verify enable --containers. Taken back by: atcr-verify disable --containers.\ndocker:\n${lines.join("")}`;
}

/** Reads a folder like /etc/containers/registries.d. Never throws for what is in it; a missing folder is empty. */
export function readRegistriesD(folder: string): RegistriesD {
  let names: readonly string[];
  try {
    names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  } catch (error) {
    const unread = hasCode(error, "ENOENT") ? [] : [`${folder}: ${(error as Error).message}`];
    return { namespaces: [], unread };
  }
  const [namespaces, unread]: [Namespace[], string[]] = [[], []];
  if (names.length > MAX_FILES) unread.push(`${folder}: ${names.length} files, of which ${MAX_FILES} are read`);
  for (const name of names.slice(0, MAX_FILES).toSorted()) {
    const path = join(folder, name);
    try {
      const file = { path, code: "config.invalid", what: "the file" } as const;
      namespaces.push(...namespacesOf(readPossiblyUntrustedFile(file, () => {}) ?? "", path));
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      unread.push(error.message);
    }
  }
  return { namespaces, unread };
}

/** @throws Rejection config.invalid for a file that cannot be understood */
export function namespacesOf(text: string, path: string): readonly Namespace[] {
  const file = new YamlFile(text, path, "config.invalid");
  if (file.value === undefined || file.value === null) return [];
  if (!isJsonObject(file.value)) return file.fail({ path: [], expected: "a map" });
  const of = (at: readonly string[], name: string, value: unknown): Namespace => {
    const settings = value ?? {};
    if (!isJsonObject(settings)) return file.fail({ path: at, expected: "a map" });
    const lookaside = textOf(settings, "lookaside") ?? textOf(settings, "sigstore");
    const attachments = settings["use-sigstore-attachments"];
    return {
      name,
      file: path,
      line: file.lineOf({ path: at, isKey: true }),
      ...(lookaside !== undefined && { lookaside }),
      ...(typeof attachments === "boolean" && { attachments }),
    };
  };
  const docker = file.value["docker"] ?? {};
  if (!isJsonObject(docker)) return file.fail({ path: ["docker"], expected: "a map" });
  const ofAll = file.value["default-docker"];
  return [
    ...(isJsonObject(ofAll) ? [of(["default-docker"], "", ofAll)] : []),
    ...Object.entries(docker).map(([name, value]) => of(["docker", name], name, value)),
  ];
}

function textOf(settings: JsonObject, key: string): string | undefined {
  const value = settings[key];
  return typeof value === "string" && value !== "" ? value : undefined;
}
