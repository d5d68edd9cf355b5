import { type Dirent, readdirSync, statSync } from "node:fs";
import type { Config } from "../../core/config/config.ts";
import { plainHttpHost } from "../../core/config/network-allow.ts";
import { parseHostPort } from "../../core/oci/host.ts";
import { type HostsFile, hostFolders, type RegistryHost, readHostsToml } from "../../core/oci/hosts-toml.ts";
import { DOCKER_HUB, type ImageReference } from "../../core/oci/reference.ts";
import type { Warn, Warning } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { isAbsent } from "../fs/local-file.ts";
import type { HostTls, PemFile } from "../net/exchange.ts";
import { readOwnFile } from "./own-file.ts";

/** A host that serves a registry's images. */
export interface Endpoint {
  /** `https://HOST[:PORT]/v2`: the URL before `/REPOSITORY/…`. */
  readonly root: string;
  /** Selects the credentials: a host as in an ImageReference; Docker Hub has one name. */
  readonly host: string;
  /** Sent to a mirror as `ns`: the registry host in the image's name. */
  readonly namespace?: string;
  readonly tls?: HostTls;
  /** Most milliseconds to connect; absent: no separate limit. */
  readonly dialTimeout?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The same endpoint by http, if the host turns out not to speak TLS. */
  readonly plain?: Endpoint;
  /** Why it is not contacted; absent where it is. */
  readonly unusable?: string;
}

/** Mirrors and server of a registry. */
export interface Endpoints {
  /** In the order of requests; the last is the registry itself. */
  readonly all: readonly [Endpoint, ...Endpoint[]];
  /** Unused parts of containerd's configuration, and why, for the reason of a refusal. */
  readonly problems: readonly string[];
}

/** The registry host in an image's name. */
export type RegistryName = Pick<ImageReference, "host" | "writtenHost">;

interface Context {
  readonly name: RegistryName;
  readonly config: Config;
  /** For unused settings, which the reason of a refusal repeats. */
  readonly warn: Warn;
  /** For hosts that are not contacted, which the reason names anyway. */
  readonly warnOnly: Warn;
}

const HUB_ORIGIN = "https://registry-1.docker.io";
const HOSTS_FILE = "hosts.toml";
/** The registry itself, without settings. */
const SERVER: RegistryHost = { path: "/v2", pulls: true, ca: [], client: [], headers: {} };

/**
 * The endpoints from which containerd would pull a registry's images (spec 3.1): those of its hosts.toml in certs.d,
 * else the registry itself.
 *
 * @param name of the image, attacker-controlled and canonical
 * @param warn receives warnings with codes `hosts_toml.*`
 */
export function endpointsOf(name: RegistryName, config: Config, warn: Warn): Endpoints {
  const problems: string[] = [];
  const note: Warn = (warning) => {
    problems.push(warning.message);
    warn(warning);
  };
  const context = { name, config, warn: note, warnOnly: warn };
  const folder = folderOf(name, config.registryConfigPath, note);
  const hosts = folder === undefined ? [] : hostsIn(folder, note);
  const last = endpointOf(hosts.at(-1) ?? SERVER, context);
  const mirrors = hosts.slice(0, -1).filter(({ pulls }) => pulls);
  const others = mirrors.map((mirror) => endpointOf(mirror, context)).filter(({ root }) => root !== last.root);
  const [first, ...more] = others;
  const all: Endpoints["all"] = first === undefined ? [last] : [first, ...more, last];
  return { all, problems };
}

/** The first folder that exists; the host's own before `_default`. An inaccessible one is not used. */
function folderOf(
  { host, writtenHost = host }: RegistryName,
  roots: readonly string[],
  warn: Warn,
): string | undefined {
  for (const root of roots) {
    for (const name of hostFolders(writtenHost)) {
      const folder = `${root}/${name}`;
      try {
        if (isThere(folder)) return folder;
      } catch (error) {
        warn(notUsed(folder, error));
        break; // The folders beside it are inaccessible too, or would wrongly replace it.
      }
    }
  }
  return undefined;
}

/** @throws Error of the file system, also for a dangling link */
function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT") && isAbsent(path)) return false;
    throw error;
  }
}

/** A folder's settings for a host. As in containerd, certificates beside an unreadable hosts.toml count. */
function hostsIn(folder: string, warn: Warn): HostsFile["hosts"] {
  const file = `${folder}/${HOSTS_FILE}`;
  const text = readOwnFile(file, "containerd's configuration of a registry", (problem) => warn(unusable(problem)));
  if (text === undefined || text === "") return [certificatesIn(folder, warn)];
  const read = readHostsToml(text, folder);
  if ("problem" in read) {
    warn(unusable(`${file}:${read.line}: ${read.problem}; it is not used`));
    return [certificatesIn(folder, warn)];
  }
  if (read.unused.length > 0) warn(unused(`${file}: not used here: ${read.unused.join(", ")}`));
  return read.hosts;
}

/** Docker's older form: certificates without a hosts.toml, recognised by file extension. */
function certificatesIn(folder: string, warn: Warn): RegistryHost {
  const names = entriesOf(folder, warn)
    .flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]))
    .toSorted();
  const client = names
    .filter((name) => name.endsWith(".cert"))
    .map((name) => {
      const key = name.replace(/cert$/, "key");
      return { cert: `${folder}/${name}`, key: `${folder}/${names.includes(key) ? key : name}` };
    });
  if (client.length > 1)
    warn(unused(`${folder}: not used here: all ${client.length} client certificates but the first`));
  return { ...SERVER, ca: names.filter((name) => name.endsWith(".crt")).map((name) => `${folder}/${name}`), client };
}

/** Empty where it cannot be read: then only the registry itself is asked (spec 3.1). */
function entriesOf(folder: string, warn: Warn): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    warn(notUsed(folder, error));
    return [];
  }
}

function endpointOf(entry: RegistryHost, context: Context): Endpoint {
  const { name, warn, warnOnly } = context;
  const { host, writtenHost = host } = name;
  const settings = settingsOf(entry, warn);
  if (settings.unusable !== undefined) {
    const message = `${entry.origin ?? writtenHost} is not contacted: ${settings.unusable}`;
    warnOnly({ code: "hosts_toml.host_not_asked", message });
  }
  if (entry.origin === undefined) return overTls({ ...originOf(context), ...settings }, entry, context);
  // containerd's documentation uses this name for the Hub, though that host serves no images.
  const isHub = entry.origin === HUB_ORIGIN || entry.origin === `https://${DOCKER_HUB}`;
  const origin = isHub ? HUB_ORIGIN : entry.origin;
  const isMirror = host === DOCKER_HUB ? !isHub : entry.authority !== writtenHost;
  const endpoint = {
    root: `${origin}${entry.path}`,
    host: isHub ? DOCKER_HUB : new URL(entry.origin).host,
    ...(isMirror && { namespace: writtenHost }),
    ...settings,
  };
  return overTls(endpoint, entry, context);
}

/**
 * As in containerd, a host with an http URL and TLS settings is asked by https first: on a port other than 80 it may
 * speak either.
 */
function overTls(endpoint: Endpoint, entry: RegistryHost, { config, warn }: Context): Endpoint {
  const url = new URL(endpoint.root);
  const saysTls = entry.ca.length > 0 || entry.client.length > 0 || entry.skipVerify !== undefined;
  if (url.protocol !== "http:" || !saysTls) return endpoint;
  if (url.port === "") {
    const message = `${url.origin} has TLS settings in hosts.toml but is contacted by http; if it speaks TLS, write https://`;
    warn(unused(message));
    return endpoint;
  }
  const root = endpoint.root.replace(/^http:/, "https:");
  const mayBePlain = config.network.plainHttp.includes(url.host);
  return { ...endpoint, root, ...(mayBePlain && { plain: endpoint }) };
}

function settingsOf(
  { ca, client, skipVerify, headers, dialTimeout, pulls, unsupported }: RegistryHost,
  warn: Warn,
): Omit<Endpoint, "root" | "host" | "namespace" | "plain"> {
  if (unsupported !== undefined)
    return { unusable: `hosts.toml sets ${unsupported} for it, which atcr-verify does not support` };
  if (!pulls) return { unusable: "hosts.toml does not give it the capability pull" };
  const read = (path: string) => readOwnFile(path, "the certificate file", (problem) => warn(unusable(problem)));
  const [pair] = client;
  const authorities = ca.map(read);
  const own = pair && { cert: read(pair.cert), key: read(pair.key) };
  const missing = ca.filter((_, i) => authorities[i] === undefined);
  if (pair !== undefined && own?.cert === undefined) missing.push(pair.cert);
  if (pair !== undefined && own?.key === undefined) missing.push(pair.key);
  if (missing.length > 0) return { unusable: `${missing.join(", ")}, which hosts.toml names, cannot be read` };
  const given = ca.flatMap((path, i): PemFile[] => {
    const text = authorities[i];
    return text === undefined ? [] : [{ path, text }];
  });
  const tls = {
    ...(given.length > 0 && { ca: given }),
    ...(own?.cert !== undefined && own.key !== undefined && { client: { cert: own.cert, key: own.key } }),
    ...(skipVerify === true && { skipVerify }),
  };
  return {
    ...(Object.keys(tls).length > 0 && { tls }),
    ...(dialTimeout !== undefined && { dialTimeout }),
    ...(Object.keys(headers).length > 0 && { headers }),
  };
}

/** The registry itself, by https unless the administrator lists it as http. */
function originOf({ name: { host, writtenHost = host }, config: { network } }: Context): Endpoint {
  if (host === DOCKER_HUB) return { root: `${HUB_ORIGIN}/v2`, host };
  const parsed = parseHostPort(writtenHost);
  const plain = typeof parsed !== "string" && network.plainHttp.includes(plainHttpHost(parsed));
  return { root: `${plain ? "http" : "https"}://${host}/v2`, host };
}

function notUsed(folder: string, error: unknown): Warning {
  return unusable(`${folder} is not used: ${(error as Error).message}`);
}

function unusable(message: string): Warning {
  return { code: "hosts_toml.unusable", message };
}

function unused(message: string): Warning {
  return { code: "hosts_toml.unused", message };
}
