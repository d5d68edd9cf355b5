import { describe, expect, it } from "vitest";
import { judgeSaved } from "../../../src/decide/saved.ts";
import { judgeBundle, type SavedCase } from "../../../src/verify/offline.ts";
import { Counted, policy } from "../../support/deciding.ts";
import { asDid, BORN, DIGEST, digestOf, NOW, signer, subject } from "../../support/evidence.ts";
import { manyKeys } from "../../support/plc-operations.ts";

const alice = await signer({ name: "alice" });
const honest = await alice.evidence();
const slow = await manyKeys("slow", BORN, 40);
const costly = { ...honest, signer: asDid(slow.did), identity: { ...honest.identity, bytes: slow.bytes() } };

function saved(changes: Partial<SavedCase> = {}): SavedCase {
  const evidence = { pointers: [], gaps: [], signatures: [costly, costly, honest] };
  const bundle = { digest: DIGEST, evidence };
  return { ...subject(), policy: policy([alice.did]), bundle, atcrHosts: [], now: NOW, ...changes };
}

const audit = { policy: policy([alice.did], {}, { action: "audit" }) };

describe("judgeSaved", () => {
  it("judges as judgeBundle does", async () => {
    expect(await judgeSaved(saved(), new Counted(10_000))).toEqual(judgeBundle(saved()));
    expect(await judgeSaved(saved(audit), new Counted(10_000))).toMatchObject({ because: { kind: "signed" } });
    const about = { digest: digestOf("another image") };
    const other = judgeSaved(saved(about), new Counted(10_000));
    await expect(other).rejects.toMatchObject({ code: "input.digest_mismatch" });
  });

  it.each([0, 1, 40, 100])("looks at nothing more when the time is over: %i steps", async (left) => {
    const late = { outcome: "inconclusive", code: "net.deadline" };
    expect(await judgeSaved(saved(), new Counted(left))).toMatchObject(late);
    const audited = { outcome: "allow", because: { kind: "audited", would: late } };
    expect(await judgeSaved(saved(audit), new Counted(left))).toMatchObject(audited);
  });

  it("looks at the clock between two proofs, too", async () => {
    const signatures = Array(50).fill({ ...honest, identity: { ...honest.identity, bytes: new Uint8Array() } });
    const bundle = { digest: DIGEST, evidence: { pointers: [], gaps: [], signatures } };
    expect(await judgeSaved(saved({ bundle }), new Counted(40))).toMatchObject({ code: "net.deadline" });
    expect(await judgeSaved(saved({ bundle }), new Counted(1000))).toMatchObject({ code: "identity.log_invalid" });
  });
});
