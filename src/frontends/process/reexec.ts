import {
  choosesEngine,
  type Engine,
  environmentOfRestart,
  type Handover,
  MAX_HANDED_OVER,
  type StartedWith,
} from "../../io/process/environment.ts";

/**
 * Restarts this program in the same process without just-in-time compilation, unless the environment already chooses. A
 * verification ends before compiled code pays off: without it, a pull takes two thirds of the CPU and four fifths of the
 * memory, the second start included (docs/benchmarks.md), and no memory is both writable and executable, which
 * `MemoryDenyWriteExecute=` would forbid.
 *
 * The pid and the arguments stay the same. If the restart fails, the program continues as it is, as it does on macOS: there is
 * no /proc, and a failed attempt prints a warning of the runtime.
 *
 * @param args the program's own arguments
 * @param handover standard input and warnings so far; if the input is too long to hand over, there is no restart
 */
export function restartWithoutJit(started: StartedWith, args: readonly string[], handover: Handover = {}): void {
  if (started.engine === undefined) restart("interpreter", started, args, handover);
}

/** As {@link restartWithoutJit}, for work that is long enough for compiled code to pay off: a large file, a command. */
export function restartForLongWork(started: StartedWith, args: readonly string[], handover: Handover = {}): void {
  if (started.engine !== "baseline") restart("baseline", started, args, handover);
}

/** As {@link restartWithoutJit}, for what runs until it is ended. */
export function restartForService(started: StartedWith, args: readonly string[]): void {
  if (started.engine !== "server") restart("server", started, args, {});
}

function restart(engine: Engine, { environment }: StartedWith, args: readonly string[], handover: Handover): void {
  if (process.platform !== "linux" || choosesEngine(environment)) return;
  // A restart closes the sockets that systemd passed.
  if (environment["LISTEN_PID"] === String(process.pid)) return;
  if (handover.stdin !== undefined && handover.stdin.length > MAX_HANDED_OVER) return;
  try {
    // Not by name: an upgrade may be replacing the file at this moment.
    const anew = { ...environmentOfRestart(environment, engine, handover) };
    process.execve?.("/proc/self/exe", [process.argv0, ...args], anew);
  } catch {
    // Being slower is no reason to refuse.
  }
}
