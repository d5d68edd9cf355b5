import { chmodSync, existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makeTemporaryDirectory } from "./process.ts";

/** The folders of a node, which its processes share: the program's own store works in them, as it does on a node. */
export class NodeDisk {
  readonly #folder = makeTemporaryDirectory("node");
  readonly stateDir = join(this.#folder, "state");
  readonly cacheDir = join(this.#folder, "cache");

  /** Paths of all files, below the node's folder. */
  files(): readonly string[] {
    const entries = readdirSync(this.#folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  }

  /** Names of the locks that are held. */
  locks(): readonly string[] {
    const folder = join(this.cacheDir, "turns");
    return existsSync(folder) ? readdirSync(folder).toSorted() : [];
  }

  /** Lets everybody write in a folder: then nothing in it is used. */
  openToAll(folder: "state" | "cache"): void {
    chmodSync(join(this.#folder, folder), 0o777);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
