import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { isDenied } from "../io/fs/denied.ts";
import { checkWay } from "../io/fs/trusted-path.ts";
import type { Environment } from "../io/process/environment.ts";

/** Bytes of output that are read of a program; what it says beyond that is cut off. */
const MAX_OUTPUT = 8 * 1024 * 1024;

export interface Ended {
  /** undefined where it did not end by itself in time, or could not be started. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program of this node, with no input and no environment but PATH. Whoever asks is root, so one that
 * somebody else can change is not run.
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
): Promise<Ended> {
  const distrust = whyDistrusted(program);
  if (distrust !== undefined) return Promise.resolve({ code: undefined, stdout: "", stderr: `not run: ${distrust}` });
  return new Promise((resolve) => {
    const env = { PATH: environment["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" };
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env, cwd: "/" });
    const [out, err] = [new Output(), new Output()];
    child.stdout.on("data", (chunk: Buffer) => out.add(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.add(chunk));
    const end = (code: number | undefined, problem = ""): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      // Whoever inherited them may keep them open.
      child.stdout.destroy();
      child.stderr.destroy();
      resolve({ code, stdout: out.text, stderr: problem === "" ? err.text : problem });
    };
    const timer = setTimeout(() => end(undefined, `did not end within ${timeout / 1000} s`), timeout);
    child.on("error", (error) => end(undefined, error.message));
    child.on("close", (code) => end(code ?? undefined));
  });
}

/** Why somebody else can put another in its place. @param program absolute path @returns a clause */
export function whyDistrusted(program: string): string | undefined {
  try {
    checkWay(program);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Where a program is, in the absolute folders of PATH and these. */
export function findProgram(environment: Environment, name: string, ...more: readonly string[]): string | undefined {
  return lookForProgram(environment, name, ...more).path;
}

/** The same, and where it may be, but this user may not look or execute. */
export function lookForProgram(
  environment: Environment,
  name: string,
  ...more: readonly string[]
): { readonly path?: string; readonly denied: readonly string[] } {
  const folders = [...more, ...(environment["PATH"] ?? "").split(":"), "/usr/local/bin", "/usr/bin", "/bin"];
  const denied: string[] = [];
  for (const folder of folders.filter((one) => one.startsWith("/"))) {
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
