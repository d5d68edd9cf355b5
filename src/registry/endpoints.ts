import { existsSync, readdirSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { plainHttpHost } from "../config/network-allow.ts";
import type { HostTls } from "../net/exchange.ts";
import { parseHostPort } from "../oci/host.ts";
import { hostFolders, type RegistryHost, readHostsToml } from "../oci/hosts-toml.ts";
import { DOCKER_HUB } from "../oci/reference.ts";
import { readOwnFile } from "./own-file.ts";

/** One place where the images of a registry are asked for. */
export interface Endpoint {
  /** `https://HOST[:PORT]/v2`: what stands before `/REPOSITORY/…`. */
  readonly root: string;
  /** Whose credentials are sent there: a host as in an ImageReference, Docker Hub by its one name. */
  readonly host: string;
  /** A mirror is told whose images are meant. */
  readonly namespace?: string;
  readonly tls?: HostTls;
  readonly headers?: Readonly<Record<string, string>>;
  /** Why it is not asked; absent where it is. */
  readonly unusable?: string;
}

/** Mirrors and server of a registry. */
export interface Endpoints {
  /** In the order in which they are asked; the last is the registry itself. */
  readonly all: readonly [Endpoint, ...Endpoint[]];
  /** What is wrong with the file that names them, for the reason of a refusal. */
  readonly problem?: string;
}

const HUB_ORIGIN = "https://registry-1.docker.io";
const HOSTS_FILE = "hosts.toml";

/**
 * Where containerd would ask for a registry's images (spec 3.1): by the hosts.toml of its certs.d, else the
 * registry itself.
 *
 * @param host the image's, attacker-controlled and canonical
 * @param report told of files that are not used
 */
export function endpointsOf(host: string, config: Config, report: (warning: string) => void): Endpoints {
  const folder = folderOf(host, config.registryConfigPath);
  if (folder === undefined) return { all: [origin(host, config)] };
  const file = `${folder}/${HOSTS_FILE}`;
  const text = readOwnFile(file, "containerd's configuration of a registry", report);
  const hosts = text === undefined || text.trim() === "" ? [certificatesIn(folder)] : readHostsToml(text, folder);
  if ("problem" in hosts) {
    const problem = `${file}:${hosts.line}: ${hosts.problem}`;
    report(`${problem}; it is not used`);
    return { all: [origin(host, config)], problem };
  }
  const [server = { path: "/v2", pulls: true, ca: [], skipVerify: false, headers: {} }] = hosts.slice(-1);
  const mirrors = hosts.slice(0, -1).filter(({ pulls }) => pulls);
  const last = endpointOf(server, host, config, report);
  const [first, ...more] = mirrors.map((mirror) => endpointOf(mirror, host, config, report));
  return { all: first === undefined ? [last] : [first, ...more, last] };
}

/** The first folder that there is; its host's own before that of all others. */
function folderOf(host: string, roots: readonly string[]): string | undefined {
  return roots
    .flatMap((root) => hostFolders(host).map((name) => `${root}/${name}`))
    .find((folder) => existsSync(folder));
}

/** Docker's older form: certificates beside no hosts.toml, by the endings of their names. */
function certificatesIn(folder: string): RegistryHost {
  const names = readdirSync(folder).toSorted();
  const cert = names.find((name) => name.endsWith(".cert") && names.includes(name.replace(/cert$/, "key")));
  return {
    path: "/v2",
    pulls: true,
    ca: names.filter((name) => name.endsWith(".crt")).map((name) => `${folder}/${name}`),
    ...(cert && { client: { cert: `${folder}/${cert}`, key: `${folder}/${cert.replace(/cert$/, "key")}` } }),
    skipVerify: false,
    headers: {},
  };
}

function endpointOf(entry: RegistryHost, host: string, config: Config, report: (warning: string) => void): Endpoint {
  const own = origin(host, config);
  if (entry.origin === undefined) return { ...own, ...settingsOf(entry, report) };
  const url = new URL(entry.origin);
  const isHub = entry.origin === HUB_ORIGIN;
  const isMirror = entry.origin !== new URL(own.root).origin;
  return {
    root: `${entry.origin}${entry.path}`,
    host: isHub ? DOCKER_HUB : url.host,
    ...(isMirror && { namespace: host }),
    ...settingsOf(entry, report),
  };
}

function settingsOf(
  { ca, client, skipVerify, headers }: RegistryHost,
  report: (warning: string) => void,
): Pick<Endpoint, "tls" | "headers" | "unusable"> {
  const read = (path: string) => readOwnFile(path, "the certificate file", report);
  const authorities = ca.map(read);
  const own = client && { cert: read(client.cert), key: read(client.key) };
  const missing = ca.filter((_, i) => authorities[i] === undefined);
  if (own?.cert === undefined && client !== undefined) missing.push(client.cert);
  if (own?.key === undefined && client !== undefined) missing.push(client.key);
  if (missing.length > 0) return { unusable: `${missing.join(", ")}, which hosts.toml names, cannot be read` };
  const given = authorities.filter((text) => text !== undefined);
  const tls = {
    ...(given.length > 0 && { ca: given }),
    ...(own?.cert !== undefined && own.key !== undefined && { client: { cert: own.cert, key: own.key } }),
    ...(skipVerify && { skipVerify: true as const }),
  };
  return { ...(Object.keys(tls).length > 0 && { tls }), ...(Object.keys(headers).length > 0 && { headers }) };
}

/** The registry itself, by https unless the administrator lists it as http. */
function origin(host: string, { network }: Config): Endpoint {
  if (host === DOCKER_HUB) return { root: `${HUB_ORIGIN}/v2`, host };
  const parsed = parseHostPort(host);
  const plain = typeof parsed !== "string" && network.plainHttp.includes(plainHttpHost(parsed));
  return { root: `${plain ? "http" : "https"}://${host}/v2`, host };
}
