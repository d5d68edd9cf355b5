import {
  choosesEngine,
  type Engine,
  environmentOfRestart,
  type Kept,
  MAX_HANDED_OVER,
  type StartedWith,
} from "../../io/process/environment.ts";

/**
 * Starts this program anew in the same process, its engine without just-in-time compilation, unless
 * the environment has said already whether it wants that. A verification is over before compiled
 * code pays: without it, a pull takes two thirds of the CPU and four fifths of the memory, a
 * second start included (docs/benchmarks.md), and the process has no memory that is both writable
 * and executable, which `MemoryDenyWriteExecute=` would forbid.
 *
 * The same process means: same pid, same arguments. Where it does not work the program goes on as it is.
 *
 * @param args the program's own arguments
 * @param kept what was read and said so far; with a longer standard input the program goes on as it is
 */
export function restartWithoutJit(started: StartedWith, args: readonly string[], kept: Kept = {}): void {
  if (started.engine === undefined) restart("interpreter", started, args, kept);
}

/** As {@link restartWithoutJit}, for work that takes long enough for compiled code to pay: a large file, a command. */
export function restartForLongWork(started: StartedWith, args: readonly string[], kept: Kept = {}): void {
  if (started.engine !== "baseline") restart("baseline", started, args, kept);
}

function restart(engine: Engine, { environment }: StartedWith, args: readonly string[], kept: Kept): void {
  if (choosesEngine(environment)) return;
  if (kept.stdin !== undefined && kept.stdin.length > MAX_HANDED_OVER) return;
  try {
    // Not by name: the file may be renamed away by an upgrade at this moment.
    const anew = { ...environmentOfRestart(environment, engine, kept) };
    process.execve?.("/proc/self/exe", [process.argv0, ...args], anew);
  } catch {
    // Slower is no reason to refuse.
  }
}
