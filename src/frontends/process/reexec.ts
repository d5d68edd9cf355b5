/** How Bun is told about an option of its engine; there is no flag that could be compiled in. */
const OPTION = "BUN_JSC_useJIT";
/** How the program tells itself what it has read, over a start in the same process. */
const HANDED_OVER = "ATCR_VERIFY_HANDED_OVER";
/** Pid, and the standard input as base64. */
const FORM = /^([0-9]{1,10}):([A-Za-z0-9+/=]*)$/;
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
export function restartWithoutJit(args: readonly string[], stdin?: Uint8Array): void {
  if (process.env[OPTION] !== undefined) return;
  if (stdin !== undefined && stdin.length > MAX_HANDED_OVER) return;
  const handedOver = stdin && { [HANDED_OVER]: `${process.pid}:${Buffer.from(stdin).toString("base64")}` };
  try {
    // Not by name: the file may be renamed away by an upgrade at this moment.
    process.execve?.("/proc/self/exe", [process.argv0, ...args], { ...process.env, [OPTION]: "0", ...handedOver });
  } catch {
    // Slower is no reason to refuse.
  }
}

/** The standard input that this process read before it started anew; what another process was given is not believed. */
export function handedOver(): Uint8Array | undefined {
  const [, pid, stdin = ""] = FORM.exec(process.env[HANDED_OVER] ?? "") ?? [];
  delete process.env[HANDED_OVER];
  return Number(pid) === process.pid ? Buffer.from(stdin, "base64") : undefined;
}
