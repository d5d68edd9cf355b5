import { parseDuration } from "../encoding/duration.ts";
import { type FoundMistakes, Mistakes } from "../encoding/mistakes.ts";
import { YamlFile, type YamlPath } from "../encoding/yaml.ts";
import { openInSpite } from "../encoding/yaml-repair.ts";
import { parseHostPort, parseRegistryHost } from "../oci/host.ts";
import { checkWholeShape } from "../policy/shape-mistakes.ts";
import { type Config, DEFAULT_CONFIG, type DecisionLog, JOURNAL_SOCKET, type RegistryCredentials } from "./config.ts";
import { CONFIG_SHAPE, type ConfigShape } from "./config-schema.ts";
import { readLookaside } from "./lookaside-settings.ts";
import { type NetworkAllow, parseNetworkEntry, plainHttpHost } from "./network-allow.ts";
import { readProxy } from "./proxy-settings.ts";
import { readServer } from "./read-server.ts";
import { serverSubstitute } from "./server-schema.ts";

const SECOND = 1000;
/** Less would pass before the program has started; more is longer than containerd waits for it. */
const DEADLINE_RANGE = { min: SECOND, max: 60 * SECOND, words: "a duration from 1s to 60s" };
const TIMEOUT_RANGE = { min: 100, max: 60 * SECOND, words: "a duration from 100ms to 60s" };
/** A record that its signer has deleted still counts for this long at most. */
const TTL_RANGE = { min: SECOND, max: 24 * 3600 * SECOND, words: "a duration from 1s to 24h" };

/**
 * Reads a configuration, strictly: an unknown key is an error. An empty file, like an absent one, means {@link DEFAULT_CONFIG}.
 *
 * @param text the file's content
 * @param fileName for messages, which read `FILE:LINE:COLUMN: KEY.PATH: found X, expected Y; what to do`
 * @throws Rejection config.invalid
 */
export function parseConfig(text: string, fileName: string): Config {
  return readFile(new YamlFile(text, fileName, "config.invalid"));
}

/**
 * Finds all mistakes in a configuration, at most MAX_MISTAKES of them, for the command that reports them.
 *
 * @returns none exactly where {@link parseConfig} throws nothing
 */
export function mistakesInConfig(text: string, fileName: string): FoundMistakes {
  const mistakes = new Mistakes();
  const file = openInSpite(text, fileName, "config.invalid", mistakes);
  if (file !== undefined) mistakes.attempt(undefined, () => void readFile(file));
  return mistakes.found([fileName]);
}

function readFile(file: YamlFile): Config {
  if (file.value === undefined || file.value === null) return DEFAULT_CONFIG;
  const shape = checkWholeShape(file, CONFIG_SHAPE, undefined, serverSubstitute);
  const network = readNetworkAllow(file, shape.network?.allow ?? []);
  return {
    trustPolicyPath: readPath(file, shape, "trustPolicyPath"),
    stateDir: readPath(file, shape, "stateDir"),
    cacheDir: readPath(file, shape, "cacheDir"),
    cacheEnabled: shape.cacheEnabled ?? DEFAULT_CONFIG.cacheEnabled,
    cacheTTL: readSpan(file, shape, "cacheTTL", TTL_RANGE),
    offline: shape.offline ?? DEFAULT_CONFIG.offline,
    bundleDir: readPath(file, shape, "bundleDir"),
    bundleKeys: readPaths(file, shape.bundleKeys ?? [], ["bundleKeys"]),
    deadline: readSpan(file, shape, "deadline", DEADLINE_RANGE),
    didResolverTimeout: readSpan(file, shape, "didResolverTimeout", TIMEOUT_RANGE),
    pdsTimeout: readSpan(file, shape, "pdsTimeout", TIMEOUT_RANGE),
    registryTimeout: readSpan(file, shape, "registryTimeout", TIMEOUT_RANGE),
    plcDirectories: readDirectories(file, shape, network),
    atcrHosts: readAtcrHosts(file, shape),
    network,
    skipVerify: readHosts(file, shape.network?.skipVerify ?? [], ["network", "skipVerify"]),
    caFiles: readPaths(file, shape.network?.caFiles ?? [], ["network", "caFiles"]),
    ...readProxy(file, shape.network?.proxy),
    registryConfigPath: readFolders(file, shape),
    registryCredentials: readCredentials(file, shape),
    decisionLog: readDecisionLog(file, shape),
    ...readMetricsFile(file, shape),
    lookaside: readLookaside(file, shape),
    ...readServer(file, shape.server),
  };
}

type PathKey = "trustPolicyPath" | "stateDir" | "cacheDir" | "bundleDir";

function readPath(file: YamlFile, shape: ConfigShape, key: PathKey): string {
  const path = shape[key];
  return path === undefined ? DEFAULT_CONFIG[key] : absolute(file, path, [key]);
}

function absolute(file: YamlFile, text: string, path: YamlPath, expected = "an absolute path"): string {
  if (text.startsWith("/") && !text.includes("\0")) return text;
  const advice = "containerd starts this program in an arbitrary working directory";
  return file.attempt(text, () => file.fail({ path, expected, advice }));
}

function readDecisionLog(file: YamlFile, { decisionLog: text }: ConfigShape): DecisionLog {
  const path = ["decisionLog"];
  if (text === undefined) return DEFAULT_CONFIG.decisionLog;
  if (text === "none") return { kind: "none" };
  if (text === "journald") return { kind: "journald", socket: JOURNAL_SOCKET };
  const socket = /^journald:(.*)$/s.exec(text)?.[1];
  if (socket !== undefined)
    return { kind: "journald", socket: absolute(file, socket, path, "journald: and the absolute path of its socket") };
  const expected = "the absolute path of a file, journald, journald:SOCKET or none";
  return { kind: "file", path: absolute(file, text, path, expected), isNeeded: true };
}

/** node_exporter reads only files named *.prom. */
function readMetricsFile(file: YamlFile, { metricsFile }: ConfigShape): Pick<Config, "metricsFile"> {
  if (metricsFile === undefined) return {};
  const path = ["metricsFile"];
  file.attempt(undefined, () => {
    if (!metricsFile.endsWith(".prom")) file.fail({ path, expected: "a file that ends in .prom" });
  });
  return { metricsFile: absolute(file, metricsFile, path) };
}

function readPaths(file: YamlFile, texts: readonly string[], path: YamlPath): readonly string[] {
  refuseDuplicates(file, texts, path);
  return texts.map((text, i) => absolute(file, text, [...path, i]));
}

/** Like containerd's config_path: several folders, separated by colons. */
function readFolders(file: YamlFile, { registryConfigPath }: ConfigShape): readonly string[] {
  if (registryConfigPath === undefined) return DEFAULT_CONFIG.registryConfigPath;
  const path = ["registryConfigPath"];
  const folders = registryConfigPath.split(":").map((folder) => absolute(file, folder, path));
  file.attempt(undefined, () => {
    if (new Set(folders).size !== folders.length) file.fail({ path, expected: "each folder once" });
  });
  return folders;
}

function readHosts(file: YamlFile, texts: readonly string[], path: YamlPath): readonly string[] {
  refuseDuplicates(file, texts, path);
  for (const [i, text] of texts.entries()) {
    file.attempt(undefined, () => {
      const parsed = parseHostPort(text);
      if (typeof parsed === "string") file.fail({ path: [...path, i], expected: parsed });
    });
  }
  return texts;
}

/** A configured map replaces the default completely: it may deliberately leave out docker.io. */
function readCredentials(file: YamlFile, { registryCredentials }: ConfigShape): RegistryCredentials {
  const { files, realms } = registryCredentials ?? {};
  const path = ["registryCredentials"];
  const allowed = Object.entries(realms ?? {}).map(([text, hosts]): [string, readonly string[]] => {
    const at = { path: [...path, "realms", text], isKey: true };
    file.attempt(undefined, () => {
      const parsed = parseRegistryHost(text);
      if (typeof parsed === "string") file.fail({ ...at, expected: parsed });
      if (parsed.host !== text) file.fail({ ...at, expected: `the host without port 443: ${parsed.host}` });
    });
    return [text, readHosts(file, hosts, [...path, "realms", text])];
  });
  return {
    ...(files === undefined ? {} : { files: readPaths(file, files, [...path, "files"]) }),
    realms: realms === undefined ? DEFAULT_CONFIG.registryCredentials.realms : new Map(allowed),
  };
}

type SpanKey = "deadline" | "didResolverTimeout" | "pdsTimeout" | "registryTimeout" | "cacheTTL";

function readSpan(file: YamlFile, shape: ConfigShape, key: SpanKey, range: typeof DEADLINE_RANGE): number {
  const text = shape[key];
  if (text === undefined) return DEFAULT_CONFIG[key];
  return file.attempt(DEFAULT_CONFIG[key], () => {
    const span = parseDuration(text);
    if (span === undefined || span < range.min || span > range.max) file.fail({ path: [key], expected: range.words });
    return span;
  });
}

function readNetworkAllow(file: YamlFile, texts: readonly string[]): NetworkAllow {
  const entries = texts.flatMap((text, i) =>
    file.attempt([], () => {
      const entry = parseNetworkEntry(text);
      return entry.kind === "wrong" ? file.fail({ path: ["network", "allow", i], expected: entry.expected }) : [entry];
    }),
  );
  return {
    cidrs: entries.flatMap((entry) => (entry.kind === "cidr" ? [entry.cidr] : [])),
    hosts: entries.flatMap((entry) => (entry.kind === "cidr" ? [] : [entry.host])),
    plainHttp: entries.flatMap((entry) => (entry.kind === "plainHttp" ? [entry.host] : [])),
  };
}

function readDirectories(file: YamlFile, { plcDirectories }: ConfigShape, network: NetworkAllow): readonly string[] {
  if (plcDirectories === undefined) return DEFAULT_CONFIG.plcDirectories;
  refuseDuplicates(file, plcDirectories, ["plcDirectories"]);
  for (const [i, text] of plcDirectories.entries()) {
    file.attempt(undefined, () => checkDirectory(file, text, network, ["plcDirectories", i]));
  }
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
  const hosts = atcrHosts.map((text, i) =>
    file.attempt(text, () => {
      const parsed = parseRegistryHost(text);
      return typeof parsed === "string" ? file.fail({ path: ["atcrHosts", i], expected: parsed }) : parsed.host;
    }),
  );
  refuseDuplicates(file, hosts, ["atcrHosts"]);
  return hosts;
}

function refuseDuplicates(file: YamlFile, texts: readonly string[], path: YamlPath): void {
  const index = texts.findIndex((text, i) => texts.indexOf(text) !== i);
  file.attempt(undefined, () => {
    if (index >= 0) file.fail({ path: [...path, index], expected: "each entry once" });
  });
}
