import { lstatSync, readdirSync } from "node:fs";
import { lstat, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ProvenTime } from "../../core/verify/outside-evidence.ts";
import type { Warn } from "../../core/warning.ts";
import { hasCode } from "../fs/error-code.ts";
import { makeOwnFolder, syncFolder } from "../fs/folders.ts";
import { isAbsent } from "../fs/local-file.ts";
import { assertPathTrusted } from "../fs/trusted-path.ts";
import { makeEmptyFile } from "./signer-writer.ts";

const TIMES = "times";
const NAME = /^time-(?<time>[1-9][0-9]{0,14})$/;
/** Names that are read; each import adds one and removes older ones. More are not this program's. */
const MAX_TIMES = 1000;
/** How long a newer time must have been there before an older one is removed: no process lives as long, in milliseconds. */
const SWEEP_AFTER = 90_000;

/**
 * Times that this node has proven: of its imports, and of seals. Evidence from outside does not count while the clock is
 * behind the newest. Each is the name of an empty file, so that parallel processes need no lock.
 */
export class ProvenTimes {
  readonly #directory: string;
  readonly #folder: string;
  readonly #warn: Warn;

  /** @param directory stateDir */
  constructor(directory: string, warn: Warn) {
    this.#directory = directory;
    this.#folder = join(directory, TIMES);
    this.#warn = warn;
  }

  /** The newest; unusable where it cannot be read. */
  newest(): ProvenTime {
    try {
      const times = this.#times();
      return times.length === 0 ? {} : { newest: Math.max(...times) };
    } catch (error) {
      const unusable = (error as Error).message;
      this.#warn({ code: "history.unusable", message: `the times in ${this.#folder} are not used: ${unusable}` });
      return { unusable, ...(hasCode(error, "EACCES") && { isDenied: true }) };
    }
  }

  /**
   * Records a time, where none is newer.
   *
   * @param time milliseconds since 1970
   * @throws Error where that is impossible: what was imported must not be used then
   */
  async record(time: number): Promise<void> {
    const times = this.#times();
    const newest = Math.trunc(time);
    if (times.some((one) => one >= newest)) return;
    const folder = await makeOwnFolder(this.#directory, TIMES);
    await makeEmptyFile(join(folder, `time-${newest}`));
    for (const path of [folder, this.#directory]) await syncFolder(path);
    const latest = Math.max(...times);
    if (times.length < 2 || (await lstat(join(folder, `time-${latest}`))).mtimeMs > Date.now() - SWEEP_AFTER) return;
    for (const old of times) if (old < latest) await rm(join(folder, `time-${old}`), { force: true });
  }

  /** @throws Error where the folder cannot be used, or holds anything else */
  #times(): readonly number[] {
    let names: readonly string[];
    try {
      assertPathTrusted(this.#folder);
      if (!lstatSync(this.#folder).isDirectory()) throw new Error(`${this.#folder} is no folder`);
      names = readdirSync(this.#folder);
    } catch (error) {
      if (hasCode(error, "ENOENT") && isAbsent(this.#folder)) return [];
      throw error;
    }
    if (names.length > MAX_TIMES) throw new Error(`it has ${names.length} entries, at most ${MAX_TIMES} are read`);
    return names.map((name) => {
      const time = NAME.exec(name)?.groups?.["time"];
      if (time === undefined) throw new Error(`${join(this.#folder, name)} is not a time; remove it`);
      return Number(time);
    });
  }
}
