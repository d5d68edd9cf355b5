import { parseDuration } from "../encoding/duration.ts";
import { field, isJsonObject, type JsonObject } from "../encoding/json.ts";
import { readToml, type TomlProblem } from "../encoding/toml.ts";

/** One host from which containerd pulls a registry's images: a mirror or the server itself. */
export interface RegistryHost {
  /** `https://HOST[:PORT]`, or `http://`; absent in the last entry if that is the registry's own host. */
  readonly origin?: string;
  /** Host and port as written in the file, including `:443`; containerd compares it with the name's host. */
  readonly authority?: string;
  /** Root of the distribution API: `/v2`, or with override_path the URL's own path. */
  readonly path: string;
  /** Whether content may be fetched from it: capability `pull`. */
  readonly pulls: boolean;
  /** Whether it may also say which digest a tag points to: capability `resolve` beside `pull`. */
  readonly resolves: boolean;
  /** Absolute paths of files with certificate authorities, in addition to the system's. */
  readonly ca: readonly string[];
  /** Absolute paths of certificates and keys, of which containerd uses one pair; the same path twice if one file has both. */
  readonly client: readonly { readonly cert: string; readonly key: string }[];
  /** Absent where the file does not set it. */
  readonly skipVerify?: boolean;
  /** Most milliseconds to connect; absent: no separate limit. */
  readonly dialTimeout?: number;
  readonly headers: Readonly<Record<string, string>>;
  /** An unsupported key that would change the request or its target. */
  readonly unsupported?: string;
}

/** The content of a hosts.toml. */
export interface HostsFile {
  /** The mirrors in the order of the file, then the server. */
  readonly hosts: readonly RegistryHost[];
  /** Unused keys, with their host. */
  readonly unused: readonly string[];
}

/** Hosts of one registry; stops a file from causing endless requests in every pull. */
const MAX_HOSTS = 16;
const API = "/v2";
/** RFC 9110 5.6.2, and values of visible characters, spaces and tabs. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\x20-\x7e\t]*$/;
/** `referrers` exists only in later versions of containerd. */
const CAPABILITIES: ReadonlySet<string> = new Set(["pull", "resolve", "push", "referrers"]);
const KEYS: ReadonlySet<string> = new Set([
  "capabilities",
  "ca",
  "client",
  "skip_verify",
  "header",
  "override_path",
  "dial_timeout",
]);
/**
 * Keys by which some versions of containerd ask for another repository (`rewrite`, in K3s and RKE2) or at another host
 * (`proxy`, `dial_addr`, in later versions). A host with one of them is not contacted: its answer would be useless.
 */
const REDIRECTING: readonly string[] = ["rewrite", "proxy", "dial_addr"];

/**
 * Reads containerd's hosts.toml (docs/hosts.md and core/remotes/docker/config/hosts.go of containerd). A value of the
 * wrong type makes the whole file unusable, as in containerd.
 *
 * @param folder of the file, for relative paths in it
 * @returns the content, or the line of a problem and its description
 */
export function readHostsToml(text: string, folder: string): HostsFile | TomlProblem {
  const read = readToml(text);
  if ("problem" in read) return read;
  const { document } = read;
  const table = field(document, "host");
  const problem = (found: string, name: string): TomlProblem => ({ line: lineOf(text, name), problem: found });
  if (table !== undefined && !isJsonObject(table)) return problem("host is not a table", "host");
  const hosts = Object.entries(table ?? {});
  if (hosts.length > MAX_HOSTS) return problem(`${hosts.length} hosts; at most ${MAX_HOSTS} are allowed`, "host");
  const all: RegistryHost[] = [];
  const unused: string[] = [];
  for (const [url, settings] of hosts) {
    if (!isJsonObject(settings)) return problem(`host."${url}" is not a table`, url);
    const host = readHost(url, settings, folder);
    if (typeof host === "string") return problem(`host."${url}": ${host}`, url);
    all.push(host);
    unused.push(...unusedKeys(settings, host).map((key) => `${key} of host."${url}"`));
  }
  const server = field(document, "server") ?? "";
  if (typeof server !== "string") return problem("server is not a string", "server");
  const { host: _hosts, server: _server, ...settings } = document;
  const last = readHost(server, settings, folder);
  if (typeof last === "string") return problem(`server: ${last}`, "server");
  return { hosts: [...all, last], unused: [...unused, ...unusedKeys(settings, last)] };
}

/** @returns a text where it is unusable, to end a sentence */
function readHost(url: string, settings: JsonObject, folder: string): RegistryHost | string {
  const overridesPath = field(settings, "override_path") ?? false;
  if (typeof overridesPath !== "boolean") return "override_path is neither true nor false";
  const where = readUrl(url, overridesPath);
  if (typeof where === "string") return where;
  const capabilities = readCapabilities(field(settings, "capabilities"));
  if (typeof capabilities === "string") return capabilities;
  const ca = texts(field(settings, "ca"));
  if (ca === undefined) return "ca is neither a path nor a list of paths";
  const client = readClient(field(settings, "client"), folder);
  if (typeof client === "string") return client;
  const headers = readHeaders(field(settings, "header"));
  if (typeof headers === "string") return headers;
  const skipVerify = field(settings, "skip_verify");
  if (skipVerify !== undefined && typeof skipVerify !== "boolean") return "skip_verify is neither true nor false";
  const dialTimeout = readDialTimeout(field(settings, "dial_timeout") ?? "");
  if (typeof dialTimeout === "string") return dialTimeout;
  // Without a server in the file, the registry itself is asked in any case.
  const mayAll = capabilities.length === 0 || url === "";
  const pulls = mayAll || capabilities.includes("pull");
  const unsupported = REDIRECTING.find((key) => field(settings, key) !== undefined);
  return {
    ...where,
    pulls,
    resolves: mayAll || (pulls && capabilities.includes("resolve")),
    ca: ca.map((path) => absolute(path, folder)),
    client,
    ...(skipVerify !== undefined && { skipVerify }),
    ...(dialTimeout !== undefined && { dialTimeout }),
    headers,
    ...(unsupported !== undefined && { unsupported }),
  };
}

function readUrl(text: string, overridesPath: boolean): Pick<RegistryHost, "origin" | "authority" | "path"> | string {
  if (text === "") return { path: API };
  const full = text.startsWith("http") ? text : `https://${text}`;
  const url = URL.canParse(full) ? new URL(full) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") {
    return "it is not the URL of a host, such as https://mirror.example.com";
  }
  const path = url.pathname.replace(/\/{2,}/g, "/").replace(/\/$/, "");
  const [, authority = ""] = /^https?:\/\/([^/?#]*)/.exec(full) ?? [];
  return { origin: url.origin, authority, path: overridesPath || path.endsWith(API) ? path : `${path}${API}` };
}

function readCapabilities(value: unknown): readonly string[] | string {
  const list = value === undefined || Array.isArray(value) ? texts(value) : undefined;
  if (list === undefined) return "capabilities is not a list of strings";
  const names = list.map((name) => name.toLowerCase());
  const unknown = names.find((name) => !CAPABILITIES.has(name));
  return unknown === undefined ? names : `"${unknown}" is not a capability; known are pull, resolve and push`;
}

/** A file with certificate and key, a list of such files, or a list of pairs. */
function readClient(value: unknown, folder: string): RegistryHost["client"] | string {
  const pairs: { cert: string; key: string }[] = [];
  for (const one of value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value]) {
    const [cert, key = "", ...more] = Array.isArray(one) ? (one as unknown[]) : [one, ""];
    if (
      typeof cert !== "string" ||
      typeof key !== "string" ||
      more.length > 0 ||
      (Array.isArray(one) && one.length < 2)
    )
      return "client is neither a path, nor a list of paths or pairs";
    pairs.push({ cert: absolute(cert, folder), key: absolute(key === "" ? cert : key, folder) });
  }
  return pairs;
}

function readHeaders(value: unknown): Readonly<Record<string, string>> | string {
  if (value === undefined) return {};
  if (!isJsonObject(value)) return "header is not a table";
  const headers: Record<string, string> = {};
  for (const [name, given] of Object.entries(value)) {
    const values = texts(given);
    if (values === undefined || !HEADER_NAME.test(name) || !values.every((text) => HEADER_VALUE.test(text))) {
      // Its value may be a secret.
      return `header "${name}" is not a name with a string or a list of strings`;
    }
    headers[name] = values.join(", ");
  }
  return headers;
}

/** @returns milliseconds; undefined for no limit; a text where it is not a duration in Go's syntax */
function readDialTimeout(value: unknown): number | string | undefined {
  // Go's durations have no days.
  const time = typeof value === "string" && !value.includes("d") ? parseDuration(value) : undefined;
  if (value !== "" && time === undefined) return 'dial_timeout is not a duration such as "200ms"';
  return time === 0 ? undefined : time;
}

/** Settings without effect: keys of other versions, misspelt keys, and certificates after the first. */
function unusedKeys(settings: JsonObject, { client, unsupported }: RegistryHost): readonly string[] {
  const keys = Object.keys(settings).filter((key) => !KEYS.has(key) && key !== unsupported);
  return client.length > 1 ? [...keys, `client after the first of ${client.length}`] : keys;
}

function texts(value: unknown): readonly string[] | undefined {
  const all = value === undefined ? [] : Array.isArray(value) ? (value as unknown[]) : [value];
  return all.every((text) => typeof text === "string") ? all : undefined;
}

function absolute(path: string, folder: string): string {
  return path.startsWith("/") ? path : `${folder}/${path}`;
}

/** Line of a name's first occurrence, for messages. */
function lineOf(text: string, name: string): number {
  const at = text.split("\n").findIndex((line) => line.includes(name));
  return Math.max(0, at) + 1;
}

/**
 * Names of the folders in which containerd looks for a host's hosts.toml, in this order.
 *
 * @param host as in the image's name, including `:443`
 */
export function hostFolders(host: string): readonly string[] {
  const colon = host.lastIndexOf(":");
  const named = colon > 0 ? [`${host.slice(0, colon)}_${host.slice(colon + 1)}_`] : [];
  return [...named, host, "_default"];
}
