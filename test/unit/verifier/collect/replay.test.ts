import { beforeAll, describe, expect, it } from "vitest";
import { readIdentity } from "../../../../src/core/atproto/identity.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
import type { UnavailableError } from "../../../../src/verifier/collect/context.ts";
import { replayIdentity } from "../../../../src/verifier/collect/replay.ts";
import { Counted } from "../../../support/deciding.ts";
import { asDid, BORN, signer, type TestSigner } from "../../../support/evidence.ts";
import { manyKeys } from "../../../support/plc-operations.ts";

let honest: TestSigner;
let hostile: Awaited<ReturnType<typeof manyKeys>>;
beforeAll(async () => {
  honest = await signer({ name: "honest", others: 0 });
  hostile = await manyKeys("hostile", BORN, 40);
});

describe("replayIdentity", () => {
  const bytes = () => honest.log.bytes();
  const late = (error: UnavailableError | Rejection) => error.code;

  it("proves what readIdentity proves", async () => {
    const deadline = new Counted(1000);
    expect(await replayIdentity(honest.did, bytes(), { deadline })).toEqual(readIdentity(honest.did, bytes()));
    const did = asDid(hostile.did);
    const proof = await replayIdentity(did, hostile.bytes(), { deadline: new Counted(10_000) });
    expect(proof).toEqual(readIdentity(did, hostile.bytes()));
    await expect(replayIdentity(did, bytes(), { deadline })).rejects.toThrow(Rejection);
  });

  it("looks at the clock before each signature, and stops where the time is over", async () => {
    const did = asDid(hostile.did);
    const asked = [0, 1, 2, 40].map(async (left) =>
      replayIdentity(did, hostile.bytes(), { deadline: new Counted(left) }).catch(late),
    );
    expect(await Promise.all(asked)).toEqual(Array(4).fill("net.deadline"));
    expect(await replayIdentity(did, hostile.bytes(), { deadline: new Counted(120) })).toMatchObject({ did });
  });

  it("leaves an honest signer their share of the time, however many others cost all of it", async () => {
    const deadline = new Counted(400);
    const others = Array.from({ length: 15 }, async () =>
      replayIdentity(asDid(hostile.did), hostile.bytes(), { deadline }).catch(late),
    );
    expect(await replayIdentity(honest.did, bytes(), { deadline })).toMatchObject({ did: honest.did });
    expect(await Promise.all(others)).toEqual(Array(15).fill("net.deadline"));
  });
});
