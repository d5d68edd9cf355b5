import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { makeOwnFolder } from "../fs/folders.ts";

/** What is kept for people to look at; more is left where it lies, so that nothing fills the disk. */
const MAX_DAMAGED = 100;
const DAMAGED = "damaged";

/** Where what cannot be believed is put: never trusted, never fatal, and never thrown away. */
export class Damaged {
  readonly #directory: string;
  readonly #folder: string;
  readonly #warn: Warn;

  constructor(directory: string, warn: Warn) {
    this.#directory = directory;
    this.#folder = join(directory, DAMAGED);
    this.#warn = warn;
  }

  /** @param why behind the path, in the warning */
  async setAside(path: string, why: string): Promise<void> {
    const to = join(this.#folder, crypto.randomUUID());
    try {
      await makeOwnFolder(this.#directory, DAMAGED);
      if ((await readdir(this.#folder)).length >= MAX_DAMAGED) throw new Error(`${this.#folder} is full; empty it`);
      await rename(path, to);
      this.#warn({ code: "history.damaged", message: `${path} ${why}; it is damaged and now lies at ${to}` });
    } catch (error) {
      if (hasCode(error, "ENOENT")) return; // another process was faster
      const message = `${path} ${why}; it is damaged, not used and cannot be set aside: ${(error as Error).message}`;
      this.#warn({ code: "history.damaged", message });
    }
  }
}
