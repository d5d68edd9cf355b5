import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What a program that ran to its end left behind. */
export interface Finished {
  /** null when it died by a signal. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Milliseconds from start to end. */
  readonly took: number;
}

export interface RunOptions {
  /** Replaces the environment; the caller's is inherited when absent. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Written to stdin, which is then closed. */
  readonly input?: string | Uint8Array;
  /** Milliseconds until it is killed; 60 s when absent. */
  readonly timeout?: number;
}

/** Runs a program to its end. Any exit is a result; throws only when it could not be started. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const started = performance.now();
  const child = spawn(command, args, {
    ...(options.env && { env: options.env }),
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.timeout ?? 60_000,
    killSignal: "SIGKILL",
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program may end without reading its input, which is not an error.
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) =>
      resolve({
        code,
        signal,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
        took: performance.now() - started,
      }),
    );
  });
}

export interface ServerOptions {
  /** For messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment; nothing is inherited, so that a developer's proxies and settings do not matter. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Receives stdout and stderr. */
  readonly logFile: string;
  /** Called every few milliseconds with the whole log so far. */
  readonly ready: (log: string) => boolean | Promise<boolean>;
  /** Milliseconds; 20 s when absent. */
  readonly readyTimeout?: number;
}

export interface ServerProcess {
  readonly pid: number;
  /** All of stdout and stderr so far. */
  readonly log: () => string;
  /** SIGTERM, and SIGKILL to one that has not ended `patience` ms (5 s) later. Does nothing the second time. */
  stop(options?: { readonly patience?: number }): Promise<void>;
}

const running = new Set<number>();
process.on("exit", () => {
  for (const pid of running) {
    signalTo(pid, "SIGKILL");
  }
});

// With it the kernel ends a server whose test process was killed and could not clean up.
const SETPRIV = "/usr/bin/setpriv";

/** Starts a server and waits until it is ready; throws with its log when it ends or is late. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const [command, args] = existsSync(SETPRIV)
    ? [SETPRIV, ["--pdeathsig", "KILL", "--", options.command, ...options.args]]
    : [options.command, options.args];
  const log = openSync(options.logFile, "a");
  const child = spawn(command, args, {
    env: options.env,
    cwd: options.cwd ?? "/",
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(`ended with ${signal ?? `exit code ${code}`}`));
  });
  const pid = child.pid;
  if (pid === undefined) {
    throw new Error(`${options.name} could not be started: ${await ended}`);
  }
  running.add(pid);
  let end: string | undefined;
  void ended.then((how) => {
    end = how;
    running.delete(pid);
  });
  const server: ServerProcess = {
    pid,
    log: () => readFileSync(options.logFile, "utf8"),
    async stop({ patience = 5_000 } = {}) {
      if (end !== undefined) {
        return;
      }
      signalTo(pid, "SIGTERM");
      const kill = setTimeout(() => signalTo(pid, "SIGKILL"), patience);
      await ended;
      clearTimeout(kill);
    },
  };
  const timeout = options.readyTimeout ?? 20_000;
  const latest = performance.now() + timeout;
  while (!(await options.ready(server.log()))) {
    const late = performance.now() > latest ? `was not ready after ${timeout} ms` : undefined;
    if (end !== undefined || late !== undefined) {
      await server.stop();
      throw new Error(`${options.name} ${late ?? end}; its log ends with\n${server.log().slice(-4_000)}`);
    }
    await pause(10);
  }
  return server;
}

/** Whether a process is there, and not only a zombie that waits for its parent. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Makes a directory of its own. The path is short, because a Unix socket's may have 107 bytes: a longer TMPDIR is ignored.
 */
export function makeTemporaryDirectory(name: string): string {
  const base = tmpdir().length <= 40 ? tmpdir() : "/tmp";
  // Without symbolic links in the path: some of the tested code refuses them.
  return mkdtempSync(join(realpathSync(base), `${name}-`));
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended in the meantime.
  }
}
