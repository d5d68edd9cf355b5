import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestNode } from "../support/binary.ts";
import { demand } from "../support/caching-world.ts";
import { LookasideDaemon } from "../support/lookaside-daemon.ts";

let node: TestNode;
let daemon: LookasideDaemon;
let target: string;

beforeAll(async () => {
  node = await TestNode.start();
  const image = await node.image("signed");
  demand(node, { rule: { scope: `${node.registry.authority}/**` } });
  daemon = await LookasideDaemon.start(node, { settings: { deadline: "3s" } });
  target = `/${node.registry.authority}/alice/app@${image.digest.replace(":", "=")}/signature-1`;
});
afterAll(async () => {
  await daemon.stop();
  await node.stop();
});

describe("a user who takes more than a share of the lookaside responder", () => {
  it("opens connections and sends nothing: others are answered, and these are closed", async () => {
    const idle: Socket[] = Array.from({ length: 200 }, () => connect(daemon.port, "127.0.0.1"));
    for (const socket of idle) socket.on("error", () => {});
    const closed = idle.map((socket) => new Promise((done) => socket.once("close", done)));
    // All are this test's user: those that came first are dropped within a few seconds.
    await Promise.all(closed);
    expect((await daemon.get(target)).status).toBe(200);
  }, 20_000);

  it("asks for more than may wait: some are turned away at once, and the rest is answered", async () => {
    node.pds.override("", ...Array.from({ length: 500 }, () => () => new Promise<undefined>(() => {})));
    try {
      const replies: Promise<{ status: number; took: number }>[] = [];
      for (let i = 0; i < 60; i++) {
        const digest = `sha256=${i.toString(16).padStart(64, "0")}`;
        const begun = performance.now();
        const reply = daemon.get(target.replace(/sha256=[0-9a-f]{64}/, digest));
        replies.push(reply.then(({ status }) => ({ status, took: performance.now() - begun })));
        await new Promise((done) => setTimeout(done, 5));
      }
      const all = await Promise.all(replies);
      const busy = all.filter(({ status }) => status === 503);
      expect(busy.length).toBeGreaterThan(0);
      expect(Math.min(...busy.map(({ took }) => took))).toBeLessThan(1000);
      expect(all.filter(({ status }) => status === 403).length).toBeGreaterThanOrEqual(8);
      expect(all.filter(({ status }) => ![0, 403, 503].includes(status))).toEqual([]);
    } finally {
      node.pds.reset();
    }
    expect((await daemon.get(target)).status).toBe(200);
  }, 30_000);
});
