import { reject } from "../rejection.ts";
import type { ProcessEdge } from "./process-edge.ts";

/** A person's door: commands by name. */
export async function commandDoor(args: readonly string[], edge: ProcessEdge): Promise<never> {
  const [command, ...rest] = args;
  switch (command) {
    case "--help":
    case "-h":
    case "help": {
      const { HELP } = await import("./help.ts");
      return edge.print(HELP);
    }
    case "verify": {
      const { verifyCommand } = await import("./verify-command.ts");
      return verifyCommand(rest, edge);
    }
    case "identity": {
      const { identityCommand } = await import("./identity-command.ts");
      return identityCommand(rest, edge);
    }
    case "state": {
      const { stateCommand } = await import("./state-command.ts");
      return stateCommand(rest, edge);
    }
    case "policy": {
      const { policyCommand } = await import("./policy-command.ts");
      return policyCommand(rest, edge);
    }
    case undefined:
      return reject(
        "input.malformed",
        "found no command, expected verify, policy, identity, state, --help or --version",
      );
    default:
      return reject(
        "input.malformed",
        `found the command "${command}", expected verify, policy, identity, state, --help or --version`,
      );
  }
}
