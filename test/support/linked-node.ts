import { chmodSync, copyFileSync, linkSync } from "node:fs";
import { join } from "node:path";
import { type Ask, ask, Bench, BINARY } from "./binary.ts";

/** What enable and disable print. */
export interface Said {
  readonly changed: boolean;
  readonly binDir: string;
  readonly findings: readonly {
    readonly level: string;
    readonly name: string;
    readonly found: string;
    readonly advice?: string;
  }[];
  readonly summary: string;
  readonly removed: readonly string[];
  readonly standing: readonly string[];
}

const POLICY =
  'version: 1\ntrustedDIDs: ["did:web:a.example"]\npolicies: [{name: a, scope: "a.example/**", action: enforce}]\n';

/** A node whose containerd is stopped, or only answers `config dump`. */
export class LinkedNode {
  readonly bench = new Bench();
  readonly binDir = join(this.bench.folder, "configured");
  readonly program: string;

  /** @param name of the program's file */
  constructor(name = "atcr-verify") {
    this.bench.write("policy.yaml", POLICY);
    this.program = join(this.bench.folder, name);
    linkOrCopy(BINARY, this.program);
    // As `containerd config dump` answers.
    const dump = `version = 3\n[plugins."io.containerd.image-verifier.v1.bindir"]\nbin_dir = "${this.binDir}"\n`;
    this.bench.write("dump.toml", dump);
    this.bench.write(
      "bin/containerd",
      `#!/bin/sh\nwhile read -r line; do echo "$line"; done <${this.bench.folder}/dump.toml\n`,
      0o755,
    );
  }

  async run(...args: readonly string[]): Promise<{ code: number | null; said: Said }> {
    return this.#run({}, args);
  }

  /** @param cwd where it is run */
  async runIn(cwd: string, ...args: readonly string[]): Promise<{ code: number | null; said: Said }> {
    return this.#run({ cwd }, args);
  }

  /** @param through what runs the program */
  async runThrough(
    through: readonly string[],
    ...args: readonly string[]
  ): Promise<{ code: number | null; said: Said }> {
    return this.#run({ through }, args);
  }

  async #run(options: Pick<Ask, "through" | "cwd">, args: readonly string[]) {
    // Its configuration is named, so that a containerd of another test is not looked for.
    const config = args.includes("--containerd-config") ? [] : ["--containerd-config", this.path("dump.toml")];
    const own = ["--output", "json", "--address", this.path("none.sock"), ...config];
    const env = { ...this.bench.env, PATH: `${join(this.bench.folder, "bin")}:/usr/bin:/bin` };
    const { code, stdout } = await ask([...args, ...own], { env, binary: this.program, ...options });
    return { code, said: JSON.parse(stdout) as Said };
  }

  path(name: string): string {
    return join(this.bench.folder, name);
  }
}

/** A hard link if possible: the program is large. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
    chmodSync(to, 0o755);
  }
}
