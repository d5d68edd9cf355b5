import { type NetworkAllow, NOTHING_ALLOWED } from "./network-allow.ts";
import type { ProxySettings } from "./proxy-settings.ts";

/** cacheDir unless configured. */
export const DEFAULT_CACHE_DIR = "/var/cache/atcr-verify";

/** How this node verifies; whom it trusts is the policy's. Spans of time are milliseconds. */
export interface Config {
  /** Absolute path. */
  readonly trustPolicyPath: string;
  /** Absolute path of the folder that holds what must outlive every pull (spec, "What a node remembers"). */
  readonly stateDir: string;
  /** Absolute path of the folder that holds what may be deleted at any time. */
  readonly cacheDir: string;
  /** Whether evidence that was had within cacheTTL is judged again without asking anybody. */
  readonly cacheEnabled: boolean;
  readonly cacheTTL: number;
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
  /** `HOST` or `HOST:PORT` of registries whose hosts.toml may say skip_verify. */
  readonly skipVerify: readonly string[];
  /** Absolute paths of files with further certificate authorities (PEM). */
  readonly caFiles: readonly string[];
  /** Absent: as the environment says (HTTPS_PROXY and its kin). */
  readonly proxy?: ProxySettings;
  /** Folders in the form of containerd's certs.d, absolute paths; the first that has a host's folder counts. */
  readonly registryConfigPath: readonly string[];
  readonly registryCredentials: RegistryCredentials;
  /** Where decisions at containerd's door are told. */
  readonly decisionLog: DecisionLog;
  /** Absolute path of a file in the text format of Prometheus; absent: none is written. */
  readonly metricsFile?: string;
}

/** A file of JSON lines (absolute path), a stream socket of journald (absolute path), or nowhere. */
export type DecisionLog =
  /** Where it is not needed, a node without the folder does without. */
  | { readonly kind: "file"; readonly path: string; readonly isNeeded: boolean }
  | { readonly kind: "journald"; readonly socket: string }
  | { readonly kind: "none" };

/** Where credentials for registries are found, and who may get them. */
export interface RegistryCredentials {
  /** Absolute paths of files in the form of docker's config.json, the first that knows a host counts; absent: the usual places. */
  readonly files?: readonly string[];
  /** Registry host to the hosts, other than itself, whose token servers may be sent its password. */
  readonly realms: ReadonlyMap<string, readonly string[]>;
}

const SECOND = 1000;

/** Where journald listens for the streams of services (systemd-journald.service(8)). */
export const JOURNAL_SOCKET = "/run/systemd/journal/stdout";

/** What holds without a configuration file. */
export const DEFAULT_CONFIG: Config = {
  trustPolicyPath: "/etc/atcr-verify/trust-policy.yaml",
  stateDir: "/var/lib/atcr-verify",
  cacheDir: DEFAULT_CACHE_DIR,
  cacheEnabled: true,
  cacheTTL: 300 * SECOND,
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
  // Docker Hub's token server has another name than its registry.
  registryCredentials: { realms: new Map([["docker.io", ["auth.docker.io"]]]) },
  decisionLog: { kind: "file", path: "/var/log/atcr-verify/decisions.log", isNeeded: false },
};
