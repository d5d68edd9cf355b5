/** How Bun is told about an option of its engine; there is no flag that could be compiled in. */
const OPTION = "BUN_JSC_useJIT";
/** How the program tells itself what it has read, over a start in the same process. */
const HANDED_OVER = "ATCR_VERIFY_HANDED_OVER";
/** Pid, milliseconds, and the standard input as base64. */
const FORM = /^([0-9]{1,10}):([0-9]{1,6}):([A-Za-z0-9+/=]*)$/;
/** Bytes of standard input that are handed over; with more the program goes on as it is. Linux takes 128 KiB. */
const MAX_HANDED_OVER = 64 * 1024;

/** What the program knew before it started anew. */
export interface HandedOver {
  /** The whole standard input. */
  readonly stdin: Uint8Array;
  /** Milliseconds from the start of the process until then. */
  readonly elapsed: number;
}

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
 * @param known the standard input, where it has been read
 */
export function restartWithoutJit(args: readonly string[], known?: HandedOver): void {
  if (process.env[OPTION] !== undefined) return;
  if (known !== undefined && known.stdin.length > MAX_HANDED_OVER) return;
  const handedOver = known && {
    [HANDED_OVER]: `${process.pid}:${Math.ceil(known.elapsed)}:${Buffer.from(known.stdin).toString("base64")}`,
  };
  try {
    // Not by name: the file may be renamed away by an upgrade at this moment.
    process.execve?.("/proc/self/exe", [process.argv0, ...args], { ...process.env, [OPTION]: "0", ...handedOver });
  } catch {
    // Slower is no reason to refuse.
  }
}

/** What this process knew before it started anew; what another process was told is not believed. */
export function handedOver(): HandedOver | undefined {
  const [, pid, elapsed, stdin = ""] = FORM.exec(process.env[HANDED_OVER] ?? "") ?? [];
  delete process.env[HANDED_OVER];
  if (Number(pid) !== process.pid) return undefined;
  return { stdin: Buffer.from(stdin, "base64"), elapsed: Number(elapsed) };
}
