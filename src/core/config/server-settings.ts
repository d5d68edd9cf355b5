import type { ListenAddress } from "./listen-address.ts";

/** What a listener of the server can answer. */
export const GATES = ["admit", "mutate", "gatekeeper", "verify", "imagereview", "health", "metrics"] as const;
export type GateName = (typeof GATES)[number];

/** Gates that decide nothing and show nothing of images or signers, and so need neither encryption nor clients' names. */
export const OPEN_GATES: readonly GateName[] = ["health", "metrics"];

/** Absolute paths of files in PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities of the clients' certificates; absent: clients need none. */
  readonly clientCaFile?: string;
}

/** One address, with what is answered there. */
export interface Listener extends ListenAddress {
  /** Path of its keys in the configuration, for messages: `server` or `server.listeners[0]`. */
  readonly key: string;
  /** Each once. */
  readonly gates: readonly GateName[];
  /** Absent: plain http. */
  readonly tls?: TlsFiles;
}

/** How `atcr-verify serve` answers. */
export interface ServerSettings {
  /** At least one; no two that would take the same address and port. */
  readonly listeners: readonly Listener[];
  /** Absolute paths of files with the bearer tokens of the gate `verify`; empty: none is demanded. */
  readonly tokenFiles: readonly string[];
  /** Absolute path of a policy by its name: that of `/admit/NAME` and `/mutate/NAME`. */
  readonly policies: ReadonlyMap<string, string>;
  /** What becomes of an image without a digest where the server's answer is not what will be pulled. */
  readonly tags: "refuse" | "resolve-unpinned";
  /** Absolute path of the server's break-glass file, which need not exist; absent: there is none. */
  readonly breakGlassFile?: string;
}
