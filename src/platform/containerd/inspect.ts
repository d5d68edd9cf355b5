import { accessSync, constants, statSync } from "node:fs";
import { resolve } from "node:path";
import { field, isJsonObject, type JsonObject } from "../../core/encoding/json.ts";
import { reject } from "../../core/rejection.ts";
import { hasCode } from "../../io/fs/error-code.ts";
import type { Environment } from "../../io/process/environment.ts";
import { lookForProgram, runProgram } from "../program.ts";
import { type Daemon, daemonAt, isListenedOn } from "./daemon.ts";
import { type ConfigMistake, effectiveConfig, programsOf } from "./effective-config.ts";
import { chooseSocket } from "./known-sockets.ts";
import { askServer } from "./server-answers.ts";

/** What containerd reads unless it is started with another file. */
export const DEFAULT_CONFIG = "/etc/containerd/config.toml";
/** Where containerd looks for verifiers unless its configuration says otherwise. */
export const DEFAULT_BIN_DIR = "/opt/containerd/image-verifier/bin";
/** Milliseconds for its answers, and for each of its programs. */
const TIMEOUT = 5_000;

/** What was found out about this node's containerd. The rest is absent, and `unknown` says why. */
export interface Containerd {
  /** Path of its socket. */
  readonly address: string;
  /** Other known sockets that are listened on, where no address was named. */
  readonly others?: readonly string[];
  /** Whether this user may not connect to the socket. */
  readonly isForbidden?: true;
  readonly daemon?: Daemon;
  /** Absolute path of its program: the name of it that answers, if it has several. */
  readonly program?: string;
  /** Version of the running daemon: `2.1.9`. */
  readonly version?: string;
  /** Version of the program, if no daemon answers. */
  readonly installed?: string;
  /** `TYPE.ID` to `ok`, or to why the plugin was not loaded. */
  readonly plugins?: ReadonlyMap<string, string>;
  readonly configPath: string;
  /** Whether `--containerd-config` named it. */
  readonly isConfigNamed?: true;
  /** The effective configuration, imports and defaults included. */
  readonly config?: JsonObject;
  /** Why there is none, where containerd itself rejects a file of it. */
  readonly mistake?: ConfigMistake;
  /** Whether a process listens on the socket. */
  readonly isListening: boolean;
  /** Paths where its program may be, but to which this user has no access. */
  readonly denied: readonly string[];
  /** Sentences: what could not be determined, and why. */
  readonly unknown: readonly string[];
}

/**
 * Inspects a containerd: its process, its answers, and its configuration as its own program reads it.
 *
 * @param environment of this process: PATH says where programs are
 * @param named its socket; absent: the first known one that is listened on
 * @param configPath its configuration; absent: the file that the running process was given
 * @throws Rejection if there is no such file
 */
export async function lookAtContainerd(
  environment: Environment,
  named: string | undefined,
  configPath?: string,
): Promise<Containerd> {
  // containerd itself uses its defaults if the file is missing, which would hide a typo.
  if (configPath !== undefined && !isThere(configPath))
    reject("input.malformed", `--containerd-config: there is no file ${configPath}`);
  const { address, others } = chooseSocket(named);
  const daemon = daemonAt(address);
  const { path: found, denied } = lookForProgram(environment, "containerd");
  const programs = daemon === undefined ? [found].filter((path) => path !== undefined) : programsOf(daemon);
  const path = (configPath && resolve(configPath)) ?? daemon?.configPath ?? DEFAULT_CONFIG;
  const [server, effective] = await Promise.all([
    askServer(address, TIMEOUT),
    effectiveConfig(environment, programs, path, TIMEOUT),
  ]);
  const { version, plugins } = server;
  const config = "config" in effective ? effective.config : undefined;
  const program = "config" in effective ? effective.program : programs[0];
  const installed =
    version === undefined && program !== undefined ? await installedVersion(environment, program) : undefined;
  const isListening = daemon !== undefined || isListenedOn(address);
  const [failures, mistake] = "config" in effective ? [[]] : [effective.failures, effective.mistake];
  const missing = "the effective configuration could not be determined: containerd's program was not found";
  return {
    address,
    ...(others.length > 0 && { others }),
    ...(isForbidden(address) && { isForbidden: true as const }),
    ...(daemon && { daemon }),
    ...(program !== undefined && { program }),
    ...(version !== undefined && { version }),
    ...(installed !== undefined && { installed }),
    ...(plugins !== undefined && { plugins }),
    isListening,
    denied,
    configPath: path,
    ...(configPath !== undefined && { isConfigNamed: true as const }),
    ...(config && { config }),
    ...(mistake && { mistake }),
    // If containerd does not run, no answer is expected: that it does not run is reported by itself.
    unknown: [...(isListening ? server.unanswered : []), ...failures, ...(program === undefined ? [missing] : [])],
  };
}

async function installedVersion(environment: Environment, program: string): Promise<string | undefined> {
  const { code, stdout } = await runProgram(environment, program, ["--version"], TIMEOUT);
  return code === 0 ? /\sv?(\d+\.\S+)/.exec(stdout)?.[1] : undefined;
}

/** True also if this user may not look: then containerd's program reports what is wrong. */
function isThere(path: string): boolean {
  try {
    return !statSync(path).isDirectory();
  } catch (error) {
    return !hasCode(error, "ENOENT") && !hasCode(error, "ENOTDIR");
  }
}

function isForbidden(socket: string): boolean {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
    return false;
  } catch (error) {
    return hasCode(error, "EACCES");
  }
}

/** Paths and patterns of files that the configuration imports, as it lists them. */
export function importsOf({ config }: Containerd): readonly string[] {
  const imports = config && field(config, "imports");
  return Array.isArray(imports) ? imports.filter((path) => typeof path === "string") : [];
}

/** The table of a plugin's settings. */
export function settingsOf({ config }: Containerd, plugin: string): JsonObject {
  const plugins = config && field(config, "plugins");
  const settings = isJsonObject(plugins) ? field(plugins, plugin) : undefined;
  return isJsonObject(settings) ? settings : {};
}

export const VERIFIER_PLUGIN = "io.containerd.image-verifier.v1.bindir";
export const TRANSFER_PLUGIN = "io.containerd.transfer.v1.local";
export const CRI_IMAGES_PLUGIN = "io.containerd.cri.v1.images";

/** How containerd runs verifiers; its defaults if its configuration could not be read. */
export interface VerifierSettings {
  /** Empty: none is run. */
  readonly binDir: string;
  readonly maxVerifiers: number;
  /** A Go duration. */
  readonly timeout: string;
}

export function verifierSettings(containerd: Containerd): VerifierSettings {
  const settings = settingsOf(containerd, VERIFIER_PLUGIN);
  const [binDir, max, timeout] = ["bin_dir", "max_verifiers", "per_verifier_timeout"].map((key) =>
    field(settings, key),
  );
  return {
    binDir: typeof binDir === "string" ? binDir : DEFAULT_BIN_DIR,
    maxVerifiers: typeof max === "number" ? max : 10,
    timeout: typeof timeout === "string" ? timeout : "10s",
  };
}
