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

/** One place where the images of a registry are asked for. */
export interface Endpoint {
  /** `https://HOST[:PORT]/v2`: what stands before `/REPOSITORY/…`. */
  readonly root: string;
  /** Whose credentials are sent there: a host as in an ImageReference, Docker Hub by its one name. */
  readonly host: string;
  /** Sent to a mirror as `ns`: the registry whose images are meant, as the image's name has it. */
  readonly namespace?: string;
  readonly tls?: HostTls;
  /** Most milliseconds for a connection to be established; absent: no limit of its own. */
  readonly dialTimeout?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The same by http, for a host that does not speak TLS. */
  readonly plain?: Endpoint;
  /** Why it is not asked; absent where it is. */
  readonly unusable?: string;
}

/** Mirrors and server of a registry. */
export interface Endpoints {
  /** In the order in which they are asked; the last is the registry itself. */
  readonly all: readonly [Endpoint, ...Endpoint[]];
  /** What of containerd's configuration is not used, and why, for the reason of a refusal. */
  readonly problems: readonly string[];
}

/** The part of an image's name that says where it is. */
export type RegistryName = Pick<ImageReference, "host" | "writtenHost">;

interface Context {
  readonly name: RegistryName;
  readonly config: Config;
  /** Of what is not used, which the reason of a refusal repeats. */
  readonly warn: Warn;
  /** Of a host that is not asked, of which the reason says so by itself. */
  readonly warnOnly: Warn;
}

const HUB_ORIGIN = "https://registry-1.docker.io";
const HOSTS_FILE = "hosts.toml";
/** Where nothing is said of the registry itself. */
const SERVER: RegistryHost = { path: "/v2", pulls: true, ca: [], client: [], headers: {} };

/**
 * Where containerd would ask for a registry's images (spec 3.1): by the hosts.toml of its certs.d, else the
 * registry itself.
 *
 * @param name of the image, attacker-controlled and canonical
 * @param warn of codes that begin with `hosts_toml.`
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

/** The first folder that there is; its host's own before that of all others. What cannot be looked at is not used. */
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
        break; // What is beside it cannot be looked at either, or would be used in the place of it.
      }
    }
  }
  return undefined;
}

/** @throws Error of the file system where that cannot be told, and where it is a link that leads nowhere */
function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT") && isAbsent(path)) return false;
    throw error;
  }
}

/** What a folder says of a host; as for containerd, certificates beside a hosts.toml that cannot be read count. */
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

/** Docker's older form: certificates beside no hosts.toml, by the endings of their names. */
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
    warn(unused(`${folder}: not used here: client certificates after the first of ${client.length}`));
  return { ...SERVER, ca: names.filter((name) => name.endsWith(".crt")).map((name) => `${folder}/${name}`), client };
}

/** None where it cannot be read: the registry itself is asked then (spec 3.1). */
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
    const message = `${entry.origin ?? writtenHost} is not asked: ${settings.unusable}`;
    warnOnly({ code: "hosts_toml.host_not_asked", message });
  }
  if (entry.origin === undefined) return overTls({ ...originOf(context), ...settings }, entry, context);
  // containerd's own documentation names the Hub so, by a host that serves no images.
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
 * As containerd does, a host of an http URL for which something is said of TLS is asked by https first: at another
 * port than http's own it may speak either.
 */
function overTls(endpoint: Endpoint, entry: RegistryHost, { config, warn }: Context): Endpoint {
  const url = new URL(endpoint.root);
  const saysTls = entry.ca.length > 0 || entry.client.length > 0 || entry.skipVerify !== undefined;
  if (url.protocol !== "http:" || !saysTls) return endpoint;
  if (url.port === "") {
    const message = `${url.origin} has settings of TLS in hosts.toml and is asked by http; if it speaks TLS, write https://`;
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
    return { unusable: `hosts.toml sets ${unsupported} for it, which is not supported here` };
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
