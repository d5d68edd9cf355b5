import type { StartedWith } from "../../io/process/environment.ts";
import { EXIT_STATUS_USAGE } from "../process/exit-status.ts";
import { ProcessLifecycle } from "../process/process-lifecycle.ts";
import { COMMANDS, type CommandName, type LineOf, usageOf } from "./command-table/command-groups.ts";
import { assertRunsOn, findCommand, readCommandLine, writtenOutput } from "./terminal/command-line.ts";
import { endingIn, endingSilently } from "./terminal/person-report.ts";

type Runs = {
  readonly [Name in CommandName]: (line: LineOf<Name>, lifecycle: ProcessLifecycle) => Promise<never>;
};

/** The implementation of each command, loaded only when it is run. */
const RUNS: Runs = {
  verify: async (line, lifecycle) => (await import("./verify/verify-command.ts")).verifyCommand(line, lifecycle),
  inspect: async (line, lifecycle) => (await import("./commands/inspect-command.ts")).inspectCommand(line, lifecycle),
  images: async (line, lifecycle) => (await import("./commands/images-command.ts")).imagesCommand(line, lifecycle),
  vouch: async (line, lifecycle) => (await import("./vouch/vouch-command.ts")).vouchCommand(line, lifecycle),
  "policy init": async (line, lifecycle) => (await import("./commands/policy-init.ts")).policyInit(line, lifecycle),
  "policy check": async (line, lifecycle) => (await import("./commands/policy-check.ts")).policyCheck(line, lifecycle),
  "policy explain": async (line, lifecycle) =>
    (await import("./commands/policy-explain.ts")).policyExplain(line, lifecycle),
  "policy test": async (line, lifecycle) =>
    (await import("./commands/policy-expectations.ts")).policyTest(line, lifecycle),
  "policy schema": async (_, lifecycle) =>
    (await import("./commands/policy-schema-command.ts")).policySchema(lifecycle),
  "config check": async (line, lifecycle) => (await import("./commands/config-check.ts")).configCheck(line, lifecycle),
  identity: async (line, lifecycle) =>
    (await import("./commands/identity-command.ts")).identityCommand(line, lifecycle),
  "state show": async (line, lifecycle) => (await import("./commands/state-command.ts")).stateShow(line, lifecycle),
  "state forget": async (line, lifecycle) => (await import("./commands/state-command.ts")).stateForget(line, lifecycle),
  "cache list": async (line, lifecycle) => (await import("./commands/cache-command.ts")).cacheList(line, lifecycle),
  "cache show": async (line, lifecycle) => (await import("./commands/cache-command.ts")).cacheShow(line, lifecycle),
  "cache clear": async (line, lifecycle) => (await import("./commands/cache-command.ts")).cacheClear(line, lifecycle),
  "bundle create": async (line, lifecycle) => (await import("./bundle/bundle-create.ts")).bundleCreate(line, lifecycle),
  "bundle list": async (line, lifecycle) => (await import("./bundle/bundle-list.ts")).bundleList(line, lifecycle),
  "bundle merge": async (line, lifecycle) => (await import("./bundle/bundle-merge.ts")).bundleMerge(line, lifecycle),
  "bundle import": async (line, lifecycle) => (await import("./bundle/bundle-import.ts")).bundleImport(line, lifecycle),
  export: async (line, lifecycle) => (await import("./bundle/bundle-create.ts")).exportCommand(line, lifecycle),
  attach: async (line, lifecycle) => (await import("./bundle/attach-command.ts")).attachCommand(line, lifecycle),
  "bundle keygen": async (line, lifecycle) => (await import("./bundle/bundle-keygen.ts")).bundleKeygen(line, lifecycle),
  enable: async (line, lifecycle) => (await import("./commands/enable-command.ts")).enableCommand(line, lifecycle),
  disable: async (line, lifecycle) => (await import("./commands/disable-command.ts")).disableCommand(line, lifecycle),
  doctor: async (line, lifecycle) => (await import("./commands/doctor-command.ts")).doctorCommand(line, lifecycle),
  "break-glass": async (line, lifecycle) =>
    (await import("./commands/break-glass-command.ts")).breakGlassCommand(line, lifecycle),
  lookaside: async ({ options }, lifecycle) =>
    (await import("../lookaside/lookaside-command.ts")).lookasideCommand(options, lifecycle),
  serve: async ({ options }, lifecycle) =>
    (await import("../server/serve-command.ts")).serveCommand(options, lifecycle),
  log: async (line, lifecycle) => (await import("./commands/log-command.ts")).logCommand(line, lifecycle),
  selftest: async (line, lifecycle) =>
    (await import("./commands/selftest-command.ts")).selftestCommand(line, lifecycle),
};

/** Words that may ask for help; help.ts decides whether they do. */
const ASKS_FOR_HELP = /^(?:help|--help|-help|-h|-\?)$/;

/** The command line's entry point. */
export function runFrontend(args: readonly string[], { environment }: StartedWith): void {
  const lifecycle = new ProcessLifecycle(environment);
  runCommandLine(args, lifecycle).catch((error: unknown) => lifecycle.caught(error));
}

async function runCommandLine(args: readonly string[], lifecycle: ProcessLifecycle): Promise<never> {
  // The output format comes first, so that a mistake in the rest is printed in it.
  const form = writtenOutput(args);
  const isSilent = form === "ref" || args.includes("-q") || args.includes("--quiet");
  lifecycle.render = isSilent ? endingSilently(lifecycle) : endingIn(form, lifecycle.environment);
  if (args.length === 0 || args.some((arg) => ASKS_FOR_HELP.test(arg))) {
    const [{ helpOf }, { helpWidth }] = await Promise.all([import("./help.ts"), import("./terminal/screen.ts")]);
    const page = helpOf(args, helpWidth());
    if (page !== undefined) return lifecycle.print(page, args.length === 0 ? EXIT_STATUS_USAGE : 0);
  }
  const { name, rest } = findCommand(args);
  assertRunsOn(name, process.platform, rest);
  if (name === "verify" && !isSilent) {
    const { endingBeforeImages } = await import("./verify/reports.ts");
    lifecycle.render = endingBeforeImages(form, lifecycle.environment);
  }
  return run(name, rest, lifecycle);
}

function run<Name extends CommandName>(
  name: Name,
  rest: readonly string[],
  lifecycle: ProcessLifecycle,
): Promise<never> {
  return RUNS[name](readCommandLine(rest, COMMANDS[name], usageOf(name)), lifecycle);
}
