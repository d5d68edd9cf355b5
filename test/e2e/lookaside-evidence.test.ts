import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, TestNode } from "../support/binary.ts";
import { demand, stopAll } from "../support/caching-world.ts";
import { type DaemonOptions, type LookasideDaemon, withDaemon } from "../support/lookaside-daemon.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

// By which evidence the responder signs: its signature has no end, so never by what is old, or comes from a file.

interface Case {
  readonly node: TestNode;
  readonly daemon: LookasideDaemon;
  readonly image: Descriptor;
  readonly answer: () => Promise<string>;
}

async function withImage(
  require: object,
  options: DaemonOptions,
  test: (one: Case) => Promise<void>,
  before: (node: TestNode, image: Descriptor) => Promise<void> = async () => {},
): Promise<void> {
  const node = await TestNode.start();
  try {
    const image = await node.image("signed");
    const name = `${node.registry.authority}/alice/app`;
    demand(node, { rule: { scope: `${node.registry.authority}/**` }, require });
    await before(node, image);
    const answer = (daemon: LookasideDaemon) => () => daemon.answerTo(name, image.digest);
    await withDaemon((daemon) => test({ node, daemon, image, answer: answer(daemon) }), node, options);
  } finally {
    await node.stop();
  }
}

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

describe.concurrent("the evidence for a signature", () => {
  it("may be the responder's own of the last minutes", async () => {
    await withImage({}, { settings: { cacheEnabled: true } }, async ({ node, daemon, answer }) => {
      expect(await answer()).toBe("200 OK");
      await stopAll(node);
      expect(await answer()).toBe("200 OK");
      expect(daemon.log.map(({ cache }) => cache)).toEqual(["none", "fresh"]);
      const own = (name: string) => existsSync(join(dirname(daemon.keyFile), name));
      expect(["cache", "state"].filter(own)).toEqual(["cache", "state"]);
      const configured = readdirSync(node.folder).filter((name) => /^lookaside-.*\.(?:cache|state)$/.test(name));
      expect(configured).toEqual([]);
    });
  });

  it("is not that of containerd's gate", async () => {
    const settings = { cacheEnabled: true };
    const pulled = async (node: TestNode, image: Descriptor) => {
      const config = node.configure({ ...node.settings, ...settings });
      const env = { ...node.env, ATCR_VERIFY_CONFIG: config };
      expect((await node.pull(node.name, image, { env })).code).toBe(0);
      await stopAll(node);
    };
    await withImage(
      {},
      { settings },
      async ({ answer }) => {
        expect(await answer()).toMatch(/^403 inconclusive /);
      },
      pulled,
    );
  });

  it("is never stale, though the rule accepts that", async () => {
    const settings = { cacheEnabled: true, cacheTTL: "1s" };
    await withImage({ maxStaleness: "7d" }, { settings }, async ({ node, daemon, answer }) => {
      expect(await answer()).toBe("200 OK");
      await stopAll(node);
      await pause(1100);
      expect(await answer()).toMatch(/^403 inconclusive [a-z]+\.unreachable$/);
      expect(daemon.log.at(-1)).toMatchObject({ outcome: "inconclusive", cache: "none" });
    });
  });

  it("is never imported, though the rule accepts that", async () => {
    const bundleDir = (node: TestNode) => `${node.folder}/imported`;
    const imported = async (node: TestNode, image: Descriptor) => {
      const config = node.configure({ ...node.settings, bundleDir: bundleDir(node) });
      const bundle = `${node.folder}/one.bundle`;
      const env = { ...node.env, ATCR_VERIFY_CONFIG: config };
      const created = await ask(["bundle", "create", `${node.name}@${image.digest}`, "-o", bundle], { env });
      expect([created.code, created.stdout]).toEqual([0, expect.any(String)]);
      const done = await ask(["bundle", "import", bundle], { env });
      expect([done.code, done.stdout]).toEqual([0, expect.any(String)]);
      await stopAll(node);
      // It would do at a pull.
      expect((await node.pull(node.name, image, { env })).stdout).toContain("allow signed");
    };
    const node = await TestNode.start();
    try {
      const image = await node.image("signed");
      demand(node, { rule: { scope: `${node.registry.authority}/**` }, require: { offlineFor: "30d" } });
      await imported(node, image);
      await withDaemon(
        async (daemon) => {
          const answer = await daemon.answerTo(`${node.registry.authority}/alice/app`, image.digest);
          expect(answer).toMatch(/^403 inconclusive [a-z]+\.unreachable$/);
        },
        node,
        { settings: { bundleDir: bundleDir(node) } },
      );
    } finally {
      await node.stop();
    }
  });

  it("is not asked of a registry at a private address that network.allow does not list, whatever else names it", async () => {
    const node = await TestNode.start();
    try {
      const { authority } = node.registry;
      // Its list of referrers is needed: the one signer that the rule trusts besides is not asked of the directory.
      const image = await node.image("unsigned", { signed: false });
      demand(node, { rule: { scope: `${authority}/**` } });
      node.write(`certs.d/${authority}/hosts.toml`, `server = "https://${authority}"\n`);
      const network = { allow: [node.plc.authority, node.pds.authority] };
      await withDaemon(
        async (daemon) => {
          expect(await daemon.answerTo(`${authority}/alice/app`, image.digest)).toMatch(/^403 /);
          expect(node.registry.count()).toBe(0);
          expect(daemon.log.at(-1)?.["reason"]).toEqual(expect.any(String));
        },
        node,
        { settings: { network } },
      );
      await withDaemon(
        async (daemon) => {
          await daemon.answerTo(`${authority}/alice/app`, image.digest);
          expect(node.registry.count()).toBeGreaterThan(0);
        },
        node,
        { settings: { network: { allow: [...network.allow, authority] } } },
      );
    } finally {
      await node.stop();
    }
  });
});
