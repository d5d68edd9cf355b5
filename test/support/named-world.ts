import { type Answered, type Ask, TestNode } from "./binary.ts";
import { NameServer, ownAddress } from "./name-server.ts";
import { StandInPds } from "./stand-in-pds.ts";
import { type Descriptor, StandInRegistry } from "./stand-in-registry.ts";

/** The handle that {@link TestNode.signer} claims. */
export const HANDLE = "alice.example.com";
export const HANDLE_TXT = `TXT _atproto.${HANDLE}`;
export const HANDLE_PATH = "/.well-known/atproto-did";

/**
 * A world with real name resolution: a name server resolves `atcr.io` and the host of a handle, and both listen on port
 * 443. Needs root.
 */
export class NamedWorld {
  readonly world: TestNode;
  readonly names: NameServer;
  /** The https host of {@link HANDLE}; also reached as `alice.test`. */
  readonly host: StandInPds;
  /** `atcr.io` */
  readonly registry: StandInRegistry;
  readonly #net: number;
  #commits = 0;

  private constructor(world: TestNode, names: NameServer, host: StandInPds, registry: StandInRegistry, net: number) {
    this.#net = net;
    this.world = world;
    this.names = names;
    this.host = host;
    this.registry = registry;
    this.reset();
  }

  /** @param net the second number of three loopback addresses, which nothing else in the tests uses */
  static async start(net: number): Promise<NamedWorld> {
    const world = await TestNode.start();
    const tls = world.authority.issue({ names: [HANDLE, "alice.test", "atcr.io"] });
    return new NamedWorld(
      world,
      await NameServer.start(net),
      await StandInPds.start({ tls, host: ownAddress(net + 1), port: 443 }),
      await StandInRegistry.start({ tls, host: ownAddress(net + 2), port: 443, name: "atcr.io" }),
      net,
    );
  }

  /** Makes the handle resolve to no DID, by DNS and by its host. */
  reset(): void {
    const { answers, asked } = this.names;
    answers.clear();
    asked.length = 0;
    for (const name of [HANDLE, "alice.test"]) answers.set(`A ${name}`, [ownAddress(this.#net + 1)]);
    answers.set("A atcr.io", [ownAddress(this.#net + 2)]);
    this.host.override(HANDLE_PATH, { status: 404 });
  }

  /** Where a program is run so that it sees these names. */
  get through(): readonly string[] {
    return this.names.through(this.world.folder);
  }

  /** Pushes an image to a repository of `atcr.io`, signed as `app`. */
  async image(path: string): Promise<Descriptor> {
    const image = this.registry.pushImage(path, `${path} ${++this.#commits}`);
    await this.world.signer.sign(image.digest, "app", this.world.begun + this.#commits * 1000);
    return image;
  }

  /** @param requirement what the rule requires besides a signature: `owner: any` */
  async pull(path: string, image: Descriptor, requirement = "", options: Ask = {}): Promise<Answered> {
    const { world } = this;
    const require = `{signature: true${requirement === "" ? "" : `, ${requirement}`}}`;
    const rule = `{name: all, scope: "**/*", action: enforce, require: ${require}}`;
    world.policy(`version: 1.0\ntrustedDIDs: {"${world.signer.did}": {}}\npolicies:\n  - ${rule}\n`);
    return world.pull(`atcr.io/${path}:v1`, image, { through: this.through, ...options });
  }

  async stop(): Promise<void> {
    this.names.stop();
    await Promise.all([this.host.stop(), this.registry.stop(), this.world.stop()]);
  }
}
