import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { isDenied } from "../io/fs/denied.ts";
import { assertPathTrusted } from "../io/fs/trusted-path.ts";
import type { Environment } from "../io/process/environment.ts";

/** Bytes of a program's output that are read; the rest is cut off. */
const MAX_OUTPUT = 8 * 1024 * 1024;

export interface Ended {
  /** undefined if it could not be started, was killed or did not end in time. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of this node, with no input and no environment but PATH and what is given. The caller is usually root, so a program
 * that others can change is not run.
 *
 * @param program absolute path
 * @param timeout milliseconds, after which it is killed
 * @returns never rejects
 */
export function runProgram(
  environment: Environment,
  program: string,
  args: readonly string[],
  timeout: number,
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const distrust = whyUntrusted(program);
  if (distrust !== undefined) return Promise.resolve({ code: undefined, stdout: "", stderr: `not run: ${distrust}` });
  return new Promise((resolve) => {
    const env = { PATH: environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin", ...variables };
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env, cwd: "/" });
    const [out, err] = [new Output(), new Output()];
    child.stdout.on("data", (chunk: Buffer) => out.add(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.add(chunk));
    const end = (code: number | undefined, problem = ""): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      // Its own children may keep them open.
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code, stdout: out.text, stderr: problem === "" ? err.text : problem });
    };
    const timer = setTimeout(() => end(undefined, `did not end within ${timeout / 1000} s`), timeout);
    child.on("error", (error) => end(undefined, error.message));
    child.on("close", (code) => end(code ?? undefined));
  });
}

/** Why others can replace a program. @param program absolute path @returns a clause; undefined if they cannot */
export function whyUntrusted(program: string): string | undefined {
  try {
    assertPathTrusted(program);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Path of a program in `more`, the absolute folders of PATH, or the usual folders. */
export function findProgram(environment: Environment, name: string, ...more: readonly string[]): string | undefined {
  return lookForProgram(environment, name, ...more).path;
}

/** As {@link findProgram}; `denied`: paths that this user may not look at, or may not execute. */
export function lookForProgram(
  environment: Environment,
  name: string,
  ...more: readonly string[]
): { readonly path?: string; readonly denied: readonly string[] } {
  const folders = new Set([...more, ...(environment["PATH"] ?? "").split(":"), "/usr/local/bin", "/usr/bin", "/bin"]);
  const denied: string[] = [];
  for (const folder of folders) {
    if (!folder.startsWith("/")) continue;
    const path = `${folder}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      return { path, denied };
    } catch (error) {
      if (isDenied(error)) denied.push(path);
    }
  }
  return { denied };
}

class Output {
  readonly #chunks: Buffer[] = [];
  #size = 0;

  add(chunk: Buffer): void {
    const rest = chunk.subarray(0, MAX_OUTPUT - this.#size);
    this.#chunks.push(rest);
    this.#size += rest.length;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
