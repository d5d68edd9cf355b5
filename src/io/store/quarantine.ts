import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { makeOwnFolder } from "../fs/folders.ts";

/** Damaged files that are set aside for inspection; further ones stay in place, so that the disk does not fill. */
const MAX_DAMAGED = 100;
const DAMAGED = "damaged";

/** Sets damaged files of the signer history aside: they are never used, never fatal, and never deleted. */
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
      this.#warn({ code: "history.damaged", message: `${path} ${why}; it is damaged and was moved to ${to}` });
    } catch (error) {
      if (hasCode(error, "ENOENT")) return; // another process was faster
      const message = `${path} ${why}; it is damaged and not used, and cannot be set aside: ${(error as Error).message}`;
      this.#warn({ code: "history.damaged", message });
    }
  }
}
