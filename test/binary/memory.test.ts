import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SignerStore } from "../../src/io/store/signer-store.ts";
import { type Ask, ask, headline, TestNode } from "../support/binary.ts";
import { signingKey } from "../support/signing-key.ts";
import { StandInPlc } from "../support/stand-in-plc.ts";
import type { Descriptor } from "../support/stand-in-registry.ts";

const [HOUR, DAY] = [3_600_000, 86_400_000];
const RECORD = "/xrpc/com.atproto.sync.getRecord";

/** A world of its own: its node remembers what this test did and nothing else. */
async function withWorld(test: (world: TestNode, image: Descriptor) => Promise<void>): Promise<void> {
  const world = await TestNode.start();
  try {
    await test(world, await world.image("first"));
  } finally {
    await world.stop();
  }
}

/** A policy whose one rule requires this of the signer. */
function requiring(world: TestNode, require: object, about: object = {}, action = "enforce"): void {
  const rule = { name: "all", scope: "**/*", action, require };
  world.policy(JSON.stringify({ version: 1.0, trustedDIDs: { [world.signer.did]: about }, policies: [rule] }));
}

const stateOf = (world: TestNode) => join(world.folder, "config.yaml.state");
const proofOf = async (world: TestNode, { digest }: Descriptor) => ({
  body: await world.signer.proof(digest),
  headers: { "content-type": "application/vnd.ipld.car" },
});

/** The policies that trust everybody for `action`, judged by a node that remembers nothing. */
function elsewhere(world: TestNode): Ask {
  const config = world.configure({ ...world.settings, stateDir: join(world.folder, "other.state") }, "other.yaml");
  return { env: { ...world.env, ATCR_VERIFY_CONFIG: config } };
}

describe.concurrent("a repo that goes back", () => {
  it("is asked once more, and refused, until the signer is forgotten", async () => {
    await withWorld(async (world, image) => {
      const old = await proofOf(world, image);
      const second = await world.image("second");
      expect(headline(await world.pull(world.name, second))).toBe("0 allow signed");

      const restore = world.pds.override(RECORD, old);
      world.pds.forget();
      expect(headline(await world.pull(world.name, image))).toBe("1 deny commit.rolled_back");
      expect(world.pds.count(RECORD)).toBe(2);
      // It holds by itself: only what the node has seen refuses it.
      expect(headline(await world.pull(world.name, image, elsewhere(world)))).toBe("0 allow signed");

      const forgotten = await ask(["state", "forget", world.signer.did], { env: world.env });
      expect(forgotten.code).toBe(0);
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      restore();
    });
  });

  it("may be a replica that lags once", async () => {
    await withWorld(async (world, image) => {
      const old = await proofOf(world, image);
      const second = await world.image("second");
      expect(headline(await world.pull(world.name, second))).toBe("0 allow signed");
      world.pds.override(RECORD, old, "usual");
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    });
  });

  it("is refused also where it proves absence, and whatever a pull was refused by before", async () => {
    await withWorld(async (world) => {
      const image = await world.image("unsigned", { signed: false });
      const old = await proofOf(world, image);
      await world.image("second");
      expect(headline(await world.pull(world.name, image))).toBe("1 deny signature.none");
      world.pds.override(RECORD, old);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny commit.rolled_back");
    });
  });

  it("is let through where the rule only audits, and said", async () => {
    await withWorld(async (world, image) => {
      const old = await proofOf(world, image);
      await world.image("second");
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      requiring(world, {}, {}, "audit");
      world.pds.override(RECORD, old);
      const audited = await world.pull(world.name, image);
      expect(headline(audited)).toBe("0 allow audited");
      expect(audited.stdout).toContain("deny commit.rolled_back");
    });
  });

  it("is older than the policy's minRev on a node that has seen nothing", async () => {
    await withWorld(async (world, image) => {
      const old = await proofOf(world, image);
      await world.image("second");
      requiring(world, {}, { minRev: world.signer.repo.rev });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      world.pds.override(RECORD, old);
      const fresh = elsewhere(world);
      expect(headline(await world.pull(world.name, image, fresh))).toBe("1 deny commit.older_than_pinned");
      requiring(world, {});
      expect(headline(await world.pull(world.name, image, fresh))).toBe("0 allow signed");
    });
  });

  it("never is one that others write to and read at the same time", async () => {
    await withWorld(async (world, image) => {
      const pulls = [];
      for (let i = 0; i < 12; i++) {
        pulls.push(world.pull(world.name, image));
        await world.image(`other ${i}`);
      }
      expect((await Promise.all(pulls)).map(headline)).toEqual(pulls.map(() => "0 allow signed"));
    });
  });
});

/**
 * A thief who holds the operator's rotation key sets a signing key and signs the repo's commit; the owner, whose
 * key is more powerful, undoes that. One directory lists all of it, the other one lags behind and lists the theft
 * alone.
 */
async function withUndoneKey(
  test: (pulled: (first: "whole" | "lagging" | "withholding") => Promise<string>, whole: StandInPlc) => Promise<void>,
): Promise<void> {
  await withWorld(async (world, image) => {
    const tls = world.authority.issue({ names: ["127.0.0.1"] });
    const lagging = await StandInPlc.start({ tls });
    try {
      const { log, rotationKey, repo, did } = world.signer;
      const [stolen, operator] = [signingKey("k256", "stolen"), signingKey("k256", "operator")];
      const at = Date.now();
      await log.update({ rotationKeys: [rotationKey, operator] }, { at: at - HOUR });
      await log.update({ signingKey: stolen }, { at: at - HOUR / 2, signer: operator });
      const shown = log.entries();
      lagging.override(did, { json: shown });
      await log.update({ handle: "mine.example.com" }, { at: at - HOUR / 4, signer: rotationKey, after: 1 });
      await repo.resign(at - HOUR / 8, stolen);
      const { origin } = world.plc;
      await test(async (first) => {
        const plcDirectories = first === "lagging" ? [lagging.origin, origin] : [origin, lagging.origin];
        const withheld = log.entries().filter((_, i) => i !== 2);
        const restore = first === "withholding" ? world.plc.override(did, { json: withheld }) : undefined;
        world.configure({ ...world.settings, plcDirectories });
        const answered = headline(await world.pull(world.name, image));
        restore?.();
        return answered;
      }, world.plc);
    } finally {
      await lagging.stop();
    }
  });
}

describe.concurrent("a key that was undone", () => {
  it("is superseded, whatever a second directory lists", async () => {
    await withUndoneKey(async (pulled) => {
      expect(await pulled("whole")).toBe("1 deny commit.superseded_key");
      // The node knows the whole log now.
      expect(await pulled("lagging")).toBe("1 deny commit.superseded_key");
      expect(await pulled("whole")).toBe("1 deny commit.superseded_key");
    });
  });

  it("is not brought back by a directory that lacks what the first one listed", async () => {
    await withUndoneKey(async (pulled) => {
      expect(await pulled("withholding")).toBe("1 deny commit.bad_signature");
      expect(await pulled("lagging")).toBe("1 deny commit.superseded_key");
    });
  });

  it("counts where nobody lists that it was undone: that nothing newer exists is the directory's word", async () => {
    await withUndoneKey(async (pulled, whole) => {
      whole.override("", { status: 404 });
      expect(await pulled("lagging")).toBe("0 allow signed");
    });
  });
});

describe.concurrent("a log that goes back", () => {
  it("is asked for once more, and refused, and no PDS that it names is asked", async () => {
    await withWorld(async (world, image) => {
      const old = { json: world.signer.log.entries() };
      const stolen = await proofOf(world, image);
      const next = signingKey("k256", "next");
      await world.signer.log.update({ signingKey: next }, { at: Date.now() - HOUR });
      await world.signer.repo.resign(Date.now() - HOUR, next);
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");

      world.plc.override("/log/audit", old);
      world.pds.override(RECORD, stolen);
      world.plc.forget();
      world.pds.forget();
      expect(headline(await world.pull(world.name, image))).toBe("1 deny identity.log_rolled_back");
      expect([world.plc.count(), world.pds.count()]).toEqual([2, 0]);
      expect(headline(await world.pull(world.name, image, elsewhere(world)))).toBe("0 allow signed");
    });
  });
});

describe.concurrent("a key that is young", () => {
  it("is refused by its log's date, however long the node has known it", async () => {
    await withWorld(async (world, image) => {
      requiring(world, { minKeyAge: "72h" }, {});
      const store = new SignerStore(stateOf(world), ({ message }) => expect.fail(message));
      const observation = { signer: world.signer.did, operations: [], key: world.signer.key.did(), revs: [] };
      await store.recordObservation(observation, Date.now() - 4 * DAY);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny identity.key_too_young");
      requiring(world, { minKeyAge: "1h" });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    });
  });

  it("is refused where the node has just seen it, whatever the log's date; a pin vouches for it", async () => {
    await withWorld(async (world, image) => {
      requiring(world, { minKeyAge: "1h" });
      expect(headline(await world.pull(world.name, image))).toBe("1 deny identity.key_too_young");
      requiring(world, {});
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      requiring(world, { minKeyAge: "1h" }, { keys: [world.signer.key.did()] });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    });
  });
});

describe.concurrent("a tag", () => {
  const moveTag = ({ signer }: TestNode, { digest }: Descriptor): Promise<void> =>
    signer.tag("app", "v1", digest, Date.now() - 1000);

  it("must mean the digest where the rule says so, and a pull by digest has none", async () => {
    await withWorld(async (world, image) => {
      const second = await world.image("second");
      requiring(world, { tag: "match" });
      expect(headline(await world.pull(world.name, image))).toBe("1 deny tag.absent");
      await moveTag(world, image);
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      await moveTag(world, second);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny tag.mismatch");
      expect(headline(await world.pull(world.name, second))).toBe("0 allow signed");
      const byDigest = await world.pull(`${world.name}@${image.digest}`, image);
      expect(headline(byDigest)).toBe("0 allow signed");
      expect(byDigest.stdout).toContain("no tag was checked");
      // A person must write the digest; the tag beside it is what containerd would have found it by.
      expect(headline(await world.verify([`${world.name}@${image.digest}`]))).toBe("1 deny tag.mismatch");
      requiring(world, {});
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    });
  });
});

describe.concurrent("evidence of before", () => {
  it("is judged again where nobody answers, says so, and is judged by the policy of now", async () => {
    await withWorld(async (world, image) => {
      requiring(world, { maxStaleness: "1h" });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      const other = await world.image("never pulled");
      await Promise.all([world.pds.stop(), world.plc.stop()]);

      const kept = await world.pull(world.name, image);
      expect(headline(kept)).toBe("0 allow signed");
      expect(kept.stdout).toMatch(/by stale evidence, fetched at \d{4}-.*could not be reached/);
      expect(headline(await world.pull(world.name, other))).toMatch(/^2 inconclusive (?:identity|pds)\.unreachable$/);
      requiring(world, { maxStaleness: "1h" }, { expiresAt: new Date(Date.now() - 1000).toISOString() });
      expect(headline(await world.pull(world.name, image))).toBe("1 deny signer.expired");
      requiring(world, {});
      expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive identity.unreachable");
    });
  });

  it("is judged again where nobody answers in time", async () => {
    await withWorld(async (world, image) => {
      requiring(world, { maxStaleness: "1h" });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      world.pds.delay(60_000);
      world.configure({ ...world.settings, deadline: "1500ms" });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
    });
  });

  it("is forgotten by a proven absence, and of no use where somebody answers", async () => {
    await withWorld(async (world, image) => {
      requiring(world, { maxStaleness: "1h" });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      const mute = world.pds.override(RECORD, { status: 404, json: {} });
      expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive pds.bad_response");
      mute();
      await world.signer.unsign(image.digest, Date.now() - 1000);
      expect(headline(await world.pull(world.name, image))).toBe("1 deny signature.none");
      await world.pds.stop();
      expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive pds.unreachable");
    });
  });
});

describe.concurrent("evidence of before, by name", () => {
  it("is used for no tag that was not asked for, and ended by one that means another image", async () => {
    await withWorld(async (world, image) => {
      const [second, silent] = [await world.image("second"), "2 inconclusive pds.unreachable"];
      const mark = (tag: string, { digest }: Descriptor) => world.signer.tag("app", tag, digest, Date.now() - 1000);
      const [v1, v2] = [world.name, world.name.replace(/:[^:]*$/, ":v2")];
      requiring(world, { tag: "match", maxStaleness: "1h" });
      await mark("v1", image);
      await mark("v2", image);
      for (const name of [v1, v2]) expect(headline(await world.pull(name, image))).toBe("0 allow signed");
      await mark("v1", second);
      expect(headline(await world.pull(v1, second))).toBe("0 allow signed");

      const mute = world.pds.override(RECORD, { status: 503 });
      expect(headline(await world.pull(v1, image))).toBe(silent);
      expect(headline(await world.pull(v2, second))).toBe(silent);
      expect(headline(await world.pull(v1, second))).toBe("0 allow signed");
      expect(headline(await world.pull(v2, image))).toBe("0 allow signed");
      mute();
      await mark("v2", second);
      expect(headline(await world.pull(v2, image))).toBe("1 deny tag.mismatch");
      world.pds.override(RECORD, { status: 503 });
      expect(headline(await world.pull(v2, image))).toBe(silent);
    });
  });

  it("is judged by who the signer is, where that is heard", async () => {
    await withWorld(async (world, image) => {
      requiring(world, { maxStaleness: "1h" }, { pds: [world.pds.origin] });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      world.pds.override(RECORD, { status: 503 });
      expect(headline(await world.pull(world.name, image))).toBe("0 allow signed");
      const { log, rotationKey } = world.signer;
      await log.update({ pds: "https://pds.moved.example" }, { at: Date.now() - 1000, signer: rotationKey });
      expect(headline(await world.pull(world.name, image))).toBe("2 inconclusive pds.unreachable");
    });
  });
});

describe.concurrent("the node's memory", () => {
  it("that is damaged is said and set aside, and the pull goes on", async () => {
    await withWorld(async (world, image) => {
      expect((await world.pull(world.name, image)).stderr).toBe("");
      const folder = join(stateOf(world), "signers", world.signer.did);
      writeFileSync(join(folder, "rev-garbage"), "");
      const pulled = await world.pull(world.name, image);
      expect(headline(pulled)).toBe("0 allow signed");
      expect(pulled.stderr).toContain("rev-garbage");
      expect(readdirSync(folder)).not.toContain("rev-garbage");
      expect((await world.pull(world.name, image)).stderr).toBe("");
    });
  });

  it("that cannot be kept is said, and the pull goes on", async () => {
    await withWorld(async (world, image) => {
      world.configure({ ...world.settings, stateDir: world.write("a-file/x", "").replace(/x$/, "x/state") });
      const pulled = await world.pull(world.name, image);
      expect(headline(pulled)).toBe("0 allow signed");
      expect(pulled.stderr).not.toBe("");
    });
  });
});
