import { accessSync, constants } from "node:fs";
import { join } from "node:path";

const BIN = join(import.meta.dirname, "../../build/debian/bin");

/** Where packaging/fetch-debian-tools.sh puts a program (containerd, ctr, docker-registry, oras, …). */
export function debianTool(program: string): string {
  return join(BIN, program);
}

/** What to pass to `requirement` for a program of packaging/fetch-debian-tools.sh. */
export function missingTool(program: string): string | undefined {
  try {
    accessSync(debianTool(program), constants.X_OK);
    return undefined;
  } catch {
    return `${program} is not in build/debian: run packaging/fetch-debian-tools.sh (on Debian 12 or later)`;
  }
}
