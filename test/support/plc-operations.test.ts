import { verifySignature } from "@atproto/crypto";
import { describe, expect, it } from "vitest";
import { type AuditEntry, encodeOperation, PlcLog, type SignatureForm } from "./plc-operations.ts";
import { signingKey } from "./signing-key.ts";

const recovery = signingKey("k256", "recovery");
const rotation = signingKey("p256", "rotation");
const STATE = {
  rotationKeys: [recovery, rotation],
  signingKey: signingKey("k256", "repo"),
  handle: "alice.example.com",
  pds: "https://pds.example.com",
};
const HOUR = 3_600_000;
const START = Date.UTC(2025, 0, 1);

async function signedBy(entry: AuditEntry, didKey: string): Promise<boolean> {
  const { sig, ...unsigned } = entry.operation;
  const { bytes } = await encodeOperation(unsigned);
  return verifySignature(didKey, bytes, Buffer.from(sig, "base64url"));
}

describe("an operation log", () => {
  it("is chained, signed and deterministic", async () => {
    const build = async (): Promise<PlcLog> => {
      const log = await PlcLog.create(STATE, { at: START });
      await log.update({ handle: "bob.example.com" }, { at: START + HOUR, signer: rotation });
      return log;
    };
    const log = await build();
    const [first, second] = log.entries() as [AuditEntry, AuditEntry];
    expect(log.did).toMatch(/^did:plc:[a-z2-7]{24}$/);
    expect(second.operation["prev"]).toBe(first.cid);
    expect(await signedBy(first, recovery.did())).toBe(true);
    expect(await signedBy(second, rotation.did())).toBe(true);
    expect(log.document()?.["alsoKnownAs"]).toEqual(["at://bob.example.com"]);
    expect((await build()).entries()).toEqual(log.entries());
  });

  it("marks as nullified what a fork replaces, and ends with a tombstone", async () => {
    const log = await PlcLog.createLegacy(STATE, { at: START });
    await log.update({ pds: "https://evil.example.com" }, { at: START + HOUR, signer: STATE.signingKey });
    await log.update({ pds: "https://new.example.com" }, { at: START + 2 * HOUR, signer: recovery, after: 0 });
    expect(log.entries().map(({ nullified }) => nullified)).toEqual([false, true, false]);
    expect(log.state?.pds).toBe("https://new.example.com");
    await log.tombstone({ at: START + 3 * HOUR });
    expect(log.state).toBeUndefined();
    expect(log.document()).toBeUndefined();
  });

  it.each<[SignatureForm, RegExp]>([
    ["high-S", /^[\w-]{86}$/],
    ["padded", /==$/],
    ["pad-bits", /[^AQgw]$/],
    ["truncated", /^[\w-]{84}$/],
  ])("can be signed in the wrong form %s", async (form, expected) => {
    const log = await PlcLog.create(STATE, { at: START, form });
    expect(log.entries()[0]?.operation.sig).toMatch(expected);
  });
});
