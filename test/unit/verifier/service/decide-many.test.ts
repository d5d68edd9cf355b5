import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import type { Requirement } from "../../../../src/core/policy/policy.ts";
import { answer, nobodies, type Pull, policy } from "../../../support/deciding.ts";
import { signer } from "../../../support/evidence.ts";
import { World } from "../../../support/world.ts";

const HANDLE = "alice.example.com";
const ON_ATCR: Pull = {
  about: { name: { host: "registry.example", path: `${HANDLE}/app` } },
  config: { atcrHosts: ["registry.example"] },
};

describe("decide, where a rule trusts more than 16 signers and the registry names none", () => {
  /** @param leads where the handle leads; undefined: to Alice, who signed the image */
  const pull = async (more: number, asked: Pull, requirement: Partial<Requirement> = {}, leads?: Did) => {
    const alice = await signer({ name: "alice", state: { handle: HANDLE } });
    await using world = await World.start(alice);
    world.txt.set(`_atproto.${HANDLE}`, [`did=${leads ?? alice.did}`]);
    const verdict = await answer(world, policy([...nobodies(more), alice.did], requirement), asked);
    return { verdict, contacted: world.contacted.map((did) => (did === alice.did ? "alice" : did)) };
  };

  it("asks whom the handle in the name leads to", async () => {
    expect(await pull(16, ON_ATCR)).toEqual({ verdict: "allow", contacted: ["alice"] });
  });

  it("asks nobody else: not whom it leads to where the rule does not trust them", async () => {
    const stranger = `did:plc:${"z".repeat(24)}` as Did;
    expect(await pull(16, ON_ATCR, {}, stranger)).toEqual({ verdict: "deny signature.none", contacted: [] });
  });

  it("asks them once where they are asked anyway", async () => {
    const { verdict, contacted } = await pull(15, ON_ATCR);
    expect([verdict, contacted.length]).toEqual(["allow", 16]);
  });

  it("has no such pointer where the rule does not ask whose the handle is", async () => {
    const none = { verdict: "deny signature.none", contacted: [] };
    expect(await pull(16, ON_ATCR, { owner: "any" })).toEqual(none);
    expect(await pull(16, {})).toEqual(none);
  });

  it("says no of all but the owner where the registry could not be reached either", async () => {
    const stranger = `did:plc:${"z".repeat(24)}` as Did;
    const alice = await signer({ name: "alice", record: null, state: { handle: HANDLE } });
    await using world = await World.start(alice);
    world.registry.override("/v2/", { status: 500 });
    const trusting = policy([...nobodies(16), alice.did]);
    world.txt.set(`_atproto.${HANDLE}`, [`did=${alice.did}`]);
    expect(await answer(world, trusting, ON_ATCR)).toBe("deny signature.none");
    world.txt.set(`_atproto.${HANDLE}`, [`did=${stranger}`]);
    expect(await answer(world, trusting, ON_ATCR)).toBe("deny signature.none");
    expect(await answer(world, trusting, {})).toBe("inconclusive registry.unreachable");
  });
});
