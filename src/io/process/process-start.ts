import { readFileSync } from "node:fs";

/** States of a process that is over: a zombie, and dead (proc_pid_stat(5), field 3). */
const OVER: ReadonlySet<string> = new Set(["Z", "X"]);
/** That of one that a signal has stopped; one that a debugger looks at is in another. */
const STOPPED = "T";
/** Clock ticks of `/proc` in a second: the same on every Linux that this program is built for. */
const TICKS = 100;
/** Milliseconds that no process takes to start: an older one was a shell, say, that has become this program. */
const TOO_OLD = 60_000;

/**
 * When a process started, in clock ticks since the machine did; with its pid no two processes of one boot have the
 * same (proc_pid_stat(5), field 22).
 *
 * @returns digits; undefined where there is no such process, or one that is over and whose parent has not looked yet
 */
export function startOf(pid: number): string | undefined {
  const [state = "", ...rest] = statOf(pid);
  return OVER.has(state) ? undefined : rest[18];
}

/** Whether a process has been stopped, by Ctrl-Z in a terminal, say: it may go on after days, or never. */
export function isStopped(pid: number): boolean {
  return statOf(pid)[0] === STOPPED;
}

/** The fields behind the name, which stands in parentheses and may hold anything; none where there is no such process. */
function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/**
 * How long this process has been running, by the kernel's clock: on a machine with too much to do, seconds may go by
 * until a program's own clock begins, and containerd counts them.
 *
 * @returns milliseconds; those of the program's own clock where the kernel does not say, or nothing that can be true
 */
export function processAge(): number {
  return ageBy(startOf(process.pid), uptime(), performance.now());
}

/**
 * @param start of the process, in ticks since the machine started
 * @param up for how long the machine has been running, in seconds
 * @param own what the program's own clock says, in milliseconds
 */
export function ageBy(start: string | undefined, up: number, own: number): number {
  const age = up * 1000 - (Number(start) * 1000) / TICKS;
  return age > own && age < TOO_OLD ? age : own;
}

function uptime(): number {
  try {
    return Number.parseFloat(readFileSync("/proc/uptime", "latin1"));
  } catch {
    return Number.NaN;
  }
}
