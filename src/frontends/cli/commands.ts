import type { StartedWith } from "../../io/process/environment.ts";
import { EXIT_STATUS_USAGE } from "../process/exit-status.ts";
import { ProcessEdge } from "../process/process-lifecycle.ts";
import { COMMANDS, type CommandName, type LineOf, usageOf } from "./command-table/command-groups.ts";
import { findCommand, readCommandLine, readOutput } from "./terminal/command-line.ts";
import { endingIn, endingOfVerify } from "./terminal/person-report.ts";

type Runs = {
  readonly [Name in CommandName]: (line: LineOf<Name>, edge: ProcessEdge) => Promise<never>;
};

/** The implementation of each command, loaded only when it is run. */
const RUNS: Runs = {
  verify: async (line, edge) => (await import("./commands/verify-command.ts")).verifyCommand(line, edge),
  images: async (line, edge) => (await import("./commands/images-command.ts")).imagesCommand(line, edge),
  "policy check": async (line, edge) => (await import("./commands/policy-check.ts")).policyCheck(line, edge),
  "policy explain": async (line, edge) => (await import("./commands/policy-explain.ts")).policyExplain(line, edge),
  "policy test": async (line, edge) => (await import("./commands/policy-expectations.ts")).policyTest(line, edge),
  "policy schema": async (_, edge) => (await import("./commands/policy-schema-command.ts")).policySchema(edge),
  identity: async (line, edge) => (await import("./commands/identity-command.ts")).identityCommand(line, edge),
  "state show": async (line, edge) => (await import("./commands/state-command.ts")).stateShow(line, edge),
  "state forget": async (line, edge) => (await import("./commands/state-command.ts")).stateForget(line, edge),
  "cache list": async (line, edge) => (await import("./commands/cache-command.ts")).cacheList(line, edge),
  "cache show": async (line, edge) => (await import("./commands/cache-command.ts")).cacheShow(line, edge),
  "cache clear": async (line, edge) => (await import("./commands/cache-command.ts")).cacheClear(line, edge),
  enable: async (line, edge) => (await import("./commands/enable-command.ts")).enableCommand(line, edge),
  disable: async (line, edge) => (await import("./commands/disable-command.ts")).disableCommand(line, edge),
  doctor: async (line, edge) => (await import("./commands/doctor-command.ts")).doctorCommand(line, edge),
  log: async (line, edge) => (await import("./commands/log-command.ts")).logCommand(line, edge),
  selftest: async (line, edge) => (await import("./commands/selftest-command.ts")).selftestCommand(line, edge),
};

/** Words that may ask for help; help.ts decides whether they do. */
const ASKS_FOR_HELP = /^(?:help|--help|-help|-h|-\?)$/;

/** The command line's entry point. */
export function openDoor(args: readonly string[], { environment }: StartedWith): void {
  const edge = new ProcessEdge(environment);
  commandDoor(args, edge).catch((error: unknown) => edge.caught(error));
}

async function commandDoor(args: readonly string[], edge: ProcessEdge): Promise<never> {
  // The output format comes first, so that a mistake in the rest is printed in it.
  const form = readOutput(args);
  edge.render = endingIn(form, edge.environment);
  if (args.length === 0 || args.some((arg) => ASKS_FOR_HELP.test(arg))) {
    const [{ helpOf }, { helpWidth }] = await Promise.all([import("./help.ts"), import("./terminal/screen.ts")]);
    const page = helpOf(args, helpWidth());
    if (page !== undefined) return edge.print(page, args.length === 0 ? EXIT_STATUS_USAGE : 0);
  }
  const { name, rest } = findCommand(args);
  if (name === "verify") edge.render = endingOfVerify(form, edge.environment);
  return run(name, rest, edge);
}

function run<Name extends CommandName>(name: Name, rest: readonly string[], edge: ProcessEdge): Promise<never> {
  return RUNS[name](readCommandLine(rest, COMMANDS[name], usageOf(name)), edge);
}
