import { isatty } from "node:tty";
import { isContainerdDoor } from "./cli/door.ts";
import { ProcessEdge } from "./cli/process-edge.ts";
import { VERSION } from "./version.ts";

const STDIN = 0;
/** The runtime puts its own name and the program's before the arguments. */
const args = process.argv.slice(2);
const edge = new ProcessEdge();

// Each door is imported when it is used: start-up is paid at every pull.
if (isContainerdDoor(args, () => isatty(STDIN))) {
  const { containerdDoor } = await import("./cli/containerd.ts");
  containerdDoor(args, edge).catch((error: unknown) => edge.fail(error));
} else {
  const { commandDoor } = await import("./cli/commands.ts");
  commandDoor(args, edge, VERSION).catch((error: unknown) => edge.fail(error));
}
