import { parseDuration } from "../encoding/duration.ts";
import { YamlFile, type YamlPath } from "../encoding/yaml.ts";
import { parseHostPort, parseRegistryHost } from "../oci/host.ts";
import { checkShape } from "../policy/shape.ts";
import { type NetworkAllow, NOTHING_ALLOWED, parseNetworkEntry, plainHttpHost } from "./network-allow.ts";
import { CONFIG_SHAPE, type ConfigShape, UNSUPPORTED_CONFIG_KEYS } from "./schema.ts";

/** How this node verifies; whom it trusts is the policy's. Spans of time are milliseconds. */
export interface Config {
  /** Absolute path. */
  readonly trustPolicyPath: string;
  /** Absolute path of the folder that holds what must outlive every pull (spec, "What a node remembers"). */
  readonly stateDir: string;
  /** Absolute path of the folder that holds what may be deleted at any time. */
  readonly cacheDir: string;
  /** Most time from the start of the process to its answer. */
  readonly deadline: number;
  /** Most time for one exchange with a directory or the host of a did:web, cut to what is left of the deadline. */
  readonly didResolverTimeout: number;
  readonly pdsTimeout: number;
  readonly registryTimeout: number;
  /** Origins, asked in this order: `https://host[:port]`, `http://` only where network.allow lists it so. */
  readonly plcDirectories: readonly string[];
  /** Hosts as in an ImageReference, where paths are `HANDLE/REPOSITORY` (spec 5.6). */
  readonly atcrHosts: readonly string[];
  readonly network: NetworkAllow;
}

const SECOND = 1000;

/** What holds without a configuration file. */
export const DEFAULT_CONFIG: Config = {
  trustPolicyPath: "/etc/atcr-verify/trust-policy.yaml",
  stateDir: "/var/lib/atcr-verify",
  cacheDir: "/var/cache/atcr-verify",
  deadline: 8 * SECOND,
  didResolverTimeout: 5 * SECOND,
  pdsTimeout: 5 * SECOND,
  registryTimeout: 5 * SECOND,
  plcDirectories: ["https://plc.directory"],
  atcrHosts: ["atcr.io"],
  network: NOTHING_ALLOWED,
};

/** Less is over before the program has started; more is longer than containerd will wait for it. */
const DEADLINE_RANGE = { min: SECOND, max: 60 * SECOND, words: "a duration from 1s to 60s" };
const TIMEOUT_RANGE = { min: 100, max: 60 * SECOND, words: "a duration from 100ms to 60s" };

/**
 * Reads a configuration, strictly: an unknown key, or one that this version would have to ignore, is
 * an error. An empty file, like an absent one, means {@link DEFAULT_CONFIG}.
 *
 * @param text the file's content
 * @param fileName for messages, which read `FILE:LINE:COLUMN: KEY.PATH: found X, expected Y; what to do`
 * @throws Rejection config.invalid
 */
export function parseConfig(text: string, fileName: string): Config {
  const file = new YamlFile(text, fileName, "config.invalid");
  if (file.value === undefined || file.value === null) return DEFAULT_CONFIG;
  const shape = checkShape(file, CONFIG_SHAPE, UNSUPPORTED_CONFIG_KEYS);
  const network = readNetworkAllow(file, shape.network?.allow ?? []);
  return {
    trustPolicyPath: readPath(file, shape, "trustPolicyPath"),
    stateDir: readPath(file, shape, "stateDir"),
    cacheDir: readPath(file, shape, "cacheDir"),
    deadline: readSpan(file, shape, "deadline", DEADLINE_RANGE),
    didResolverTimeout: readSpan(file, shape, "didResolverTimeout", TIMEOUT_RANGE),
    pdsTimeout: readSpan(file, shape, "pdsTimeout", TIMEOUT_RANGE),
    registryTimeout: readSpan(file, shape, "registryTimeout", TIMEOUT_RANGE),
    plcDirectories: readDirectories(file, shape, network),
    atcrHosts: readAtcrHosts(file, shape),
    network,
  };
}

function readPath(file: YamlFile, shape: ConfigShape, key: "trustPolicyPath" | "stateDir" | "cacheDir"): string {
  const path = shape[key];
  if (path === undefined) return DEFAULT_CONFIG[key];
  if (!path.startsWith("/") || path.includes("\0")) {
    const advice = "containerd starts this program in a folder of its own choice";
    file.fail({ path: [key], expected: "an absolute path", advice });
  }
  return path;
}

type SpanKey = "deadline" | "didResolverTimeout" | "pdsTimeout" | "registryTimeout";

function readSpan(file: YamlFile, shape: ConfigShape, key: SpanKey, range: typeof DEADLINE_RANGE): number {
  const text = shape[key];
  if (text === undefined) return DEFAULT_CONFIG[key];
  const span = parseDuration(text);
  if (span === undefined || span < range.min || span > range.max) file.fail({ path: [key], expected: range.words });
  return span;
}

function readNetworkAllow(file: YamlFile, texts: readonly string[]): NetworkAllow {
  const entries = texts.map((text, i) => {
    const entry = parseNetworkEntry(text);
    if (entry.kind === "wrong") file.fail({ path: ["network", "allow", i], expected: entry.expected });
    return entry;
  });
  return {
    cidrs: entries.flatMap((entry) => (entry.kind === "cidr" ? [entry.cidr] : [])),
    hosts: entries.flatMap((entry) => (entry.kind === "cidr" ? [] : [entry.host])),
    plainHttp: entries.flatMap((entry) => (entry.kind === "plainHttp" ? [entry.host] : [])),
  };
}

function readDirectories(file: YamlFile, { plcDirectories }: ConfigShape, network: NetworkAllow): readonly string[] {
  if (plcDirectories === undefined) return DEFAULT_CONFIG.plcDirectories;
  refuseDuplicates(file, plcDirectories, ["plcDirectories"]);
  for (const [i, text] of plcDirectories.entries()) checkDirectory(file, text, network, ["plcDirectories", i]);
  return plcDirectories;
}

function checkDirectory(file: YamlFile, text: string, network: NetworkAllow, path: YamlPath): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" && url?.protocol !== "http:") {
    file.fail({ path, expected: "an origin such as https://plc.directory" });
  }
  if (url.origin !== text) file.fail({ path, expected: `an origin without path and in canonical form: ${url.origin}` });
  if (url.protocol === "https:") return;
  const host = parseHostPort(url.host);
  if (typeof host === "string" || !network.plainHttp.includes(plainHttpHost(host))) {
    const advice = `if plain http is meant, list ${url.origin} under network.allow`;
    file.fail({ path, expected: "a directory by https", advice });
  }
}

function readAtcrHosts(file: YamlFile, { atcrHosts }: ConfigShape): readonly string[] {
  if (atcrHosts === undefined) return DEFAULT_CONFIG.atcrHosts;
  const hosts = atcrHosts.map((text, i) => {
    const parsed = parseRegistryHost(text);
    if (typeof parsed === "string") file.fail({ path: ["atcrHosts", i], expected: parsed });
    return parsed.host;
  });
  refuseDuplicates(file, hosts, ["atcrHosts"]);
  return hosts;
}

function refuseDuplicates(file: YamlFile, texts: readonly string[], path: YamlPath): void {
  const index = texts.findIndex((text, i) => texts.indexOf(text) !== i);
  if (index >= 0) file.fail({ path: [...path, index], expected: "each entry once" });
}
