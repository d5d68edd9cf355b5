import { describe, expect, it } from "vitest";
import { Counted, policy } from "../../../support/deciding.ts";
import { asDid, BORN, bundleOf, NOW, signer, subject } from "../../../support/evidence.ts";
import { manyKeys } from "../../../support/plc-operations.ts";
import { judgeSavedCase, type SavedCase } from "../../../support/saved.ts";

const alice = await signer({ name: "alice" });
const honest = await alice.evidence();
const slow = await manyKeys("slow", BORN, 40);
const costly = { ...honest, signer: asDid(slow.did), identity: { ...honest.identity, bytes: slow.bytes() } };

function saved(changes: Partial<SavedCase> = {}): SavedCase {
  const evidence = { pointers: [], gaps: [], signatures: [costly, costly, honest] };
  const bundle = bundleOf(evidence);
  return { ...subject(), policy: policy([alice.did]), bundle, atcrHosts: [], now: NOW, ...changes };
}

const audit = { policy: policy([alice.did], {}, { action: "audit" }) };

describe("saved evidence", () => {
  it("is judged whole where there is time", async () => {
    const signed = { outcome: "allow", because: { kind: "signed" } };
    expect(await judgeSavedCase(saved(), new Counted(10_000))).toMatchObject(signed);
    expect(await judgeSavedCase(saved(audit), new Counted(10_000))).toMatchObject(signed);
  });

  it.each([0, 1, 40, 100])("is not looked at when the time is over: %i steps", async (left) => {
    const late = { outcome: "inconclusive", code: "net.deadline" };
    expect(await judgeSavedCase(saved(), new Counted(left))).toMatchObject(late);
    const audited = { outcome: "allow", because: { kind: "audited", would: late } };
    expect(await judgeSavedCase(saved(audit), new Counted(left))).toMatchObject(audited);
  });

  it("is judged with a look at the clock between two proofs, too", async () => {
    const signatures = Array(50).fill({ ...honest, identity: { ...honest.identity, bytes: new Uint8Array() } });
    const bundle = bundleOf({ signatures });
    expect(await judgeSavedCase(saved({ bundle }), new Counted(40))).toMatchObject({ code: "net.deadline" });
    expect(await judgeSavedCase(saved({ bundle }), new Counted(60_000))).toMatchObject({
      code: "identity.log_invalid",
    });
  });
});
