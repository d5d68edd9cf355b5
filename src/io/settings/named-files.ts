import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import type { Config } from "../../core/config/config.ts";
import { listenText } from "../../core/config/listen-address.ts";
import type { LookasideSettings } from "../../core/config/lookaside-settings.ts";
import type { PolicyFinding } from "../../core/policy-tools/policy-finding.ts";
import { Rejection } from "../../core/rejection.ts";
import { mayUse } from "../fs/access.ts";
import { isDenied } from "../fs/denied.ts";
import { readTrustedFile } from "../fs/local-file.ts";
import { loadPolicy } from "./load-settings.ts";

/** Ports below it can be taken only by root. */
const PRIVILEGED_PORTS = 1024;

/** A file or folder that a configuration names and that cannot be used. */
export interface NamedFileFinding extends Omit<PolicyFinding, "place"> {
  /** The key that names it: `network.caFiles`, `server.listeners[0].tls.certFile`. */
  readonly key: string;
}

/** What to do where this user may not look at a file. */
const AS_ROOT = "run this as root, as containerd runs";
export const AS_SERVER = "run this as the server's user; if this is that user, give it access";

/** A file, and what to say where it cannot be used. */
export interface DemandedFile {
  readonly key: string;
  readonly path: string;
  /** What follows where it cannot be used. */
  readonly otherwise: string;
  /** What to do where this user may not look at it. */
  readonly denied: string;
}

/**
 * What a configuration names and is not there, or cannot be used. An error if every pull is refused because of it.
 *
 * @param isSet whether the file has a key: the default of another may be absent
 * @param readAuthorities as a pull reads a file of network.caFiles
 * @throws nothing for a file that cannot be used
 */
export function unusableFiles(
  config: Config,
  isSet: (key: string) => boolean,
  readAuthorities: (path: string) => unknown,
): readonly NamedFileFinding[] {
  const { decisionLog, metricsFile, registryCredentials } = config;
  const folders: readonly (readonly [key: string, path: string])[] = [
    ["stateDir", dirname(config.stateDir)],
    ...(config.cacheEnabled ? [["cacheDir", dirname(config.cacheDir)] as const] : []),
    ["bundleDir", dirname(config.bundleDir)],
    ["lookaside.keyFile", dirname(config.lookaside.keyFile)],
    ...config.registryConfigPath.map((path) => ["registryConfigPath", path] as const),
    ...(decisionLog.kind === "file" ? [["decisionLog", dirname(decisionLog.path)] as const] : []),
    ...(metricsFile === undefined ? [] : [["metricsFile", dirname(metricsFile)] as const]),
  ];
  const denied = config.server === undefined ? AS_ROOT : AS_SERVER;
  const until = (ofServer: string): string =>
    `until then, every pull is refused${config.server === undefined ? "" : `, and the server ${ofServer}`}`;
  return [
    ...mustBeUsable(
      { key: "trustPolicyPath", path: config.trustPolicyPath, otherwise: until("does not start"), denied },
      loadPolicy,
    ),
    ...config.caFiles.flatMap((path) =>
      mustBeUsable({ key: "network.caFiles", path, otherwise: until("refuses every image"), denied }, readAuthorities),
    ),
    ...config.bundleKeys.flatMap((path) =>
      shouldBeThere({ key: "bundleKeys", path, otherwise: "its seals do not count", denied }),
    ),
    ...(registryCredentials.files ?? []).flatMap((path) =>
      shouldBeThere({ key: "registryCredentials.files", path, otherwise: "it is skipped", denied }),
    ),
    ...folders.filter(([key]) => isSet(key)).flatMap(([key, path]) => missingFolder(key, path, denied)),
    ...(config.server !== undefined && isSet("stateDir") ? forgottenHistory(config.stateDir) : []),
    ...(isSet("lookaside.listen") ? portOfOthers(config.lookaside) : []),
    ...(decisionLog.kind === "journald" && !existsSync(decisionLog.socket)
      ? [missing("decisionLog", decisionLog.socket, "decisions are not logged")]
      : []),
  ];
}

/** An error for such a file. @param read as the program reads it; throws a Rejection */
export function mustBeUsable(file: DemandedFile, read: (path: string) => unknown): readonly NamedFileFinding[] {
  try {
    read(file.path);
    return [];
  } catch (error) {
    return [unusable(file, error)];
  }
}

/** The finding for an error of reading it. @throws what is no Rejection */
export function unusable({ key, path, otherwise, denied }: DemandedFile, error: unknown): NamedFileFinding {
  if (!(error instanceof Rejection)) throw error;
  if (isDenied(error)) return unseen(key, path, denied);
  // Only a mistake in a policy's text has a place, and others may follow it.
  const more = error.code === "policy.invalid" && error.place !== undefined;
  const advice = more ? `${otherwise}; atcr-verify policy check ${path} lists all its mistakes` : otherwise;
  return { severity: "error", name: "file-unusable", key, message: error.message, advice };
}

function shouldBeThere({ key, path, otherwise, denied }: DemandedFile): readonly NamedFileFinding[] {
  try {
    const text = readTrustedFile({ path, code: "config.invalid", what: `the file of ${key}` });
    return text === undefined ? [missing(key, path, otherwise)] : [];
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    if (isDenied(error)) return [unseen(key, path, denied)];
    return [
      {
        severity: "warning",
        name: "file-unusable",
        key,
        message: `${error.message}; ${otherwise}`,
        advice: "correct the file, or the path",
      },
    ];
  }
}

function missingFolder(key: string, path: string, denied: string): readonly NamedFileFinding[] {
  try {
    if (statSync(path).isDirectory()) return [];
    return [{ ...missing(key, path, "it is not a folder"), name: "file-unusable" }];
  } catch (error) {
    return [isDenied(error) ? unseen(key, path, denied) : missing(key, path, "no file in it can be read or written")];
  }
}

/** Unlike a pull, a server need not run as root. Where the folder above is missing, that is reported. */
function forgottenHistory(path: string): readonly NamedFileFinding[] {
  if (!existsSync(dirname(path)) || mayUse(path)) return [];
  const message = `this user may not write to ${path}, named by stateDir: the signer history would not outlast the server`;
  return [{ severity: "warning", name: "file-unusable", key: "stateDir", message, advice: AS_SERVER }];
}

/** A program that takes the port while the responder is stopped can refuse every pull, and replay old signatures. */
function portOfOthers(lookaside: LookasideSettings): readonly NamedFileFinding[] {
  if (lookaside.port < PRIVILEGED_PORTS) return [];
  const message = `lookaside.listen is ${listenText(lookaside)}: any user can take port ${lookaside.port} while the lookaside responder is stopped, refuse pulls, and replay its old signatures`;
  return [
    { severity: "warning", name: "port-open", key: "lookaside.listen", message, advice: "choose a port below 1024" },
  ];
}

function missing(key: string, path: string, otherwise: string): NamedFileFinding {
  const message = `${path}, named by ${key}, does not exist: ${otherwise}`;
  return { severity: "warning", name: "file-missing", key, message, advice: "create it, or correct the path" };
}

function unseen(key: string, path: string, advice: string): NamedFileFinding {
  const message = `this user may not look at ${path}, named by ${key}`;
  return { severity: "warning", name: "file-unseen", key, message, advice };
}
