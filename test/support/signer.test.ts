import { verifyRecords } from "@atproto/repo";
import { expect, it } from "vitest";
import { Signer } from "./signer.ts";

const AT = Date.UTC(2025, 0, 1);
const DIGEST = `sha256:${"ef".repeat(32)}`;

it("a signer's evidence verifies by the reference, and has the same bytes each time", async () => {
  const gather = async () => {
    const signer = await Signer.create({ seed: "alice", pds: "https://pds.example.com", at: AT, curve: "p256" });
    await signer.sign(DIGEST, "app", AT + 1000, { annotations: {} });
    return { signer, evidence: await signer.evidence(DIGEST, AT + 2000) };
  };
  const { signer, evidence } = await gather();
  const claims = await verifyRecords(evidence.record.bytes, signer.did, signer.key.did());
  expect(claims.map(({ record }) => record?.["digest"])).toContain(DIGEST);
  expect((await gather()).evidence).toEqual(evidence);
});
