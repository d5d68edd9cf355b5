import { beforeAll, describe, expect, it } from "vitest";
import { proveIdentity } from "../../../src/atproto/identity.ts";
import { attempt, prove } from "../../../src/verify/prove.ts";
import {
  DIGEST,
  digestOf,
  facts,
  MANIFEST,
  recordOf,
  SIGNED,
  signer,
  type TestSigner,
} from "../../support/evidence.ts";
import { codeOf } from "../../support/rejection.ts";
import { tid } from "../../support/signed-repo.ts";

let alice: TestSigner;
let bob: TestSigner;

beforeAll(async () => {
  alice = await signer({ name: "alice" });
  bob = await signer({ name: "bob", record: null });
});

describe("prove", () => {
  it("turns a signature into all that it proves", async () => {
    expect(prove(DIGEST, await alice.evidence())).toEqual({
      signer: alice.did,
      digest: DIGEST,
      key: alice.key.did(),
      pds: "https://pds.alice.example",
      rev: tid(SIGNED * 1000),
      revTime: SIGNED,
      claim: { repository: "app", mediaType: MANIFEST, createdAt: SIGNED },
    });
  });

  it.each([
    ["plc", "p256"],
    ["plc-legacy", "k256"],
    ["plc-legacy", "p256"],
    ["web", "k256"],
    ["web", "p256"],
  ] as const)("knows identities of %s with a key of %s", async (method, curve) => {
    const carol = await signer({ name: "carol", method, curve });
    expect(prove(DIGEST, await carol.evidence())).toMatchObject({ signer: carol.did, key: carol.key.did() });
  });

  it("says that a record is absent only where the repo proves it", async () => {
    const evidence = await bob.evidence();
    expect(codeOf(() => prove(DIGEST, evidence))).toBe("record.absent");
  });

  it("cannot tell where the PDS was not asked", async () => {
    const { record: _, ...unasked } = await alice.evidence();
    expect(codeOf(() => prove(DIGEST, unasked))).toBe("pds.unreachable");
  });

  it("names the identity's fault before that of a missing proof", () => {
    const unasked = { signer: alice.did, identity: bob.identity() };
    expect(codeOf(() => prove(DIGEST, unasked))).toBe("identity.log_invalid");
  });

  it("looks for the record of the digest it was given and no other", async () => {
    const evidence = await alice.evidence();
    expect(codeOf(() => prove(digestOf("another image"), evidence))).toBe("mst.incomplete_proof");
  });

  it("reads the record, whose word must be about the digest", async () => {
    const eve = await signer({ name: "eve", record: recordOf(digestOf("another image")) });
    const evidence = await eve.evidence();
    expect(codeOf(() => prove(DIGEST, evidence))).toBe("record.digest_mismatch");
  });

  it("takes the identity it is handed in place of the bytes", async () => {
    const evidence = await alice.evidence();
    const identity = proveIdentity(alice.did, evidence.identity.bytes);
    const spoilt = { ...evidence, identity: { ...evidence.identity, bytes: new Uint8Array() } };
    expect(codeOf(() => prove(DIGEST, spoilt))).toBe("identity.log_invalid");
    expect(prove(DIGEST, spoilt, identity).signer).toBe(alice.did);
  });

  it("takes no other signer's identity, which would be a bug of the caller", async () => {
    const evidence = await alice.evidence();
    const identity = proveIdentity(bob.did, bob.identity().bytes);
    expect(() => prove(DIGEST, evidence, identity)).toThrow("another signer");
  });
});

describe("attempt", () => {
  it("is the facts where everything holds", async () => {
    const evidence = await alice.evidence();
    expect(attempt(DIGEST, evidence)).toEqual({ facts: prove(DIGEST, evidence) });
    expect(Object.keys(facts(alice.did))).toEqual(Object.keys(prove(DIGEST, evidence)));
  });

  it("is a finding about the signer where a check fails", async () => {
    const result = attempt(DIGEST, await bob.evidence());
    expect(result).toMatchObject({ signer: bob.did, finding: { signer: bob.did, code: "record.absent" } });
  });

  it("does not take a bug for a finding", async () => {
    const evidence = await alice.evidence();
    const identity = proveIdentity(bob.did, bob.identity().bytes);
    expect(() => attempt(DIGEST, evidence, identity)).toThrow("another signer");
  });
});
