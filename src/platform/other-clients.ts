import { lstatSync, readdirSync, readFileSync } from "node:fs";
import type { Environment } from "../io/process/environment.ts";
import { findProgram, runProgram } from "./program.ts";

/** Milliseconds. */
const TIMEOUT = 3_000;
const DOCKER_SOCKET = "/run/docker.sock";

/** Other clients on this node that pull images without asking verifiers. */
export interface OtherClients {
  /** How dockerd was found: a process, a socket, a program. */
  readonly dockerd?: string;
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

function findDockerd(environment: Environment): string | undefined {
  const pid = readdirSync("/proc").find((name) => /^\d+$/.test(name) && nameOf(name) === "dockerd");
  if (pid !== undefined) return `process ${pid}`;
  const hasSocket = lstatSync(DOCKER_SOCKET, { throwIfNoEntry: false })?.isSocket() === true;
  return hasSocket ? DOCKER_SOCKET : findProgram(environment, "dockerd", "/usr/sbin", "/usr/local/sbin", "/snap/bin");
}

function nameOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
  } catch {
    return undefined; // the process has ended
  }
}
