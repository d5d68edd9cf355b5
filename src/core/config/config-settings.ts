import { YamlFile, type YamlPath } from "../encoding/yaml.ts";
import type { Place } from "../rejection.ts";
import { DEFAULT_CONFIG, type DecisionLog } from "./config.ts";
import { listenText } from "./listen-address.ts";

/** A key of the configuration, with its value in the form in which the file has it. */
export interface Setting {
  /** `network.caFiles` */
  readonly key: string;
  /** The default where the file does not have the key; null where there is none. Without passwords. */
  readonly value: unknown;
  /** Where the value is; absent where the file does not have the key. */
  readonly place?: Place;
}

const DEFAULTS: Readonly<Record<string, unknown>> = {
  trustPolicyPath: DEFAULT_CONFIG.trustPolicyPath,
  stateDir: DEFAULT_CONFIG.stateDir,
  cacheDir: DEFAULT_CONFIG.cacheDir,
  cacheEnabled: DEFAULT_CONFIG.cacheEnabled,
  cacheTTL: seconds(DEFAULT_CONFIG.cacheTTL),
  offline: DEFAULT_CONFIG.offline,
  bundleDir: DEFAULT_CONFIG.bundleDir,
  bundleKeys: DEFAULT_CONFIG.bundleKeys,
  deadline: seconds(DEFAULT_CONFIG.deadline),
  didResolverTimeout: seconds(DEFAULT_CONFIG.didResolverTimeout),
  pdsTimeout: seconds(DEFAULT_CONFIG.pdsTimeout),
  registryTimeout: seconds(DEFAULT_CONFIG.registryTimeout),
  plcDirectories: DEFAULT_CONFIG.plcDirectories,
  atcrHosts: DEFAULT_CONFIG.atcrHosts,
  registryConfigPath: DEFAULT_CONFIG.registryConfigPath.join(":"),
  "registryCredentials.files": null,
  "registryCredentials.realms": Object.fromEntries(DEFAULT_CONFIG.registryCredentials.realms),
  decisionLog: logText(DEFAULT_CONFIG.decisionLog),
  metricsFile: null,
  "lookaside.listen": listenText(DEFAULT_CONFIG.lookaside),
  "lookaside.keyFile": DEFAULT_CONFIG.lookaside.keyFile,
  "server.listen": null,
  "server.gates": null,
  "server.tls": null,
  "server.listeners": null,
  "server.tokenFiles": [],
  "server.policies": {},
  "server.tags": "refuse",
  "server.breakGlassFile": null,
  "network.allow": [],
  "network.skipVerify": DEFAULT_CONFIG.skipVerify,
  "network.caFiles": DEFAULT_CONFIG.caFiles,
  "network.proxy": null,
};

/**
 * All keys of a configuration, in the order of the reference.
 *
 * @param text of a valid file; undefined where there is none
 */
export function settingsOf(text: string | undefined, fileName: string): readonly Setting[] {
  const file = new YamlFile(text ?? "", fileName, "config.invalid");
  return Object.entries(DEFAULTS).map(([key, fallback]) => {
    const path = key.split(".");
    const value = path.reduce<unknown>(stepInto, file.value);
    return value === undefined
      ? { key, value: fallback }
      : { key, value: withoutPasswords(value), place: file.placeOf({ path }) };
  });
}

/**
 * Finds where the value of a key is, such as that of `server.listeners[0].tls.certFile`.
 *
 * @param text of a valid file; undefined where there is none
 * @returns undefined for a key that the file does not have
 */
export function placesIn(text: string | undefined, fileName: string): (key: string) => Place | undefined {
  const file = new YamlFile(text ?? "", fileName, "config.invalid");
  return (key) => {
    const path: YamlPath = [...key.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([name, index]) =>
      index === undefined ? name : Number(index),
    );
    return path.reduce<unknown>(stepInto, file.value) === undefined ? undefined : file.placeOf({ path });
  };
}

function stepInto(value: unknown, key: string | number): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1000}s`;
}

function logText(log: DecisionLog): string {
  return log.kind === "file" ? log.path : log.kind;
}

/** The URL of a proxy may have a user and a password. */
function withoutPasswords(value: unknown): unknown {
  if (typeof value === "string") return value.replace(/^(https?:\/\/)[^/]*@/, "$1...@");
  if (Array.isArray(value)) return value.map(withoutPasswords);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutPasswords(one)]));
}
