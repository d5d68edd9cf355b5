import { DEFAULT_LOOKASIDE, type LookasideSettings } from "./lookaside-settings.ts";
import { type NetworkAllow, NOTHING_ALLOWED } from "./network-allow.ts";
import type { ProxySettings } from "./proxy-settings.ts";
import type { ServerSettings } from "./server-settings.ts";

/** Default of cacheDir. */
export const DEFAULT_CACHE_DIR = "/var/cache/atcr-verify";

/** How this node verifies images. Which signers it trusts is in the policy. Durations are milliseconds. */
export interface Config {
  /** Absolute path. */
  readonly trustPolicyPath: string;
  /** Absolute path of the folder for data that must be preserved, such as the signer history. */
  readonly stateDir: string;
  /** Absolute path of the folder for data that may be deleted at any time. */
  readonly cacheDir: string;
  /** Whether evidence fetched within cacheTTL is used without contacting any service. */
  readonly cacheEnabled: boolean;
  readonly cacheTTL: number;
  /** Nobody is asked: images are verified from the cache and from imported bundles alone. */
  readonly offline: boolean;
  /** Absolute path of the folder that `bundle import` writes. */
  readonly bundleDir: string;
  /** Absolute paths of files with the public keys whose seals on bundles count. */
  readonly bundleKeys: readonly string[];
  /** Most time from the start of the process to its answer. */
  readonly deadline: number;
  /** Timeout for one lookup at a directory or a did:web's host, limited by the deadline. */
  readonly didResolverTimeout: number;
  readonly pdsTimeout: number;
  readonly registryTimeout: number;
  /** Origins, asked in this order: `https://host[:port]`; `http://` only if network.allow lists it. */
  readonly plcDirectories: readonly string[];
  /** Hosts, as in an ImageReference, whose paths are `HANDLE/REPOSITORY` (spec 5.6). */
  readonly atcrHosts: readonly string[];
  readonly network: NetworkAllow;
  /** `HOST` or `HOST:PORT` of registries whose hosts.toml may set skip_verify. */
  readonly skipVerify: readonly string[];
  /** Absolute paths of files with additional certificate authorities (PEM). */
  readonly caFiles: readonly string[];
  /** Absent: the environment decides (HTTPS_PROXY, HTTP_PROXY, NO_PROXY). */
  readonly proxy?: ProxySettings;
  /** Absolute paths of folders like containerd's certs.d; the first that has a host's folder counts. */
  readonly registryConfigPath: readonly string[];
  readonly registryCredentials: RegistryCredentials;
  /** Where decisions for containerd are logged. */
  readonly decisionLog: DecisionLog;
  /** Absolute path of the metrics file in Prometheus' text format; absent: none is written. */
  readonly metricsFile?: string;
  readonly lookaside: LookasideSettings;
  /** Of `atcr-verify serve`, which needs it; absent: this configuration is not a server's. */
  readonly server?: ServerSettings;
}

/** A file of JSON lines (absolute path), a stream socket of journald (absolute path), or nowhere. */
export type DecisionLog =
  /** If not needed, the log is skipped on a node without its folder. */
  | { readonly kind: "file"; readonly path: string; readonly isNeeded: boolean }
  | { readonly kind: "journald"; readonly socket: string }
  | { readonly kind: "none" };

/** Sources of registry credentials, and the hosts that may receive them. */
export interface RegistryCredentials {
  /** Absolute paths of files like docker's config.json; the first that matches counts; absent: the usual paths. */
  readonly files?: readonly string[];
  /** By registry host: other hosts whose token servers may receive its password. */
  readonly realms: ReadonlyMap<string, readonly string[]>;
}

const SECOND = 1000;

/** Socket on which journald accepts streams of services (systemd-journald.service(8)). */
export const JOURNAL_SOCKET = "/run/systemd/journal/stdout";

/** The configuration without a file. */
export const DEFAULT_CONFIG: Config = {
  trustPolicyPath: "/etc/atcr-verify/trust-policy.yaml",
  stateDir: "/var/lib/atcr-verify",
  cacheDir: DEFAULT_CACHE_DIR,
  cacheEnabled: true,
  cacheTTL: 300 * SECOND,
  offline: false,
  bundleDir: "/var/lib/atcr-verify-bundles",
  bundleKeys: [],
  deadline: 8 * SECOND,
  didResolverTimeout: 5 * SECOND,
  pdsTimeout: 5 * SECOND,
  registryTimeout: 5 * SECOND,
  plcDirectories: ["https://plc.directory"],
  atcrHosts: ["atcr.io"],
  network: NOTHING_ALLOWED,
  skipVerify: [],
  caFiles: [],
  registryConfigPath: ["/etc/containerd/certs.d"],
  // Docker Hub's token server has another host than its registry.
  registryCredentials: { realms: new Map([["docker.io", ["auth.docker.io"]]]) },
  decisionLog: { kind: "file", path: "/var/log/atcr-verify/decisions.log", isNeeded: false },
  lookaside: DEFAULT_LOOKASIDE,
};
