import { beforeAll, describe, expect, it } from "vitest";
import { answer, BOTH, policy } from "../../../support/deciding.ts";
import { NOW, signer, type TestSigner } from "../../../support/evidence.ts";
import type { AuditEntry } from "../../../support/plc-operations.ts";
import { signingKey } from "../../../support/signing-key.ts";
import { World } from "../../../support/world.ts";

/**
 * A thief who holds the PDS's rotation key sets a signing key; the owner's key, which is more powerful, undoes
 * that. Directories that lag behind still list the theft alone.
 */
const HOUR = 3_600_000;
const [OWNER, OPERATOR] = [signingKey("k256", "owner"), signingKey("k256", "operator")];
const [STOLEN, RESTORED] = [signingKey("k256", "stolen"), signingKey("k256", "restored")];

let victim: TestSigner;
let genesis: AuditEntry;
let theft: AuditEntry;
let undoing: AuditEntry;
beforeAll(async () => {
  victim = await signer({ name: "victim", others: 0, state: { rotationKeys: [OWNER, OPERATOR] } });
  await victim.log.update({ signingKey: STOLEN }, { at: NOW - 2 * HOUR, signer: OPERATOR });
  await victim.log.update({ signingKey: RESTORED }, { at: NOW - HOUR, signer: OWNER, after: 0 });
  await victim.repo.resign(NOW - HOUR, STOLEN);
  [genesis, theft, undoing] = victim.log.entries() as [AuditEntry, AuditEntry, AuditEntry];
});

const cids = (entries: readonly AuditEntry[]) => new Set(entries.map(({ cid }) => cid));

describe("decide, where a key was undone and a directory lags behind", () => {
  /** What the two directories list, and whether this node has seen all of it before. */
  const pull = async (first: readonly AuditEntry[], second: readonly AuditEntry[], knows: boolean) => {
    const world = await World.start(victim);
    world.plc.override("", { json: first });
    world.plc2.override("", { json: second });
    if (knows) {
      await world.disk.recordObservation({
        signer: victim.did,
        revs: [],
        operations: [...cids([genesis, theft, undoing])],
        key: RESTORED.did(),
      });
    }
    const verdict = await answer(world, policy([victim.did]), { config: BOTH });
    const asked = [world.plc.count(), world.plc2.count(), world.pds.count()];
    return { world, verdict, asked, operations: (await world.disk.loadHistory(victim.did)).operations };
  };

  it.each([false, true])("counts the key as superseded: a node that knows the log: %s", async (knows) => {
    const { world, verdict, asked, operations } = await pull([genesis, theft, undoing], [genesis, theft], knows);
    await using _ = world;
    expect(verdict).toBe("deny commit.superseded_key");
    // The second log lacks an operation of the first: both directories are asked once more, and no PDS.
    expect(asked).toEqual([2, 1, 1]);
    expect(operations).toEqual(cids([genesis, theft, undoing]));
  });

  it("takes no second log that lacks an operation of the first, and remembers the first", async () => {
    // The first directory lists the end of it alone, so it names no other key.
    const { world, verdict, asked, operations } = await pull([genesis, undoing], [genesis, theft], false);
    await using _ = world;
    expect(verdict).toBe("deny commit.bad_signature");
    // The directories are asked in turn, and nobody's PDS for the log that is not taken.
    expect(asked).toEqual([2, 1, 1]);
    expect(operations).toEqual(cids([genesis, undoing]));
  });

  it("takes a second log that holds all of the first", async () => {
    await victim.repo.resign(NOW - HOUR / 2, RESTORED);
    const { world, verdict, operations } = await pull([genesis, theft], [genesis, theft, undoing], false);
    await using _ = world;
    await victim.repo.resign(NOW - HOUR / 2 + 1, STOLEN);
    expect(verdict).toBe("allow");
    expect(operations).toEqual(cids([genesis, theft, undoing]));
  });

  it("asks the next directory where this node knows that the first one lags", async () => {
    const { world, verdict, asked } = await pull([genesis, theft], [genesis, theft, undoing], true);
    await using _ = world;
    expect(verdict).toBe("deny commit.superseded_key");
    // Each is asked once more: there is nothing newer.
    expect(asked).toEqual([2, 2, 1]);
  });

  it("holds a directory against a cached identity as well", async () => {
    await using world = await World.start(victim);
    world.remembersIdentities = true;
    await world.disk.keepIdentity(victim.did, { ...victim.identity(), bytes: entriesOf([genesis, undoing]) });
    world.plc.override("", { json: [genesis, theft] });
    world.plc2.override("", { json: [genesis, theft] });
    expect(await answer(world, policy([victim.did]), { config: BOTH })).toBe("deny commit.bad_signature");
    expect(world.pds.count()).toBe(1);
  });

  it("holds it against a cached identity whose PDS does not serve the signer", async () => {
    await using world = await World.start(victim);
    world.remembersIdentities = true;
    await world.disk.keepIdentity(victim.did, { ...victim.identity(), bytes: entriesOf([genesis, undoing]) });
    world.plc.override("", { json: [genesis, theft] });
    world.plc2.override("", { json: [genesis, theft] });
    world.pds.override("", { status: 400, json: { error: "RepoNotFound" } }, "usual");
    expect(await answer(world, policy([victim.did]), { config: BOTH })).not.toBe("allow");
    expect(world.pds.count()).toBe(1);
    expect((await world.disk.loadHistory(victim.did)).operations).toEqual(cids([genesis, undoing]));
  });
});

const entriesOf = (entries: readonly AuditEntry[]) => new TextEncoder().encode(JSON.stringify(entries));

describe("decide, where a did:web shows two documents within one pull", () => {
  const OTHER = signingKey("k256", "other");

  it("asks its host once: nothing tells which of two documents is the newer one", async () => {
    const [now, before] = [
      await signer({ name: "web", method: "web" }),
      await signer({ name: "web", method: "web", key: OTHER }),
    ];
    await using world = await World.start(now);
    const document = (of: TestSigner) => JSON.parse(new TextDecoder().decode(of.identity().bytes)) as unknown;
    world.pds.override("did.json", { json: document(now) }, { json: document(before) });
    await now.repo.resign(NOW - HOUR, OTHER);
    expect(await answer(world, policy([now.did]))).toBe("deny commit.bad_signature");
    expect(world.pds.count("did.json")).toBe(1);
  });

  it("asks it where the document was cached", async () => {
    const web = await signer({ name: "web", method: "web" });
    const before = await signer({ name: "web", method: "web", key: OTHER });
    await using world = await World.start(web);
    world.remembersIdentities = true;
    await world.disk.keepIdentity(web.did, before.identity());
    world.now += 1000;
    expect(await answer(world, policy([web.did]))).toBe("allow");
    expect(world.pds.count("did.json")).toBe(1);
    // The document that was replaced is remembered as the older one.
    const { keys } = await world.disk.loadHistory(web.did);
    expect(keys).toEqual(
      new Map([
        [OTHER.did(), NOW],
        [web.key.did(), world.now],
      ]),
    );
  });
});
