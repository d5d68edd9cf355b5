import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { BundleDir } from "../../../../src/io/store/bundle-dir.ts";
import { ProvenTimes } from "../../../../src/io/store/proven-times.ts";
import { SignerStore } from "../../../../src/io/store/signer-store.ts";
import { importBundle } from "../../../../src/verifier/service/import-bundle.ts";
import { bundleOf, NOW, signer } from "../../../support/evidence.ts";
import { signingKey } from "../../../support/signing-key.ts";

const root = mkdtempSync(join(tmpdir(), "import-bundle-"));
afterAll(() => rmSync(root, { recursive: true }));

const LATER = NOW + 60_000;

/** A node that has imported nothing. */
function node(name: string) {
  const [state, bundles] = [join(root, name, "state"), join(root, name, "bundles")];
  for (const folder of [state, bundles]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fail = () => expect.fail("a warning");
  return {
    directory: new BundleDir(bundles, () => [], fail),
    signers: new SignerStore(state, fail),
    times: new ProvenTimes(state, fail),
    atcrHosts: [],
  };
}

describe("importBundle, a did:web", () => {
  it("remembers the key as of when its document was fetched, so that a former key is older", async () => {
    const before = await signer({ name: "web", method: "web" });
    const after = await signer({ name: "web", method: "web", key: signingKey("k256", "rotated") });
    const context = node("rotated");
    const importing = async (who: typeof before, fetchedAt: number) => {
      const evidence = await who.evidence();
      const signature = { ...evidence, identity: { ...evidence.identity, fetchedAt } };
      await importBundle(bundleOf({ signatures: [signature] }), { importedAt: LATER }, context);
    };
    await importing(after, NOW);
    expect([...(await context.signers.loadHistory(after.did, LATER)).keys]).toEqual([[after.key.did(), NOW]]);
    // An older document adds no key: the newest is known.
    await importing(before, NOW - 1000);
    expect([...(await node("rotated").signers.loadHistory(after.did, LATER)).keys]).toEqual([[after.key.did(), NOW]]);
  });
});

describe("importBundle, a did:plc", () => {
  it("remembers the operations of its log, and no key: a pull says when it first saw that", async () => {
    const alice = await signer({ name: "alice" });
    const context = node("log");
    await importBundle(bundleOf({ signatures: [await alice.evidence()] }), { importedAt: LATER }, context);
    const { operations, keys } = await context.signers.loadHistory(alice.did, LATER);
    expect([...operations]).toEqual(alice.log.entries().map(({ cid }) => cid));
    expect(keys.size).toBe(0);
  });
});
