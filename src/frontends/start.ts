import { VERSION } from "../core/version.ts";
import { hasCode } from "../io/fs/error-code.ts";
import { readEnvironment } from "../io/process/environment.ts";
import { mayBeKept } from "../io/settings/cache-place.ts";
import { restartForLongWork, restartWithoutJit } from "./process/reexec.ts";
import { sayUnwritten, writeOutput } from "./process/standard-output.ts";

/** One of containerd's flags, alone or with its value. Its plugin contract has them with one dash. */
const CONTAINERD_FLAG = /^-(?:name|digest|stdin-media-type|operation)(?:=|$)/s;
const STDIN = 0;

/** What the arguments ask for (spec 1.1). */
export type Invocation = "containerd" | "command" | "version";

/**
 * What the arguments ask for (spec 1.1). Words that Go programs answer by version or help never become
 * a question about an image, which would wait for standard input and be logged as a refused pull.
 */
export async function invocationOf(
  args: readonly string[],
  stdinIsTerminal: () => Promise<boolean>,
): Promise<Invocation> {
  if (args.some((arg) => CONTAINERD_FLAG.test(arg))) return "containerd";
  const [first, ...more] = args;
  if (first === undefined) return (await stdinIsTerminal()) ? "command" : "containerd";
  return more.length === 0 && /^(?:--?version|-V)$/.test(first) ? "version" : "command";
}

/** Imports what the arguments ask for, and nothing else: start-up is paid at every pull. */
export async function start(args: readonly string[]): Promise<void> {
  const started = readEnvironment();
  const invocation = await invocationOf(args, async () => (await import("node:tty")).isatty(STDIN));
  if (invocation === "version") {
    process.exit(printVersion());
  }
  const isContainerds = invocation === "containerd";
  // An answer from the cache is done before the restart pays; without one, containerd's entry point restarts later.
  if (!isContainerds) restartForLongWork(started, args);
  else if (!mayBeKept(started.environment, args)) restartWithoutJit(started, args);
  const { openDoor } = isContainerds ? await import("./containerd/entry-point.ts") : await import("./cli/commands.ts");
  openDoor(args, started);
}

/** @returns the exit status: 4 where the version could not be written; a reader that has gone away is no failure */
function printVersion(): number {
  try {
    writeOutput(`atcr-verify ${VERSION}\n`);
    return 0;
  } catch (error) {
    if (hasCode(error, "EPIPE")) return 0;
    sayUnwritten(error);
    return 4;
  }
}
