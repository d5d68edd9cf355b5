import { verifySignature } from "@atproto/crypto";
import { describe, expect, it } from "vitest";
import { type Curve, signingKey } from "./signing-key.ts";

const MESSAGE = new TextEncoder().encode("message");

describe.each<Curve>(["k256", "p256"])("a key on %s", (curve) => {
  const key = signingKey(curve, "alice");

  it("is the same for the same seed and another for another", async () => {
    expect(signingKey(curve, "alice").did()).toBe(key.did());
    expect(signingKey(curve, "bob").did()).not.toBe(key.did());
    expect(await signingKey(curve, "alice").sign(MESSAGE)).toEqual(await key.sign(MESSAGE));
  });

  it("signs what the reference accepts", async () => {
    expect(await verifySignature(key.did(), MESSAGE, await key.sign(MESSAGE))).toBe(true);
  });

  it("has a second, high-S signature that only a lenient verifier accepts", async () => {
    const signature = await key.signHighS(MESSAGE);
    expect(signature).toHaveLength(64);
    expect(await verifySignature(key.did(), MESSAGE, signature)).toBe(false);
    expect(await verifySignature(key.did(), MESSAGE, signature, { allowMalleableSig: true })).toBe(true);
  });

  it("has a DER signature that only a lenient verifier accepts", async () => {
    const signature = await key.signDer(MESSAGE);
    expect(await verifySignature(key.did(), MESSAGE, signature).catch(() => false)).toBe(false);
    expect(await verifySignature(key.did(), MESSAGE, signature, { allowMalleableSig: true })).toBe(true);
  });

  it("gives its public key in every form", () => {
    expect(key.compressed()).toHaveLength(33);
    expect(key.uncompressed()).toHaveLength(65);
    expect(key.uncompressed().subarray(1, 33)).toEqual(key.compressed().subarray(1));
    expect(key.multikey()).toMatch(curve === "k256" ? /^zQ3sh/ : /^zDn/);
  });
});
