import { reject } from "../../core/rejection.ts";
import type { StartedWith } from "../../io/process/environment.ts";
import { ProcessEdge } from "../process/process-lifecycle.ts";
import { readOutput } from "./terminal/command-line.ts";
import { endingIn } from "./terminal/person-report.ts";

const EXPECTED =
  "expected verify, policy, identity, state, cache, log, enable, disable, doctor, selftest, images, --help or --version";
/** What may stand before `--help`: a command, and what it is to do. */
const COMMAND =
  /^(?:|verify|identity|log|enable|disable|doctor|selftest|images|state(?: show| forget)?|cache(?: list| show| clear)?|policy(?: check| explain| test| schema)?)$/;

/** Opens a person's door. */
export function openDoor(args: readonly string[], { environment }: StartedWith): void {
  const edge = new ProcessEdge(environment);
  commandDoor(args, edge).catch((error: unknown) => edge.caught(error));
}

/** A person's door: commands by name. */
async function commandDoor(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const [command, ...rest] = args;
  if (asksForHelp(args)) {
    const { HELP } = await import("./help.ts");
    return edge.print(HELP);
  }
  // How the end is told is settled first, so that a mistake in the rest is told that way too.
  edge.render = endingIn(readOutput(rest));
  switch (command) {
    case "verify": {
      const { verifyCommand } = await import("./commands/verify-command.ts");
      return verifyCommand(rest, edge);
    }
    case "identity": {
      const { identityCommand } = await import("./commands/identity-command.ts");
      return identityCommand(rest, edge);
    }
    case "state": {
      const { stateCommand } = await import("./commands/state-command.ts");
      return stateCommand(rest, edge);
    }
    case "cache": {
      const { cacheCommand } = await import("./commands/cache-command.ts");
      return cacheCommand(rest, edge);
    }
    case "doctor": {
      const { doctorCommand } = await import("./commands/doctor-command.ts");
      return doctorCommand(rest, edge);
    }
    case "enable": {
      const { enableCommand } = await import("./commands/enable-command.ts");
      return enableCommand(rest, edge);
    }
    case "disable": {
      const { disableCommand } = await import("./commands/disable-command.ts");
      return disableCommand(rest, edge);
    }
    case "selftest": {
      const { selftestCommand } = await import("./commands/selftest-command.ts");
      return selftestCommand(rest, edge);
    }
    case "images": {
      const { imagesCommand } = await import("./commands/images-command.ts");
      return imagesCommand(rest, edge);
    }
    case "log": {
      const { logCommand } = await import("./commands/log-command.ts");
      return logCommand(rest, edge);
    }
    case "policy": {
      const { policyCommand } = await import("./commands/policy-command.ts");
      return policyCommand(rest, edge);
    }
    case undefined:
      return reject("input.malformed", `found no command, ${EXPECTED}`);
    default:
      return reject("input.malformed", wrongCommand(command));
  }
}

/**
 * Whether a line asks for the help and for nothing else. One that names an image as well must not end with
 * 0, which says that the image may be used.
 */
function asksForHelp(args: readonly string[]): boolean {
  const [last, before] = [args.at(-1), args.slice(0, -1).join(" ")];
  if (last === "help" || last === "-help" || last === "-?") return before === "";
  return (last === "--help" || last === "-h") && COMMAND.test(before);
}

/** @param command the first argument, which is no command */
function wrongCommand(command: string): string {
  // What only an image's name has.
  const isImage = /[/@:]/.test(command) && !command.startsWith("-");
  const meant = isImage ? `; did you mean: atcr-verify verify ${command}` : "";
  return `found the command "${command}"${meant}; ${EXPECTED}`;
}
