import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { chooseSocket, KNOWN_SOCKETS, knownAs, onlySocket } from "../../../../src/platform/containerd/known-sockets.ts";
import { makeTemporaryDirectory } from "../../../support/process.ts";

const root = makeTemporaryDirectory("sockets");
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [first, second, third] = ["a", "b", "c"].map((name) => join(root, name)) as [string, string, string];
const KNOWN = [first, second, third].map((path) => ({ path, of: "x" })) as [{ path: string; of: string }];

async function listening(...paths: readonly string[]): Promise<() => Promise<void>> {
  const servers = paths.map((path) => createServer().listen(path));
  await Promise.all(servers.map((server) => once(server, "listening")));
  return async () => {
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  };
}

describe("containerd's socket", () => {
  it.each<[string[], string, string[]]>([
    [[], first, []],
    [[first], first, []],
    [[second], second, []],
    [[third, second], second, [third]],
    [[first, second, third], first, [second, third]],
  ])("is, with %j listened on, the first of those that are known", async (paths, address, others) => {
    const stop = await listening(...paths);
    try {
      expect(chooseSocket(undefined, KNOWN)).toEqual({ address, others });
      expect(chooseSocket("/named.sock", KNOWN)).toEqual({ address: "/named.sock", others: [] });
      const only = () => onlySocket(undefined, KNOWN);
      if (others.length === 0) expect(only()).toBe(address);
      else expect(() => only()).toThrow(expect.objectContaining({ code: "config.invalid" }));
      expect(onlySocket("/named.sock", KNOWN)).toBe("/named.sock");
    } finally {
      await stop();
    }
  });

  it("begins with containerd's own default, and is known by who sets it up", () => {
    expect(KNOWN_SOCKETS.map(({ path }) => path)).toEqual([
      "/run/containerd/containerd.sock",
      "/run/k3s/containerd/containerd.sock",
      "/run/k0s/containerd.sock",
      "/var/snap/microk8s/common/run/containerd.sock",
    ]);
    expect([knownAs("/run/k3s/containerd/containerd.sock"), knownAs("/x")]).toEqual(["k3s or RKE2", undefined]);
  });
});
