/** How Bun is told about an option of its engine; there is no flag that could be compiled in. */
const OPTION = "BUN_JSC_useJIT";

/**
 * Starts this program anew in the same process, its engine without just-in-time compilation, unless
 * the environment has said already whether it wants that. A verification is over before compiled
 * code pays: without it, a pull takes two thirds of the CPU and four fifths of the memory, a
 * second start included (docs/benchmarks.md), and the process has no memory that is both writable
 * and executable, which `MemoryDenyWriteExecute=` would forbid.
 *
 * The same process means: same pid, same arguments, standard input not yet touched. Where it does not
 * work the program goes on as it is.
 *
 * @param args the program's own arguments
 */
export function restartWithoutJit(args: readonly string[]): void {
  if (process.env[OPTION] !== undefined) return;
  try {
    // Not by name: the file may be renamed away by an upgrade at this moment.
    process.execve?.("/proc/self/exe", [process.argv0, ...args], { ...process.env, [OPTION]: "0" });
  } catch {
    // Slower is no reason to refuse.
  }
}
