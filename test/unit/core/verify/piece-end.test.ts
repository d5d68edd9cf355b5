import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../../src/core/policy/parse-policy.ts";
import { endsOf, importedEnds, stateOf } from "../../../../src/core/verify/piece-end.ts";
import { DIGEST, NOW, signer } from "../../../support/evidence.ts";

const DAY = 86_400_000;
const alice = await signer({ name: "alice" });
const signature = await alice.evidence();
const POLICY = parsePolicy(
  `version: 1
trustedDIDs: {"${alice.did}": {}}
policies:
  - {name: edge, scope: "edge.example/**", action: enforce, require: {signature: true, offlineFor: 10d}}
  - {name: open, scope: "open.example/**", action: allow}
  - {name: all, scope: "**", action: enforce}
`,
  "policy.yaml",
);

describe("the end of a piece", () => {
  it("is offlineFor after its witness, for each name that a rule covers which asks for signatures", () => {
    const names = ["edge.example/a", "open.example/b", "other.example/c"];
    expect(endsOf(POLICY, { names, digest: DIGEST, from: NOW })).toEqual([
      { name: "edge.example/a", rule: "edge", at: NOW + 10 * DAY, window: 10 * DAY },
      { name: "other.example/c", rule: "all" },
    ]);
  });

  it("is near with a fifth of the window left", () => {
    const end = { name: "", rule: "", at: NOW + 10 * DAY, window: 10 * DAY };
    expect(
      [NOW, NOW + 8 * DAY - 1, NOW + 8 * DAY, NOW + 10 * DAY, NOW + 10 * DAY + 1].map((at) => stateOf(end, at)),
    ).toEqual(["counts", "counts", "ends soon", "ends soon", "ended"]);
    expect(stateOf({ name: "", rule: "" }, NOW)).toBe("not accepted");
  });

  it("counts from the import, the sealed gathering, and the last entry of a name; a no has none", () => {
    const names = ["edge.example/a"];
    const ends = (...entries: { importedAt: number; sealedBy?: string; isNo?: true }[]) =>
      importedEnds(
        [{ digest: DIGEST, signer: alice.did, entries: entries.map((entry) => ({ ...entry, names, signature })) }],
        POLICY,
        ["did:key:zA"],
      ).map(({ at }) => (at ?? 0) - NOW);
    expect(ends({ importedAt: NOW - DAY })).toEqual([9 * DAY]);
    expect(ends({ importedAt: NOW + DAY })).toEqual([10 * DAY]);
    expect(ends({ importedAt: NOW - DAY, sealedBy: "did:key:zA" })).toEqual([10 * DAY]);
    expect(ends({ importedAt: NOW - DAY, sealedBy: "did:key:zB" })).toEqual([9 * DAY]);
    expect(ends({ importedAt: NOW - 3 * DAY }, { importedAt: NOW - DAY })).toEqual([9 * DAY]);
    expect(ends({ importedAt: NOW, isNo: true })).toEqual([]);
  });
});
