import { lstatSync, readdirSync, readFileSync } from "node:fs";
import type { Environment } from "../io/process/environment.ts";
import { findProgram, runProgram } from "./program.ts";

/** Milliseconds. */
const TIMEOUT = 3_000;
const DOCKER_SOCKET = "/run/docker.sock";

/** A Docker Engine of this node. */
export interface Dockerd {
  /** How it was found: a process, a socket, a program. */
  readonly how: string;
  /** Path of the socket on which it takes requests: DOCKER_HOST, or the usual one. */
  readonly socket?: string;
}

/** Other clients on this node that pull images without asking verifiers. */
export interface OtherClients {
  readonly dockerd?: Dockerd;
  /** Without a version if it does not report one. */
  readonly nerdctl?: { readonly path: string; readonly version?: string };
}

export async function findOtherClients(environment: Environment): Promise<OtherClients> {
  const [dockerd, nerdctl] = [findDockerd(environment), findProgram(environment, "nerdctl")];
  const said = nerdctl === undefined ? undefined : await runProgram(environment, nerdctl, ["--version"], TIMEOUT);
  const version = said && /(\d+\.\d+\.\d+)/.exec(said.stdout)?.[1];
  return {
    ...(dockerd !== undefined && { dockerd }),
    ...(nerdctl !== undefined && { nerdctl: { path: nerdctl, ...(version !== undefined && { version }) } }),
  };
}

function findDockerd(environment: Environment): Dockerd | undefined {
  const named = /^unix:\/\/(\/.+)$/.exec(environment["DOCKER_HOST"] ?? "")?.[1];
  const socket = [named, DOCKER_SOCKET].find((path) => path !== undefined && isSocket(path));
  const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && nameOf(name) === "dockerd");
  const program = findProgram(environment, "dockerd", "/usr/sbin", "/usr/local/sbin", "/snap/bin");
  const how = pid === undefined ? (socket ?? program) : `process ${pid}`;
  return how === undefined ? undefined : { how, ...(socket !== undefined && { socket }) };
}

function isSocket(path: string): boolean {
  try {
    return lstatSync(path).isSocket();
  } catch {
    return false;
  }
}

function nameOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
  } catch {
    return undefined; // the process has ended
  }
}
