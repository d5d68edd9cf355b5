import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Answered, type Ask, ask, enforcing, headline, World } from "../support/binary.ts";
import { missingRoot, requirement } from "../support/requirement.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

/** A world of its own, on a node with a cache. */
class Node {
  readonly world: World;
  readonly image: Descriptor;

  constructor(world: World, image: Descriptor) {
    this.world = world;
    this.image = image;
  }

  get cache(): string {
    return join(this.world.folder, "config.yaml.cache");
  }

  get evidence(): string {
    return join(this.cache, "evidence");
  }

  /** Path of the one file of evidence whose name ends so, or the first of them. */
  file(end = ".json", digest = ""): string {
    const name = readdirSync(this.evidence).find((each) => each.endsWith(end) && each.startsWith(digest));
    return join(this.evidence, name ?? "");
  }

  configure(values: object = {}): void {
    this.world.configure({ ...this.world.settings, cacheEnabled: true, ...values });
  }

  pull(image = this.image, options: Ask = {}): Promise<Answered> {
    return this.world.pull(this.world.name, image, options);
  }

  get requests(): number {
    const { plc, pds, registry } = this.world;
    return [plc, pds, registry].reduce((sum, { requests }) => sum + requests.length, 0);
  }

  forget(): void {
    for (const server of [this.world.plc, this.world.pds, this.world.registry]) server.forget();
  }

  /** The headline of another pull, and whether anybody was asked. */
  async again(image = this.image, options: Ask = {}): Promise<readonly [string, "asked" | "from memory"]> {
    this.forget();
    const answered = await this.pull(image, options);
    return [headline(answered), this.requests > 0 ? "asked" : "from memory"];
  }
}

async function withNode(test: (node: Node) => Promise<void>): Promise<void> {
  const world = await World.start();
  const node = new Node(world, await world.image("kept"));
  node.configure();
  try {
    await test(node);
  } finally {
    await world.stop();
  }
}

describe.concurrent("an image that is pulled again", () => {
  it("is allowed by what is kept, without a request, and although nobody could be asked", async () => {
    await withNode(async (node) => {
      expect(headline(await node.pull())).toBe("0 allow signed");
      expect(await node.again()).toEqual(["0 allow signed", "from memory"]);
      const { plc, pds, registry } = node.world;
      await Promise.all([plc, pds, registry].map((server) => server.stop()));
      const answered = await node.pull();
      expect(headline(answered)).toBe("0 allow signed");
      expect(answered.stdout).toMatch(/; by evidence of \d{4}-\d\d-\d\dT[\d:]+Z, within cacheTTL$/m);
      expect(answered.stderr).toBe("");
    });
  });

  it("is asked for again once cacheTTL is over, with --no-cache, and where the cache is off", async () => {
    await withNode(async (node) => {
      await node.pull();
      const verify = (...args: string[]) => node.world.verify([`${node.world.name}@${node.image.digest}`, ...args]);
      for (const [args, asked] of [
        [[], false],
        [["--no-cache"], true],
      ] as const) {
        node.forget();
        expect(headline(await verify(...args))).toBe("0 allow signed");
        expect(node.requests > 0).toBe(asked);
      }
      node.configure({ cacheEnabled: false });
      expect(await node.again()).toEqual(["0 allow signed", "asked"]);
      node.configure({ cacheTTL: "1s" });
      await new Promise((done) => setTimeout(done, 1100));
      expect(await node.again()).toEqual(["0 allow signed", "asked"]);
      expect(await node.again()).toEqual(["0 allow signed", "from memory"]);
    });
  });

  it("is judged afresh: by a changed policy, for a revoked and for an expired signer", async () => {
    await withNode(async (node) => {
      const { world } = node;
      const about = (change: string) =>
        `version: 1.0\ntrustedDIDs: {"${world.signer.did}": {${change}}}\npolicies:\n  - {name: all, scope: "**/*", action: enforce}\n`;
      await node.pull();
      for (const [policy, expected] of [
        [about("expiresAt: 2026-01-01T00:00:00Z"), "1 deny signer.expired"],
        [`${enforcing(world.signer.did)}revokedDIDs: ["${world.signer.did}"]\n`, "1 deny signer.revoked"],
        [about('keys: ["did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme"]'), /^1 deny /],
        [enforcing(`did:plc:${"a".repeat(24)}`), /^[12] /],
        [`${enforcing(world.signer.did)}digests: {deny: ["${node.image.digest}"]}\n`, "1 deny policy.denied"],
        [enforcing(world.signer.did), "0 allow signed"],
      ] as const) {
        world.policy(policy);
        const [outcome] = await node.again();
        expect(outcome).toMatch(expected);
      }
    });
  });

  it("is known under its digest: another image of the same tag is asked for", async () => {
    await withNode(async (node) => {
      await node.pull();
      const unsigned = await node.world.image("unsigned", { signed: false });
      expect(await node.again(unsigned)).toEqual(["1 deny signature.none", "asked"]);
      expect(await node.again()).toEqual(["0 allow signed", "from memory"]);
    });
  });

  it("is refused for seconds only without being asked for", async () => {
    await withNode(async (node) => {
      const unsigned = await node.world.image("unsigned", { signed: false });
      expect(headline(await node.pull(unsigned))).toBe("1 deny signature.none");
      expect(await node.again(unsigned)).toEqual(["1 deny signature.none", "from memory"]);
      await node.world.signer.sign(unsigned.digest, "app", node.world.begun + 60_000);
      await new Promise((done) => setTimeout(done, 5500));
      expect(await node.again(unsigned)).toEqual(["0 allow signed", "asked"]);
    });
  });

  it("is no longer allowed, cache or not, once this node has seen its record gone", async () => {
    await withNode(async (node) => {
      const { world, image } = node;
      await node.pull();
      await world.signer.unsign(image.digest, world.begun + 60_000);
      node.configure({ cacheTTL: "1s" });
      await new Promise((done) => setTimeout(done, 1100));
      world.policy(
        `version: 1.0\ntrustedDIDs: {"${world.signer.did}": {}}\npolicies:\n  - {name: all, scope: "**/*", action: enforce, require: {signature: true, maxStaleness: 1h}}\n`,
      );
      expect(await node.again()).toEqual(["1 deny signature.none", "asked"]);
      await Promise.all([world.pds.stop(), world.plc.stop()]);
      await new Promise((done) => setTimeout(done, 5500));
      expect(headline(await node.pull())).toMatch(/^[12] (?!allow)/);
    });
  });
});

describe.concurrent("a cache that cannot be believed", () => {
  const damages: Record<string, (node: Node, other: Descriptor) => void> = {
    "a file that is cut": (node) => truncateSync(node.file(), 100),
    "an empty file": (node) => writeFileSync(node.file(), ""),
    "a file that is no JSON": (node) => writeFileSync(node.file(), "{{{{"),
    "a file of JSON nested deep": (node) => writeFileSync(node.file(), "[".repeat(100_000)),
    "a huge file": (node) => truncateSync(node.file(), 512 * 1024 * 1024),
    "a file that others may write": (node) => chmodSync(node.file(), 0o666),
    "a symbolic link": (node) => {
      renameSync(node.file(), join(node.cache, "elsewhere"));
      symlinkSync(join(node.cache, "elsewhere"), join(node.evidence, `${node.image.digest.slice(7)}-0.json`));
    },
    "a folder in place of the file": (node) => {
      const path = node.file();
      rmSync(path);
      mkdirSync(path);
    },
    "evidence of another digest under this one's name": (node, other) =>
      copyFileSync(node.file(".json", other.digest.slice(7)), node.file(".json", node.image.digest.slice(7))),
    "evidence and proof of another digest": (node, other) => {
      for (const end of [".json", ".proven"]) {
        copyFileSync(node.file(end, other.digest.slice(7)), node.file(end, node.image.digest.slice(7)));
      }
    },
    "nothing but a name": (node) => {
      rmSync(node.evidence, { recursive: true });
      writeFileSync(node.evidence, "");
    },
  };

  it.each(Object.keys(damages))("%s: asks, and answers as without a cache", async (name) => {
    await withNode(async (node) => {
      const other = await node.world.image("other");
      await node.pull(other);
      await node.pull();
      damages[name]?.(node, other);
      expect(await node.again()).toEqual(["0 allow signed", "asked"]);
      await node.world.signer.unsign(node.image.digest, node.world.begun + 90_000);
      damages[name]?.(node, other);
    });
  });

  it("says nothing for an image that nobody signed, whatever lies under its digest", async () => {
    await withNode(async (node) => {
      const unsigned = await node.world.image("unsigned", { signed: false });
      await node.pull();
      for (const end of [".json", ".proven"]) {
        const from = node.file(end);
        copyFileSync(from, from.replace(node.image.digest.slice(7), unsigned.digest.slice(7)));
      }
      expect(await node.again(unsigned)).toEqual(["1 deny signature.none", "asked"]);
    });
  });

  it("proves anew where what was proven is missing, damaged or another's", async () => {
    await withNode(async (node) => {
      const other = await node.world.image("other");
      await node.pull(other);
      await node.pull();
      const own = node.file(".proven", node.image.digest.slice(7));
      const damage: (() => void)[] = [
        () => rmSync(own),
        () => writeFileSync(own, "{"),
        () => copyFileSync(node.file(".proven", other.digest.slice(7)), own),
      ];
      for (const each of damage) {
        each();
        expect(await node.again()).toEqual(["0 allow signed", "from memory"]);
      }
    });
  });

  it("is warned of, and does not matter, where its folder is missing, no folder or not to be trusted", async () => {
    await withNode(async (node) => {
      const hidden = join(node.world.folder, "hidden");
      writeFileSync(join(node.world.folder, "file"), "");
      mkdirSync(join(node.world.folder, "open"));
      chmodSync(join(node.world.folder, "open"), 0o777);
      for (const [cacheDir, warned] of [
        [hidden, false],
        [join(node.world.folder, "file"), true],
        [join(node.world.folder, "open"), true],
        ["/proc/atcr-verify", true],
      ] as const) {
        node.configure({ cacheDir });
        const answered = await node.pull();
        expect([cacheDir, headline(answered)]).toEqual([cacheDir, "0 allow signed"]);
        expect([cacheDir, answered.stderr !== ""]).toEqual([cacheDir, warned]);
      }
      expect(existsSync(join(hidden, "evidence"))).toBe(true);
    });
  });

  it.runIf(requirement("a file system that is full or read-only", missingRoot("to mount one")))(
    "does not matter where it cannot be written: full, or read-only",
    async () => {
      await withNode(async (node) => {
        const place = join(node.world.folder, "mounted");
        mkdirSync(place);
        node.configure({ cacheDir: join(place, "cache") });
        for (const script of [
          'mount -t tmpfs -o size=16k,nr_inodes=4,mode=755 none "$0" && mkdir -m 755 "$0/cache" && exec "$@"',
          'mount -t tmpfs -o mode=755 none "$0" && mkdir -m 755 "$0/cache" && mount -o remount,ro "$0" && exec "$@"',
        ]) {
          const through = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, place];
          const answered = await node.pull(node.image, { through });
          expect(headline(answered)).toBe("0 allow signed");
          expect(answered.stderr).toMatch(/^warning: [ -~]+\n/);
        }
      });
    },
  );
});

describe.concurrent("settings that are remembered", () => {
  it("are the settings of these bytes: each change is seen, and damage means reading them", async () => {
    await withNode(async (node) => {
      const { world } = node;
      const env = { ...world.env, ATCR_VERIFY_CACHE_DIR: node.cache };
      await node.pull(node.image, { env });
      await node.pull(node.image, { env });
      const folder = join(node.cache, "settings");
      expect(readdirSync(folder).length).toBeGreaterThan(0);
      expect(await node.again(node.image, { env })).toEqual(["0 allow signed", "from memory"]);
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        const text = readFileSync(path, "latin1");
        // Somebody rewrites what the policy is said to mean.
        writeFileSync(path, text.replaceAll("enforce", "audit").replaceAll("deny", "allow"));
      }
      const unsigned = await world.image("unsigned", { signed: false });
      expect((await node.again(unsigned, { env }))[0]).toBe("1 deny signature.none");
      world.policy("version: 2\n");
      expect((await node.again(node.image, { env }))[0]).toBe("3 misconfigured policy.invalid");
      world.policy(enforcing(`did:plc:${"b".repeat(24)}`));
      expect((await node.again(node.image, { env }))[0]).not.toContain("allow");
    });
  });

  it("are taken from the folder that the configuration names, and from no other", async () => {
    await withNode(async (node) => {
      const env = { ...node.world.env, ATCR_VERIFY_CACHE_DIR: join(node.world.folder, "planted") };
      await node.pull(node.image, { env });
      await node.pull(node.image, { env });
      expect(existsSync(join(node.world.folder, "planted"))).toBe(false);
    });
  });
});

describe.concurrent("what one process hands to the one it becomes", () => {
  it("is believed only under its own number", async () => {
    await withNode(async (node) => {
      const stdin = Buffer.from(JSON.stringify({ mediaType: "x", digest: `sha256:${"0".repeat(64)}`, size: 1 }));
      for (const pid of ["1", "0", "", "99999999"]) {
        const env = { ...node.world.env, ATCR_VERIFY_HANDED_OVER: `${pid}:0:${stdin.toString("base64")}` };
        expect(headline(await node.pull(node.image, { env }))).toBe("0 allow signed");
      }
    });
  });
});

describe.concurrent("cache list, show, clear", () => {
  it("says what is kept and from when, and forgets it", async () => {
    await withNode(async (node) => {
      const { world, image } = node;
      const cache = (...args: string[]) => ask(["cache", ...args], { env: world.env });
      expect(await cache("list")).toMatchObject({ code: 0, stderr: "" });
      await node.pull();
      const list = await cache("list");
      expect(list.stdout).toContain(image.digest);
      expect(list.stdout).toContain(world.signer.did);
      const json = JSON.parse((await cache("list", "--output", "json")).stdout) as object;
      expect(json).toMatchObject({
        pieces: expect.arrayContaining([
          expect.objectContaining({ kind: "evidence", digest: image.digest, about: world.signer.did, fresh: true }),
        ]) as unknown,
      });
      const shown = await cache("show", image.digest);
      expect(shown.code).toBe(0);
      expect(shown.stdout).toMatch(/^[ -~\n]+$/);
      expect((await cache("show", `sha256:${"0".repeat(64)}`)).code).toBe(1);
      expect((await cache("show", "nonsense")).code).toBe(3);

      const other = await world.image("other");
      await node.pull(other);
      expect((await cache("clear", image.digest)).code).toBe(0);
      expect(await node.again(other)).toEqual(["0 allow signed", "from memory"]);
      expect((await node.again())[1]).toBe("asked");
      expect((await cache("clear")).code).toBe(0);
      expect(readdirSync(node.evidence)).toEqual([]);
      expect((await node.again(other))[1]).toBe("asked");
    });
  });

  it("survives what others have put there", async () => {
    await withNode(async (node) => {
      await node.pull();
      writeFileSync(join(node.evidence, "\u{1b}[31m.json"), "");
      writeFileSync(node.file(".json", node.image.digest.slice(7)), "{");
      const listed = await ask(["cache", "list"], { env: node.world.env });
      expect(listed.stdout + listed.stderr).toMatch(/^[ -~\n]+$/);
    });
  });
});
