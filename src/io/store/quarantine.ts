import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { makeOwnFolder } from "../fs/folders.ts";

/** Damaged files that are set aside for inspection; further ones stay in place, so that the disk does not fill. */
const MAX_DAMAGED = 100;
const DAMAGED = "damaged";

/** What is wrong in the signer history. */
export interface Damage {
  /** Absolute, of a file or of a signer's whole folder. */
  readonly path: string;
  /** Behind the path, in the warning. */
  readonly why: string;
}

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

  report({ path, why }: Damage): void {
    const message = `${path} ${why}; it is damaged and not used, and will be moved to ${this.#folder} once this signer's next observation is recorded`;
    this.#warn({ code: "history.damaged", message });
  }

  /** @returns whether it is no longer in place */
  async setAside({ path, why }: Damage): Promise<boolean> {
    try {
      await makeOwnFolder(this.#directory, DAMAGED);
      if ((await readdir(this.#folder)).length >= MAX_DAMAGED) throw new Error(`${this.#folder} is full; empty it`);
      await rename(path, join(this.#folder, crypto.randomUUID()));
      return true;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return true; // another process was faster
      const message = `${path} ${why}; it is damaged and not used, and cannot be set aside: ${(error as Error).message}`;
      this.#warn({ code: "history.damaged", message });
      return false;
    }
  }
}
