/** Programs of Debian 12, run in the root that `make checkers-root` makes: the same versions on every machine. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

export class DebianRoot {
  readonly #root: string;
  /** A folder of its own, on this machine and inside. */
  readonly folder: string;
  readonly inside: string;

  /** @throws Error where there is no such root */
  constructor(root: string) {
    if (!existsSync(join(root, "usr/bin/createrepo_c")))
      throw new Error(`${root} is missing, or has no createrepo_c: run make checkers-root, as root`);
    this.#root = root;
    this.folder = mkdtempSync(join(root, "tmp/release-"));
    this.inside = this.folder.slice(root.length);
  }

  /**
   * Runs a program in {@link folder}. @returns what it prints
   *
   * @param input for its standard input, which is otherwise empty
   * @throws Error with what it says, where it fails
   */
  run(command: readonly string[], env: Readonly<Record<string, string>> = {}, input: Uint8Array | string = ""): Buffer {
    const script = 'cd "$1" && shift && exec "$@"';
    const { status, stdout, stderr, error } = spawnSync(
      "chroot",
      [this.#root, "sh", "-c", script, "sh", this.inside, ...command],
      {
        input,
        env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C", TZ: "UTC", HOME: this.inside, ...env },
        maxBuffer: 2 ** 26,
      },
    );
    if (error !== undefined) throw error;
    if (status !== 0) throw new Error(`${command[0]} ended with ${status}: ${stderr}${stdout}`);
    return stdout;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
