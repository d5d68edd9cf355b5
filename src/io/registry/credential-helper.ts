import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { parseJson } from "../../core/encoding/json.ts";
import { type Credential, readHelperAnswer } from "../../core/oci/docker-config.ts";
import { Rejection } from "../../core/rejection.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import type { Environment } from "../process/environment.ts";

/** Bytes of a helper's answer. */
const MAX_ANSWER = 64 * 1024;
/** Output of helpers that have no credential (docker-credential-helpers). */
const NOT_FOUND = /credentials not found/i;

export interface HelperCall {
  /** `ecr-login`: the program is docker-credential-ecr-login. */
  readonly helper: string;
  /** The registry, as Docker's configuration names it. */
  readonly server: string;
  /** Most milliseconds. */
  readonly timeout: number;
  readonly environment: Environment;
}

/**
 * Runs a credential helper. It inherits none of our streams: its output is read here, up to a limit, and a helper that
 * keeps its output open does not delay us.
 *
 * @returns the credential; undefined where it has none; or why the helper failed, without anything that it printed
 */
export async function askHelper(call: HelperCall): Promise<Credential | string | undefined> {
  const name = `docker-credential-${call.helper}`;
  const program = findProgram(name, call.environment["PATH"] ?? "");
  if (program === undefined) return `${name} was not found in PATH`;
  try {
    assertPathTrusted(program);
  } catch (error) {
    return `${name} is not run: ${(error as Error).message}`;
  }
  const ended = await run(program, call);
  if ("problem" in ended) return `${name} ${ended.problem}`;
  if (ended.code !== 0) {
    return NOT_FOUND.test(ended.output.toString("latin1")) ? undefined : `${name} exited with status ${ended.code}`;
  }
  try {
    const answer = parseJson(ended.output, "registry.bad_response", name);
    return readHelperAnswer(answer) ?? `${name} answered without a user and a secret`;
  } catch (error) {
    if (error instanceof Rejection) return `${name} did not answer in JSON`;
    throw error;
  }
}

/** Only in absolute folders: `.` and an empty one would mean containerd's working directory. */
function findProgram(name: string, path: string): string | undefined {
  return path
    .split(":")
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => `${folder}/${name}`)
    .find((program) => {
      try {
        accessSync(program, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

type Ended = { readonly code: number | null; readonly output: Buffer } | { readonly problem: string };

function run(program: string, { server, timeout, environment }: HelperCall): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(program, ["get"], { stdio: ["pipe", "pipe", "ignore"], env: environment, cwd: "/" });
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (ended: Ended): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      // A grandchild may keep it open.
      child.stdout.destroy();
      child.stdin.destroy();
      resolve(ended);
    };
    const timer = setTimeout(() => end({ problem: `did not answer within ${(timeout / 1000).toFixed(1)} s` }), timeout);
    child.on("error", (error: NodeJS.ErrnoException) => end({ problem: `cannot be run (${error.code})` }));
    child.on("exit", (code) => {
      // All its output is in the pipe by now; the end of the stream may never come.
      setImmediate(() => end({ code, output: Buffer.concat(chunks) }));
    });
    child.stdin.on("error", () => {}); // it may end without reading
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_ANSWER) end({ problem: `answered more than ${MAX_ANSWER} bytes` });
      else chunks.push(chunk);
    });
    child.stdin.end(server);
  });
}
