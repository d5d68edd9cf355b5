/** A folder in memory, for the temporary files of suites that do not test the disk. */
import { accessSync, constants, readFileSync, statfsSync } from "node:fs";

export const MEMORY = "/dev/shm";
/** Bytes: some ten times what the tests have there at one time. */
const MEMORY_NEEDED = 2 ** 27;

/** Whether {@link MEMORY} can be used for temporary files. In containers it is often small, or mounted noexec. */
export function isMemoryUsable(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const [, , type, options = ""] = mounts.findLast((line) => line.split(" ")[1] === MEMORY)?.split(" ") ?? [];
    const { bavail, bsize } = statfsSync(MEMORY);
    return type === "tmpfs" && !options.split(",").includes("noexec") && bavail * bsize >= MEMORY_NEEDED;
  } catch {
    return false;
  }
}
