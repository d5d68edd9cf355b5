import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { probeDocker } from "../../../src/doctor/docker-probe.ts";
import { pullByDocker } from "../../../src/platform/docker-engine.ts";
import { makeTemporaryDirectory } from "../../support/process.ts";
import { type Engine, startStandInDocker } from "../../support/stand-in-docker.ts";

// Against a stand-in engine. The real one is in test/e2e/docker.test.ts.

const root = makeTemporaryDirectory("docker-probe");
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

async function withEngine<T>(engine: Engine, use: (socket: string) => Promise<T>): Promise<T> {
  const socket = join(root, `${++count}.sock`);
  const stop = await startStandInDocker(socket, engine);
  try {
    return await use(socket);
  } finally {
    stop();
  }
}
const BUILD = "1.2.3";
const probed = (engine: Engine) => withEngine(engine, (socket) => probeDocker({ how: "process 7", socket }, BUILD));
const refusal = (build: string) => (image: string, digest: string) =>
  `image verifier blocked pull of ${image}: deny policy.probe: atcr-verify ${build} was asked about ${digest}, a probe`;

describe("a pull by dockerd", () => {
  it("that is let through shows that its pulls are not verified", async () => {
    for (const engine of ["pulls", "pulls, and fails later"] as const) {
      const { level, name, found, advice } = await probed(engine);
      expect([engine, level, name]).toEqual([engine, "warning", "other-clients"]);
      expect(found).toContain("let through");
      expect(advice).toContain('docker pull "$(atcr-verify --output ref IMAGE)"');
    }
  });

  it("that this program refuses shows that it is asked, as on Bottlerocket", async () => {
    expect(await probed(refusal(BUILD))).toMatchObject({ level: "ok", name: "other-clients" });
  });

  it.each<[string, Engine, string]>([
    ["fails for another reason", "fails", "no space left on device"],
    ["is refused by another build", refusal("0.0.1"), "atcr-verify 0.0.1"],
    ["is refused by another verifier", () => "not today", "not today"],
  ])("that %s shows nothing", async (_, engine, said) => {
    const { level, found } = await probed(engine);
    expect([level, found.includes("not decisive"), found.includes(said)]).toEqual(["warning", true, true]);
  });

  it("is not tried without a socket, or where nobody listens", async () => {
    expect((await probeDocker({ how: "/usr/bin/dockerd" }, BUILD)).found).toContain("no pull was tried");
    expect((await probeDocker({ how: "x", socket: join(root, "none.sock") }, BUILD)).found).toContain("not decisive");
  });

  it("that takes too long ends", async () => {
    await withEngine("hangs", async (socket) => {
      expect(await pullByDocker(socket, "127.0.0.1:1/a", "b", 50)).toBeDefined();
    });
  });
});
