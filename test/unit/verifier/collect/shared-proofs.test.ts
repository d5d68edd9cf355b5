import { describe, expect, it } from "vitest";
import type { IdentityProof } from "../../../../src/core/atproto/identity.ts";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { Rejection } from "../../../../src/core/rejection.ts";
import { Deadline } from "../../../../src/io/process/deadline.ts";
import { UnavailableError } from "../../../../src/verifier/collect/context.ts";
import { SharedProofs } from "../../../../src/verifier/collect/shared-proofs.ts";

const ALICE = "did:web:alice.example" as Did;
const BOB = "did:web:bob.example" as Did;
const PROOF = { did: ALICE } as IdentityProof;
const soon = (ms = 5000) => new Deadline(performance.now() + ms);

describe("SharedProofs", () => {
  it("replays the same bytes of a signer once, now and later", async () => {
    const proofs = new SharedProofs(5000);
    const bytes = new Uint8Array(3);
    let replays = 0;
    const replay = async () => {
      replays++;
      await new Promise((resolve) => setTimeout(resolve, 2));
      return PROOF;
    };
    const all = await Promise.all([1, 2, 3].map(() => proofs.of(ALICE, bytes, soon(), replay)));
    expect([...all, await proofs.of(ALICE, bytes, soon(), replay)]).toEqual([PROOF, PROOF, PROOF, PROOF]);
    expect(replays).toBe(1);
    await proofs.of(ALICE, new Uint8Array(3), soon(), replay);
    await proofs.of(BOB, bytes, soon(), replay);
    expect(replays).toBe(3);
  });

  it("replays with a deadline of its own, which one who waits does not end", async () => {
    const proofs = new SharedProofs(5000);
    const bytes = new Uint8Array(3);
    const end = Promise.withResolvers<IdentityProof>();
    let given: Deadline | undefined;
    const replay = async (deadline: Deadline) => {
      given = deadline;
      return end.promise;
    };
    const hasty = proofs.of(ALICE, bytes, soon(10), replay);
    const patient = proofs.of(ALICE, bytes, soon(), replay);
    await expect(hasty).rejects.toMatchObject({ code: "net.deadline", answered: true });
    expect(given?.remaining()).toBeGreaterThan(4000);
    end.resolve(PROOF);
    expect(await patient).toBe(PROOF);
    await expect(proofs.of(ALICE, bytes, soon(0), replay)).rejects.toMatchObject({ code: "net.deadline" });
  });

  it("remembers what is wrong with a log, and not that the time was over", async () => {
    const proofs = new SharedProofs(5000);
    for (const [error, times] of [
      [new Rejection("identity.log_invalid", ""), 1],
      [new UnavailableError("net.deadline", ""), 2],
    ] as const) {
      const bytes = new Uint8Array(3);
      let replays = 0;
      const replay = async () => {
        replays++;
        throw error;
      };
      for (const _ of [1, 2]) await expect(proofs.of(ALICE, bytes, soon(), replay)).rejects.toBe(error);
      expect(replays).toBe(times);
    }
  });
});
