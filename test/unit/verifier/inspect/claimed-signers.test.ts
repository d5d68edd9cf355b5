import { describe, expect, it } from "vitest";
import type { Did } from "../../../../src/core/atproto/syntax.ts";
import { ClaimedSigners, type ClaimSource } from "../../../../src/verifier/inspect/claimed-signers.ts";
import { didNamed } from "../../../support/evidence.ts";

const OWNER: ClaimSource = { kind: "owner", handle: "alice.example.com" };
const GIVEN: ClaimSource = { kind: "given", text: "bob.example.com" };
const LISTED: ClaimSource = { kind: "referrer", url: "https://registry.example/x" };
const MANY = "abcdefghijklmnopqrstuvwxyz".split("").map(didNamed);

/** Signers whose answers arrive when the test says so. */
function slow(reserved = 0) {
  const asked: [Did, boolean][] = [];
  const answers = new Map<Did, (answer: string) => void>();
  const signers = new ClaimedSigners<string>(reserved, (did, isStranger) => {
    asked.push([did, isStranger]);
    return new Promise((resolve) => answers.set(did, resolve));
  });
  const answer = async (...dids: readonly Did[]) => {
    for (const did of dids) answers.get(did)?.(`answer of ${did}`);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { signers, asked, answer };
}

describe("claimed signers", () => {
  it("are asked 8 at a time, and 16 in all", async () => {
    const { signers, asked, answer } = slow();
    for (const did of MANY) signers.claim(did, LISTED);
    expect(asked).toHaveLength(8);
    await answer(...MANY.slice(0, 3));
    expect(asked).toHaveLength(11);
    await answer(...MANY.slice(3, 16));
    await answer(...MANY.slice(0, 16));
    expect(asked.map(([did]) => did)).toEqual(MANY.slice(0, 16));
    await signers.settled();
    expect(signers.notAsked).toEqual(MANY.slice(16));
    expect(signers.asked.every(({ found }) => found !== undefined)).toBe(true);
  });

  it("leave places for those who are named, at the same time and in all", async () => {
    const { signers, asked, answer } = slow(2);
    for (const did of MANY) signers.claim(did, LISTED);
    expect(asked).toHaveLength(6);
    await answer(...MANY.slice(0, 14));
    await answer(...MANY.slice(0, 14));
    await answer(...MANY.slice(0, 14));
    expect(asked).toHaveLength(14);
    signers.name(didNamed("2"), OWNER);
    signers.name(didNamed("3"), GIVEN);
    expect(asked.slice(14)).toEqual([
      [didNamed("2"), false],
      [didNamed("3"), false],
    ]);
    expect(signers.asked.map(({ did }) => did).slice(0, 2)).toEqual([didNamed("2"), didNamed("3")]);
  });

  it("take the place of a handle that leads to nobody", async () => {
    const { signers, asked, answer } = slow(1);
    for (const did of MANY) signers.claim(did, LISTED);
    signers.giveBack();
    expect(asked).toHaveLength(8);
    await answer(...MANY);
    await answer(...MANY);
    expect(asked).toHaveLength(16);
  });

  it("are asked once, and at once where they are named after they were listed", () => {
    const { signers, asked } = slow(1);
    for (const did of MANY) signers.claim(did, LISTED);
    const last = MANY.at(-1) as Did;
    signers.name(last, OWNER);
    expect(asked.filter(([did]) => did === last)).toEqual([[last, false]]);
    expect(signers.asked[0]).toEqual({ did: last, sources: [OWNER, LISTED] });
    signers.claim(last, LISTED);
    expect(asked.filter(([did]) => did === last)).toHaveLength(1);
  });

  it("keep the first sources of many", () => {
    const { signers } = slow();
    for (let i = 0; i < 1000; i++) signers.claim(didNamed("a"), LISTED);
    expect(signers.asked[0]?.sources).toHaveLength(4);
  });

  it("pass on a bug", async () => {
    const signers = new ClaimedSigners<string>(0, () => Promise.reject(new Error("a bug")));
    signers.claim(didNamed("a"), LISTED);
    await expect(signers.settled()).rejects.toThrow("a bug");
  });
});
