import { cborToLex, readCarWithRoot, verifyRecords } from "@atproto/repo";
import { describe, expect, it } from "vitest";
import { forgeCommit, forgeTree } from "./forged-proof.ts";
import { MANIFEST_COLLECTION, manifestRecord, SignedRepo, tid, tidMicros } from "./signed-repo.ts";
import { signingKey } from "./signing-key.ts";

const DID = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const AT = Date.UTC(2025, 0, 1);
const RKEY = "ab".repeat(32);
const key = signingKey("p256", "repo");

async function repoWithRecord(): Promise<SignedRepo> {
  const repo = await SignedRepo.create({ did: DID, key, at: AT });
  await repo.fill(50, AT + 1);
  await repo.put(MANIFEST_COLLECTION, RKEY, manifestRecord(`sha256:${RKEY}`, "app"), AT + 2);
  return repo;
}

async function proven(proof: Uint8Array, signer = key): Promise<number> {
  return (await verifyRecords(proof, DID, signer.did())).filter(({ rkey }) => rkey === RKEY).length;
}

describe("a signed repo", () => {
  it("proves a record to the reference, with the same bytes each time", async () => {
    const proof = await (await repoWithRecord()).proof(MANIFEST_COLLECTION, RKEY);
    expect(await proven(proof)).toBe(1);
    expect(await (await repoWithRecord()).proof(MANIFEST_COLLECTION, RKEY)).toEqual(proof);
  });

  it("proves absence after a deletion, and takes its revs from the times given", async () => {
    const repo = await repoWithRecord();
    expect(repo.rev).toBe(tid((AT + 2) * 1000));
    await repo.delete(MANIFEST_COLLECTION, RKEY, AT + 3);
    expect(tidMicros(repo.rev)).toBe((AT + 3) * 1000);
    expect(await proven(await repo.proof(MANIFEST_COLLECTION, RKEY))).toBe(0);
  });

  it("is signed by a new key only after it was signed again", async () => {
    const repo = await repoWithRecord();
    const next = signingKey("k256", "next");
    repo.key = next;
    await expect(proven(await repo.proof(MANIFEST_COLLECTION, RKEY), next)).rejects.toThrow();
    await repo.resign(AT + 3);
    expect(await proven(await repo.proof(MANIFEST_COLLECTION, RKEY), next)).toBe(1);
  });
});

describe("a forged proof", () => {
  it("of another commit keeps hashes and signature right", async () => {
    const proof = await (await repoWithRecord()).proof(MANIFEST_COLLECTION, RKEY);
    const forged = await forgeCommit(proof, { key, edit: (commit) => ({ ...commit, rev: "2222222222222" }) });
    expect(await proven(forged)).toBe(1);
    const { root, blocks } = await readCarWithRoot(forged);
    expect((cborToLex(blocks.get(root) ?? new Uint8Array()) as { rev: string }).rev).toBe("2222222222222");
  });

  it("of another tree keeps hashes and signature right", async () => {
    const proof = await (await repoWithRecord()).proof(MANIFEST_COLLECTION, RKEY);
    expect(await proven(await forgeTree(proof, key, (value) => value))).toBe(1);
    const forged = await forgeTree(proof, key, (value, { kind }) =>
      kind === "record" ? { ...value, repository: "other" } : value,
    );
    const [claim] = await verifyRecords(forged, DID, key.did());
    expect(claim?.record?.["repository"]).toBe("other");
    const { blocks } = await readCarWithRoot(proof);
    const holed = await forgeTree(proof, key, (value, { kind }) => (kind === "record" ? "drop" : value));
    expect((await readCarWithRoot(holed)).blocks.size).toBe(blocks.size - 1);
  });
});
