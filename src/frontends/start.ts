import { VERSION } from "../core/version.ts";
import { hasCode } from "../io/fs/error-code.ts";
import { type Environment, RATIFY_COMMAND, readEnvironment, type StartedWith } from "../io/process/environment.ts";
import { hasCachedEvidence } from "../io/settings/cache-place.ts";
import { restartForLongWork, restartForService, restartWithoutJit } from "./process/reexec.ts";
import { sayUnwritten, writeOutput } from "./process/standard-output.ts";

/** One of containerd's flags, alone or with its value; containerd writes them with one dash. */
const CONTAINERD_FLAG = /^-(?:name|digest|stdin-media-type|operation)(?:=|$)/s;
const STDIN = 0;

/** What the arguments ask for (spec 1.1). */
export type Invocation = "containerd" | "ratify" | "command" | "version";

/**
 * Decides what the arguments ask for (spec 1.1). Go's `-version`, `-help` and the like are never taken for a pull,
 * which would wait for standard input and be logged as refused. Ratify gives no arguments, but a variable, which decides only
 * then: its plugins end with 0 for a refused image, and containerd would take that for an allow.
 */
export async function invocationOf(
  args: readonly string[],
  environment: Environment,
  stdinIsTerminal: () => Promise<boolean>,
): Promise<Invocation> {
  if (args.some((arg) => CONTAINERD_FLAG.test(arg))) return "containerd";
  const [first, ...more] = args;
  if (first === undefined) {
    if (environment[RATIFY_COMMAND]) return "ratify";
    return (await stdinIsTerminal()) ? "command" : "containerd";
  }
  return more.length === 0 && /^(?:--?version|-V)$/.test(first) ? "version" : "command";
}

/** Imports only what the arguments need: every pull pays for start-up. */
export async function start(args: readonly string[]): Promise<void> {
  const started = readEnvironment();
  const invocation = await invocationOf(args, started.environment, async () =>
    (await import("node:tty")).isatty(STDIN),
  );
  if (invocation === "version") {
    process.exit(printVersion());
  }
  const { runFrontend } = await FRONTENDS[invocation](args, started);
  runFrontend(args, started);
}

/** Each restarts the program in the mode that suits it, and else loads the frontend. */
const FRONTENDS = {
  containerd: (args: readonly string[], started: StartedWith) => {
    // An answer from the cache takes less time than a restart; without one, containerd's entry point restarts later.
    if (!hasCachedEvidence(started.environment, args)) restartWithoutJit(started, args);
    return import("./containerd/entry-point.ts");
  },
  ratify: (args: readonly string[], started: StartedWith) => {
    // It parses the policy each time: 10,000 signers take half a second of CPU, and two without compiled code.
    restartForLongWork(started, args);
    return import("./ratify/verifier-plugin.ts");
  },
  command: (args: readonly string[], started: StartedWith) => {
    if (args[0] === "serve") restartForService(started, args);
    else restartForLongWork(started, args);
    return import("./cli/commands.ts");
  },
} as const;

/** @returns the exit status: 4 where the version could not be written; a closed pipe is no failure */
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
