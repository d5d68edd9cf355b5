import { beforeAll, describe, expect, it } from "vitest";
import { type IdentityProof, readIdentity } from "../../../../src/core/atproto/identity.ts";
import type { SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import { reject } from "../../../../src/core/rejection.ts";
import { attempt, type ProofTarget } from "../../../../src/core/verify/prove.ts";
import type { SignatureFacts } from "../../../../src/core/verify/verdict.ts";
import {
  BORN,
  DIGEST,
  digestOf,
  facts,
  MANIFEST,
  recordOf,
  SIGNED,
  signer,
  type TestSigner,
} from "../../../support/evidence.ts";
import { codeOf } from "../../../support/rejection.ts";
import { tid } from "../../../support/signed-repo.ts";

const SOUGHT: ProofTarget = { digest: DIGEST };

/** The facts, or the finding's code thrown. */
function prove(sought: ProofTarget, signature: SignatureEvidence, proof?: IdentityProof): SignatureFacts {
  const result = attempt(sought, signature, proof);
  return "facts" in result ? result.facts : reject(result.finding.code, result.finding.detail);
}

let alice: TestSigner;
let bob: TestSigner;

beforeAll(async () => {
  alice = await signer({ name: "alice" });
  bob = await signer({ name: "bob", record: null });
});

describe("prove", () => {
  it("turns a signature into all that it proves", async () => {
    expect(prove(SOUGHT, await alice.evidence())).toEqual({
      signer: alice.did,
      digest: DIGEST,
      key: alice.key.did(),
      keySince: BORN,
      pds: "https://pds.alice.example",
      handles: ["alice.test"],
      rev: tid(SIGNED * 1000),
      revTime: SIGNED,
      commitCid: expect.stringMatching(/^bafyrei[a-z2-7]{52}$/),
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
    expect(prove(SOUGHT, await carol.evidence())).toMatchObject({ signer: carol.did, key: carol.key.did() });
  });

  it("says that a record is absent only where the repo proves it", async () => {
    const evidence = await bob.evidence();
    expect(codeOf(() => prove(SOUGHT, evidence))).toBe("record.absent");
  });

  it("cannot tell where the PDS was not asked", async () => {
    const { record: _, ...notContacted } = await alice.evidence();
    expect(codeOf(() => prove(SOUGHT, notContacted))).toBe("pds.unreachable");
  });

  it("names the identity's fault before that of a missing proof", () => {
    const notContacted = { signer: alice.did, identity: bob.identity() };
    expect(codeOf(() => prove(SOUGHT, notContacted))).toBe("identity.log_invalid");
  });

  it("looks for the record of the digest it was given and no other", async () => {
    const evidence = await alice.evidence();
    expect(codeOf(() => prove({ digest: digestOf("another image") }, evidence))).toBe("mst.incomplete_proof");
  });

  it("reads the record, whose word must be about the digest", async () => {
    const eve = await signer({ name: "eve", record: recordOf(digestOf("another image")) });
    const evidence = await eve.evidence();
    expect(codeOf(() => prove(SOUGHT, evidence))).toBe("record.digest_mismatch");
  });

  it("takes the identity it is handed in place of the bytes", async () => {
    const evidence = await alice.evidence();
    const identity = readIdentity(alice.did, evidence.identity.bytes);
    const spoilt = { ...evidence, identity: { ...evidence.identity, bytes: new Uint8Array() } };
    expect(codeOf(() => prove(SOUGHT, spoilt))).toBe("identity.log_invalid");
    expect(prove(SOUGHT, spoilt, identity).signer).toBe(alice.did);
  });

  it("takes no other signer's identity, which would be a bug of the caller", async () => {
    const evidence = await alice.evidence();
    const identity = readIdentity(bob.did, bob.identity().bytes);
    expect(() => prove(SOUGHT, evidence, identity)).toThrow("another signer");
  });
});

describe("attempt", () => {
  it("is the facts where everything holds", async () => {
    const evidence = await alice.evidence();
    expect(attempt(SOUGHT, evidence)).toMatchObject({ facts: prove(SOUGHT, evidence) });
    expect(Object.keys(facts(alice.did))).toEqual(Object.keys(prove(SOUGHT, evidence)));
  });

  it("is a finding about the signer where a check fails", async () => {
    const result = attempt(SOUGHT, await bob.evidence());
    expect(result).toMatchObject({ signer: bob.did, finding: { signer: bob.did, code: "record.absent" } });
  });

  it("does not take a bug for a finding", async () => {
    const evidence = await alice.evidence();
    const identity = readIdentity(bob.did, bob.identity().bytes);
    expect(() => attempt(SOUGHT, evidence, identity)).toThrow("another signer");
  });
});
