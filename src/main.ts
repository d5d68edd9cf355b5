import { isContainerdDoor } from "./cli/door.ts";
import { restartWithoutJit } from "./cli/without-jit.ts";
import { VERSION } from "./version.ts";

/** The runtime puts its own name and the program's before the arguments. */
const args = process.argv.slice(2);

// Each door is imported when it is used: start-up is paid at every pull.
if (args.length === 1 && args[0] === "--version") {
  console.log(`atcr-verify ${VERSION}`);
} else {
  const isTerminal = async () => (await import("node:tty")).isatty(0);
  const isContainerds = await isContainerdDoor(args, isTerminal);
  // containerd's door does so itself, where the network must be asked.
  if (!isContainerds) restartWithoutJit(args);
  const { ProcessEdge } = await import("./cli/process-edge.ts");
  const edge = new ProcessEdge();
  if (isContainerds) {
    const { containerdDoor } = await import("./cli/containerd.ts");
    containerdDoor(args, edge).catch((error: unknown) => edge.fail(error));
  } else {
    const { commandDoor } = await import("./cli/commands.ts");
    commandDoor(args, edge).catch((error: unknown) => edge.fail(error));
  }
}
