import { mayBeKept } from "./cli/cache-place.ts";
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
  // An answer by what is kept is over before that pays; where there is none after all, containerd's door does so.
  if (!isContainerds || !mayBeKept(args)) restartWithoutJit(args);
  const { openDoor } = isContainerds ? await import("./cli/containerd.ts") : await import("./cli/commands.ts");
  openDoor(args);
}
