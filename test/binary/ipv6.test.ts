import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ask, enforcing, headline, TestNode } from "../support/binary.ts";
import { NameServer } from "../support/name-server.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import { Signer } from "../support/signer.ts";
import { StandInPds } from "../support/stand-in-pds.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import { type Descriptor, StandInRegistry } from "../support/stand-in-registry.ts";

const NAMES = ["plc.example", "pds.example", "registry.example"] as const;

/** A world whose servers listen at one address, and call themselves by names or by that address. */
class Place {
  readonly #world: TestNode;
  readonly #servers: readonly [StandInPlc, StandInPds, StandInRegistry];
  readonly signed: Descriptor;
  readonly unsigned: Descriptor;

  private constructor(
    world: TestNode,
    servers: readonly [StandInPlc, StandInPds, StandInRegistry],
    signed: Descriptor,
  ) {
    this.#world = world;
    this.#servers = servers;
    this.signed = signed;
    this.unsigned = servers[2].pushImage("alice/app", "unsigned");
  }

  static async at(host: string, named: boolean): Promise<Place> {
    const world = await TestNode.start();
    const tls = world.authority.issue({ names: ["127.0.0.1", "::1", ...NAMES] });
    const options = (name: string) => ({ tls, host, ...(named && { name }) });
    const plc = await StandInPlc.start(options("plc.example"));
    const pds = await StandInPds.start(options("pds.example"));
    const registry = await StandInRegistry.start(options("registry.example"));
    const identity = { seed: host, handle: "bob.example.com", curve: "k256" } as const;
    const signer = await Signer.create({ ...identity, pds: pds.origin, at: world.begun });
    plc.add(signer.log);
    pds.add(signer.repo);
    const signed = registry.pushImage("alice/app", "signed");
    await signer.sign(signed.digest, "app", world.begun + 1000);
    world.configure({ ...world.settings, plcDirectories: [plc.origin] });
    world.policy(enforcing(signer.did));
    return new Place(world, [plc, pds, registry], signed);
  }

  async pull(image: Descriptor, names?: NameServer): Promise<string> {
    const through: Ask = names === undefined ? {} : { through: names.through(this.#world.folder) };
    const name = `${this.#servers[2].authority}/alice/app:v1`;
    return headline(await this.#world.pull(name, image, { env: this.#world.env, ...through }));
  }

  /** Of each server, whether it was asked. */
  get asked(): readonly boolean[] {
    return this.#servers.map(({ requests }) => requests.length > 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop()));
    await this.#world.stop();
  }
}

describe("services at an IPv6 address", () => {
  it("are asked where names and URLs hold the address", async () => {
    await using place = await Place.at("::1", false);
    expect(await place.pull(place.signed)).toBe("0 allow signed");
    expect(place.asked).toEqual([true, true, true]);
    expect(await place.pull(place.unsigned)).toBe("1 deny signature.none");
  });
});

const canServeNames = requirement("names of IPv6 addresses", missingRoot("binds port 53, mounts resolv.conf"));

describe.runIf(canServeNames)("services whose names have addresses of", () => {
  let names: NameServer;
  beforeAll(async () => {
    names = await NameServer.start(59);
  });
  afterAll(() => names.stop());

  it.each([
    ["IPv6 alone", "::1", ["AAAA"]],
    ["IPv4 alone", "127.0.0.1", ["A"]],
    ["both families, of which they listen at IPv6 alone", "::1", ["A", "AAAA"]],
    ["both families, of which they listen at IPv4 alone", "127.0.0.1", ["A", "AAAA"]],
  ] as const)("%s", async (_, host, types) => {
    const address = { A: "127.0.0.1", AAAA: "::1" };
    names.answers.clear();
    for (const name of NAMES) for (const type of types) names.answers.set(`${type} ${name}`, [address[type]]);
    await using place = await Place.at(host, true);
    expect(await place.pull(place.signed, names)).toBe("0 allow signed");
    expect(place.asked).toEqual([true, true, true]);
    expect(await place.pull(place.unsigned, names)).toBe("1 deny signature.none");
  });

  it("IPv6 that must never be contacted, or embeds an IPv4 address that must not", async () => {
    await using place = await Place.at("::1", true);
    for (const address of ["fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254", "2002:a9fe:a9fe::1"]) {
      names.answers.clear();
      for (const name of NAMES) names.answers.set(`AAAA ${name}`, [address]);
      expect(await place.pull(place.signed, names), address).toBe("2 inconclusive net.forbidden_address");
    }
    expect(place.asked).toEqual([false, false, false]);
  });
});
