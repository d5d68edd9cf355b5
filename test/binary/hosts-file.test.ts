import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { headline, TestNode } from "../support/binary.ts";
import { throughFile } from "../support/mounted-file.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const canMount = requirement("names of /etc/hosts", missingRoot("mounts another /etc/hosts"));

describe.runIf(canMount)("names of /etc/hosts", () => {
  let world: TestNode;
  let image: Descriptor;

  beforeAll(async () => {
    world = await TestNode.start();
    const directory = new URL(world.plc.origin);
    directory.hostname = "plc.example";
    world.configure({ ...world.settings, plcDirectories: [directory.origin] });
    image = await world.image("signed");
  });
  afterAll(() => world.stop());

  /** The servers listen at 127.0.0.1 alone, so all other loopback addresses refuse. */
  const pull = (hosts: string) => {
    const name = `registry.example:${new URL(world.registry.origin).port}/alice/app:v1`;
    return world.pull(name, image, { through: throughFile("/etc/hosts", hosts, world.folder) });
  };

  it.each<[string, string]>([
    ["one line", "127.0.0.1 plc.example registry.example"],
    ["one address on several lines", "127.0.0.1 localhost\n127.0.0.1 plc.example\n127.0.0.1 registry.example"],
    ["the good address last", "127.0.0.8 plc.example\n127.0.0.9 plc.example\n127.0.0.1 plc.example registry.example"],
    ["the good address first", "127.0.0.1 plc.example registry.example\n127.0.0.8 plc.example"],
    ["IPv6 first", "::1 plc.example\n::1 registry.example\n127.0.0.1 plc.example\n127.0.0.1 registry.example"],
    [
      "an address shared with the good name",
      "127.0.0.8 plc.example other.example\n127.0.0.1 other.example plc.example",
    ],
    ["as editors write it", "# hosts\r\n127.0.0.8 PLC.example #, down\r\n127.0.0.1\tPLC.example. Registry.Example\r\n"],
  ])("count on all lines: %s", async (_, hosts) => {
    expect(headline(await pull(`127.0.0.1 localhost\n${hosts}\n`))).toBe("0 allow signed");
  });

  it("lead to no address that must not be contacted", async () => {
    const answered = await pull("127.0.0.1 localhost registry.example\n169.254.169.254 plc.example\n");
    expect(headline(answered)).toBe("2 inconclusive net.forbidden_address");
  });

  it("lead past such an address to another one", async () => {
    const answered = await pull("169.254.169.254 plc.example\n127.0.0.1 localhost registry.example plc.example\n");
    expect(headline(answered)).toBe("0 allow signed");
  });

  it("are exact", async () => {
    const answered = await pull("127.0.0.1 localhost registry.example xplc.example plc.example.x #plc.example\n");
    expect(headline(answered)).toBe("2 inconclusive identity.unreachable");
  });
});
