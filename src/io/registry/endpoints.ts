import type { Config } from "../../core/config/config.ts";
import { plainHttpHost } from "../../core/config/network-allow.ts";
import { parseHostPort } from "../../core/oci/host.ts";
import type { RegistryHost } from "../../core/oci/hosts-toml.ts";
import { DOCKER_HUB } from "../../core/oci/reference.ts";
import type { Warn } from "../../core/warning.ts";
import type { HostTls, PemFile } from "../net/exchange.ts";
import { folderOf, hostsIn, isForAnyHost, OWN_HOST, type RegistryName, unusable, unused } from "./certs-folder.ts";
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
  /** The entry of network.allow that would let it be asked by http; absent where it is listed, or where none would. */
  readonly httpEntry?: string;
  /** Why it is not contacted; absent where it is. */
  readonly unusable?: string;
  /** Set where containerd does not ask it which digest a tag points to. */
  readonly isForDigestsOnly?: true;
  /** Set where it may be at a private address only if network.allow lists it, with why. */
  readonly mustBePublic?: Exclude<PrivateRegistry, "any">;
}

/** Mirrors and server of a registry. */
export interface Endpoints {
  /** In the order of requests; the last is the registry itself. */
  readonly all: readonly [Endpoint, ...Endpoint[]];
  /** Unused parts of containerd's configuration, and why, for the reason of a refusal. */
  readonly problems: readonly string[];
}

/**
 * Which registries may be at a private address that network.allow does not list. It depends on who may have written the
 * image's name, and so chooses a host that this program asks:
 * - `any`: only somebody whose own request goes to the same registry: containerd, a person at the command line;
 * - `named by settings`: the author of a file, such as one in a pull request. The registry itself is asked if it has its own
 *   folder in certs.d, or credentials;
 * - `network.allow`: any program of this machine or network that sends a request. None is asked, mirrors included.
 */
export type PrivateRegistry = "any" | "named by settings" | "network.allow";

/** What decides whether a registry may be at a private address. */
export interface PrivateAccess {
  readonly privateRegistry: PrivateRegistry;
  /** Whether this node has credentials for the host. */
  readonly hasCredentials: (host: string) => boolean;
}

interface Context {
  readonly name: RegistryName;
  readonly access: PrivateRegistry;
  /** Whether this node's settings name the registry itself. */
  readonly isKnown: boolean;
  readonly config: Config;
  /** For unused settings, which the reason of a refusal repeats. */
  readonly warn: Warn;
  /** For hosts that are not contacted, which the reason names anyway. */
  readonly warnOnly: Warn;
}

const HUB_ORIGIN = "https://registry-1.docker.io";

/**
 * The endpoints from which containerd would pull a registry's images (spec 3.1): those of its hosts.toml in certs.d,
 * else the registry itself.
 *
 * @param name of the image, attacker-controlled and canonical
 * @param warn receives warnings with codes `hosts_toml.*`
 */
export function endpointsOf(
  name: RegistryName,
  config: Config,
  warn: Warn,
  { privateRegistry: access, hasCredentials }: PrivateAccess,
): Endpoints {
  const problems: string[] = [];
  const note: Warn = (warning) => {
    problems.push(warning.message);
    warn(warning);
  };
  const folder = folderOf(name, config.registryConfigPath, note);
  const hasOwnFolder = folder !== undefined && !isForAnyHost(folder);
  const isKnown = access === "named by settings" && (hasOwnFolder || hasCredentials(name.host));
  const context = { name, access, isKnown, config, warn: note, warnOnly: warn };
  const hosts = folder === undefined ? [] : hostsIn(folder, note);
  const last = endpointOf(hosts.at(-1) ?? OWN_HOST, context);
  const mirrors = hosts.slice(0, -1).filter(({ pulls }) => pulls);
  const others = mirrors.map((mirror) => endpointOf(mirror, context)).filter(({ root }) => root !== last.root);
  const [first, ...more] = others;
  const all: Endpoints["all"] = first === undefined ? [last] : [first, ...more, last];
  return { all, problems };
}

function endpointOf(entry: RegistryHost, context: Context): Endpoint {
  const { name, warn, warnOnly } = context;
  const { host, writtenHost = host } = name;
  const settings = settingsOf(entry, warn);
  if (settings.unusable !== undefined) {
    const message = `${entry.origin ?? writtenHost} is not contacted: ${settings.unusable}`;
    warnOnly({ code: "hosts_toml.host_not_asked", message });
  }
  if (entry.origin === undefined) {
    return overTls({ ...originOf(context), ...settings, ...boundOf(context) }, entry, context);
  }
  // containerd's documentation uses this name for the Hub, though that host serves no images.
  const isHub = entry.origin === HUB_ORIGIN || entry.origin === `https://${DOCKER_HUB}`;
  const origin = isHub ? HUB_ORIGIN : entry.origin;
  const isMirror = host === DOCKER_HUB ? !isHub : entry.authority !== writtenHost;
  const endpoint = {
    root: `${origin}${entry.path}`,
    host: isHub ? DOCKER_HUB : new URL(entry.origin).host,
    ...(isMirror && { namespace: writtenHost }),
    ...settings,
    // The administrator named it in hosts.toml.
    ...(context.access === "network.allow" && boundOf(context)),
  };
  return overTls(endpoint, entry, context);
}

function boundOf({ access, isKnown }: Context): Pick<Endpoint, "mustBePublic"> {
  return access === "any" || isKnown ? {} : { mustBePublic: access };
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
  return { ...endpoint, root, ...(mayBePlain ? { plain: endpoint } : { httpEntry: `http://${url.host}` }) };
}

function settingsOf(
  { ca, client, skipVerify, headers, dialTimeout, pulls, resolves, unsupported }: RegistryHost,
  warn: Warn,
): Omit<Endpoint, "root" | "host" | "namespace" | "plain" | "mustBePublic"> {
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
    ...(!resolves && { isForDigestsOnly: true }),
  };
}

/** The registry itself, by https unless the administrator lists it as http. */
function originOf({ name: { host, writtenHost = host }, config: { network } }: Context): Endpoint {
  if (host === DOCKER_HUB) return { root: `${HUB_ORIGIN}/v2`, host };
  const parsed = parseHostPort(writtenHost);
  const plain = typeof parsed !== "string" && network.plainHttp.includes(plainHttpHost(parsed));
  if (plain) return { root: `http://${host}/v2`, host };
  return { root: `https://${host}/v2`, host, httpEntry: `http://${writtenHost}` };
}
