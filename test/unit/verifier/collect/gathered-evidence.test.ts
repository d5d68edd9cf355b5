import { describe, expect, it } from "vitest";
import { GatheredEvidence } from "../../../../src/verifier/collect/gathered-evidence.ts";
import { DIGEST, gap, pointer, signer } from "../../../support/evidence.ts";

const alice = await signer({ name: "alice", others: 0 });

describe("Findings", () => {
  it("proves signatures as they arrive, and keeps everything else as it is", async () => {
    const found = new GatheredEvidence({ digest: DIGEST });
    const owner = { handle: "alice.test", did: alice.did, source: "dns:x", fetchedAt: 1 };
    const signature = await alice.evidence();
    expect(found.add({ kind: "pointer", pointer: pointer(alice.did) })).toBeUndefined();
    expect(found.add({ kind: "gap", gap: gap("pds.unreachable") })).toBeUndefined();
    expect(found.add({ kind: "owner", owner })).toBeUndefined();
    const attempt = found.add({ kind: "signature", signature });
    expect(attempt).toMatchObject({ facts: { signer: alice.did } });
    const rest = { pointers: [pointer(alice.did)], gaps: [gap("pds.unreachable")], owner };
    expect(found.known()).toEqual({ ...rest, attempts: [attempt] });
    expect(found.evidence()).toEqual({ ...rest, signatures: [signature] });
  });

  it("names no owner where none was heard", () => {
    const found = new GatheredEvidence({ digest: DIGEST });
    expect(Object.keys(found.known())).not.toContain("owner");
    expect(found.evidence()).toEqual({ pointers: [], gaps: [], signatures: [] });
  });
});
