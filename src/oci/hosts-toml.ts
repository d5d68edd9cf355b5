import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { readToml, type TomlProblem } from "../encoding/toml.ts";

/** One host that containerd asks for the images of a registry: a mirror, or at last the server itself. */
export interface RegistryHost {
  /** `https://HOST[:PORT]`, or `http://`; absent in the last entry where the registry's own host is meant. */
  readonly origin?: string;
  /** Root of the distribution API: `/v2`, or with override_path whatever the URL says. */
  readonly path: string;
  /** Whether it may be asked for content; a host for pushing alone is not. */
  readonly pulls: boolean;
  /** Absolute paths of files with certificate authorities that count beside the system's. */
  readonly ca: readonly string[];
  /** Absolute paths of certificate and key; one file where both stand in it. */
  readonly client?: { readonly cert: string; readonly key: string };
  readonly skipVerify: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Hosts of one registry that are read; stops a file from having every pull ask without end. */
const MAX_HOSTS = 16;
const API = "/v2";
/** RFC 9110 5.6.2, and values of visible characters, spaces and tabs. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\x20-\x7e\t]*$/;

/**
 * Reads containerd's hosts.toml (docs/hosts.md of containerd): the mirrors in the order of the file, and at
 * the end the server. Keys that are not known here are passed over, as containerd does.
 *
 * @param folder in which the file lies, for relative paths in it
 * @returns or the line at which it cannot be read, and why
 */
export function readHostsToml(text: string, folder: string): readonly RegistryHost[] | TomlProblem {
  const read = readToml(text);
  if ("problem" in read) return read;
  const table = field(read.document, "host");
  const hosts = isJsonObject(table) ? Object.entries(table) : [];
  const problem = (found: string, name: string): TomlProblem => ({ line: lineOf(text, name), problem: found });
  if (hosts.length > MAX_HOSTS) return problem(`${hosts.length} hosts, at most ${MAX_HOSTS} are read`, "host");
  const all: RegistryHost[] = [];
  for (const [url, settings] of hosts) {
    if (!isJsonObject(settings)) return problem(`host."${url}" is no table`, url);
    const host = readHost(url, settings, folder);
    if (typeof host === "string") return problem(`host."${url}": ${host}`, url);
    all.push(host);
  }
  const server = field(read.document, "server");
  const last = readHost(typeof server === "string" ? server : "", read.document, folder);
  return typeof last === "string" ? problem(`server: ${last}`, "server") : [...all, last];
}

/** @returns what is wrong with it, as a sentence's end */
function readHost(url: string, settings: JsonObject, folder: string): RegistryHost | string {
  const where = readUrl(url, field(settings, "override_path") === true);
  if (typeof where === "string") return where;
  const capabilities = field(settings, "capabilities");
  const ca = texts(field(settings, "ca"));
  const client = readClient(field(settings, "client"), folder);
  const headers = readHeaders(field(settings, "header"));
  if (ca === undefined) return "ca is neither a path nor a list of paths";
  if (typeof client === "string") return client;
  if (typeof headers === "string") return headers;
  return {
    ...where,
    pulls: !Array.isArray(capabilities) || capabilities.length === 0 || capabilities.includes("pull"),
    ca: ca.map((path) => absolute(path, folder)),
    ...(client && { client }),
    skipVerify: field(settings, "skip_verify") === true,
    headers,
  };
}

function readUrl(text: string, overridesPath: boolean): Pick<RegistryHost, "origin" | "path"> | string {
  if (text === "") return { path: API };
  const full = text.startsWith("http") ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    return "it is no URL of a host, such as https://mirror.example.com";
  }
  const path = url.pathname.replace(/\/+$/, "");
  return { origin: url.origin, path: overridesPath || path.endsWith(API) ? path : `${path}${API}` };
}

/** A file with both, a list of such files, or a list of pairs; the first that is given counts here. */
function readClient(value: unknown, folder: string): RegistryHost["client"] | string {
  if (value === undefined) return undefined;
  const [first] = Array.isArray(value) ? (value as unknown[]) : [value];
  const pair = typeof first === "string" ? [first, first] : first;
  const [cert, key] = Array.isArray(pair) ? (pair as unknown[]) : [];
  if (typeof cert !== "string" || typeof key !== "string")
    return "client is neither a path, nor a list of paths or pairs";
  return { cert: absolute(cert, folder), key: absolute(key === "" ? cert : key, folder) };
}

function readHeaders(value: unknown): Readonly<Record<string, string>> | string {
  if (value === undefined) return {};
  if (!isJsonObject(value)) return "header is no table";
  const headers: Record<string, string> = {};
  for (const [name, given] of Object.entries(value)) {
    const values = texts(given);
    if (values === undefined || !HEADER_NAME.test(name) || !values.every((text) => HEADER_VALUE.test(text))) {
      // What it says may be a secret.
      return `header "${name}" is not a name with a text or a list of texts`;
    }
    headers[name] = values.join(", ");
  }
  return headers;
}

function texts(value: unknown): readonly string[] | undefined {
  const all = value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value];
  return all.every((text) => typeof text === "string") ? all : undefined;
}

function absolute(path: string, folder: string): string {
  return path.startsWith("/") ? path : `${folder}/${path}`;
}

/** Where a name stands first; for people. */
function lineOf(text: string, name: string): number {
  const at = text.split("\n").findIndex((line) => line.includes(name));
  return Math.max(0, at) + 1;
}

/** Names of the folders in which a host's hosts.toml is looked for, in this order. */
export function hostFolders(host: string): readonly string[] {
  const colon = host.lastIndexOf(":");
  const named = colon > 0 ? [`${host.slice(0, colon)}_${host.slice(colon + 1)}_`] : [];
  return [...named, host, "_default"];
}
