/** How Bun is told about an option of its engine; there is no flag that could be compiled in. */
const OPTION = "BUN_JSC_useJIT";
/**
 * How the engine runs: without just-in-time compilation; or with its first stage alone, which takes a third of the time
 * where a file of thousands of lines is parsed (docs/decisions/0046-large-files.md).
 */
const ENGINES = {
  interpreter: { [OPTION]: "0" },
  baseline: { [OPTION]: "1", BUN_JSC_useDFGJIT: "0" },
} as const;
/** Which of them the program has chosen for itself: pid and name. */
const CHOSEN = "ATCR_VERIFY_ENGINE";
/** How the program tells itself what it has read, over a start in the same process. */
const HANDED_OVER = "ATCR_VERIFY_HANDED_OVER";
/** Pid, and the standard input as base64. */
const FORM = /^([0-9]{1,10}):([A-Za-z0-9+/=]*)$/;
/** Bytes of standard input that are handed over; with more the program goes on as it is. Linux takes 128 KiB. */
const MAX_HANDED_OVER = 64 * 1024;

/** The engine that this process has chosen by starting anew; undefined where it has not. */
const chosen = takeChosen();
/** Whether the environment has chosen one already. */
const isDecided = process.env[OPTION] !== undefined;

/** Takes the choice out of the environment, which programs that are run from here are given. What another process chose is none. */
function takeChosen(): keyof typeof ENGINES | undefined {
  const [pid, name] = (process.env[CHOSEN] ?? "").split(":");
  delete process.env[CHOSEN];
  if (Number(pid) !== process.pid || (name !== "interpreter" && name !== "baseline")) return undefined;
  for (const option of Object.keys(ENGINES[name])) delete process.env[option];
  return name;
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
 * @param stdin the whole standard input, where it has been read
 */
export function restartWithoutJit(args: readonly string[], stdin?: Uint8Array): void {
  if (chosen === undefined) restart("interpreter", args, stdin);
}

/** As {@link restartWithoutJit}, for work that takes long enough for compiled code to pay: a large file, a command. */
export function restartForLongWork(args: readonly string[], stdin?: Uint8Array): void {
  if (chosen !== "baseline") restart("baseline", args, stdin);
}

function restart(engine: keyof typeof ENGINES, args: readonly string[], stdin: Uint8Array | undefined): void {
  if (isDecided) return;
  if (stdin !== undefined && stdin.length > MAX_HANDED_OVER) return;
  const handedOver = stdin && { [HANDED_OVER]: `${process.pid}:${Buffer.from(stdin).toString("base64")}` };
  const environment = { ...process.env, ...ENGINES[engine], [CHOSEN]: `${process.pid}:${engine}`, ...handedOver };
  try {
    // Not by name: the file may be renamed away by an upgrade at this moment.
    process.execve?.("/proc/self/exe", [process.argv0, ...args], environment);
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
