import { choosesEngine, type Engine, environmentOfRestart, type StartedWith } from "../../io/process/environment.ts";

/** Bytes of standard input that are handed over; with more the program goes on as it is. Linux takes 128 KiB. */
const MAX_HANDED_OVER = 64 * 1024;

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
 * @param stdin the whole standard input, where it has been read
 */
export function restartWithoutJit(started: StartedWith, args: readonly string[], stdin?: Uint8Array): void {
  if (started.engine === undefined) restart("interpreter", started, args, stdin);
}

/** As {@link restartWithoutJit}, for work that takes long enough for compiled code to pay: a large file, a command. */
export function restartForLongWork(started: StartedWith, args: readonly string[], stdin?: Uint8Array): void {
  if (started.engine !== "baseline") restart("baseline", started, args, stdin);
}

function restart(
  engine: Engine,
  { environment }: StartedWith,
  args: readonly string[],
  stdin: Uint8Array | undefined,
): void {
  if (choosesEngine(environment)) return;
  if (stdin !== undefined && stdin.length > MAX_HANDED_OVER) return;
  try {
    // Not by name: the file may be renamed away by an upgrade at this moment.
    const anew = { ...environmentOfRestart(environment, engine, stdin) };
    process.execve?.("/proc/self/exe", [process.argv0, ...args], anew);
  } catch {
    // Slower is no reason to refuse.
  }
}
