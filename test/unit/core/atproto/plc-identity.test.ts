import { describe, expect, it } from "vitest";
import { readIdentity } from "../../../../src/core/atproto/identity.ts";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
import { proveIdentity } from "../../../support/identity.ts";
import { PlcLog } from "../../../support/plc-operations.ts";
import { signingKey } from "../../../support/signing-key.ts";

const AT = Date.UTC(2025, 0, 1);
const HOUR = 60 * 60 * 1000;
const [owner, second] = [signingKey("k256", "owner"), signingKey("p256", "second")];
const [first, next] = [signingKey("k256", "first"), signingKey("p256", "next")];

async function began(): Promise<PlcLog> {
  const state = { rotationKeys: [owner, second], signingKey: first, handle: "a.example", pds: "https://pds.example" };
  return PlcLog.create(state, { at: AT });
}

const read = (log: PlcLog) => readIdentity(log.did as Did, log.bytes());
const keySince = (log: PlcLog) => proveIdentity(log.did as Did, log.bytes()).keySince;

describe("the key of a did:plc", () => {
  it("is in place since the genesis operation, whatever else changes", async () => {
    const log = await began();
    await log.update({ handle: "b.example" }, { at: AT + HOUR });
    await log.update({ pds: "https://other.example" }, { at: AT + 2 * HOUR });
    expect(keySince(log)).toBe(AT);
  });

  it("is in place since the operation that named it", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + HOUR });
    await log.update({ handle: "b.example" }, { at: AT + 2 * HOUR });
    expect(keySince(log)).toBe(AT + HOUR);
  });

  it("that came back is in place since it came back", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + HOUR });
    await log.update({ signingKey: first }, { at: AT + 2 * HOUR });
    expect(keySince(log)).toBe(AT + 2 * HOUR);
  });

  it("was in place all the time where another one's operation is nullified", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + HOUR, signer: second });
    await log.update({ handle: "b.example", signingKey: first }, { at: AT + 2 * HOUR, after: 0, signer: owner });
    expect(keySince(log)).toBe(AT);
  });
});

describe("the history of a did:plc", () => {
  it("holds every valid operation, says who signed it, and which are nullified", async () => {
    const log = await began();
    await log.update({ signingKey: next }, { at: AT + HOUR, signer: second });
    await log.update({ handle: "b.example" }, { at: AT + 2 * HOUR, after: 0, signer: owner });
    const { history } = read(log);
    expect(history?.map(({ createdAt, nullified, signedBy }) => [createdAt - AT, nullified, signedBy])).toEqual([
      [0, false, owner.did()],
      [HOUR, true, second.did()],
      [2 * HOUR, false, owner.did()],
    ]);
    expect(history?.map(({ cid }) => cid)).toEqual(log.entries().map(({ cid }) => cid));
    expect(history?.[1]?.state?.signingKey).toBe(next.did());
  });

  it("is known also where a tombstone closed the identity", async () => {
    const log = await began();
    await log.tombstone({ at: AT + HOUR });
    const { history, current } = read(log);
    expect(history).toHaveLength(2);
    expect(history?.[1]?.state).toBeUndefined();
    expect(current instanceof Rejection && current.code).toBe("identity.deactivated");
  });
});
