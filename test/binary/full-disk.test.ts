import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, containerdArgs, TestNode } from "../support/binary.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const FULL = "standard output could not be written: no space left on device\n";

let world: TestNode;
let image: Descriptor;
let unsigned: Descriptor;

beforeAll(async () => {
  world = await TestNode.start();
  world.configure({ ...world.settings, cacheEnabled: true, decisionLog: world.write("log/decisions.log", "") });
  image = await world.image("signed");
  unsigned = await world.image("unsigned", { signed: false });
  for (const one of [image, unsigned]) await world.pull(world.name, one);
  world.write("cases.yaml", "version: 1.0\npolicy: policy.yaml\ncases: [{image: nginx, expect: enforce}]\n");
});
afterAll(() => world.stop());

/** With a standard output that takes nothing. */
const full = (args: readonly string[]) => ask(args, { env: world.env, redirect: ">/dev/full" });
const signed = () => `${world.name}@${image.digest}`;

describe.concurrent("where standard output cannot be written", () => {
  it.each<[string, () => readonly string[]]>([
    ["--help", () => []],
    ["--version", () => []],
    ["-V", () => []],
    ["verify", () => [signed()]],
    ["verify", () => [signed(), "--output", "json"]],
    ["policy", () => ["check", "--offline"]],
    ["policy", () => ["check", "--offline", "--output", "json"]],
    ["policy", () => ["explain", world.name]],
    ["policy", () => ["test", `${world.folder}/cases.yaml`]],
    ["policy", () => ["schema"]],
    ["identity", () => [world.signer.did]],
    ["state", () => ["show", world.signer.did]],
    ["cache", () => ["list"]],
    ["cache", () => ["show", image.digest]],
    ["log", () => []],
    ["log", () => ["--output", "json"]],
    ["log", () => ["--summary", "--lines", "1"]],
    ["log", () => ["--follow"]],
    ["selftest", () => []],
    ["doctor", () => ["--offline", "--address", `${world.folder}/none.sock`]],
    ["enable", () => ["--bin-dir", `${world.folder}/bin`, "--address", `${world.folder}/none.sock`]],
    ["disable", () => ["--bin-dir", `${world.folder}/bin`, "--address", `${world.folder}/none.sock`]],
  ])("%s fails and says why in one line (%#)", async (command, args) => {
    const { code, stderr } = await full([command, ...args()]);
    expect([code, stderr]).toEqual([4, FULL]);
  });

  it.each<[string, () => readonly string[], number]>([
    ["containerd's allow", () => containerdArgs(world.name, image.digest), 0],
    ["containerd's deny", () => containerdArgs(world.name, unsigned.digest), 1],
    ["a person's deny", () => ["verify", `${world.name}@${unsigned.digest}`], 1],
    ["a person's deny as JSON", () => ["verify", `${world.name}@${unsigned.digest}`, "--output", "json"], 1],
    ["a mistake", () => ["verify", "NGINX"], 3],
    ["no command", () => ["nonsense"], 3],
    ["images without containerd", () => ["images", "--address", `${world.folder}/none.sock`], 3],
  ])("%s keeps its status", async (_, args, status) => {
    const own = args();
    const descriptor = JSON.stringify({ digest: own[3] });
    const { code, stderr } = await ask(own, { env: world.env, redirect: ">/dev/full", stdin: descriptor });
    expect([code, stderr]).toEqual([status, FULL]);
  });

  it("says so of one that was closed, and nothing where standard error takes nothing either", async () => {
    const closed = await ask(["--help"], { env: world.env, redirect: ">&-" });
    expect(closed.stderr).not.toContain("$bunfs");
    for (const args of [["--help"], ["--version"], ["verify", signed()]]) {
      const { code, stderr } = await ask(args, { env: world.env, redirect: ">/dev/full 2>/dev/full" });
      expect([code, stderr]).toEqual([4, ""]);
    }
  });
});
