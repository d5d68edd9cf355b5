import { describe, expect, it } from "vitest";
import type { CountedSignature } from "../../../../src/core/verify/verdict.ts";
import { vouchedClaims } from "../../../../src/core/verify/vouched-claims.ts";

const signature = (signer: string, handles: readonly string[], rev: string) =>
  ({ signer, handles, rev }) as unknown as CountedSignature;

describe("vouchedClaims", () => {
  it("repeats each signer, its first handle and revision in one order, and the time", () => {
    const all = [signature("did:plc:a", ["a.example", "b.example"], "3a"), signature("did:web:b", [], "3b")];
    expect(vouchedClaims(all, 0)).toEqual({
      "atcr-verify.did": "did:plc:a,did:web:b",
      "atcr-verify.handle": "a.example,",
      "atcr-verify.rev": "3a,3b",
      "atcr-verify.time": "1970-01-01T00:00:00Z",
    });
  });
});
