import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { containerdArgs } from "../support/binary.ts";
import { keyEnvironment } from "../support/cache-key.ts";
import { MANIFEST_TYPE } from "../support/stand-in-registry.ts";
import type { GateCase } from "./gate-cases.ts";
import { type Job, type Measured, measure, measureOne } from "./measured.ts";
import type { PulledImage, Services } from "./services.ts";

/**
 * One program with a configuration, policy, cache and memory of its own, for one case. Before each pull the cache is
 * again what it was when the node was made; how the program lays it out does not matter.
 */
export class BenchNode {
  readonly #folder: string;
  readonly #program: string;
  readonly #case: GateCase;
  readonly #services: Services;

  private constructor(folder: string, program: string, one: GateCase, services: Services) {
    this.#folder = folder;
    this.#program = program;
    this.#case = one;
    this.#services = services;
  }

  /** @param folder is made */
  static async make(folder: string, program: string, one: GateCase, services: Services): Promise<BenchNode> {
    const node = new BenchNode(folder, program, one, services);
    node.#configure();
    // For what it remembers of the signers outside its cache.
    await node.pull();
    rmSync(node.#cache, { recursive: true, force: true });
    for (const image of one.before) await measure(node.#jobOf([image]));
    if (existsSync(node.#cache)) copyFolder(node.#cache, node.#snapshot);
    await node.pull();
    return node;
  }

  /** @throws Error where the answer is another one than the case expects */
  async pull(): Promise<Measured> {
    return measureOne(this.job(), this.#case.expected);
  }

  /** Restores the cache. @param images pulled side by side; default: the one of the case */
  job(images: readonly PulledImage[] = [this.#case.image]): Job {
    rmSync(this.#cache, { recursive: true, force: true });
    if (existsSync(this.#snapshot)) copyFolder(this.#snapshot, this.#cache);
    return this.#jobOf(images);
  }

  get #cache(): string {
    return join(this.#folder, "cache");
  }

  get #snapshot(): string {
    return join(this.#folder, "snapshot");
  }

  #jobOf(images: readonly PulledImage[]): Job {
    const { names } = this.#services;
    const commands = images.map(({ name, digest }) => ({
      command: [this.#program, ...containerdArgs(`${name}@${digest}`, digest)],
      stdin: JSON.stringify({ mediaType: MANIFEST_TYPE, digest }),
    }));
    const env = {
      PATH: process.env["PATH"] ?? "",
      SSL_CERT_FILE: join(this.#folder, "ca.pem"),
      ATCR_VERIFY_CONFIG: join(this.#folder, "config.yaml"),
      ATCR_VERIFY_CACHE_DIR: this.#cache,
      ...keyEnvironment(this.#folder),
    };
    const isNamed = this.#case.resolvesHandle === true && names !== undefined;
    return { commands, env, ...(isNamed && { through: names.server.through(this.#folder) }) };
  }

  #configure(): void {
    const { image, trusted, action, require } = this.#case;
    const { authority, plc, web, atcr } = this.#services;
    const config = {
      trustPolicyPath: join(this.#folder, "policy.yaml"),
      stateDir: join(this.#folder, "state"),
      cacheDir: this.#cache,
      // A comparison takes longer than evidence is fresh by default.
      cacheTTL: "24h",
      registryConfigPath: join(this.#folder, "certs.d"),
      decisionLog: join(this.#folder, "decisions.log"),
      plcDirectories: [plc.origin],
      atcrHosts: [atcr.authority],
      network: { allow: ["127.0.0.0/8", new URL(web.origin).host] },
    };
    const dids = trusted.map((did) => `  ${JSON.stringify(did)}: {}\n`).join("");
    const more = require === undefined ? "" : `, require: {signature: true, ${require}}`;
    const rule = `{name: team, scope: "${dirname(image.name)}/*", action: ${action}${more}}`;
    mkdirSync(this.#folder, { recursive: true });
    writeFileSync(join(this.#folder, "ca.pem"), authority.cert);
    writeFileSync(join(this.#folder, "config.yaml"), JSON.stringify(config, null, 2));
    writeFileSync(join(this.#folder, "policy.yaml"), `version: 1.0\ntrustedDIDs:\n${dids}policies:\n  - ${rule}\n`);
  }
}

function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, preserveTimestamps: true });
}
