import { join } from "node:path";
import { run } from "../support/process.ts";

export const ROOT = join(import.meta.dirname, "../..");
export const BUN = join(ROOT, "node_modules/.bin/bun");

/** A program, its arguments and its standard input. */
export interface Command {
  readonly command: readonly string[];
  readonly stdin?: string;
}

/** Commands that run side by side. */
export interface Job {
  readonly commands: readonly Command[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs the one that measures, which is not counted. */
  readonly through?: readonly string[];
}

/** What a command took: milliseconds, CPU as user and system, and the most MiB that were resident. */
export interface Measured {
  readonly code: number;
  readonly stdout: string;
  readonly wall: number;
  readonly cpu: number;
  readonly rss: number;
}

/** Measures by measure.ts, in the order of the commands. */
export async function measure({ commands, env, through = [] }: Job): Promise<readonly Measured[]> {
  const [program, ...args] = [...through, BUN, join(import.meta.dirname, "measure.ts")];
  const { code, stdout, stderr } = await run(program, args, { input: JSON.stringify({ env, commands }) });
  if (code !== 0) throw new Error(`measuring ended with ${code}: ${stderr}`);
  return JSON.parse(stdout) as readonly Measured[];
}

/**
 * Measures the only command of a job.
 *
 * @throws Error where its exit status is not what was expected: it was not what is to be measured
 */
export async function measureOne(job: Job, expected: number): Promise<Measured> {
  const [measured] = await measure(job);
  if (measured?.code !== expected) {
    const ended = `exit status ${measured?.code}, expected ${expected}: ${measured?.stdout}`;
    throw new Error(`${job.commands[0]?.command.join(" ")}: ${ended}`);
  }
  return measured;
}
