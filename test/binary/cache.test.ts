import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundleSince, writeBundle } from "../../src/core/evidence/bundle.ts";
import { imageFromLine } from "../../src/core/evidence/bundled-image.ts";
import { accepting, ask, headline, type TestNode } from "../support/binary.ts";
import { pieceAt } from "../support/cache-key.ts";
import {
  cacheOf,
  demand,
  filesIn,
  keyOf,
  NO_REQUEST,
  type PolicyParts,
  requestsOf,
  stopAll,
  withCache,
} from "../support/caching-world.ts";
import { signingKey } from "../support/signing-key.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const SIGNED = "0 allow signed";
const RECORD = "/xrpc/com.atproto.sync.getRecord";
const forget = (folder: string, beginning: string) => {
  const names = readdirSync(folder).filter((name) => name.startsWith(beginning));
  expect(names).not.toEqual([]);
  for (const name of names) rmSync(join(folder, name));
};
const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** The image was pulled, and its evidence is there. */
async function pulled(world: TestNode, image: Descriptor, name = world.name): Promise<void> {
  const first = await world.pull(name, image);
  expect([headline(first), first.stderr]).toEqual([SIGNED, ""]);
  expect(first.stdout).not.toContain("cacheTTL");
  requestsOf(world);
}

/** That nobody was asked. */
async function expectCached(world: TestNode, image: Descriptor, name = world.name): Promise<void> {
  const again = await world.pull(name, image);
  expect([headline(again), again.stderr]).toEqual([SIGNED, ""]);
  expect(again.stdout).toMatch(/by cached evidence, fetched at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/);
  expect(requestsOf(world)).toEqual(NO_REQUEST);
}

describe.concurrent("an image that is pulled again", () => {
  it("is answered for without a request, though nobody is there any more", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      await expectCached(world, image);
      await stopAll(world);
      await expectCached(world, image);
      await expectCached(world, image, world.name.replace(/:v1$/, ":v2"));
      await expectCached(world, image, "mirror.example/deep/app:v1");
    });
  });

  it("is asked for where answers are not cached, and where the time is over", async () => {
    await withCache(
      async (world, image) => {
        await pulled(world, image);
        await pause(1100);
        expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
        expect(requestsOf(world)).toEqual({ plc: 1, pds: 1, registry: expect.any(Number) });
        world.configure({ ...world.settings, cacheEnabled: false });
        expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
        expect(requestsOf(world).pds).toBe(1);
      },
      { cacheTTL: "1s" },
    );
  });

  it("is asked for with another digest, whoever signed the first", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      const unsigned = await world.image("unsigned", { signed: false });
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
      expect(requestsOf(world)).toMatchObject({ plc: 0, pds: 1 });
      await expectCached(world, image);
    });
  });

  it("takes who the signer is from the pull of another image", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      const second = await world.image("second");
      expect(headline(await world.pull(world.name, second))).toBe(SIGNED);
      expect(requestsOf(world)).toMatchObject({ plc: 0, pds: 1 });
    });
  });

  it("has its tag and its owner judged by what was heard of them", async () => {
    await withCache(async (world, image) => {
      demand(world, { require: { tag: "match" } });
      await world.signer.tag("app", "v1", image.digest, Date.now() - 1000);
      await pulled(world, image);
      await expectCached(world, image);
      const second = await world.image("second");
      expect(headline(await world.pull(world.name, second))).toBe("1 deny tag.mismatch");
      expect(headline(await world.pull(world.name.replace(/:v1$/, ":v2"), image))).toBe("1 deny tag.absent");
      await world.signer.tag("app", "v1", second.digest, Date.now() - 500);
      // Nobody has seen that yet.
      expect(headline(await world.pull(world.name, second))).toBe(SIGNED);
      requestsOf(world);
      await expectCached(world, second);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny tag.mismatch");
      expect(requestsOf(world).pds).toBeGreaterThan(0);
    });
  });
});

describe.concurrent("atcr-verify cache list", () => {
  it("calls evidence fresh within cacheTTL and where the cache is enabled, and expired otherwise", async () => {
    await withCache(
      async (world, image) => {
        const empty = await ask(["cache", "list"], { env: world.env });
        expect([empty.code, empty.stdout]).toEqual([
          0,
          expect.stringMatching(/^the cache is empty: \/.*; cacheTTL is /),
        ]);
        await pulled(world, image);
        const states = async () => {
          const { stdout } = await ask(["cache", "list"], { env: world.env });
          expect(stdout).toMatch(/^KIND {2}DIGEST {2}SIGNER-OR-HANDLE {2}FETCHED {2}STATE {2}BYTES\n/);
          return [...stdout.matchAll(/^(?:evidence|identities) .* (fresh|expired) {2}\d+$/gm)].map(
            ([, state]) => state,
          );
        };
        expect(await states()).toEqual(["fresh", "fresh"]);
        world.configure({ ...world.settings, cacheEnabled: false });
        expect(await states()).toEqual(["expired", "expired"]);
        world.configure({ ...world.settings, cacheEnabled: true, cacheTTL: "1s" });
        await pause(1100);
        expect(await states()).toEqual(["expired", "expired"]);
      },
      { cacheTTL: "1h" },
    );
  });
});

describe.concurrent("evidence that is fresh", () => {
  const [past, future] = ["2024-01-01T00:00:00Z", "2999-01-01T00:00:00Z"];
  it.each<[string, PolicyParts, string]>([
    ["the signer is revoked", { top: { revokedDIDs: [] } }, "1 deny signer.revoked"],
    ["the signer has expired", { about: { expiresAt: past } }, "1 deny signer.expired"],
    ["the signer is not valid yet", { about: { validFrom: future } }, "1 deny signer.not_yet_valid"],
    [
      "another key is pinned",
      { about: { keys: [signingKey("k256", "other").did()] } },
      "1 deny identity.key_not_pinned",
    ],
    ["another PDS is pinned", { about: { pds: ["https://pds.example.com"] } }, "1 deny identity.pds_not_pinned"],
    ["minRev was raised", { about: { minRev: "7zzzzzzzzzzzz" } }, "1 deny commit.older_than_pinned"],
    ["records must be younger", { require: { maxAge: "1h" } }, "1 deny record.too_old"],
    ["keys must be older", { require: { minKeyAge: "24h" } }, "1 deny identity.key_too_young"],
    ["the tag must mean it", { require: { tag: "match" } }, "1 deny tag.absent"],
    ["another repository is asked for", { require: { repository: ["other"] } }, "1 deny record.wrong_repository"],
    ["the digest is denied", { top: { digests: { deny: [] } } }, "1 deny policy.denied"],
    ["the rule denies", { rule: { action: "deny", require: {} } }, "1 deny policy.denied"],
    ["no rule is about it", { rule: { scope: "other.example.com/**" } }, "1 deny policy.no_match"],
  ])("does not outlive the policy that it met: %s", async (what, parts, expected) => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      const { top } = parts;
      const changed =
        what === "the signer is revoked"
          ? { revokedDIDs: [world.signer.did] }
          : what === "the digest is denied"
            ? { digests: { deny: [image.digest] } }
            : top;
      demand(world, { ...parts, ...(changed && { top: changed }) });
      expect(headline(await world.pull(world.name, image))).toBe(expected);
      demand(world);
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
    });
  });

  it("does not outlive a signer who expires in the meantime", async () => {
    await withCache(async (world, image) => {
      demand(world, { about: { expiresAt: new Date(Math.ceil(Date.now() / 1000) * 1000 + 2000).toISOString() } });
      await pulled(world, image);
      await pause(3200);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny signer.expired");
    });
  });

  it("is ended by a deletion, whoever sees it: a person, by another name", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      await world.signer.unsign(image.digest, Date.now() - 1000);
      await expectCached(world, image);
      const other = `${world.registry.authority}/alice/other/app:v2@${image.digest}`;
      expect(headline(await world.verify([other]))).toBe(SIGNED);
      expect(requestsOf(world)).toEqual(NO_REQUEST);
      expect(headline(await world.verify([other, "--no-cache"]))).toBe("1 deny signature.none");
      expect(requestsOf(world).pds).toBe(1);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny signature.none");
      await world.pds.stop();
      expect(headline(await world.verify([other]))).toBe("2 inconclusive pds.unreachable");
    });
  });

  it("is not believed any more once a newer revision of the repo was seen", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      await world.signer.unsign(image.digest, Date.now() - 1000);
      const second = await world.image("second");
      expect(headline(await world.pull(world.name, second))).toBe(SIGNED);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny signature.none");
    });
  });

  it("is ended by a takedown, a tombstone and another key, seen at another image", async () => {
    for (const change of [
      async ({ pds, signer }: TestNode) => pds.setStatus(signer.did, "RepoTakendown"),
      async ({ signer }: TestNode) => signer.log.tombstone({ at: Date.now() - 1000, signer: signer.rotationKey }),
      async ({ signer }: TestNode) => {
        const next = signingKey("k256", "next");
        await signer.log.update({ signingKey: next }, { at: Date.now() - 2000, signer: signer.rotationKey });
        await signer.repo.resign(Date.now() - 1000, next);
      },
    ]) {
      await withCache(async (world, image) => {
        await pulled(world, image);
        await change(world);
        const unsigned = await world.image("unsigned", { signed: false });
        expect(headline(await world.verify([`${world.name}@${unsigned.digest}`, "--no-cache"]))).not.toMatch(/^0/);
        await stopAll(world);
        expect(headline(await world.pull(world.name, image))).toMatch(/^[12] /);
      });
    }
  });

  it("is of no use to whom the node's memory was taken from them", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      writeFileSync(join(world.folder, "config.yaml.state", "signers", world.signer.did, "operation-bafy"), "");
      // A name that says nothing is set aside; what else was lost with it is not known in this pull.
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 1 });
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
      expect(requestsOf(world)).toEqual(NO_REQUEST);
      rmSync(join(world.folder, "config.yaml.state"), { recursive: true });
      writeFileSync(join(world.folder, "config.yaml.state"), "");
      const asked = await world.pull(world.name, image);
      expect(headline(asked)).toBe(SIGNED);
      expect(asked.stderr).toMatch(/^warning history\.unusable: /);
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 1 });
    });
  });

  it.each<[string, (signers: string, did: string) => unknown, boolean]>([
    ["is gone", (signers) => rmSync(signers, { recursive: true }), false],
    ["is gone for the signer", (signers, did) => rmSync(join(signers, did), { recursive: true }), false],
    ["is without a revision", (signers, did) => forget(join(signers, did), "rev-"), false],
    ["is without an operation", (signers, did) => forget(join(signers, did), "operation-"), false],
    ["is without a key", (signers, did) => forget(join(signers, did), "key-"), false],
    [
      "is damaged",
      (signers, did) => {
        rmSync(join(signers, did), { recursive: true });
        writeFileSync(join(signers, did), "");
      },
      true,
    ],
  ])("is of no use where the history %s, until the signer was asked again", async (_, lose, isDamaged) => {
    await withCache(
      async (world, image) => {
        const other = await world.image("other");
        await pulled(world, image);
        expect(headline(await world.pull(world.name, other))).toBe(SIGNED);
        lose(join(world.folder, "config.yaml.state", "signers"), world.signer.did);
        await stopAll(world);
        // Nothing is recorded, so what is damaged stays in place.
        for (let i = 0; i < 2; i++) {
          // Who the signer is counts as heard within cacheTTL, and is remembered again.
          for (const file of filesIn(world, "identities")) rmSync(file);
          const asked = await world.pull(world.name, image);
          expect(headline(asked)).toMatch(/^2 inconclusive (?:pds|identity|registry)\.unreachable$/);
          expect(asked.stderr.includes("damaged")).toBe(isDamaged);
        }
      },
      // Stale evidence would do, too.
      { cacheTTL: "1h" },
    );
  });

  it("is of no use in a pull that finds a damaged name in the history, also after it restarted for the network", async () => {
    await withCache(async (world, image) => {
      // With the settings cached as well, the process that looks into the cache is the first one.
      const asking = { env: { ...world.env, ATCR_VERIFY_CACHE_DIR: cacheOf(world) } };
      const { did } = world.signer;
      for (let i = 0; i < 2; i++) expect(headline(await world.pull(world.name, image, asking))).toBe(SIGNED);
      writeFileSync(join(world.folder, "config.yaml.state", "signers", did, "junk"), "");
      requestsOf(world);
      const damaged = await world.pull(world.name, image, asking);
      expect([headline(damaged), requestsOf(world)]).toEqual([
        SIGNED,
        { plc: 1, pds: 1, registry: expect.any(Number) },
      ]);
      expect(damaged.stderr).toMatch(/^warning history\.damaged: \S+junk says nothing; [^\n]*\n$/);
      expect(readdirSync(join(world.folder, "config.yaml.state", "damaged"))).toHaveLength(1);
      // What it showed was recorded, but not cached.
      expect(headline(await world.pull(world.name, image, asking))).toBe(SIGNED);
      requestsOf(world);
      const again = await world.pull(world.name, image, asking);
      expect([headline(again), again.stderr, requestsOf(world)]).toEqual([SIGNED, "", NO_REQUEST]);
    });
  });
});

describe.concurrent("a person who verifies", () => {
  it("is answered from the cache, asks with --no-cache, and saves what the answer rests on", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      const bundle = join(world.folder, "saved.json");
      const asked = `${world.name}@${image.digest}`;
      const cached = await world.verify([asked, "--save-evidence", bundle]);
      expect([headline(cached), requestsOf(world)]).toEqual([SIGNED, NO_REQUEST]);
      expect(cached.stdout).toContain("by cached evidence");
      const policy = world.policy(accepting(world.signer.did), "accepting.yaml");
      expect(headline(await world.verify([asked, "--offline", "--bundle", bundle, "--policy", policy]))).toBe(SIGNED);
      const fresh = await world.verify([asked, "--no-cache"]);
      expect([headline(fresh), requestsOf(world)]).toEqual([SIGNED, { plc: 1, pds: 1, registry: expect.any(Number) }]);
      expect(fresh.stdout).not.toContain("cacheTTL");
    });
  });
});

describe.concurrent("a refusal", () => {
  it("is asked about anew each time, by the same name too, so that what mends it counts at once", async () => {
    await withCache(async (world) => {
      const unsigned = await world.image("unsigned", { signed: false });
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
      expect(requestsOf(world)).toMatchObject({ plc: 1, pds: 1 });
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
      expect(requestsOf(world)).toMatchObject({ plc: 0, pds: 1 });
      await world.signer.sign(unsigned.digest, "app", Date.now() - 1000);
      expect(headline(await world.pull(world.name, unsigned))).toBe(SIGNED);
    });
  });

  it("by silence is over as soon as the service is back", async () => {
    await withCache(async (world, image) => {
      const back = world.pds.override(RECORD, { status: 503 });
      expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive pds.unreachable");
      back();
      expect(headline(await world.pull(world.name, image))).toBe(SIGNED);
    });
  });

  it("leaves nothing in the cache but who the signer is, and that the record is absent", async () => {
    await withCache(async (world) => {
      const unsigned = await world.image("unsigned", { signed: false });
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
      const folders = readdirSync(cacheOf(world)).filter((name) => readdirSync(cacheOf(world, name)).length > 0);
      expect(folders.filter((name) => name !== "settings").toSorted()).toEqual(["identities", "marks"]);
    });
  });

  it("is let through where the rule only audits", async () => {
    await withCache(async (world) => {
      const unsigned = await world.image("unsigned", { signed: false });
      demand(world, { rule: { action: "audit" } });
      for (let i = 0; i < 2; i++) {
        const audited = await world.pull(world.name, unsigned);
        expect(headline(audited)).toBe("0 allow audited");
        expect(audited.stdout).toContain("deny signature.none");
      }
      expect(requestsOf(world).pds).toBe(2);
      demand(world);
      expect(headline(await world.pull(world.name, unsigned))).toBe("1 deny signature.none");
    });
  });
});

describe.concurrent("what is kept", () => {
  it("is evidence that can be judged offline, with what it proves beside it, and nobody's secret", async () => {
    await withCache(async (world, image) => {
      await pulled(world, image);
      const [file = ""] = filesIn(world, "evidence", ".bundle");
      const cached = imageFromLine(pieceAt(file, keyOf(world)));
      const bundle = world.write("bundle.json", writeBundle(bundleSince(Date.now(), [cached])));
      const policy = world.policy(accepting(world.signer.did), "accepting.yaml");
      const args = [`${world.name}@${image.digest}`, "--offline", "--bundle", bundle, "--policy", policy];
      const offline = await world.verify(args);
      expect(headline(offline)).toBe(SIGNED);
      expect(filesIn(world, "evidence").length).toBe(2);
      expect(filesIn(world, "identities").length).toBe(1);
      expect(filesIn(world, "locks")).toEqual([]);
      expect(readFileSync(bundle, "utf8")).toContain(image.digest);
      expect(cacheOf(world)).toContain(world.folder);
    });
  });
});
