import { describe, expect, it } from "vitest";
import type { TrustedSigner } from "../../../../src/core/policy/policy.ts";
import { ineligible } from "../../../../src/core/verify/eligibility.ts";
import { didNamed, NOW, trusted } from "../../../support/evidence.ts";

const code = (changes: Partial<TrustedSigner>) => ineligible(trusted(didNamed("a"), changes), NOW)?.code;

describe("ineligible", () => {
  it("has nothing against a signer without conditions", () => {
    expect(ineligible(trusted(didNamed("a")), NOW)).toBeUndefined();
  });

  it("names the signer", () => {
    expect(ineligible(trusted(didNamed("a"), { revoked: true }), NOW)?.signer).toBe(didNamed("a"));
  });

  it("refuses a revoked signer, whatever the dates say", () => {
    expect(code({ revoked: true })).toBe("signer.revoked");
    expect(code({ revoked: true, validFrom: NOW + 1, expiresAt: NOW })).toBe("signer.revoked");
  });

  it("trusts from validFrom on, that moment included", () => {
    expect(code({ validFrom: NOW + 1 })).toBe("signer.not_yet_valid");
    expect(code({ validFrom: NOW })).toBeUndefined();
  });

  it("trusts until expiresAt, that moment excluded", () => {
    expect(code({ expiresAt: NOW })).toBe("signer.expired");
    expect(code({ expiresAt: NOW + 1 })).toBeUndefined();
    expect(code({ validFrom: 0, expiresAt: 0 })).toBe("signer.expired");
  });
});
