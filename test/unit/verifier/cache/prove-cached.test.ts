import { describe, expect, it } from "vitest";
import type { SignatureEvidence } from "../../../../src/core/evidence/evidence.ts";
import { partTimes } from "../../../../src/core/verify/freshness.ts";
import type { Deadline } from "../../../../src/io/process/deadline.ts";
import { proveCached } from "../../../../src/verifier/cache/prove-cached.ts";
import { Counted } from "../../../support/deciding.ts";
import { asDid, BORN, DIGEST, signer } from "../../../support/evidence.ts";
import { manyKeys } from "../../../support/plc-operations.ts";

const CACHE = { findTag: () => undefined, isInvalidated: () => false };

async function proven(signature: SignatureEvidence, deadline: Deadline) {
  const known = { signature: () => signature, times: partTimes(signature) };
  return proveCached(known, signature.signer, { digest: DIGEST }, CACHE, { deadline });
}

describe("proveCached", () => {
  it("proves an honest signer's evidence, however many cached logs cost all of the time", async () => {
    const alice = await signer({ name: "alice" });
    const evidence = await alice.evidence();
    const slow = await manyKeys("slow", BORN, 40);
    const did = asDid(slow.did);
    const costly = { ...evidence, signer: did, identity: { ...evidence.identity, bytes: slow.bytes() } };
    const deadline = new Counted(400);
    const others = Array.from({ length: 15 }, async () => proven(costly, deadline));
    expect((await proven(evidence, deadline))?.attempt).toMatchObject({ facts: { signer: alice.did } });
    // Not looked at to the end: nothing is said of them.
    expect(await Promise.all(others)).toEqual(Array(15).fill(undefined));
  });

  it("tells what a cached log does not prove", async () => {
    const [alice, bob] = [await signer({ name: "alice" }), await signer({ name: "bob" })];
    const evidence = { ...(await alice.evidence()), signer: bob.did };
    const found = await proven(evidence, new Counted(400));
    expect(found?.attempt).toMatchObject({ finding: { code: "identity.log_invalid" } });
  });
});
