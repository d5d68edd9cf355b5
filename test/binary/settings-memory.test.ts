import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Ask, ask, containerdArgs, headline, type TestNode } from "../support/binary.ts";
import { changePiece } from "../support/cache-key.ts";
import { cacheOf, demand, filesIn, keyOf, NO_REQUEST, requestsOf, withCache } from "../support/caching-world.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const SIGNED = "0 allow signed";
const NONE = "1 deny signature.none";

/** As a service would start it whose unit names the folder. */
function knowing(world: TestNode, folder = cacheOf(world)): Ask {
  return { env: { ...world.env, ATCR_VERIFY_CACHE_DIR: folder } };
}

/** Pulled once by a program that knows where the cache is. */
async function remembered(test: (world: TestNode, image: Descriptor, asking: Ask) => Promise<void>): Promise<void> {
  await withCache(async (world, image) => {
    const asking = knowing(world);
    const first = await world.pull(world.name, image, asking);
    expect([headline(first), first.stderr, filesIn(world, "settings").length]).toEqual([SIGNED, "", 2]);
    await test(world, image, asking);
  });
}

/** Changes what is remembered, as nobody but this node could. @returns how many files */
function forge(world: TestNode, change: (text: string) => string): number {
  const key = keyOf(world);
  return filesIn(world, "settings").filter((path) => changePiece(path, key, change)).length;
}

const denying = (text: string) => text.replace('"action":"enforce"', '"action":"deny"');

describe.concurrent("a policy and a configuration", () => {
  it("are remembered as they were parsed, and used again while their bytes are the same", async () => {
    await remembered(async (world, image, asking) => {
      const before = filesIn(world, "settings").map((path) => statSync(path).mtimeMs);
      expect(headline(await world.pull(world.name, image, asking))).toBe(SIGNED);
      expect(filesIn(world, "settings").map((path) => statSync(path).mtimeMs)).toEqual(before);
      for (const path of filesIn(world, "settings")) expect(statSync(path).mode & 0o777).toBe(0o600);
      // So it is what is remembered that counts.
      expect(forge(world, denying)).toBe(1);
      expect(headline(await world.pull(world.name, image, asking))).toBe("1 deny policy.denied");
      // A person's are read.
      expect(headline(await world.verify([`${world.name}@${image.digest}`], asking))).toBe(SIGNED);
    });
  });

  it.each([
    ["the cache", (world: TestNode) => cacheOf(world)],
    ["the history", (world: TestNode) => join(world.folder, "config.yaml.state")],
  ])("are not believed by a key that lies in %s", async (_, folderOf) => {
    await remembered(async (world, image, asking) => {
      expect(forge(world, denying)).toBe(1);
      const path = join(folderOf(world), "key");
      copyFileSync(keyOf(world).path ?? "", path);
      const asked = await world.pull(world.name, image, { env: { ...asking.env, ATCR_VERIFY_CACHE_KEY: path } });
      expect([headline(asked), asked.stderr]).toEqual([
        SIGNED,
        expect.stringMatching(/^warning cache\.no_key: [^\n]*: it is inside [^\n]*\n$/),
      ]);
    });
  });

  it("are remembered by their size, not by their rules times their signers", async () => {
    await withCache(async (world, image) => {
      const dids = Array.from({ length: 3000 }, (_, i) => `did:web:s${i}.example.com`);
      const policies = Array.from({ length: 300 }, (_, i) => ({
        name: `r${i}`,
        scope: `r${i}.example/**`,
        action: "enforce",
        require: { trustedDIDs: [`did:web:own${i}.example.com`] },
      }));
      const all = { name: "all", scope: "**", action: "enforce" };
      const trustedDIDs = [...dids, world.signer.did];
      const path = world.policy(JSON.stringify({ version: 1, trustedDIDs, policies: [...policies, all] }));
      world.registry.attach("alice/app", image, { annotations: { "io.atcr.atproto.did": world.signer.did } });
      for (let i = 0; i < 2; i++) expect(headline(await world.pull(world.name, image, knowing(world)))).toBe(SIGNED);
      const sizes = filesIn(world, "settings").map((file) => statSync(file).size);
      expect([sizes.length, Math.max(...sizes) < 2 * statSync(path).size]).toEqual([2, true]);
    });
  });

  it.each<[string, (world: TestNode) => unknown]>([
    ["a byte more in the policy", (world) => append(world, "policy.yaml", "\n")],
    ["a byte more in the configuration", (world) => append(world, "config.yaml", "\n")],
    ["a fragment beside the policy", (world) => fragment(world, "99-more.yaml")],
  ])("are parsed anew after %s", async (what, change) => {
    await remembered(async (world, image, asking) => {
      const spoil = (text: string) =>
        what.includes("configuration")
          ? text.replace(/("trustPolicyPath":"[^"]*)\/policy/, "$1/nowhere")
          : denying(text);
      expect(forge(world, spoil)).toBe(1);
      expect(headline(await world.pull(world.name, image, asking))).not.toBe(SIGNED);
      await change(world);
      expect(headline(await world.pull(world.name, image, asking))).toBe(SIGNED);
      expect(filesIn(world, "settings").length).toBe(3);
    });
  });

  const append = (world: TestNode, name: string, text: string) =>
    writeFileSync(join(world.folder, name), readFileSync(join(world.folder, name), "utf8") + text);
  const fragment = (world: TestNode, name: string) =>
    world.write(`policy.d/${name}`, "{version: 1, policies: [{name: more, scope: other.example/**, action: deny}]}");

  it("take effect when they change, and when they change back", async () => {
    await remembered(async (world, image, asking) => {
      const text = readFileSync(join(world.folder, "policy.yaml"), "utf8");
      for (let i = 0; i < 2; i++) {
        demand(world, { top: { revokedDIDs: [world.signer.did] } });
        expect(headline(await world.pull(world.name, image, asking))).toBe("1 deny signer.revoked");
        fragment(world, "10-denied.yaml");
        world.policy(text);
        world.write("policy.d/20-broken.yaml", "{version: 1, policies: 5}");
        expect(headline(await world.pull(world.name, image, asking))).toBe("3 misconfigured policy.invalid");
        rmSync(join(world.folder, "policy.d"), { recursive: true });
        expect(headline(await world.pull(world.name, image, asking))).toBe(SIGNED);
      }
    });
  });

  it.each<[string, (world: TestNode) => unknown, string]>([
    ["others can write the policy", (world) => chmodSync(join(world.folder, "policy.yaml"), 0o666), "policy.invalid"],
    ["the policy is gone", (world) => rmSync(join(world.folder, "policy.yaml")), "policy.invalid"],
    ["the policy is broken", (world) => world.policy("{version: 1, polices: []}"), "policy.invalid"],
    ["the policy is empty", (world) => world.policy(""), "policy.invalid"],
    [
      "others can write the folder of fragments",
      (world) => {
        mkdirSync(join(world.folder, "policy.d"));
        chmodSync(join(world.folder, "policy.d"), 0o777);
      },
      "policy.invalid",
    ],
    [
      "others can write the configuration",
      (world) => chmodSync(join(world.folder, "config.yaml"), 0o666),
      "config.invalid",
    ],
    ["the configuration is gone", (world) => rmSync(join(world.folder, "config.yaml")), "config.invalid"],
    ["the configuration is broken", (world) => world.write("config.yaml", "{deadline: 1}"), "config.invalid"],
  ])("are refused though remembered where %s", async (_, change, code) => {
    await remembered(async (world, image, asking) => {
      await change(world);
      expect(headline(await world.pull(world.name, image, asking))).toBe(`3 misconfigured ${code}`);
    });
  });
});

describe.concurrent("what is remembered of settings", () => {
  it.each<[string, (path: string) => unknown, boolean]>([
    ["changed under its tag", (path) => writeFileSync(path, denying(readFileSync(path, "latin1")), "latin1"), true],
    ["cut off", (path) => truncateSync(path, 100), true],
    ["empty", (path) => truncateSync(path), true],
    ["no more than a part of a tag", (path) => truncateSync(path, 31), true],
    ["others' to write", (path) => chmodSync(path, 0o666), true],
    ["too large", (path) => truncateSync(path, 2 ** 30), true],
    [
      "a folder",
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
      true,
    ],
  ])("is not used where it is %s, and replaced", async (_, change, isSaid) => {
    await remembered(async (world, image, asking) => {
      for (const path of filesIn(world, "settings")) await change(path);
      const asked = await world.pull(world.name, image, asking);
      expect(headline(asked)).toBe(SIGNED);
      expect(asked.stderr !== "").toBe(isSaid);
      const again = await world.pull(world.name, image, asking);
      expect([headline(again), again.stderr]).toEqual([SIGNED, ""]);
    });
  });

  it("is not used where others can write there: a forged policy allows nothing", async () => {
    await remembered(async (world, image, asking) => {
      const unsigned = await world.image("unsigned", { signed: false });
      expect(
        forge(world, (text) =>
          text.replace('"fallback":"deny"', '"fallback":"allow"').replace('"rules":[', '"rules":[],"x":['),
        ),
      ).toBe(1);
      expect(headline(await world.pull(world.name, unsigned, asking))).toBe("0 allow exempt");
      for (const folder of [cacheOf(world), cacheOf(world, "settings")]) {
        chmodSync(folder, 0o777);
        const asked = await world.pull(world.name, unsigned, asking);
        expect(headline(asked)).toBe(NONE);
        expect(asked.stderr).toMatch(/can be written by others \(mode 777\)/);
        chmodSync(folder, 0o755);
      }
      expect(headline(await world.pull(world.name, image, { env: world.env }))).toBe(SIGNED);
    });
  });

  it.each<[string, (world: TestNode) => Ask, Record<string, unknown>]>([
    ["the environment names no folder", (world) => ({ env: world.env }), {}],
    ["the environment names another", (world) => knowing(world, join(world.folder, "other")), {}],
    ["the environment names one from where it is started", (world) => knowing(world, "settings"), {}],
    ["the environment names nothing", (world) => knowing(world, ""), {}],
    ["answers are not cached", (world) => knowing(world), { cacheEnabled: false }],
  ])("is nothing where %s", async (_, asking, values) => {
    await withCache(async (world, image) => {
      const asked = await world.pull(world.name, image, { ...asking(world), cwd: world.folder });
      expect([headline(asked), asked.stderr]).toEqual([SIGNED, ""]);
      expect(existsSync(cacheOf(world, "settings"))).toBe(false);
      expect(readdirSync(world.folder)).not.toContain("other");
      expect(existsSync(join(world.folder, "settings"))).toBe(false);
    }, values);
  });

  it("holds a proxy's password where nobody else can read it, and it is said nowhere", async () => {
    await withCache(async (world, image) => {
      const network = { ...(world.settings["network"] as object), proxy: { http: "http://user:s3cr3t@127.0.0.1:9" } };
      world.configure({ ...world.settings, network, cacheEnabled: true });
      const asked = [
        await world.pull(world.name, image, knowing(world)),
        await world.pull(world.name, image, knowing(world)),
      ];
      for (const { stdout, stderr } of asked) expect(stdout + stderr).not.toContain("s3cr3t");
      const holding = filesIn(world, "settings").filter((path) => readFileSync(path, "utf8").includes("s3cr3t"));
      expect(holding.map((path) => statSync(path).mode & 0o077)).toEqual([0]);
      for (const folder of ["evidence", "identities"]) {
        for (const path of filesIn(world, folder)) expect(readFileSync(path, "utf8")).not.toContain("s3cr3t");
      }
    });
  });
});

/** Empty where the process has ended. */
function environmentOf(pid: number | undefined): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}

describe.concurrent("the program that starts anew", () => {
  const handed = (pid: string, stdin: string) => `${pid}:${Buffer.from(stdin).toString("base64")}`;
  const question = ({ mediaType, digest, size }: Descriptor) => JSON.stringify({ mediaType, digest, size });

  it("believes nothing that was handed over to another process, or is not as it hands it over", async () => {
    await withCache(async (world, image) => {
      const unsigned = await world.image("unsigned", { signed: false });
      for (const value of [
        handed("1", question(image)),
        handed("", question(image)),
        handed(" ", question(image)),
        ":",
        "garbage",
        `${"9".repeat(400)}:e30=`,
      ]) {
        const env = { ...world.env, ATCR_VERIFY_HANDED_OVER: value };
        expect(headline(await world.pull(world.name, unsigned, { env }))).toBe(NONE);
      }
      // A process that hands something over to itself in another form.
      for (const between of ["0:", ":", " "]) {
        const script = `export ATCR_VERIFY_HANDED_OVER="$$:${between}${Buffer.from(question(image)).toString("base64")}"; exec "$0" "$@"`;
        const through = ["/bin/sh", "-c", script];
        expect(headline(await world.pull(world.name, unsigned, { through }))).toBe(NONE);
      }
    });
  });

  it("answers a question that is too long to be handed over, and one with an engine as somebody wants it", async () => {
    await withCache(async (world, image) => {
      const stdin = question(image).replace("{", `{"annotations": {"x": "${"y".repeat(200_000)}"},`);
      const long = () => ask(containerdArgs(world.name, image.digest), { env: world.env, stdin });
      expect(headline(await long())).toBe(SIGNED);
      requestsOf(world);
      expect([headline(await long()), requestsOf(world)]).toEqual([SIGNED, NO_REQUEST]);
      const limit = question(image).padEnd(64 * 1024);
      for (const padded of [limit, `${limit} `]) {
        rmSync(cacheOf(world), { recursive: true });
        const asked = await ask(containerdArgs(world.name, image.digest), { env: world.env, stdin: padded });
        expect([headline(asked), asked.stderr]).toEqual([SIGNED, ""]);
      }
      for (const option of ["0", "1"]) {
        rmSync(cacheOf(world), { recursive: true });
        const env = { ...world.env, BUN_JSC_useJIT: option };
        for (let i = 0; i < 2; i++) {
          const asked = await world.pull(world.name, image, { env });
          expect([headline(asked), asked.stderr]).toEqual([SIGNED, ""]);
        }
      }
    });
  });

  it.each([
    ["", "BUN_JSC_useJIT=0"],
    ["# a large file\n".repeat(4_000), "BUN_JSC_useDFGJIT=0"],
  ])("has its engine compile only where a file is large: %.8j", async (more, expected) => {
    await withCache(
      async (world, image) => {
        world.pds.delay(60_000);
        world.policy(`${readFileSync(join(world.folder, "policy.yaml"), "utf8")}\n${more}`);
        let last = "";
        let looking: NodeJS.Timeout | undefined;
        const started: Ask["started"] = ({ pid }) => {
          looking = setInterval(() => {
            last =
              environmentOf(pid)
                .split("\0")
                .findLast((entry) => entry.startsWith("BUN_JSC_")) ?? last;
          }, 20);
        };
        const pulled = await world.pull(world.name, image, { ...knowing(world), started });
        clearInterval(looking);
        expect([pulled.code, last]).toEqual([2, expected]);
      },
      { deadline: "3s" },
    );
  });

  it("keeps its turn, and its time", async () => {
    await withCache(
      async (world, image) => {
        world.pds.delay(60_000);
        const pulled = await world.pull(world.name, image);
        expect(headline(pulled)).toMatch(/^2 inconclusive (?:net\.deadline|pds\.unreachable)$/);
        expect(pulled.took).toBeLessThan(3500);
        expect(pulled.stderr).toBe("");
        expect(filesIn(world, "locks")).toEqual([]);
      },
      { deadline: "2s" },
    );
  });
});
